/* Sessions on their way out: as facts, with the descriptors that go along. */
#include "engine/carry.h"

#include "base/clock.h"
#include "engine/image.h"
#include "engine/mqtt.h"
#include "engine/shared.h"
#include "engine/ws.h"
#include "net/sock.h"

void engine_hold(struct engine *e, bool held)
{
    atomic_store(&e->held, held);
    engine_tell_all(e, MAIL_LISTENERS);
}

void engine_pause(struct engine *e)
{
    engine_tell_all(e, MAIL_PAUSE);
    engine_join(e);
}

/* ---- one session ---- */

static bool side_can_be_carried(const struct session *s, int which)
{
    return stream_can_be_carried(&s->side[which].stream);
}

/* A handshake is OpenSSL's alone; one that the client has not begun may begin anew. Where a session has no server yet,
 * it goes on from the choice of one, whatever has been done towards that. */
static enum session_phase phase_of(const struct session *s)
{
    if (s->state == ST_HANDSHAKE)
        return stream_first_bytes(&s->side[CLIENT].stream).len == 0 ? PHASE_TURN : PHASE_LOST;
    if (!side_can_be_carried(s, CLIENT))
        return PHASE_LOST;
    switch (s->state) {
    case ST_TURN:
        return PHASE_TURN;
    case ST_PICK:
    case ST_QUEUE:
    case ST_PAUSE:
    case ST_TURN_AGAIN:
    case ST_CONNECT:
    case ST_GREET:
    case ST_SERVER_HANDSHAKE:
    case ST_SERVER_HEAD:
    case ST_OFFER:
        return PHASE_PICK;
    default:
        return side_can_be_carried(s, SERVER) ? PHASE_AS_IT_WAS : PHASE_LOST;
    }
}

static bool is_unready(const struct session *s)
{
    return s->state == ST_HANDSHAKE && phase_of(s) == PHASE_LOST;
}

static void carry_flow(const struct flow *f, struct flow_image *out)
{
    *out = (struct flow_image){.bytes = f->bytes, .eof = f->eof, .shut = f->shut, .in_hand = buf_bytes(f->buf)};
}

static void carry_follow(const struct mqtt_follow *f, struct follow_image *out)
{
    *out = (struct follow_image){.left = f->left,
                                 .header_len = f->header_len,
                                 .code = f->code,
                                 .strings = f->strings,
                                 .skip = f->skip,
                                 .number = f->number,
                                 .has_server_keep_alive = f->has_server_keep_alive,
                                 .greeted = f->greeted,
                                 .look = (uint8_t)f->look};
    memcpy(out->header, f->header, sizeof out->header);
}

static void carry_mqtt(const struct mqtt_facts *mqtt, struct mqtt_image *out)
{
    *out = (struct mqtt_image){.is = true,
                               .version = (uint8_t)mqtt->version,
                               .clean = mqtt->clean,
                               .has_connack = mqtt->has_connack,
                               .disconnected = mqtt->disconnected,
                               .loose = mqtt->loose,
                               .connack = mqtt->connack,
                               .keep_alive_s = mqtt->keep_alive_s,
                               .silence_ms = mqtt->silence_ms,
                               .connect_left = mqtt->connect_left,
                               .has_user = mqtt->user != NULL,
                               .client_id = slice_str(mqtt->client_id),
                               .user = slice_str(mqtt->user != NULL ? mqtt->user : "")};
    carry_follow(&mqtt->follow[UP], &out->up);
    carry_follow(&mqtt->follow[DOWN], &out->down);
}

static void carry_frames(const struct ws_frames *f, struct frames_image *out)
{
    *out = (struct frames_image){.left = f->left,
                                 .close_code = f->close_code,
                                 .header_read = f->header_read,
                                 .header_len = f->header_len,
                                 .first = f->first,
                                 .passed = f->passed,
                                 .masked = f->masked,
                                 .in_message = f->in_message,
                                 .closed = f->closed};
    memcpy(out->mask, f->mask, sizeof out->mask);
}

static void carry_ws(const struct ws_facts *ws, struct ws_image *out)
{
    const struct ws_opening *opening = ws->opening;
    *out = (struct ws_image){.is = true, .fault = (uint16_t)ws->fault, .cut = ws->cut, .opens = opening != NULL};
    carry_frames(&ws->frames[UP], &out->up);
    carry_frames(&ws->frames[DOWN], &out->down);
    if (opening == NULL)
        return;
    carry_frames(&opening->frames, &out->opening);
    out->fed = opening->fed;
    out->packet = buf_bytes(opening->packet);
    out->request = buf_bytes(opening->request);
    out->subprotocol = opening->subprotocol;
    out->accept = slice_str(opening->accept);
}

static void carry_via(const struct via *via, struct via_image *out)
{
    *out =
        (struct via_image){.is = true, .peer = via->peer, .dst = via->dst, .tlvs = slice_of(via->tlvs, via->tlvs_len)};
}

static void put_name(char to[IMAGE_NAME_MAX], const char *name)
{
    size_t n = strnlen(name, IMAGE_NAME_MAX - 1);
    memcpy(to, name, n);
    to[n] = '\0';
}

static void carry_names(const struct session *s, struct session_image *out)
{
    out->listener = slice_str(s->listener->conf->name);
    out->backend = slice_str(s->backend != NULL ? s->backend->conf->name : "");
    out->server = slice_str(s->backend != NULL && s->has_server ? session_server(s)->conf->name : "");
    out->bind = (uint32_t)(s->bind - s->listener->binds);
    put_name(out->state, session_state_names[s->state]);
    put_name(out->ended_in, session_state_names[s->state == ST_LINGER ? s->ended_in : s->state]);
    put_name(out->why, why_names[s->ends || s->state == ST_LINGER ? s->why : WHY_UPGRADE]);
    put_name(out->protocol, conf_protocol_names[s->protocol]);
    put_name(out->carrier, tls_carrier_names[s->carrier]);
}

static uint32_t left_ms(const struct session *s, uint64_t now_ms)
{
    if (s->deadline.list == NULL)
        return 0;
    return s->deadline.at_ms > now_ms ? (uint32_t)(s->deadline.at_ms - now_ms) : 1;
}

static void carry_facts(const struct session *s, struct session_image *out)
{
    out->id = s->id;
    out->worker = s->worker->index;
    out->ends = s->ends;
    out->sheds = s->sheds;
    out->farewell_said = s->farewell_said;
    out->shed = s->shed;
    out->in_backend = s->in_backend;
    out->has_header = s->has_header;
    out->is_tls = s->is_tls;
    out->is_tls_1_2 = s->is_tls_1_2;
    out->redispatched = s->redispatched;
    out->has_source = s->source != 0;
    out->tls_is_due = s->tls != NULL;
    out->n_tries = s->n_tries;
    out->error = (uint32_t)s->error;
    out->address = s->client;
    out->packet_max = s->packet_max;
    out->greet_ms = s->greet_ms;
    out->wait_ms = s->wait_ms;
    out->connect_ms = s->connect_ms;
    out->queue_place = s->queue_place;
}

static void carry_session(const struct session *s, uint64_t now_ms, bool cookies, struct session_image *out)
{
    *out = (struct session_image){.phase = phase_of(s), .client_fd = s->side[CLIENT].stream.fd, .server_fd = -1};
    carry_names(s, out);
    carry_facts(s, out);
    out->client_cookie = cookies ? sock_cookie(out->client_fd) : 0;
    out->age_ms = now_ms - s->begun_ms;
    if (s->mqtt != NULL)
        carry_mqtt(s->mqtt, &out->mqtt);
    if (s->ws != NULL)
        carry_ws(s->ws, &out->ws);
    if (s->via != NULL)
        carry_via(s->via, &out->via);
    if (out->phase == PHASE_AS_IT_WAS || out->phase == PHASE_PICK)
        stream_carry(&s->side[CLIENT].stream, &out->client_tls);
    carry_flow(&s->flow[UP], &out->up);
    if (out->phase == PHASE_TURN && s->early != NULL)
        out->up.in_hand = turn_early_bytes(s);
    out->left_ms = left_ms(s, now_ms);
    if (out->phase == PHASE_PICK || out->phase == PHASE_TURN)
        return;
    carry_flow(&s->flow[DOWN], &out->down);
    out->server_fd = s->side[SERVER].stream.fd;
    out->held = s->lease.held;
    out->pending = s->lease.pending;
    out->server_cookie = cookies ? sock_cookie(out->server_fd) : 0;
}

/* ---- all of them ---- */

static void carry_sockets(const struct engine *e, bool cookies, struct image_writer *w)
{
    for (unsigned i = 0; i < e->n_workers; i++) {
        for (size_t k = 0; k < e->workers[i].n_acceptors; k++) {
            const struct acceptor      *a = &e->workers[i].acceptors[k];
            const struct snap_listener *listener = a->bind->listener;
            const size_t                bind = (size_t)(a->bind - listener->binds);
            const struct socket_image   socket = {.listener = slice_str(listener->conf->name),
                                                  .bind = (uint32_t)bind,
                                                  .asked = listener->conf->bind[bind],
                                                  .fd = a->fd,
                                                  .cookie = cookies ? sock_cookie(a->fd) : 0,
                                                  .paused = a->paused};
            if (a->fd >= 0)
                image_put(w, &socket_image_kind, &socket);
        }
    }
}

static uint64_t next_id(const struct engine *e)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < e->n_workers; i++)
        next = e->workers[i].next_id > next ? e->workers[i].next_id : next;
    return next;
}

static void carry_engine(const struct engine *e, struct image_writer *w)
{
    uint32_t                  most = engine_max_connections(e);
    const struct engine_image facts = {.boot_id = e->boot_id,
                                       .next_id = next_id(e),
                                       .max_connections = most != e->settings.max_connections ? most : 0,
                                       .connection_limit = engine_rate_limit(e, ENGINE_CONNECTIONS),
                                       .session_limit = engine_rate_limit(e, ENGINE_SESSIONS),
                                       .ssl_session_limit = engine_rate_limit(e, ENGINE_SSL_SESSIONS)};
    image_put(w, &engine_image_kind, &facts);
}

/* Of all workers: those that have a server, or the others. */
static void carry_sessions(const struct engine *e, bool cookies, bool with_server, struct image_writer *w)
{
    const uint64_t now_ms = clock_mono_ms();
    for (unsigned i = 0; i < e->n_workers; i++) {
        for (const struct session *s = e->workers[i].sessions; s != NULL; s = s->next) {
            struct session_image facts;
            if (s->lease.held != with_server)
                continue;
            carry_session(s, now_ms, cookies, &facts);
            image_put(w, &session_image_kind, &facts);
        }
    }
}

/* Whoever looks for a server finds the places of the others taken. */
void engine_carry(const struct engine *e, bool cookies, struct image_writer *w)
{
    carry_engine(e, w);
    carry_sockets(e, cookies, w);
    carry_sessions(e, cookies, true, w);
    carry_sessions(e, cookies, false, w);
}

uint32_t engine_n_unready(const struct engine *e)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < e->n_workers; i++) {
        for (const struct session *s = e->workers[i].sessions; s != NULL; s = s->next)
            n += is_unready(s);
    }
    return n;
}

/* ---- descriptors ---- */

/* Of those that go along. -1: it has none, or tries again to get one. */
static int server_descriptor(const struct session *s)
{
    return phase_of(s) != PHASE_PICK ? s->side[SERVER].stream.fd : -1;
}

static void each_session(const struct engine *e, void (*fn)(int fd, void *user), void *user)
{
    for (unsigned i = 0; i < e->n_workers; i++) {
        for (const struct session *s = e->workers[i].sessions; s != NULL; s = s->next) {
            fn(s->side[CLIENT].stream.fd, user);
            if (server_descriptor(s) >= 0)
                fn(server_descriptor(s), user);
        }
    }
}

static void keep(int fd, void *user)
{
    bool *kept = user;
    *kept = sock_keep(fd) && *kept;
}

static void keep_not(int fd, void *user)
{
    (void)user;
    sock_keep_not(fd);
}

static void each_descriptor(const struct engine *e, void (*fn)(int fd, void *user), void *user)
{
    each_session(e, fn, user);
    for (unsigned i = 0; i < e->n_workers; i++) {
        for (size_t k = 0; k < e->workers[i].n_acceptors; k++) {
            if (e->workers[i].acceptors[k].fd >= 0)
                fn(e->workers[i].acceptors[k].fd, user);
        }
    }
}

bool engine_keep_descriptors(const struct engine *e)
{
    bool kept = true;
    each_descriptor(e, keep, &kept);
    return kept;
}

void engine_keep_no_descriptors(const struct engine *e)
{
    each_descriptor(e, keep_not, NULL);
}

struct gathered {
    int   *fds;
    size_t n, most;
};

static void gather(int fd, void *user)
{
    struct gathered *g = user;
    if (g->n < g->most)
        g->fds[g->n] = fd;
    g->n++;
}

size_t engine_descriptors(const struct engine *e, int *fds, size_t most)
{
    struct gathered g = {fds, 0, most};
    each_session(e, gather, &g);
    return g.n;
}
