/* What a client of a listener with protocol "auto" speaks, told by its first bytes: before anything has been read of
 * the connection, again behind its PROXY header, and again inside its TLS. */
#include "proto/tell.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "engine/handover.h"
#include "engine/shared.h"
#include "net/sock.h"

/* What the client's destination in a PROXY header promises. */
static const struct {
    uint16_t           port;
    enum conf_protocol protocol;
    bool               tls;
} promises[] = {
    {1883, PROTOCOL_MQTT, false}, {8883, PROTOCOL_MQTT, true}, {8083, PROTOCOL_WS, false}, {8084, PROTOCOL_WS, true}};

static bool is_promised(const struct session *s, enum conf_protocol protocol, bool tls)
{
    uint16_t port = s->via != NULL && addr_is_set(&s->via->dst) ? addr_port(&s->via->dst) : 0;
    for (size_t i = 0; i < ARRAY_LEN(promises); i++) {
        if (promises[i].port == port)
            return promises[i].tls == tls && (protocol == PROTOCOL_AUTO || promises[i].protocol == protocol);
    }
    return true;
}

static bool is_unread(const struct session *s)
{
    return !s->has_header && !s->is_tls;
}

/* What has come is read first: it may be looked at later, and with bytes unread the connection would end in a reset. */
static enum step refuse(struct session *s, enum why why)
{
    if (is_unread(s) && greet_read(s) == STEP_CLOSED)
        return STEP_CLOSED;
    return session_step_fail(s, why);
}

static bool lacks_header(const struct session *s)
{
    return !s->has_header && s->listener->conf->proxy_protocol == PROXY_IN_REQUIRED;
}

static enum step refuse_without_header(struct session *s)
{
    return refuse(s, greet_trusts(s) ? WHY_PROXY_BAD : WHY_PROXY_UNTRUSTED);
}

static enum step begin_header(struct session *s)
{
    if (!is_unread(s))
        return refuse(s, WHY_NOT_TOLD);
    if (s->listener->conf->proxy_protocol == PROXY_IN_OFF || !greet_trusts(s))
        return refuse(s, WHY_PROXY_UNTRUSTED);
    return session_step_to(s, ST_PROXY_HEADER);
}

static enum step begin_tls(struct session *s)
{
    if (lacks_header(s))
        return refuse_without_header(s);
    if (s->is_tls || s->listener->tls == NULL || !is_promised(s, PROTOCOL_AUTO, true))
        return refuse(s, WHY_NOT_TOLD);
    s->tls = s->listener->tls;
    return greet_told(s);
}

static enum step serve(struct session *s, enum conf_protocol protocol)
{
    struct snap_backend *backend = s->listener->backends[protocol];
    if (lacks_header(s))
        return refuse_without_header(s);
    if (backend == NULL || !is_promised(s, protocol, s->is_tls))
        return refuse(s, WHY_NOT_TOLD);
    s->backend = backend;
    s->protocol = protocol;
    return greet_told(s);
}

static enum step hand_over(struct session *s)
{
    struct engine *e = s->worker->engine;
    struct side   *client = &s->side[CLIENT];
    struct addr    peer = s->client;
    int            fd = client->stream.fd;
    bool           health_only = greet_trusts(s);
    loop_unwatch(&s->worker->loop, &client->io);
    client->stream.fd = -1;
    session_close(s, WHY_HANDED_OVER);
    handover_send(e, fd, &peer, health_only);
    return STEP_CLOSED;
}

static enum step on_told(struct session *s, enum tell told)
{
    switch (told) {
    case TELL_PROXY:
        return begin_header(s);
    case TELL_TLS:
        return begin_tls(s);
    case TELL_MQTT:
        return serve(s, PROTOCOL_MQTT);
    case TELL_WS:
        return serve(s, PROTOCOL_WS);
    case TELL_HTTP:
        return s->listener->conf->admin && is_unread(s) ? hand_over(s) : serve(s, PROTOCOL_WS);
    default:
        return lacks_header(s) ? refuse_without_header(s) : refuse(s, WHY_NOT_TOLD);
    }
}

static bool has_ended(int fd)
{
    enum sock_pending pending = sock_pending(fd);
    return pending != SOCK_NOTHING && pending != SOCK_BYTES;
}

enum io tell_peek(int fd, const char *ws_path, uint32_t *look_at, enum tell *told)
{
    uint8_t bytes[TELL_MAX];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? IO_WANT_READ : IO_RESET;
    if (n == 0)
        return IO_EOF;
    *told = tell(slice_of(bytes, (size_t)n), ws_path);
    if (*told == TELL_MORE && has_ended(fd)) /* behind what is not read, the end cannot be read */
        return IO_EOF;
    /* Woken for more than can be seen: it is urgent data, past which nobody can look, or memory is out. */
    if (*told == TELL_MORE && (uint32_t)n < *look_at)
        *told = TELL_NOTHING;
    if (*told == TELL_MORE) {
        *look_at = (uint32_t)n + 1;
        sock_await(fd, *look_at);
        return IO_WANT_READ;
    }
    if (*look_at != 0)
        sock_await(fd, 1);
    *look_at = 0;
    return IO_OK;
}

static enum step tell_unread(struct session *s)
{
    enum tell told;
    switch (tell_peek(s->side[CLIENT].stream.fd, s->listener->conf->ws.path, &s->look_at, &told)) {
    case IO_OK:
        return on_told(s, told);
    case IO_WANT_READ:
        return STEP_WAIT;
    case IO_EOF:
        return session_step_fail(s, WHY_CLIENT_CLOSED);
    default:
        return session_step_fail(s, WHY_CLIENT_RESET);
    }
}

/* A PROXY header of any length may stand before the bytes in hand. */
static enum step read_more(struct session *s)
{
    struct buf *in_hand = s->flow[UP].buf;
    if (s->flow[UP].eof)
        return session_step_fail(s, WHY_CLIENT_CLOSED);
    if (in_hand != NULL)
        buf_pack(in_hand);
    return s->is_tls ? intake_read(s) : greet_read(s);
}

enum step step_tell(struct session *s)
{
    if (is_unread(s))
        return tell_unread(s);
    for (;;) {
        enum tell told = tell(buf_bytes(s->flow[UP].buf), s->listener->conf->ws.path);
        if (told != TELL_MORE)
            return on_told(s, told);
        enum step step = read_more(s);
        if (step != STEP_NEXT)
            return step;
    }
}
