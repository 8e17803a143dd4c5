/* Sessions on their way in: made of the facts that another process wrote down, in the snapshot in force. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "engine/carry.h"
#include "engine/count.h"
#include "engine/image.h"
#include "engine/mqtt.h"
#include "engine/shared.h"
#include "engine/ws.h"
#include "net/sock.h"

/* ---- names ---- */

static bool is_named(const char *name, struct slice said)
{
    return slice_eq(slice_str(name), said);
}

static struct snap_listener *find_listener(const struct snapshot *snap, struct slice name)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        if (is_named(snap->listeners[i].conf->name, name))
            return &snap->listeners[i];
    }
    return NULL;
}

static struct snap_backend *find_backend(const struct snapshot *snap, struct slice name)
{
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        if (is_named(snap->backends[i].conf->name, name))
            return &snap->backends[i];
    }
    return NULL;
}

static bool find_server(const struct snap_backend *backend, struct slice name, uint8_t *index)
{
    for (size_t i = 0; backend != NULL && i < backend->conf->n_servers; i++) {
        *index = (uint8_t)i;
        if (is_named(backend->servers[i].conf->name, name))
            return true;
    }
    return false;
}

/* The place of a name among n; n when it is none of them. */
static size_t find_name(const char *const *names, size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static enum why find_why(const char *name)
{
    size_t why = find_name(why_names, WHY_COUNT, name);
    return why < WHY_COUNT ? (enum why)why : WHY_UPGRADE;
}

/* What is not known is not said to have been anywhere. */
static enum session_state state_named(const char *name)
{
    size_t state = find_name(session_state_names, ST_CLOSED, name);
    return state < ST_CLOSED ? (enum session_state)state : ST_PICK;
}

/* ---- parts of a session ---- */

/* False when memory is out. */
static bool adopt_bytes(struct worker *w, struct slice bytes, struct buf **to)
{
    if (bytes.len == 0)
        return true;
    struct buf *b = buf_take(&w->bufs);
    if (b != NULL && bytes.len > buf_room(b)) {
        struct buf *grown = bytes.len > UINT32_MAX / 2 ? NULL : buf_grow(b, (uint32_t)bytes.len);
        if (grown == NULL)
            buf_give(b);
        b = grown;
    }
    if (b == NULL)
        return false;
    memcpy(buf_end(b), bytes.ptr, bytes.len);
    buf_added(b, (uint32_t)bytes.len);
    *to = b;
    return true;
}

static bool adopt_flow(struct session *s, enum direction dir, const struct flow_image *from)
{
    struct flow *f = &s->flow[dir];
    f->bytes = from->bytes;
    f->eof = from->eof;
    f->shut = from->shut;
    return adopt_bytes(s->worker, from->in_hand, &f->buf);
}

static void adopt_follow(const struct follow_image *from, enum mqtt_from sender, enum mqtt_version version,
                         struct mqtt_follow *f)
{
    mqtt_follow_init(f, sender, version);
    f->left = from->left;
    memcpy(f->header, from->header, sizeof f->header);
    f->header_len = from->header_len;
    f->code = from->code;
    f->strings = from->strings;
    f->skip = from->skip;
    f->number = from->number;
    f->has_server_keep_alive = from->has_server_keep_alive;
    f->greeted = from->greeted;
    f->look = from->look;
}

static void put_text(char *to, struct slice text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
}

static bool adopt_mqtt(struct session *s, const struct mqtt_image *from)
{
    size_t             id_size = from->client_id.len + 1, user_size = from->has_user ? from->user.len + 1 : 0;
    const size_t       size = sizeof(struct mqtt_facts) + id_size + user_size;
    struct mqtt_facts *mqtt = size > SLAB_MAX ? NULL : slab_take(&s->worker->slab, size);
    if (mqtt == NULL)
        return false;
    s->mqtt = mqtt;
    mqtt->version = (enum mqtt_version)from->version;
    mqtt->clean = from->clean;
    mqtt->has_connack = from->has_connack;
    mqtt->connack = from->connack;
    mqtt->disconnected = from->disconnected;
    mqtt->loose = from->loose;
    mqtt->keep_alive_s = from->keep_alive_s;
    mqtt->silence_ms = from->silence_ms;
    mqtt->connect_left = from->connect_left;
    put_text(mqtt->client_id, from->client_id);
    if (from->has_user) {
        mqtt->user = mqtt->client_id + id_size;
        put_text(mqtt->user, from->user);
    }
    adopt_follow(&from->up, MQTT_FROM_CLIENT, mqtt->version, &mqtt->follow[UP]);
    adopt_follow(&from->down, MQTT_FROM_SERVER, mqtt->version, &mqtt->follow[DOWN]);
    return mqtt->silence_ms == 0 || deadlines_add(&s->worker->deadlines, mqtt->silence_ms);
}

static void adopt_frames(const struct frames_image *from, struct ws_frames *f)
{
    *f = (struct ws_frames){.left = from->left,
                            .close_code = from->close_code,
                            .header_read = from->header_read,
                            .header_len = from->header_len,
                            .first = from->first,
                            .passed = from->passed,
                            .masked = from->masked,
                            .in_message = from->in_message,
                            .closed = from->closed};
    memcpy(f->mask, from->mask, sizeof f->mask);
}

static bool adopt_opening(struct session *s, const struct ws_image *from)
{
    struct ws_opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL)
        return false;
    s->ws->opening = opening;
    adopt_frames(&from->opening, &opening->frames);
    opening->fed = from->fed;
    opening->subprotocol = ws_lasting_subprotocol(s, from->subprotocol);
    put_text(opening->accept, from->accept);
    return adopt_bytes(s->worker, from->packet, &opening->packet) &&
           adopt_bytes(s->worker, from->request, &opening->request);
}

static bool adopt_ws(struct session *s, const struct ws_image *from)
{
    s->ws = calloc(1, sizeof *s->ws);
    if (s->ws == NULL)
        return false;
    adopt_frames(&from->up, &s->ws->frames[UP]);
    adopt_frames(&from->down, &s->ws->frames[DOWN]);
    s->ws->fault = (enum ws_close)from->fault;
    s->ws->cut = from->cut;
    return !from->opens || adopt_opening(s, from);
}

static bool adopt_via(struct session *s, const struct via_image *from)
{
    s->via = calloc(1, sizeof *s->via + from->tlvs.len);
    if (s->via == NULL)
        return false;
    s->via->peer = from->peer;
    s->via->dst = from->dst;
    s->via->tlvs_len = (uint16_t)from->tlvs.len;
    if (from->tlvs.len > 0)
        memcpy(s->via->tlvs, from->tlvs.ptr, from->tlvs.len);
    return true;
}

/* ---- what no other version may have meant ---- */

static bool follow_can_be(const struct follow_image *f)
{
    return f->header_len <= sizeof f->header && f->look <= MQTT_LOOK_NUMBER_LOW;
}

static bool frames_can_be(const struct frames_image *f)
{
    return f->header_read <= WS_FRAME_HEADER_MAX && f->header_len <= WS_FRAME_HEADER_MAX;
}

static bool mqtt_can_be(const struct mqtt_image *mqtt)
{
    return !mqtt->is ||
           (mqtt->version >= MQTT_3_1 && mqtt->version <= MQTT_5 && follow_can_be(&mqtt->up) &&
            follow_can_be(&mqtt->down) && mqtt->client_id.len <= MQTT_NAME_SHOWN && mqtt->user.len <= MQTT_NAME_SHOWN);
}

static bool ws_can_be(const struct session_image *from)
{
    const struct ws_image *ws = &from->ws;
    return !ws->is || (frames_can_be(&ws->up) && frames_can_be(&ws->down) && frames_can_be(&ws->opening) &&
                       ws->accept.len <= WS_ACCEPT_LEN && ws->fed <= from->up.in_hand.len);
}

/* Of those that have one, with whom. */
static bool state_can_be(const struct session_image *from)
{
    size_t state = find_name(session_state_names, ST_CLOSED, from->state);
    if (from->phase != PHASE_AS_IT_WAS)
        return true;
    switch (state) {
    case ST_TELL:
    case ST_PROXY_HEADER:
    case ST_UPGRADE:
    case ST_CONNECT_PACKET:
    case ST_LINGER:
        return true;
    case ST_ANSWER:
        return from->ws.opens;
    case ST_RELAY:
        return from->server_fd >= 0 && from->server.len > 0;
    default:
        return false;
    }
}

static bool can_be(const struct session_image *from)
{
    return from->phase < PHASES && state_can_be(from) && from->client_fd > STDERR_FILENO &&
           (from->server_fd == -1 || from->server_fd > STDERR_FILENO) && mqtt_can_be(&from->mqtt) && ws_can_be(from) &&
           from->via.tlvs.len <= UINT16_MAX &&
           find_name(conf_protocol_names, PROTOCOL_AUTO + 1, from->protocol) <= PROTOCOL_AUTO;
}

/* ---- a session ---- */

static void adopt_facts(struct session *s, const struct session_image *from)
{
    size_t carrier = find_name(tls_carrier_names, TLS_CARRIERS, from->carrier);
    s->id = from->id;
    s->protocol = (enum conf_protocol)find_name(conf_protocol_names, PROTOCOL_AUTO, from->protocol);
    s->carrier = carrier < TLS_CARRIERS ? (enum tls_carrier)carrier : TLS_KEPT_STATE;
    s->ends = from->ends;
    s->why = find_why(from->why);
    s->ended_in = state_named(from->ended_in);
    s->sheds = from->sheds;
    s->farewell_said = from->farewell_said;
    s->shed = from->shed;
    s->has_header = from->has_header;
    s->is_tls = from->is_tls;
    s->is_tls_1_2 = from->is_tls_1_2;
    s->redispatched = from->redispatched;
    s->n_tries = from->n_tries;
    s->error = (int)from->error;
    s->client = from->address;
    s->packet_max = from->packet_max;
    s->greet_ms = from->greet_ms;
    s->wait_ms = from->wait_ms;
    s->connect_ms = from->connect_ms;
    s->queue_place = from->queue_place;
    s->begun_ms = s->worker->now_ms - from->age_ms;
}

/* Everything that may be without memory. */
static bool adopt_parts(struct session *s, const struct session_image *from)
{
    return adopt_flow(s, UP, &from->up) && adopt_flow(s, DOWN, &from->down) &&
           (!from->mqtt.is || adopt_mqtt(s, &from->mqtt)) && (!from->via.is || adopt_via(s, &from->via)) &&
           (!from->ws.is || adopt_ws(s, &from->ws)) &&
           (from->phase == PHASE_LOST || from->phase == PHASE_TURN ||
            stream_adopt(&s->side[CLIENT].stream, from->client_fd, &from->client_tls, s->worker->tls));
}

static void take_source(struct session *s, const struct session_image *from)
{
    if (from->has_source && s->listener->sources != NULL)
        s->source = sources_resume(s->listener->sources, &s->client, s->worker->now_ms);
}

/* Counted where it was counted: what it adds to what is there now. */
static void take_places(struct session *s, const struct session_image *from)
{
    struct engine *e = s->worker->engine;
    atomic_fetch_add(&e->n_rooms, 1);
    engine_enter(e);
    gauge_add(&s->bind->row->sessions);
    gauge_add(&s->listener->row->sessions);
    s->in_backend = from->in_backend && s->backend != NULL;
    if (s->in_backend)
        gauge_add(&s->backend->row->sessions);
    if (s->backend != NULL && s->has_server)
        pool_adopt(s->backend->pool, &s->lease);
    if (s->shed)
        atomic_fetch_add_explicit(&e->shed.going, 1, memory_order_relaxed);
    take_source(s, from);
}

/* The server that it is at. False: there is no such server any more. */
static bool find_places(struct session *s, const struct session_image *from)
{
    const struct snapshot *snap = s->era->snap;
    s->bind = &s->listener->binds[from->bind < s->listener->conf->n_bind ? from->bind : 0];
    s->tls = from->tls_is_due ? s->listener->tls : NULL;
    s->backend = find_backend(snap, from->backend);
    s->has_server = from->server.len > 0 && find_server(s->backend, from->server, &s->lease.index);
    s->lease.held = s->has_server && from->held;
    s->lease.pending = s->has_server && from->pending;
    return (s->backend != NULL) == (from->backend.len > 0) && s->has_server == (from->server.len > 0) &&
           (s->tls != NULL) == from->tls_is_due;
}

static void set_deadline(struct session *s, uint32_t left_ms)
{
    uint32_t whole_ms = s->state == ST_ANSWER ? session_timeouts(s)->connect_packet_ms : session_timeout_ms(s);
    if (left_ms != 0 && whole_ms != 0)
        deadline_resume(&s->worker->deadlines, &s->deadline, whole_ms, left_ms, s->worker->now_ms);
}

/* What the kernel holds for it makes an event by itself; what the stream holds does not. */
static void go_on_as_it_was(struct session *s, const struct session_image *from)
{
    s->side[CLIENT].readable = stream_has_pending(&s->side[CLIENT].stream);
    s->state = state_named(from->state);
    if (s->state == ST_TELL)
        s->look_at = 1; /* the socket may be told to await more, which goes with the look */
    set_deadline(s, from->left_ms);
    worker_run_again(s->worker, s);
}

/* The time that it may wait for a server has begun already. */
static void go_on_from_pick(struct session *s, const struct session_image *from)
{
    s->side[CLIENT].readable = stream_has_pending(&s->side[CLIENT].stream);
    s->state = ST_PICK;
    session_advance(s);
    if (s->state == ST_QUEUE && state_named(from->state) == ST_QUEUE)
        set_deadline(s, from->left_ms);
}

static void go_on_from_turn(struct session *s)
{
    s->state = ST_PROXY_HEADER;
    if (turn_await(s) == STEP_NEXT)
        session_advance(s);
}

static void go_on(struct session *s, const struct session_image *from)
{
    if (from->phase == PHASE_AS_IT_WAS)
        go_on_as_it_was(s, from);
    else if (from->phase == PHASE_PICK)
        go_on_from_pick(s, from);
    else
        go_on_from_turn(s);
}

/* Its end is all that there is left of it. */
static void end(struct session *s)
{
    if (s->ended_in == ST_RELAY && !s->has_server)
        s->ended_in = ST_PICK;
    s->state = ST_LINGER;
    session_close(s, s->why);
}

static struct session *session_new(struct worker *w, const struct session_image *from, struct snap_listener *listener)
{
    struct session *s = slab_take(&w->slab, sizeof *s);
    if (s == NULL)
        return NULL;
    s->worker = w;
    s->era = era_take(w);
    s->listener = listener;
    sock_keep_not(from->client_fd);
    if (from->server_fd >= 0)
        sock_keep_not(from->server_fd);
    session_side_init(s, CLIENT, from->client_fd);
    session_side_init(s, SERVER, from->server_fd);
    adopt_facts(s, from);
    return s;
}

static void close_descriptors(const struct session_image *from)
{
    sock_close(from->client_fd);
    sock_close(from->server_fd);
}

/* The number that a descriptor has here; -1: it is not here. */
static int find_descriptor(const struct engine_carried *sum, uint64_t cookie, int fd)
{
    size_t from = 0, to = sum->n_found;
    if (cookie == 0)
        return fd;
    while (from < to) {
        size_t               middle = from + (to - from) / 2;
        struct engine_found *found = &sum->found[middle];
        if (found->cookie == cookie) {
            fd = found->fd;
            found->fd = -1;
            return fd;
        }
        if (found->cookie < cookie)
            from = middle + 1;
        else
            to = middle;
    }
    return -1;
}

/* True, unless memory is out. */
static bool adopt_session(struct engine *e, struct session_image *from, struct engine_carried *sum)
{
    struct worker        *w = &e->workers[from->worker % e->n_workers];
    struct snap_listener *listener = find_listener(w->era->snap, from->listener);
    w->now_ms = clock_mono_ms();
    from->client_fd = find_descriptor(sum, from->client_cookie, from->client_fd);
    from->server_fd = find_descriptor(sum, from->server_cookie, from->server_fd);
    if (listener == NULL || from->client_fd < 0) {
        sum->lost++;
        close_descriptors(from);
        return true;
    }
    struct session *s = session_new(w, from, listener);
    if (s == NULL)
        return false;
    bool has_place = find_places(s, from), whole = adopt_parts(s, from);
    take_places(s, from);
    DL_APPEND(w->sessions, s);
    bool goes_on =
        has_place && whole && from->phase != PHASE_LOST && (from->server_fd >= 0 || from->server_cookie == 0);
    sum->sessions += goes_on;
    sum->lost += !goes_on;
    if (goes_on)
        go_on(s, from);
    else
        end(s);
    return true;
}

/* ---- records ---- */

static void adopt_engine(struct engine *e, const struct engine_image *from)
{
    e->boot_id = from->boot_id;
    for (unsigned i = 0; i < e->n_workers; i++)
        e->workers[i].next_id = from->next_id;
    if (from->max_connections != 0 && from->max_connections < e->settings.max_connections)
        atomic_store(&e->max_connections, from->max_connections);
    atomic_store(&e->rate_limits[ENGINE_CONNECTIONS], from->connection_limit);
    atomic_store(&e->rate_limits[ENGINE_SESSIONS], from->session_limit);
    atomic_store(&e->rate_limits[ENGINE_SSL_SESSIONS], from->ssl_session_limit);
}

enum engine_socket_taken engine_take_socket(const struct image_record *record, struct engine_carried *sum,
                                            struct engine_socket *out, struct err *err)
{
    struct socket_image from;
    if (!image_is(record, &socket_image_kind))
        return ENGINE_SOCKET_NONE;
    if (!image_take(record, &socket_image_kind, &from, err))
        return ENGINE_SOCKET_BAD;
    from.fd = find_descriptor(sum, from.cookie, from.fd);
    *out = (struct engine_socket){.bind = from.bind, .asked = from.asked, .fd = from.fd, .paused = from.paused};
    out->listener = from.listener.len > 0 ? strndup((const char *)from.listener.ptr, from.listener.len) : NULL;
    if (out->listener != NULL && from.fd > STDERR_FILENO && addr_is_set(&from.asked)) {
        sock_keep_not(from.fd);
        return ENGINE_SOCKET_TAKEN;
    }
    free(out->listener);
    err_set(err, "a listening socket of the image makes no sense");
    return ENGINE_SOCKET_BAD;
}

/* False, and *err. */
static bool take_session(const struct image_record *record, struct session_image *out, struct err *err)
{
    if (!image_take(record, &session_image_kind, out, err))
        return false;
    if (can_be(out))
        return true;
    err_set(err, "a session of the image makes no sense");
    return false;
}

bool engine_understands(const struct image_record *record, uint32_t *n, struct err *err)
{
    struct session_image session;
    struct engine_image  engine;
    if (image_is(record, &engine_image_kind))
        return image_take(record, &engine_image_kind, &engine, err);
    if (!image_is(record, &session_image_kind))
        return true;
    *n += 1;
    return take_session(record, &session, err);
}

bool engine_adopt(struct engine *e, const struct image_record *record, struct engine_carried *sum, struct err *err)
{
    struct session_image session;
    struct engine_image  engine;
    if (image_is(record, &engine_image_kind)) {
        if (!image_take(record, &engine_image_kind, &engine, err))
            return false;
        adopt_engine(e, &engine);
    }
    if (!image_is(record, &session_image_kind))
        return true;
    if (!take_session(record, &session, err))
        return false;
    err_set(err, "out of memory");
    return adopt_session(e, &session, sum);
}

static int by_age(const struct session *a, const struct session *b)
{
    return (a->begun_ms > b->begun_ms) - (a->begun_ms < b->begun_ms);
}

/* Nobody listens there any more, or fewer workers do: who waits in the queue is let in, as on a reload. */
static void empty_left_socket(struct engine *e, struct engine_socket *socket)
{
    struct worker        *w = &e->workers[0];
    struct snap_listener *listener = find_listener(w->era->snap, slice_str(socket->listener));
    struct acceptor       a = {.worker = w, .fd = socket->fd, .paused = socket->paused};
    socket->fd = -1;
    if (listener != NULL) {
        a.bind = &listener->binds[socket->bind < listener->conf->n_bind ? socket->bind : 0];
        acceptor_init(&a);
        acceptor_empty(w, &a);
    }
    acceptor_close(w, &a);
}

void engine_adopted(struct engine *e)
{
    for (size_t i = 0; i < e->settings.n_sockets; i++) {
        if (e->settings.sockets[i].fd >= 0)
            empty_left_socket(e, &e->settings.sockets[i]);
    }
    e->settings.n_sockets = 0;
    for (unsigned i = 0; i < e->n_workers; i++) {
        struct worker *w = &e->workers[i];
        // cppcheck-suppress nullPointer ; the macro tests it
        DL_SORT(w->sessions, by_age);
        deadlines_sort(&w->deadlines);
    }
}
