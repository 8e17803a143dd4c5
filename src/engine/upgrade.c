/* MQTT over WebSocket: the client's upgrade is checked and answered here; the server gets the same head once the
 * client's CONNECT has come, and its answer is checked and kept. */
#include <errno.h>
#include <stdlib.h>

#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/ws.h"
#include "tls/ws_accept.h"

enum { HEAD_MAX = 8192 }; /* bytes of a client's head */

static struct ws_rules rules_of(const struct session *s)
{
    const struct conf_ws *conf = &s->listener->conf->ws;
    return (struct ws_rules){
        .path = conf->path, .subprotocols = conf->subprotocols.at, .n_subprotocols = conf->subprotocols.n};
}

static enum step refuse(struct session *s, enum ws_fault fault, enum why why)
{
    struct ws_rules rules = rules_of(s);
    struct buf     *answer = buf_take(&s->worker->bufs);
    if (answer == NULL)
        return session_step_fail(s, WHY_NO_MEMORY);
    buf_added(answer, (uint32_t)ws_encode_refusal(fault, &rules, buf_end(answer), buf_room(answer)));
    return session_step_linger(s, why, answer);
}

static enum step refuse_head(struct session *s, enum ws_fault fault)
{
    return refuse(s, fault, fault == WS_FAULT_NO_SERVER ? WHY_NO_SERVER : WHY_NOT_WEBSOCKET);
}

enum step upgrade_refuse(struct session *s, enum why why)
{
    return refuse(s, WS_FAULT_NO_SERVER, why);
}

static bool encode_request(struct session *s, const struct http1_head *head, const struct ws_request *request)
{
    const struct ws_forwarded forwarded = {.client = s->client, .tls = s->is_tls};
    struct buf               *b = s->ws->opening->request;
    size_t                    n =
        ws_encode_request(head, request, s->listener->conf->ws.forwarded ? &forwarded : NULL, buf_end(b), buf_room(b));
    buf_added(b, (uint32_t)n);
    return n > 0;
}

/* What was parsed does not stay. */
struct slice ws_lasting_subprotocol(const struct session *s, struct slice subprotocol)
{
    struct ws_rules rules = rules_of(s);
    for (size_t i = 0; i < rules.n_subprotocols; i++) {
        struct slice ours = slice_str(rules.subprotocols[i]);
        if (slice_eq(ours, subprotocol))
            return ours;
    }
    return slice_of(NULL, 0);
}

/* False when memory is out. */
static bool make_facts(struct session *s)
{
    s->ws = calloc(1, sizeof *s->ws);
    if (s->ws == NULL || (s->ws->opening = calloc(1, sizeof *s->ws->opening)) == NULL)
        return false;
    ws_frames_init(&s->ws->opening->frames, true);
    s->ws->opening->request = buf_take(&s->worker->bufs);
    s->flow[DOWN].buf = buf_take(&s->worker->bufs);
    return s->ws->opening->request != NULL && s->flow[DOWN].buf != NULL;
}

static enum step accept_head(struct session *s, const struct http1_head *head, const struct ws_request *request)
{
    if (!make_facts(s))
        return session_step_fail(s, WHY_NO_MEMORY);
    struct ws_opening *opening = s->ws->opening;
    struct buf        *down = s->flow[DOWN].buf;
    if (!ws_accept(request->key, opening->accept) || !encode_request(s, head, request))
        return session_step_fail(s, WHY_NO_MEMORY);
    opening->subprotocol = ws_lasting_subprotocol(s, request->subprotocol);
    buf_added(down, (uint32_t)ws_encode_answer(request, slice_str(opening->accept), buf_end(down), buf_room(down)));
    return session_step_to(s, ST_ANSWER);
}

/* STEP_WAIT: more is needed. */
static enum step look(struct session *s)
{
    struct slice      in = buf_bytes(s->flow[UP].buf);
    struct ws_rules   rules = rules_of(s);
    struct http1_head head;
    struct ws_request request;
    size_t            used;
    switch (http1_parse_request(in, &head, &used)) {
    case PARSE_OK:
        if (used > HEAD_MAX)
            return refuse_head(s, WS_FAULT_TOO_LONG);
        break;
    case PARSE_MORE:
        return in.len < HEAD_MAX ? STEP_WAIT : refuse_head(s, WS_FAULT_TOO_LONG);
    default:
        return refuse_head(s, WS_FAULT_MALFORMED);
    }
    enum ws_fault fault = ws_check_request(&head, &rules, &request);
    if (fault == WS_FAULT_NONE && !pool_is_usable(s->backend->pool))
        fault = WS_FAULT_NO_SERVER;
    if (fault != WS_FAULT_NONE)
        return refuse_head(s, fault);
    enum step step = accept_head(s, &head, &request);
    if (step == STEP_NEXT)
        buf_consume(s->flow[UP].buf, (uint32_t)used);
    return step;
}

enum step step_upgrade(struct session *s)
{
    for (;;) {
        enum step step = look(s);
        if (step != STEP_WAIT)
            return step;
        if (s->flow[UP].eof)
            return session_step_fail(s, WHY_CLIENT_CLOSED);
        step = intake_read(s);
        if (step != STEP_NEXT)
            return step;
    }
}

enum step step_answer(struct session *s)
{
    enum step step = session_say(s);
    return step == STEP_NEXT ? session_step_to(s, ST_CONNECT_PACKET) : step;
}

/* The payload of a span, behind what is there. False when memory is out. */
static bool keep(struct session *s, const struct ws_span *span)
{
    struct buf **packet = &s->ws->opening->packet;
    uint32_t     n = (uint32_t)span->payload.len;
    if (*packet == NULL && (*packet = buf_take(&s->worker->bufs)) == NULL)
        return false;
    if (buf_room(*packet) < n) {
        struct buf *grown = buf_grow(*packet, 2 * (buf_len(*packet) + n));
        if (grown == NULL)
            return false;
        *packet = grown;
    }
    ws_span_unmask(span, buf_end(*packet));
    buf_added(*packet, n);
    return true;
}

static enum step on_span(struct session *s, const struct ws_span *span)
{
    switch (span->opcode) {
    case WS_BINARY:
    case WS_CONTINUATION:
        return keep(s, span) ? STEP_NEXT : session_step_fail(s, WHY_NO_MEMORY);
    case WS_CLOSE:
        return span->frame_ends ? session_refuse(s, WHY_CLIENT_CLOSED, 0) : STEP_NEXT;
    default:
        return STEP_NEXT; /* pings and pongs reach the server with the rest */
    }
}

enum step ws_unwrap(struct session *s)
{
    struct ws_opening *opening = s->ws->opening;
    uint32_t           had = buf_len(opening->packet);
    while (opening->fed < buf_len(s->flow[UP].buf)) {
        struct ws_span span;
        size_t         used;
        enum parse     answer = ws_frames_next(&opening->frames, slice_skip(buf_bytes(s->flow[UP].buf), opening->fed),
                                               &span, &used, &s->ws->fault);
        if (answer == PARSE_BAD)
            return session_refuse(s, WHY_NOT_WEBSOCKET, 0);
        opening->fed += (uint32_t)used;
        enum step step = answer == PARSE_OK ? on_span(s, &span) : STEP_NEXT;
        if (step != STEP_NEXT || s->state != ST_CONNECT_PACKET || buf_len(opening->packet) > had)
            return step;
    }
    return STEP_WAIT;
}

void ws_opening_done(struct session *s)
{
    struct ws_opening *opening = s->ws != NULL ? s->ws->opening : NULL;
    if (opening == NULL)
        return;
    buf_give(opening->packet);
    buf_give(opening->request);
    free(opening);
    s->ws->opening = NULL;
}

/* Reading or writing: in ST_SERVER_HEAD read_wants stands for both. */
static enum step wait_for_server(struct session *s, enum io io)
{
    session_side_unreadable(s, SERVER, io);
    return watch_waiting_client(s);
}

/* STEP_NEXT: the whole head is out. */
static enum step send_request(struct session *s)
{
    struct ws_opening *opening = s->ws->opening;
    struct side       *server = &s->side[SERVER];
    while (opening->sent < buf_len(opening->request)) {
        size_t  n;
        enum io io = stream_write(&server->stream, slice_skip(buf_bytes(opening->request), opening->sent), &n);
        if (io == IO_WANT_READ || io == IO_WANT_WRITE || io == IO_AGAIN)
            return wait_for_server(s, io);
        if (io != IO_OK)
            return connect_try_failed(s, errno, WHY_CONNECT_FAILED);
        opening->sent += (uint32_t)n;
        count_server(s, COUNT_REQUEST_OUT, n);
    }
    return STEP_NEXT;
}

/* STEP_NEXT: there are more bytes. */
static enum step read_answer(struct session *s)
{
    struct side *server = &s->side[SERVER];
    struct flow *down = &s->flow[DOWN];
    size_t       n;
    if (down->buf == NULL && (down->buf = buf_take(&s->worker->bufs)) == NULL)
        return session_step_fail(s, WHY_NO_MEMORY);
    if (buf_room(down->buf) == 0)
        return connect_try_failed(s, EPROTO, WHY_UPGRADE_REFUSED);
    enum io io = stream_read(&server->stream, buf_end(down->buf), buf_room(down->buf), &n);
    if (io == IO_WANT_READ || io == IO_WANT_WRITE || io == IO_AGAIN)
        return wait_for_server(s, io);
    if (io != IO_OK)
        return connect_try_failed(s, io == IO_EOF ? ECONNRESET : errno, WHY_CONNECT_FAILED);
    buf_added(down->buf, (uint32_t)n);
    return STEP_NEXT;
}

static enum step answered(struct session *s, const struct http1_head *head, size_t head_len)
{
    struct flow            *down = &s->flow[DOWN];
    const struct ws_request request = {.subprotocol = s->ws->opening->subprotocol};
    if (ws_check_response(head, &request, slice_str(s->ws->opening->accept)) != WS_ANSWER_GOOD)
        return connect_try_failed(s, EPROTO, WHY_UPGRADE_REFUSED);
    buf_consume(down->buf, (uint32_t)head_len);
    buf_give_empty(&down->buf);
    ws_opening_done(s);
    s->side[SERVER].read_wants = EPOLLIN;
    return connect_done(s);
}

enum step step_server_head(struct session *s)
{
    enum step step = send_request(s);
    while (step == STEP_NEXT && s->state == ST_SERVER_HEAD) {
        struct http1_head head;
        size_t            used;
        step = read_answer(s);
        if (step != STEP_NEXT || s->state != ST_SERVER_HEAD)
            break;
        enum parse answer = http1_parse_response(buf_bytes(s->flow[DOWN].buf), &head, &used);
        if (answer == PARSE_OK)
            return answered(s, &head, used);
        if (answer == PARSE_BAD)
            return connect_try_failed(s, EPROTO, WHY_UPGRADE_REFUSED);
    }
    return step;
}
