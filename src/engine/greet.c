/* From the first byte to a session that knows who its client is: PROXY header, access, TLS. */
#include <errno.h>
#include <stdlib.h>

#include "engine/count.h"
#include "proto/proxyhdr.h"

static enum session_state first_state(const struct session *s)
{
    static const enum session_state first[] = {
        [PROTOCOL_MQTT] = ST_CONNECT_PACKET, [PROTOCOL_WS] = ST_UPGRADE, [PROTOCOL_TCP] = ST_PICK};
    return first[s->protocol];
}

/* Past everything that comes before payload. */
static enum step client_is_ready(struct session *s)
{
    uint64_t now_ms = s->worker->now_ms;
    count_client(s, COUNT_SESSIONS, 1);
    row_count_session(s->bind->row, now_ms);
    row_count_session(s->listener->row, now_ms);
    rate_add(&stats_totals(s->era->snap->stats)->session_rate, now_ms);
    return session_step_to(s, s->protocol == PROTOCOL_AUTO ? ST_TELL : first_state(s));
}

enum step session_let_in(struct session *s)
{
    struct flow *up = &s->flow[UP];
    if (s->tls == NULL) {
        up->bytes += buf_len(up->buf);
        count_client(s, COUNT_REQUEST_IN, buf_len(up->buf));
        return client_is_ready(s);
    }
    if (!stream_start_server(&s->side[CLIENT].stream, s->tls, buf_bytes(up->buf)))
        return session_step_fail(s, WHY_NO_MEMORY);
    buf_give(up->buf);
    up->buf = NULL;
    rate_add(&stats_totals(s->era->snap->stats)->handshake_rate, s->worker->now_ms);
    return session_step_to(s, ST_HANDSHAKE);
}

/* What follows is known; of what is inside TLS it may not be. */
static bool is_told(const struct session *s)
{
    return s->protocol != PROTOCOL_AUTO || s->tls != NULL;
}

/* By its address, which is the real one now. */
static enum step check_client(struct session *s)
{
    if (!session_allows(s->listener->conf, &s->client))
        return session_step_fail(s, WHY_DENIED);
    enum count refusal = session_take_source(s->worker, s->bind, &s->client, &s->source);
    if (refusal == COUNTS)
        return is_told(s) ? turn_await(s) : session_step_to(s, ST_TELL);
    count_client(s, refusal, 1);
    return session_step_fail(s, WHY_SOURCE_LIMIT);
}

enum step greet_told(struct session *s)
{
    if (s->is_tls)
        return session_step_to(s, first_state(s));
    bool is_checked = s->has_header || s->listener->conf->proxy_protocol == PROXY_IN_OFF;
    return is_checked ? turn_await(s) : check_client(s);
}

bool greet_trusts(const struct session *s)
{
    const struct conf_networks *from = &s->listener->conf->proxy_from;
    return networks_have(from->at, from->n, &s->client);
}

static enum step with_header(struct session *s, const struct proxyhdr *hdr, size_t header_len)
{
    if (!greet_trusts(s))
        return session_step_fail(s, WHY_PROXY_UNTRUSTED);
    if (hdr->has_addr || hdr->tlvs.len > 0) {
        s->via = calloc(1, sizeof *s->via + hdr->tlvs.len);
        if (s->via == NULL)
            return session_step_fail(s, WHY_NO_MEMORY);
        s->via->peer = s->client;
        s->via->tlvs_len = (uint16_t)hdr->tlvs.len;
        if (hdr->tlvs.len > 0) /* memcpy(3) may not be given NULL, not even for no bytes */
            memcpy(s->via->tlvs, hdr->tlvs.ptr, hdr->tlvs.len);
    }
    /* LOCAL and UNKNOWN leave the client to be who the socket says it is. */
    if (hdr->has_addr) {
        s->client = hdr->src;
        s->via->dst = hdr->dst;
    }
    buf_consume(s->flow[UP].buf, (uint32_t)header_len);
    buf_give_empty(&s->flow[UP].buf);
    s->has_header = true;
    if (hdr->has_addr)
        return check_client(s);
    return is_told(s) ? turn_await(s) : session_step_to(s, ST_TELL);
}

enum step greet_read(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    struct flow *up = &s->flow[UP];
    size_t       n;
    if (up->buf == NULL && (up->buf = buf_take(&s->worker->bufs)) == NULL)
        return session_step_fail(s, WHY_NO_MEMORY);
    switch (stream_read(&client->stream, buf_end(up->buf), buf_room(up->buf), &n)) {
    case IO_OK:
        buf_added(up->buf, (uint32_t)n);
        return STEP_NEXT;
    case IO_EOF:
        up->eof = true;
        return STEP_NEXT;
    case IO_WANT_READ:
        buf_give_empty(&up->buf);
        return STEP_WAIT;
    default:
        return session_step_fail(s, WHY_CLIENT_RESET);
    }
}

/* On a listener that tells clients apart a header has been begun. */
static bool must_be_header(const struct session *s)
{
    return s->listener->conf->proxy_protocol == PROXY_IN_REQUIRED || s->protocol == PROTOCOL_AUTO;
}

enum step step_proxy_header(struct session *s)
{
    const struct flow *up = &s->flow[UP];
    if (s->listener->conf->proxy_protocol == PROXY_IN_OFF)
        return turn_await(s); /* its access was checked at accept */
    bool required = must_be_header(s);
    if (required && !greet_trusts(s))
        return session_step_fail(s, WHY_PROXY_UNTRUSTED);
    for (;;) {
        enum step step = greet_read(s);
        if (step != STEP_NEXT)
            return step;
        struct proxyhdr hdr;
        size_t          used;
        enum parse      parse = proxyhdr_parse(buf_bytes(up->buf), &hdr, &used);
        if (parse == PARSE_OK)
            return with_header(s, &hdr, used);
        bool will_not_come = parse == PARSE_BAD || up->eof || buf_room(up->buf) == 0;
        if (!will_not_come)
            continue;
        if (required)
            return session_step_fail(s, buf_len(up->buf) == 0 ? WHY_CLIENT_CLOSED : WHY_PROXY_BAD);
        return check_client(s);
    }
}

void proxy_header_timed_out(struct session *s)
{
    if (must_be_header(s)) {
        session_close(s, WHY_PROXY_TIMEOUT);
        return;
    }
    if (check_client(s) == STEP_NEXT)
        session_advance(s);
}

static void handshake_done(struct session *s)
{
    struct totals   *totals = stats_totals(s->era->snap->stats);
    struct tls_facts facts;
    s->carrier = stream_detach(&s->side[CLIENT].stream, s->worker->tls);
    (void)stream_facts(&s->side[CLIENT].stream, &facts);
    s->is_tls = true;
    s->is_tls_1_2 = strcmp(facts.version, "TLSv1.2") == 0;
    count_client(s, COUNT_HANDSHAKES, 1);
    count_client(s, COUNT_TLS_CARRIED + s->carrier, 1);
    if (s->is_tls_1_2)
        count_client(s, COUNT_TLS_1_2, 1);
    if (facts.resumed)
        count_client(s, COUNT_HANDSHAKES_RESUMED, 1);
    rate_add(facts.resumed ? &totals->resumed_rate : &totals->key_rate, s->worker->now_ms);
}

enum step step_handshake(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    enum io      io = stream_handshake(&client->stream);
    switch (io) {
    case IO_OK:
        handshake_done(s);
        client->read_wants = EPOLLIN;
        client->readable = true; /* bytes may have come with the last flight */
        return client_is_ready(s);
    case IO_WANT_READ:
    case IO_WANT_WRITE:
    case IO_AGAIN:
        session_side_unreadable(s, CLIENT, io);
        return STEP_WAIT;
    case IO_EOF:
        return session_step_fail(s, WHY_CLIENT_CLOSED);
    case IO_RESET:
        return session_step_fail(s, WHY_CLIENT_RESET);
    case IO_NO_MEMORY:
        return session_step_fail(s, WHY_NO_MEMORY);
    default:
        return session_step_fail(s, WHY_HANDSHAKE_FAILED);
    }
}
