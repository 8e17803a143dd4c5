/* What a client says before a server is reached: its CONNECT, read and checked whole. The server sees nothing of a
 * client that is not let in. */
#include "engine/mqtt.h"
#include "engine/ws.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/count.h"

/* Makes room behind the bytes that wait, for a packet that does not fit. */
static bool make_room(struct session *s)
{
    struct flow *up = &s->flow[UP];
    if (up->buf == NULL)
        return (up->buf = buf_take(&s->worker->bufs)) != NULL;
    if (buf_room(up->buf) > 0)
        return true;
    struct buf *grown = buf_grow(up->buf, 2 * up->buf->capacity);
    if (grown != NULL)
        up->buf = grown;
    return grown != NULL;
}

enum step intake_read(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    struct flow *up = &s->flow[UP];
    size_t       n;
    if (!make_room(s))
        return session_step_fail(s, WHY_NO_MEMORY);
    enum io io = stream_read(&client->stream, buf_end(up->buf), buf_room(up->buf), &n);
    switch (io) {
    case IO_OK:
        buf_added(up->buf, (uint32_t)n);
        relay_received(s, UP, n);
        return STEP_NEXT;
    case IO_EOF:
        up->eof = true;
        return STEP_NEXT;
    case IO_WANT_READ:
    case IO_WANT_WRITE:
    case IO_AGAIN:
        session_side_unreadable(s, CLIENT, io);
        buf_give_empty(&up->buf);
        return STEP_WAIT;
    default:
        return session_step_fail(s, relay_why(CLIENT, io));
    }
}

struct verdict {
    enum why          why;
    enum mqtt_version told; /* the version that the answer is written in; 0: no answer */
};

/* What is answered follows OASIS MQTT 3.1.1 sections 3.1.2.2, 3.1.3.1, 3.1.4 and 3.2.2.3; MQTT 5.0
 * sections 3.1.4, 4.13. A 3.x client that breaks the rules is closed without a word, as its specification says. */
static struct verdict verdict_on(enum mqtt_fault fault)
{
    switch (fault) {
    case MQTT_FAULT_LEVEL:
        return (struct verdict){WHY_VERSION, MQTT_3_1_1};
    case MQTT_FAULT_MALFORMED:
        return (struct verdict){WHY_MALFORMED, 0};
    case MQTT_FAULT_MALFORMED_5:
        return (struct verdict){WHY_MALFORMED, MQTT_5};
    case MQTT_FAULT_TOO_LARGE:
        return (struct verdict){WHY_TOO_LARGE, 0};
    case MQTT_FAULT_TOO_LARGE_5:
        return (struct verdict){WHY_TOO_LARGE, MQTT_5};
    case MQTT_FAULT_EMPTY_ID_3_1:
        return (struct verdict){WHY_CLIENT_ID, MQTT_3_1};
    case MQTT_FAULT_EMPTY_ID_3_1_1:
        return (struct verdict){WHY_CLIENT_ID, MQTT_3_1_1};
    default:
        return (struct verdict){WHY_NOT_MQTT, 0};
    }
}

static bool version_is_served(const struct conf_mqtt *conf, enum mqtt_version version)
{
    const char *name = mqtt_version_name(version);
    for (size_t i = 0; i < conf->versions.n; i++) {
        if (strcmp(conf->versions.at[i], name) == 0)
            return true;
    }
    return false;
}

static size_t shown_len(struct slice name)
{
    return name.len < MQTT_NAME_SHOWN ? name.len : MQTT_NAME_SHOWN;
}

static void put_name(char *at, struct slice name)
{
    if (name.len > 0)
        memcpy(at, name.ptr, shown_len(name));
    at[shown_len(name)] = '\0';
}

static_assert(sizeof(struct mqtt_facts) + 2 * (MQTT_NAME_SHOWN + 1) <= SLAB_MAX, "the slab has no room for it");

static struct mqtt_facts *facts_new(struct worker *w, const struct mqtt_connect *connect, size_t connect_len)
{
    bool   has_user = w->era->snap->conf->global.log.identity && connect->has_user;
    size_t id_size = shown_len(connect->client_id) + 1, user_size = has_user ? shown_len(connect->user) + 1 : 0;
    struct mqtt_facts *facts = slab_take(&w->slab, sizeof *facts + id_size + user_size);
    if (facts == NULL)
        return NULL;
    facts->version = connect->version;
    facts->clean = connect->clean;
    facts->keep_alive_s = connect->keep_alive_s;
    facts->connect_left = (uint32_t)connect_len;
    put_name(facts->client_id, connect->client_id);
    if (has_user) {
        facts->user = facts->client_id + id_size;
        put_name(facts->user, connect->user);
    }
    return facts;
}

static enum step let_in(struct session *s, const struct mqtt_connect *connect, size_t connect_len)
{
    const struct conf_mqtt *conf = &s->listener->conf->mqtt;
    s->packet_max = connect->maximum_packet_size;
    if (!version_is_served(conf, connect->version))
        return session_refuse(s, WHY_VERSION, connect->version);
    if (conf->require_client_id && connect->client_id.len == 0)
        return session_refuse(s, WHY_CLIENT_ID, connect->version);
    s->mqtt = facts_new(s->worker, connect, connect_len);
    if (s->mqtt == NULL)
        return session_step_fail(s, WHY_NO_MEMORY);
    if (s->ws != NULL) { /* the server gets it in its frames */
        buf_give(s->ws->opening->packet);
        s->ws->opening->packet = NULL;
    }
    count_client(s, COUNT_MQTT_SESSIONS + count_version(connect->version), 1);
    count_client(s, COUNT_MQTT_UP + (unsigned)MQTT_CONNECT, 1);
    return session_step_to(s, ST_PICK);
}

/* Looks at what is there once more only when it has doubled or the packet may be whole, so that a packet that comes
 * byte by byte is not read as often as it has bytes. Its first bytes are looked at each time: what is no MQTT goes with
 * the first byte that says so. */
static uint32_t look_again_at(struct slice in)
{
    enum { EACH_TIME = 64 };
    struct mqtt_header header;
    size_t             header_len;
    size_t             at = in.len < EACH_TIME ? in.len + 1 : 2 * in.len;
    if (mqtt_parse_header(in, &header, &header_len) == PARSE_OK && header_len + header.remaining < at)
        at = header_len + header.remaining;
    return (uint32_t)at;
}

/* The MQTT that has come. */
static struct slice packet_in_hand(const struct session *s)
{
    return buf_bytes(s->ws != NULL ? s->ws->opening->packet : s->flow[UP].buf);
}

/* STEP_WAIT: more is needed. */
static enum step look(struct session *s)
{
    struct slice        in = packet_in_hand(s);
    struct mqtt_connect connect;
    size_t              used;
    enum mqtt_fault     fault = MQTT_FAULT_NONE;
    if (in.len < s->look_at)
        return STEP_WAIT;
    switch (mqtt_parse_connect(in, s->listener->conf->mqtt.max_connect_size, &connect, &used, &fault)) {
    case PARSE_OK:
        return let_in(s, &connect, used);
    case PARSE_MORE:
        s->look_at = look_again_at(in);
        return STEP_WAIT;
    default:
        break;
    }
    struct verdict verdict = verdict_on(fault);
    return session_refuse(s, verdict.why, verdict.told);
}

/* Frames may make more of a CONNECT than it is, but not without end. */
static bool is_too_much(const struct session *s)
{
    return s->ws != NULL && buf_len(s->flow[UP].buf) > 2 * s->listener->conf->mqtt.max_connect_size + BUF_CAPACITY;
}

static enum step read_more(struct session *s)
{
    if (s->flow[UP].eof)
        return session_step_fail(s, WHY_CLIENT_CLOSED);
    if (is_too_much(s))
        return session_refuse(s, WHY_TOO_LARGE, 0);
    return intake_read(s);
}

enum step step_connect_packet(struct session *s)
{
    enum step step = STEP_NEXT;
    while (step == STEP_NEXT && s->state == ST_CONNECT_PACKET) {
        step = look(s);
        if (step == STEP_WAIT && s->ws != NULL)
            step = ws_unwrap(s);
        if (step == STEP_WAIT)
            step = read_more(s);
    }
    return step;
}

enum step intake_refuse(struct session *s, enum why why)
{
    enum step step = STEP_NEXT;
    while (step == STEP_NEXT) {
        struct mqtt_connect connect;
        size_t              used;
        enum mqtt_fault     fault;
        enum parse answer = mqtt_parse_connect(buf_bytes(s->flow[UP].buf), s->listener->conf->mqtt.max_connect_size,
                                               &connect, &used, &fault);
        if (answer == PARSE_OK) {
            s->packet_max = connect.maximum_packet_size;
            return session_refuse(s, why, connect.version);
        }
        step = answer == PARSE_MORE && !s->flow[UP].eof ? intake_read(s) : session_step_fail(s, why);
    }
    return step == STEP_WAIT ? session_step_fail(s, why) : step;
}
