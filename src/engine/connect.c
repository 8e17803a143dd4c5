/* From a known client to a server that takes its bytes: pick, queue, connect, PROXY header, TLS. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/shared.h"
#include "engine/ws.h"
#include "net/sock.h"
#include "proto/proxyhdr.h"

static void tell_waiters(struct session *s, bool somebody_waits)
{
    if (somebody_waits)
        engine_tell_all(s->worker->engine, MAIL_PLACE_FREE);
}

void session_leave_server(struct session *s)
{
    if (s->backend != NULL)
        tell_waiters(s, pool_release(s->backend->pool, &s->lease));
}

void session_server_answered(struct session *s)
{
    tell_waiters(s, pool_answered(s->backend->pool, &s->lease));
}

enum step connect_try_failed(struct session *s, int error, enum why why)
{
    const struct snap_backend *backend = s->backend;
    struct engine             *engine = s->worker->engine;
    count_server(s, COUNT_CONNECTS_FAILED, 1);
    if (why != WHY_UPGRADE_REFUSED) { /* it is there, and answers */
        server_note_failure(session_server(s)->live);
        engine->settings.server_failed(engine->settings.user);
    }
    s->error = error;
    s->waiter.tried |= 1ull << s->lease.index;
    s->n_tries++;
    log_debug(&s->worker->log, "connect_failed", LOG_HEX("id", s->id), LOG_STR("backend", backend->conf->name),
              LOG_STR("server", session_server(s)->conf->name), LOG_UINT("try", s->n_tries),
              LOG_UINT("tries", backend->conf->tries), LOG_STR("err", error != 0 ? strerror(error) : NULL),
              LOG_STR("tls", error == 0 ? stream_failure(&s->side[SERVER].stream) : NULL));
    if (s->n_tries >= backend->conf->tries)
        return session_step_no_server(s, why);
    session_side_close(s, SERVER);
    buf_give(s->greeting);
    buf_give(s->flow[DOWN].buf); /* the beginning of an answer */
    s->greeting = s->flow[DOWN].buf = NULL;
    session_leave_server(s);
    s->has_server = false;
    return s->state == ST_PICK ? STEP_NEXT : session_step_to(s, ST_PICK);
}

/* The n-th address of 127.1.<worker>.1-254: with each of them all ephemeral ports are free again, so that a loopback
 * broker can be reached from far more than 64k sockets. */
static struct addr loopback_source(struct worker *w)
{
    const uint8_t ip[4] = {127, 1, (uint8_t)w->index, (uint8_t)(1 + w->next_source++ % 254)};
    return addr_from_ip4(ip, 0);
}

static bool is_spread(const struct conf_server *conf, const struct addr *to)
{
    return conf->source_auto && to->sa.sa_family == AF_INET && addr_is_loopback(to);
}

static int open_socket(struct worker *w, const struct conf_server *conf, const struct addr *to)
{
    enum { SOURCES = 32 }; /* tried until one has a free port */
    if (!is_spread(conf, to))
        return sock_connect(to, conf->source_auto ? NULL : &conf->source, NULL);
    int fd = -1;
    for (int i = 0; fd < 0 && i < SOURCES; i++) {
        struct addr source = loopback_source(w);
        fd = sock_connect(to, &source, NULL);
        if (fd < 0 && errno != EADDRNOTAVAIL)
            break;
    }
    return fd;
}

static enum step start_connect(struct session *s)
{
    const struct conf_server *conf = session_server(s)->conf;
    const struct sock_options options = {.user_timeout_ms = session_timeouts(s)->unacked_ms};
    const struct addr         to = server_address(session_server(s)->live);
    count_server(s, COUNT_CONNECTS, 1);
    if (s->n_tries > 0)
        count_server(s, COUNT_RETRIES, 1);
    if (s->n_tries == 0)
        s->wait_ms = (uint32_t)(s->worker->now_ms - s->begun_ms);
    int fd = addr_is_set(&to) ? open_socket(s->worker, conf, &to) : -1;
    if (fd < 0) /* DNS may have taken the address since the server was picked */
        return connect_try_failed(s, addr_is_set(&to) ? errno : EHOSTUNREACH, WHY_CONNECT_FAILED);
    count_server(s, COUNT_CONNECTS_BEGUN, 1);
    sock_tune(fd, &options);
    if (addr_is_loopback(&to))
        sock_tune_loopback(fd);
    session_side_reset(&s->side[SERVER], fd);
    s->side[SERVER].writable = false; /* it becomes so when the outcome is there */
    return session_step_to(s, ST_CONNECT);
}

/* Who the client is, for a balance that keeps it at its server: its identifier, which is kept as far as it is shown, or
 * its address, without the port, as that is of one connection only. */
static uint64_t balance_key(const struct session *s)
{
    const struct addr a = addr_from_sockaddr(&s->client.sa); /* a PROXY header may tell of IPv4 in IPv6 */
    if (s->backend->conf->balance == BALANCE_CLIENT_ID && s->mqtt != NULL && s->mqtt->client_id[0] != '\0')
        return pool_key(s->mqtt->client_id, strlen(s->mqtt->client_id));
    if (a.sa.sa_family == AF_INET6)
        return pool_key(&a.in6.sin6_addr, sizeof a.in6.sin6_addr);
    return pool_key(&a.in.sin_addr, sizeof a.in.sin_addr);
}

static void count_pick(struct session *s, const struct lease *lease)
{
    bool elsewhere = s->n_tries > 0 && s->lease.index != lease->index;
    s->lease = *lease;
    s->has_server = true;
    s->redispatched |= elsewhere;
    count_server(s, COUNT_PICKS, 1);
    if (elsewhere)
        count_server(s, COUNT_REDISPATCHES, 1);
    row_count_session(session_server(s)->row, s->worker->now_ms);
}

/* Once: whatever becomes of the session, it was the backend's. */
static void count_arrival(struct session *s)
{
    struct row *row = s->backend->row;
    if (s->in_backend)
        return;
    s->in_backend = true;
    s->greet_ms = (uint32_t)(s->worker->now_ms - s->begun_ms);
    gauge_add(&row->sessions);
    row_count_session(row, s->worker->now_ms);
    count_server(s, COUNT_SESSIONS, 1);
}

static enum step picked(struct session *s, enum pick pick, const struct lease *lease)
{
    switch (pick) {
    case PICK_OK:
        count_pick(s, lease);
        return start_connect(s);
    case PICK_FULL:
        session_enter(s, ST_QUEUE);
        s->queue_place = pool_n_waiting(s->backend->pool);
        return STEP_WAIT;
    case PICK_EXHAUSTED:
        s->waiter.tried = 0;
        return session_step_to(s, ST_PAUSE);
    case PICK_NONE_UP:
        break;
    }
    return session_step_no_server(s, WHY_NO_SERVER);
}

enum step step_pick(struct session *s)
{
    struct lease lease = {0};
    count_arrival(s);
    s->waiter.key = balance_key(s);
    enum pick pick = pool_pick(s->backend->pool, s->worker->index, &s->waiter, &lease);
    return picked(s, pick, &lease);
}

void session_retry_queue(struct session *s)
{
    struct lease lease = {0};
    enum pick    pick = pool_pick(s->backend->pool, s->worker->index, &s->waiter, &lease);
    if (pick == PICK_FULL)
        return;
    session_enter(s, ST_PICK);
    if (picked(s, pick, &lease) == STEP_NEXT)
        session_advance(s);
}

enum step watch_waiting_client(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    struct flow *up = &s->flow[UP];
    while (client->readable && !up->eof) {
        size_t n;
        if (up->buf == NULL && (up->buf = buf_take(&s->worker->bufs)) == NULL)
            return session_step_fail(s, WHY_NO_MEMORY);
        if (buf_room(up->buf) == 0)
            return STEP_WAIT;
        enum io io = stream_read(&client->stream, buf_end(up->buf), buf_room(up->buf), &n);
        if (io == IO_OK) {
            relay_received(s, UP, n);
            buf_added(up->buf, (uint32_t)n);
            continue;
        }
        if (io == IO_WANT_READ || io == IO_WANT_WRITE || io == IO_AGAIN) {
            session_side_unreadable(s, CLIENT, io);
            break;
        }
        if (io != IO_EOF)
            return session_step_fail(s, relay_why(CLIENT, io));
        up->eof = true;
    }
    buf_give_empty(&up->buf);
    /* It ended and left nothing to deliver. With bytes in hand it is a half-close like any other. */
    if (up->eof && up->buf == NULL)
        return session_step_fail(s, WHY_CLIENT_CLOSED);
    return STEP_WAIT;
}

static struct slice text_or_nothing(const char *text)
{
    return text[0] == '\0' ? slice_of(NULL, 0) : slice_str(text);
}

static size_t encode_v2(struct session *s, const struct addr *dst, uint8_t *out, size_t cap)
{
    struct tls_facts facts;
    char             id[17];
    bool             tls = stream_facts(&s->side[CLIENT].stream, &facts);
    (void)snprintf(id, sizeof id, "%016" PRIx64, s->id);
    const struct proxyhdr_ssl ssl = {
        .client = (uint8_t)(PP2_CLIENT_SSL | (facts.peer_cert_in_connection ? PP2_CLIENT_CERT_CONN : 0) |
                            (facts.has_peer_cert ? PP2_CLIENT_CERT_SESS : 0)),
        .verified = facts.peer_verified,
        .version = facts.version,
        .cn = facts.peer_cn[0] != '\0' ? facts.peer_cn : NULL,
        .cipher = facts.cipher,
        .sig_alg = facts.cert_sig_alg,
        .key_alg = facts.cert_key_alg,
    };
    struct proxyhdr_v2 hdr = {
        .src = s->client,
        .dst = *dst,
        .unique_id = slice_str(id),
        .alpn = tls ? text_or_nothing(facts.alpn) : slice_of(NULL, 0),
        .authority = tls ? text_or_nothing(facts.sni) : slice_of(NULL, 0),
        .ssl = tls ? &ssl : NULL,
        .passed = s->via != NULL ? slice_of(s->via->tlvs, s->via->tlvs_len) : slice_of(NULL, 0),
    };
    size_t n = proxyhdr_encode_v2(&hdr, out, cap);
    if (n > 0)
        return n;
    hdr.passed = slice_of(NULL, 0); /* what others told us does not fit beside our own: the address matters more */
    return proxyhdr_encode_v2(&hdr, out, cap);
}

/* False when there is no memory for it. */
static bool make_greeting(struct session *s)
{
    enum conf_proxy_out kind = session_server(s)->conf->send_proxy;
    if (kind == PROXY_OUT_OFF)
        return true;
    s->greeting = buf_take(&s->worker->bufs);
    if (s->greeting == NULL)
        return false;
    struct addr dst = s->via != NULL && addr_is_set(&s->via->dst) ? s->via->dst : sock_local(s->side[CLIENT].stream.fd);
    size_t n = kind == PROXY_OUT_V1 ? proxyhdr_encode_v1(&s->client, &dst, buf_end(s->greeting), buf_room(s->greeting))
                                    : encode_v2(s, &dst, buf_end(s->greeting), buf_room(s->greeting));
    buf_added(s->greeting, (uint32_t)n);
    return true;
}

/* Not where the source is one of many addresses, unless the server has that, too. */
static bool may_meet_itself(const struct conf_server *conf, const struct addr *to)
{
    return !is_spread(conf, to) || (ntohl(to->in.sin_addr.s_addr) & 0x00ff0000) == 0x00010000;
}

/* errno; 0: there is a connection. */
static int connect_outcome(const struct session *s)
{
    const struct side *server = &s->side[SERVER];
    const struct addr  to = server_address(session_server(s)->live);
    if (sock_is_connected(server->stream.fd))
        return may_meet_itself(session_server(s)->conf, &to) && sock_met_itself(server->stream.fd, &to) ? ECONNREFUSED
                                                                                                        : 0;
    if (!server->writable)
        return EINPROGRESS;
    int error = sock_error(server->stream.fd);
    return error != 0 ? error : ECONNRESET; /* another call has taken the error away */
}

enum step step_connect(struct session *s)
{
    int error = connect_outcome(s);
    if (error == EINPROGRESS)
        return watch_waiting_client(s);
    if (error != 0)
        return connect_try_failed(s, error, WHY_CONNECT_FAILED);
    s->side[SERVER].writable = true;
    if (!make_greeting(s))
        return session_step_fail(s, WHY_NO_MEMORY);
    return session_step_to(s, ST_GREET);
}

/* What the client sent while it waited is the server's from here on. */
static void count_carried(struct session *s)
{
    struct row *rows[] = {s->backend->row, session_server(s)->row};
    count_server(s, COUNT_CARRIED, 1);
    count_server(s, COUNT_REQUEST_IN, s->flow[UP].bytes);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        average_add(&rows[i]->queue_ms, s->wait_ms - s->greet_ms);
        average_add(&rows[i]->connect_ms, s->connect_ms);
    }
}

enum step connect_done(struct session *s)
{
    s->connect_ms = (uint32_t)(s->worker->now_ms - s->begun_ms) - s->wait_ms;
    return turn_await_offer(s);
}

enum step connect_carry(struct session *s)
{
    s->side[SERVER].read_wants = EPOLLIN;
    s->side[SERVER].readable |= s->side[SERVER].stream.tls != NULL;
    s->side[SERVER].writable = true;
    count_carried(s);
    if (s->via != NULL && s->via->tlvs_len > 0) { /* delivered: only the addresses are still asked for */
        struct via *smaller = realloc(s->via, sizeof *s->via);
        if (smaller != NULL)
            s->via = smaller;
        s->via->tlvs_len = 0;
    }
    if (!follow_begin(s))
        return session_step_fail(s, WHY_NO_MEMORY);
    if (s->flow[UP].eof) /* it ended while it waited, with bytes still to be delivered */
        session_ends(s, WHY_CLIENT_CLOSED);
    access_log_start(s);
    session_enter(s, ST_RELAY);
    follow_what_waited(s);
    return STEP_NEXT;
}

/* Past its PROXY header and TLS. */
static enum step reached(struct session *s)
{
    if (s->ws == NULL)
        return connect_done(s);
    s->side[SERVER].read_wants = EPOLLOUT;
    s->ws->opening->sent = 0;
    return session_step_to(s, ST_SERVER_HEAD);
}

/* The name in the certificate that is expected, and sent as SNI unless it is an address. Whoever was connected to
 * before DNS put another host in that place does not have its name, and another try is made. */
static const char *expected_name(const struct snap_server *server, char text[SERVER_HOST_MAX])
{
    const char *sni = server->conf->tls->sni;
    struct addr at = server_address(server->live);
    if (sni[0] != '\0')
        return sni;
    return server_host(server->live, text)[0] != '\0' ? text : addr_format_ip(&at, text);
}

static enum step greeted(struct session *s)
{
    const struct snap_server *server = session_server(s);
    char                      text[SERVER_HOST_MAX];
    if (server->tls == NULL)
        return reached(s);
    if (!stream_start_client(&s->side[SERVER].stream, server->tls, expected_name(server, text)))
        return session_step_fail(s, WHY_NO_MEMORY);
    return session_step_to(s, ST_SERVER_HANDSHAKE);
}

/* What the client has said goes out behind the PROXY header, with nothing to await between the two. */
static bool more_follows(const struct session *s)
{
    return s->flow[UP].buf != NULL && s->ws == NULL && session_server(s)->tls == NULL;
}

enum step step_greet(struct session *s)
{
    struct side *server = &s->side[SERVER];
    while (s->greeting != NULL) {
        size_t             n;
        const struct slice bytes = buf_bytes(s->greeting);
        enum io            io =
            more_follows(s) ? stream_write_more(&server->stream, bytes, &n) : stream_write(&server->stream, bytes, &n);
        if (io == IO_WANT_WRITE) {
            session_side_unwritable(server, io);
            return watch_waiting_client(s);
        }
        if (io != IO_OK)
            return connect_try_failed(s, errno, WHY_CONNECT_FAILED);
        buf_consume(s->greeting, (uint32_t)n);
        buf_give_empty(&s->greeting);
    }
    return greeted(s);
}

enum step step_server_handshake(struct session *s)
{
    enum io io = stream_handshake(&s->side[SERVER].stream);
    switch (io) {
    case IO_OK:
        return reached(s);
    case IO_WANT_READ:
    case IO_WANT_WRITE:
    case IO_AGAIN:
        session_side_unreadable(s, SERVER, io);
        return watch_waiting_client(s);
    case IO_EOF:
    case IO_RESET:
        return connect_try_failed(s, ECONNRESET, WHY_CONNECT_FAILED);
    case IO_NO_MEMORY:
        return session_step_fail(s, WHY_NO_MEMORY);
    default:
        return connect_try_failed(s, 0, WHY_SERVER_HANDSHAKE_FAILED);
    }
}

void connect_timed_out(struct session *s)
{
    if (connect_try_failed(s, ETIMEDOUT, WHY_CONNECT_FAILED) == STEP_NEXT)
        session_advance(s);
}
