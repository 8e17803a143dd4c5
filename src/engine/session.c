#include "engine/session.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/macros.h"
#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/shared.h"
#include "engine/shed.h"
#include "engine/ws.h"
#include "net/sock.h"

const char *const session_state_names[ST_COUNT] = {
    [ST_TELL] = "tell",
    [ST_PROXY_HEADER] = "proxy_header",
    [ST_TURN] = "turn",
    [ST_HANDSHAKE] = "handshake",
    [ST_UPGRADE] = "upgrade",
    [ST_ANSWER] = "answer",
    [ST_CONNECT_PACKET] = "connect_packet",
    [ST_PICK] = "pick",
    [ST_QUEUE] = "queue",
    [ST_PAUSE] = "pause",
    [ST_TURN_AGAIN] = "turn_again",
    [ST_CONNECT] = "connect",
    [ST_GREET] = "greet",
    [ST_SERVER_HANDSHAKE] = "server_handshake",
    [ST_SERVER_HEAD] = "server_head",
    [ST_OFFER] = "offer",
    [ST_RELAY] = "relay",
    [ST_LINGER] = "linger",
    [ST_CLOSED] = "closed",
};

#define TO(state) (1u << (state))

/* Every session may be closed from every state. */
static const uint32_t legal_moves[ST_COUNT] = {
    [ST_TELL] = TO(ST_PROXY_HEADER) | TO(ST_TURN) | TO(ST_HANDSHAKE) | TO(ST_UPGRADE) | TO(ST_CONNECT_PACKET),
    [ST_PROXY_HEADER] =
        TO(ST_TELL) | TO(ST_TURN) | TO(ST_HANDSHAKE) | TO(ST_UPGRADE) | TO(ST_CONNECT_PACKET) | TO(ST_PICK),
    [ST_TURN] = TO(ST_HANDSHAKE) | TO(ST_UPGRADE) | TO(ST_CONNECT_PACKET) | TO(ST_PICK) | TO(ST_LINGER),
    [ST_HANDSHAKE] = TO(ST_TELL) | TO(ST_UPGRADE) | TO(ST_CONNECT_PACKET) | TO(ST_PICK),
    [ST_UPGRADE] = TO(ST_ANSWER) | TO(ST_LINGER),
    [ST_ANSWER] = TO(ST_CONNECT_PACKET),
    [ST_CONNECT_PACKET] = TO(ST_PICK) | TO(ST_LINGER),
    [ST_PICK] = TO(ST_QUEUE) | TO(ST_PAUSE) | TO(ST_CONNECT) | TO(ST_LINGER),
    [ST_QUEUE] = TO(ST_PICK) | TO(ST_LINGER),
    [ST_PAUSE] = TO(ST_PICK) | TO(ST_TURN_AGAIN) | TO(ST_LINGER),
    [ST_TURN_AGAIN] = TO(ST_PICK) | TO(ST_LINGER),
    [ST_CONNECT] = TO(ST_GREET) | TO(ST_PICK) | TO(ST_LINGER),
    [ST_GREET] =
        TO(ST_SERVER_HANDSHAKE) | TO(ST_SERVER_HEAD) | TO(ST_OFFER) | TO(ST_RELAY) | TO(ST_PICK) | TO(ST_LINGER),
    [ST_SERVER_HANDSHAKE] = TO(ST_SERVER_HEAD) | TO(ST_OFFER) | TO(ST_RELAY) | TO(ST_PICK) | TO(ST_LINGER),
    [ST_SERVER_HEAD] = TO(ST_OFFER) | TO(ST_RELAY) | TO(ST_PICK) | TO(ST_LINGER),
    [ST_OFFER] = TO(ST_RELAY) | TO(ST_LINGER),
    [ST_RELAY] = TO(ST_LINGER),
};

/* The deadline that comes with a state; 0: none. ST_GREET to ST_OFFER go on with that of ST_CONNECT,
 * ST_ANSWER with that of ST_UPGRADE. */
uint32_t session_timeout_ms(const struct session *s)
{
    const struct conf_timeouts *t = session_timeouts(s);
    switch (s->state) {
    case ST_PROXY_HEADER:
        return t->proxy_header_ms;
    case ST_HANDSHAKE:
        return t->handshake_ms;
    case ST_TELL:
    case ST_UPGRADE:
    case ST_CONNECT_PACKET:
        return t->connect_packet_ms;
    case ST_TURN:
    case ST_TURN_AGAIN:
    case ST_QUEUE:
        return t->queue_ms;
    case ST_PAUSE:
        return SESSION_PAUSE_MS;
    case ST_CONNECT:
        return t->connect_ms;
    case ST_RELAY:
        return relay_timeout_ms(s);
    case ST_LINGER: /* half_closed: as long as it takes what it has to hear */
        return s->flow[DOWN].buf != NULL ? t->half_closed_ms : SESSION_LINGER_MS;
    default:
        return 0;
    }
}

static void count_handshakes(const struct session *s, enum session_state to)
{
    struct worker *w = s->worker;
    if (s->state == ST_HANDSHAKE)
        w->n_handshakes--;
    if (to == ST_HANDSHAKE)
        w->n_handshakes++;
    if (w->n_handshakes > w->most_handshakes)
        w->most_handshakes = w->n_handshakes;
}

void session_enter(struct session *s, enum session_state to)
{
    assert(to == ST_CLOSED || (legal_moves[s->state] & TO(to)) != 0);
    log_debug(&s->worker->log, "state", LOG_HEX("id", s->id), LOG_STR("from", session_state_names[s->state]),
              LOG_STR("to", session_state_names[to]));
    if (s->state == ST_TURN || s->state == ST_TURN_AGAIN || s->state == ST_OFFER)
        turn_left(s);
    count_handshakes(s, to);
    s->state = to;
    uint32_t timeout_ms = session_timeout_ms(s);
    if (timeout_ms != 0)
        deadline_set(&s->worker->deadlines, &s->deadline, timeout_ms, s->worker->now_ms);
    else if (to == ST_PICK || to == ST_CLOSED)
        deadline_clear(&s->deadline);
}

enum step session_step_to(struct session *s, enum session_state to)
{
    session_enter(s, to);
    return STEP_NEXT;
}

enum step session_step_fail(struct session *s, enum why why)
{
    session_close(s, why);
    return STEP_CLOSED;
}

void session_ends(struct session *s, enum why why)
{
    if (s->ends)
        return;
    s->ends = true;
    s->why = why;
}

const struct conf_drain *session_drain(const struct session *s)
{
    return &s->worker->era->snap->conf->global.drain;
}

bool session_allows(const struct conf_listener *conf, const struct addr *client)
{
    if (networks_have(conf->deny.at, conf->deny.n, client))
        return false;
    return conf->allow.n == 0 || networks_have(conf->allow.at, conf->allow.n, client);
}

/* The only place that decides about events. */
uint32_t session_side_wanted(const struct session *s, int which)
{
    const struct side *d = &s->side[which];
    const struct flow *from = &s->flow[which == CLIENT ? UP : DOWN], *to = &s->flow[which == CLIENT ? DOWN : UP];
    uint32_t           events = 0;
    switch (s->state) {
    case ST_TURN:
        return which == CLIENT && !d->readable ? EPOLLIN : 0;
    case ST_TELL:
    case ST_PROXY_HEADER:
    case ST_HANDSHAKE:
    case ST_UPGRADE:
    case ST_CONNECT_PACKET:
        return which == CLIENT ? d->read_wants : 0;
    case ST_ANSWER:
        return which == CLIENT ? d->write_wants : 0;
    case ST_LINGER:
        return to->shut ? d->read_wants : d->write_wants;
    case ST_QUEUE:
    case ST_PAUSE:
    case ST_TURN_AGAIN:
    case ST_CONNECT:
    case ST_GREET:
    case ST_SERVER_HANDSHAKE:
    case ST_SERVER_HEAD:
    case ST_OFFER:
        if (which == CLIENT)
            return from->eof || (from->buf != NULL && buf_room(from->buf) == 0) ? 0 : d->read_wants;
        if (s->side[SERVER].stream.fd < 0 || s->state == ST_OFFER)
            return 0;
        return s->state == ST_CONNECT || s->state == ST_GREET ? EPOLLOUT : d->read_wants;
    case ST_RELAY:
        if (!from->eof && from->buf == NULL && !d->readable)
            events |= d->read_wants;
        if (!to->shut && (to->buf != NULL || to->eof) && !d->writable)
            events |= d->write_wants;
        return events;
    default:
        return 0;
    }
}

/* Edge-triggered, a descriptor is watched once and for all; for room to write, only once there was none: else it would
 * begin with an event for nothing. False when memory is out. */
static bool watch(struct session *s, int which)
{
    struct side *d = &s->side[which];
    if (d->stream.fd < 0)
        return true;
    bool     is_full = d->read_wants == EPOLLOUT || (!d->writable && d->write_wants == EPOLLOUT);
    uint32_t events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | (uint32_t)EPOLLET | (is_full ? EPOLLOUT : 0) | d->io.events;
    return events == d->io.events || loop_watch(&s->worker->loop, &d->io, events);
}

static enum step (*const steps[ST_COUNT])(struct session *s) = {
    [ST_TELL] = step_tell,
    [ST_PROXY_HEADER] = step_proxy_header,
    [ST_TURN] = step_turn,
    [ST_HANDSHAKE] = step_handshake,
    [ST_UPGRADE] = step_upgrade,
    [ST_ANSWER] = step_answer,
    [ST_CONNECT_PACKET] = step_connect_packet,
    [ST_PICK] = step_pick,
    [ST_QUEUE] = watch_waiting_client,
    [ST_PAUSE] = watch_waiting_client,
    [ST_TURN_AGAIN] = watch_waiting_client,
    [ST_CONNECT] = step_connect,
    [ST_GREET] = step_greet,
    [ST_SERVER_HANDSHAKE] = step_server_handshake,
    [ST_SERVER_HEAD] = step_server_head,
    [ST_OFFER] = watch_waiting_client,
    [ST_RELAY] = step_relay,
    [ST_LINGER] = step_linger,
};

void session_advance(struct session *s)
{
    enum step step = STEP_NEXT;
    while (step == STEP_NEXT && s->state != ST_CLOSED)
        step = steps[s->state](s);
    if (s->state != ST_CLOSED && (!watch(s, CLIENT) || !watch(s, SERVER)))
        session_close(s, WHY_NO_MEMORY);
}

static void on_side_event(struct session *s, int which, uint32_t events)
{
    const uint32_t over = EPOLLHUP | EPOLLERR, wanted = session_side_wanted(s, which);
    struct side   *d = &s->side[which];
    uint32_t       ready = 0;
    if ((events & (EPOLLIN | EPOLLRDHUP | over)) != 0)
        ready |= EPOLLIN;
    if ((events & (EPOLLOUT | over)) != 0)
        ready |= EPOLLOUT;
    counter_add(&s->worker->counters[WORKER_EVENTS], 1);
    d->urgent |= (events & EPOLLPRI) != 0;
    d->ended |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    d->readable |= (ready & d->read_wants) != 0;
    d->writable |= (ready & d->write_wants) != 0;
    if ((ready & wanted) != 0)
        session_advance(s);
}

static void on_client_event(struct loop_io *io, uint32_t events)
{
    on_side_event(CONTAINER_OF(io, struct session, side[CLIENT].io), CLIENT, events);
}

static void on_server_event(struct loop_io *io, uint32_t events)
{
    on_side_event(CONTAINER_OF(io, struct session, side[SERVER].io), SERVER, events);
}

void session_side_init(struct session *s, int which, int fd)
{
    struct side *d = &s->side[which];
    d->io.fn = which == CLIENT ? on_client_event : on_server_event;
    session_side_reset(d, fd);
}

void session_side_reset(struct side *d, int fd)
{
    d->io.fd = fd;
    d->stream = stream_plain(fd);
    d->read_wants = EPOLLIN;
    d->write_wants = EPOLLOUT;
    d->readable = d->ended = d->urgent = false;
    d->writable = true;
}

/* Of which no event will tell: its end, or what stands behind an urgent mark, before which a read ends. */
static bool has_more(const struct side *d)
{
    return d->ended || (d->urgent && sock_pending(d->stream.fd) != SOCK_NOTHING);
}

void session_side_unreadable(struct session *s, int which, enum io io)
{
    struct side *d = &s->side[which];
    d->readable = io == IO_AGAIN || (io == IO_WANT_READ && has_more(d));
    d->read_wants = io == IO_WANT_WRITE ? EPOLLOUT : EPOLLIN;
    if (d->readable)
        worker_run_again(s->worker, s);
}

void session_side_unwritable(struct side *d, enum io io)
{
    d->writable = false;
    d->write_wants = io == IO_WANT_READ ? EPOLLIN : EPOLLOUT;
}

enum count session_take_source(struct worker *w, const struct snap_bind *bind, const struct addr *client,
                               uint32_t *place)
{
    const struct snap_listener *listener = bind->listener;
    const struct source_limits  limits = {listener->conf->per_source.max_connections,
                                          listener->conf->per_source.rate_limit};
    *place = 0;
    if (listener->sources == NULL)
        return COUNTS;
    switch (sources_take(listener->sources, client, &limits, w->now_ms, place)) {
    case SOURCE_UNTRACKED:
        count_in(w, bind->row, COUNT_SOURCES_UNTRACKED, 1);
        return COUNTS;
    case SOURCE_TOO_MANY:
        return COUNT_DENIED_SOURCE_CONNECTIONS;
    case SOURCE_TOO_FAST:
        return COUNT_DENIED_SOURCE_RATE;
    default:
        return COUNTS;
    }
}

static uint64_t make_id(struct worker *w)
{
    enum { COUNTER_BITS = 40, WORKER_BITS = 8 };
    uint64_t count = w->next_id++ & ((1ull << COUNTER_BITS) - 1);
    return (uint64_t)w->engine->boot_id << (COUNTER_BITS + WORKER_BITS) | (uint64_t)(uint8_t)w->index << COUNTER_BITS |
           count;
}

static void give_up_begin(struct worker *w, const struct snap_bind *bind, int fd, uint32_t source)
{
    counter_add(&w->counters[WORKER_OUT_OF_MEMORY], 1);
    count_in(w, bind->row, COUNT_INTERNAL_ERRORS, 1);
    count_in(w, bind->row, COUNT_CLOSED, 1);
    gauge_sub(&bind->listener->row->sessions);
    sources_give(bind->listener->sources, source, w->now_ms);
    engine_leave(w->engine);
    sock_reset(fd);
}

void session_begin(struct worker *w, struct snap_bind *bind, int fd, const struct addr *peer, uint32_t source)
{
    struct session *s = slab_take(&w->slab, sizeof *s);
    if (s == NULL) {
        give_up_begin(w, bind, fd, source);
        return;
    }
    s->worker = w;
    s->era = era_take(w);
    s->listener = bind->listener;
    s->bind = bind;
    s->protocol = bind->listener->conf->protocol;
    if (s->protocol != PROTOCOL_AUTO) {
        s->backend = bind->listener->backends[s->protocol];
        s->tls = bind->listener->tls;
    }
    gauge_add(&bind->row->sessions);
    s->client = *peer;
    s->source = source;
    s->id = make_id(w);
    s->begun_ms = w->now_ms;
    session_side_init(s, CLIENT, fd);
    session_side_init(s, SERVER, -1);
    DL_APPEND(w->sessions, s);
    s->state = s->protocol == PROTOCOL_AUTO ? ST_TELL : ST_PROXY_HEADER;
    deadline_set(&w->deadlines, &s->deadline, session_timeout_ms(s), w->now_ms);
    session_advance(s);
}

void session_timed_out(struct session *s)
{
    switch (s->state) {
    case ST_PROXY_HEADER:
        proxy_header_timed_out(s);
        break;
    case ST_TURN:
    case ST_TURN_AGAIN:
    case ST_OFFER:
        turn_refused(s);
        break;
    case ST_HANDSHAKE:
        session_close(s, WHY_HANDSHAKE_TIMEOUT);
        break;
    case ST_TELL:
    case ST_UPGRADE:
    case ST_ANSWER:
    case ST_CONNECT_PACKET:
        session_close(s, WHY_CONNECT_PACKET_TIMEOUT);
        break;
    case ST_QUEUE:
        if (session_step_no_server(s, WHY_QUEUE_TIMEOUT) == STEP_NEXT)
            session_advance(s);
        break;
    case ST_LINGER:
        session_close(s, s->why);
        break;
    case ST_PAUSE:
        turn_await_again(s);
        break;
    case ST_CONNECT:
    case ST_GREET:
    case ST_SERVER_HANDSHAKE:
    case ST_SERVER_HEAD:
        connect_timed_out(s);
        break;
    case ST_RELAY:
        relay_timed_out(s);
        break;
    default:
        assert(false && "a deadline in a state that has none");
    }
}

/* What the listener's side makes of the end; COUNTS: nothing. */
static enum count end_count(const struct session *s)
{
    switch (s->why) {
    case WHY_PROXY_BAD:
    case WHY_PROXY_TIMEOUT:
    case WHY_PROXY_UNTRUSTED:
        return COUNT_PROXY_ERRORS;
    case WHY_HANDSHAKE_FAILED:
    case WHY_HANDSHAKE_TIMEOUT:
        return COUNT_HANDSHAKES_FAILED;
    case WHY_DENIED:
    case WHY_SOURCE_LIMIT:
        return COUNT_DENIED_SESSIONS;
    case WHY_RATE_LIMIT:
        return COUNT_REFUSED_PACE;
    case WHY_NO_SERVER:
    case WHY_QUEUE_TIMEOUT:
    case WHY_CONNECT_FAILED:
    case WHY_SERVER_HANDSHAKE_FAILED:
    case WHY_UPGRADE_REFUSED:
        return COUNT_NO_SERVER;
    case WHY_NO_MEMORY:
        return COUNT_INTERNAL_ERRORS;
    case WHY_HANDED_OVER:
        return COUNTS;
    default:
        return s->ended_in == ST_RELAY || why_asks_to_go(s->why) || s->why == WHY_KILLED ? COUNTS
                                                                                         : COUNT_REQUEST_ERRORS;
    }
}

/* Of those that ended for what the client said; COUNTS: it is none of them. */
static enum count refusal_count(enum why why)
{
    switch (why) {
    case WHY_NOT_MQTT:
    case WHY_NOT_TOLD:
        return COUNT_REFUSED_NOT_MQTT;
    case WHY_NOT_WEBSOCKET:
        return COUNT_REFUSED_HTTP;
    case WHY_VERSION:
        return COUNT_REFUSED_VERSION;
    case WHY_MALFORMED:
        return COUNT_REFUSED_MALFORMED;
    case WHY_TOO_LARGE:
        return COUNT_REFUSED_TOO_LARGE;
    case WHY_CLIENT_ID:
        return COUNT_REFUSED_CLIENT_ID;
    default:
        return COUNTS;
    }
}

static void count_why(struct session *s)
{
    const enum count which[] = {end_count(s), refusal_count(s->why)};
    for (size_t i = 0; i < ARRAY_LEN(which); i++) {
        if (which[i] != COUNTS)
            count_client(s, which[i], 1);
    }
    if (s->why == WHY_NO_SERVER || s->why == WHY_QUEUE_TIMEOUT)
        count_server(s, COUNT_CONNECTS_FAILED, 1); /* the backend's, as HAProxy has it */
}

static void count_tls_closed(struct session *s)
{
    count_client(s, COUNT_TLS_CLOSED, 1);
    count_client(s, COUNT_TLS_CARRIED_CLOSED + s->carrier, 1);
    if (s->is_tls_1_2)
        count_client(s, COUNT_TLS_1_2_CLOSED, 1);
}

static void count_closed(struct session *s)
{
    count_client(s, COUNT_CLOSED, 1);
    if (s->is_tls)
        count_tls_closed(s);
    if (s->mqtt != NULL)
        count_client(s, COUNT_MQTT_CLOSED + count_version(s->mqtt->version), 1);
    gauge_sub(&s->bind->row->sessions);
    gauge_sub(&s->listener->row->sessions);
    if (s->in_backend)
        gauge_sub(&s->backend->row->sessions);
}

/* It had reached a server. */
static void count_carried_end(struct session *s)
{
    uint32_t total_ms = (uint32_t)(s->worker->now_ms - s->begun_ms);
    average_add(&s->backend->row->total_ms, total_ms);
    average_add(&session_server(s)->row->total_ms, total_ms);
    if (why_is_client_abort(s->why))
        count_server(s, COUNT_CLIENT_ABORTS, 1);
    if (why_is_server_abort(s->why))
        count_server(s, COUNT_SERVER_ABORTS, 1);
    if (s->mqtt != NULL)
        count_server(s, COUNT_MQTT_CLOSED + count_version(s->mqtt->version), 1);
}

void session_side_close(struct session *s, int which)
{
    struct side *d = &s->side[which];
    loop_unwatch(&s->worker->loop, &d->io);
    stream_fini(&d->stream);
    if (s->why == WHY_DENIED || s->why == WHY_SOURCE_LIMIT)
        sock_reset(d->stream.fd);
    else
        sock_close(d->stream.fd);
    d->stream.fd = -1;
}

/* A peer that is still there hears a close_notify, if that fits into the socket now: more is not tried. */
static void say_goodbye(struct session *s, int which)
{
    const struct flow *to = &s->flow[which == CLIENT ? DOWN : UP];
    if (!to->shut && to->buf == NULL) {
        enum io not_waited_for = stream_notify(&s->side[which].stream);
        (void)not_waited_for;
    }
}

void session_settle_end(struct session *s, enum why why)
{
    s->why = why;
    s->ended_in = s->state;
    s->detail = access_log_detail(s);
    refusals_note(s);
    if (s->backend != NULL)
        pool_leave(s->backend->pool, s->worker->index, &s->waiter);
}

void session_drop_bufs(struct session *s)
{
    buf_give(s->flow[UP].buf);
    buf_give(s->flow[DOWN].buf);
    buf_give(s->greeting);
    s->flow[UP].buf = s->flow[DOWN].buf = s->greeting = NULL;
}

void session_close(struct session *s, enum why why)
{
    if (s->state == ST_CLOSED)
        return;
    struct worker *w = s->worker;
    if (s->state != ST_LINGER)
        session_settle_end(s, why);
    if (s->ended_in == ST_RELAY || s->is_tls) /* RFC 8446 section 6.1: whoever is sent away hears it, too */
        say_goodbye(s, CLIENT);
    if (s->ended_in == ST_RELAY) {
        say_goodbye(s, SERVER);
        count_carried_end(s);
    }
    count_closed(s);
    count_why(s);
    access_log_end(s);
    session_enter(s, ST_CLOSED);
    session_leave_server(s);
    sources_give(s->listener->sources, s->source, w->now_ms);
    session_side_close(s, CLIENT);
    session_side_close(s, SERVER);
    session_drop_bufs(s);
    ws_opening_done(s);
    engine_leave(w->engine);
    worker_forget_again(w, s);
    shed_forget(s);
    if (w->cursor == s)
        w->cursor = s->next;
    if (w->age_cursor == s)
        w->age_cursor = s->next;
    DL_DELETE(w->sessions, s);
    s->next = w->graveyard;
    w->graveyard = s;
}

void session_free(struct session *s)
{
    free(s->via);
    slab_give(s->mqtt);
    free(s->ws);
    free(s->early);
    era_give(s->worker, s->era);
    slab_give(s);
}
