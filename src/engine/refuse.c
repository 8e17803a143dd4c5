/* A client that is not let in, or has to go, hears why, where its protocol has words for it. */
#include <sys/random.h>

#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/ws.h"

enum {
    PACKET_MAX = 128 + DRAIN_REFERENCE_MAX, /* bytes of a packet of ours */
    WORDS_MAX = PACKET_MAX + 16,            /* in a frame, with a close frame behind it */
    GOODBYE_MAX = 16,                       /* a DISCONNECT without properties, in a frame */
};

/* What a client hears when a session ends for this. MQTT 3.1.1 section 3.2.2.3 has return codes, 5.0 sections 3.2.2.2
 * and 3.14.2.1 reason codes. */
struct words {
    uint8_t       connack_3;    /* 0: nothing is said */
    uint8_t       connack_5;    /* the same */
    uint8_t       disconnect_5; /* to a client that was let in; the same */
    enum ws_close close;
    const char   *text; /* Reason String */
};

/* What is said where no server can be had. */
#define NO_SERVER MQTT_RETURN_SERVER_UNAVAILABLE, MQTT_REASON_SERVER_UNAVAILABLE, 0, WS_CLOSE_UNEXPECTED

/* What is said to a client that is welcome elsewhere. */
#define GO_ELSEWHERE                                                                                                   \
    MQTT_RETURN_SERVER_UNAVAILABLE, MQTT_REASON_USE_ANOTHER_SERVER, MQTT_REASON_USE_ANOTHER_SERVER, WS_CLOSE_GOING_AWAY

static const struct words all_words[WHY_COUNT] = {
    [WHY_NOT_MQTT] = {.close = WS_CLOSE_PROTOCOL},
    [WHY_NOT_WEBSOCKET] = {.close = WS_CLOSE_PROTOCOL},
    [WHY_CLIENT_CLOSED] = {.close = WS_CLOSE_NORMAL},
    [WHY_VERSION] = {MQTT_RETURN_VERSION, MQTT_REASON_VERSION, 0, WS_CLOSE_POLICY,
                     "this version of MQTT is not served here"},
    [WHY_MALFORMED] = {0, MQTT_REASON_MALFORMED, 0, WS_CLOSE_PROTOCOL, "the CONNECT packet is malformed"},
    [WHY_TOO_LARGE] = {0, MQTT_REASON_TOO_LARGE, 0, WS_CLOSE_TOO_BIG, "the CONNECT packet is too large"},
    [WHY_CLIENT_ID] = {MQTT_RETURN_CLIENT_ID, MQTT_REASON_CLIENT_ID, 0, WS_CLOSE_POLICY,
                       "a client identifier is required"},
    [WHY_RATE_LIMIT] = {MQTT_RETURN_SERVER_UNAVAILABLE, MQTT_REASON_RATE_EXCEEDED, 0, WS_CLOSE_UNEXPECTED,
                        "too many clients connect at once"},
    [WHY_NO_SERVER] = {NO_SERVER, "no broker is available"},
    [WHY_QUEUE_TIMEOUT] = {NO_SERVER, "the broker is busy for too long"},
    [WHY_CONNECT_FAILED] = {NO_SERVER, "the broker cannot be reached"},
    [WHY_UPGRADE_REFUSED] = {NO_SERVER, "the broker takes no WebSocket"},
    [WHY_SERVER_HANDSHAKE_FAILED] = {NO_SERVER, "the broker cannot be reached"},
    [WHY_CLIENT_NOT_MQTT] = {0, 0, MQTT_REASON_MALFORMED, WS_CLOSE_PROTOCOL, "what came is no MQTT packet"},
    [WHY_SERVER_NOT_MQTT] = {0, 0, MQTT_REASON_UNSPECIFIED, WS_CLOSE_UNEXPECTED,
                             "the broker sent what is no MQTT packet"},
    [WHY_MAX_AGE] = {0, 0, MQTT_REASON_USE_ANOTHER_SERVER, WS_CLOSE_GOING_AWAY,
                     "connected for long, please connect anew"},
    [WHY_DRAIN] = {GO_ELSEWHERE, "this node is drained, please connect anew"},
    [WHY_SHED] = {GO_ELSEWHERE, "this node has to carry less, please connect anew"},
    [WHY_SHUTDOWN] = {MQTT_RETURN_SERVER_UNAVAILABLE, MQTT_REASON_SHUTTING_DOWN, MQTT_REASON_SHUTTING_DOWN,
                      WS_CLOSE_GOING_AWAY, "this node shuts down"},
    [WHY_KEEP_ALIVE] = {0, 0, MQTT_REASON_KEEP_ALIVE, WS_CLOSE_POLICY,
                        "nothing came for longer than the keep-alive allows"},
};

/* The most that the client takes. */
static size_t room_for(const struct session *s)
{
    return s->packet_max == 0 || s->packet_max > PACKET_MAX ? PACKET_MAX : s->packet_max;
}

/* What goes with a reason code: less and less of it, where it is too much for the client ([MQTT-3.2.2-19],
 * [MQTT-3.14.2-3]). */
struct extras {
    struct slice text, reference;
};

enum { EXTRAS = 3 };

static void extras_of(const struct session *s, const struct words *words, uint8_t code, struct extras out[EXTRAS])
{
    const struct slice none = slice_of(NULL, 0), text = slice_str(words->text);
    const struct slice reference = slice_str(session_drain(s)->server_reference);
    bool               has_reference = code == MQTT_REASON_USE_ANOTHER_SERVER;
    out[0] = (struct extras){text, has_reference ? reference : none};
    out[1] = (struct extras){none, out[0].reference};
    out[2] = (struct extras){none, none};
}

static size_t encode_connack(const struct session *s, enum why why, enum mqtt_version version, uint8_t out[PACKET_MAX])
{
    const struct words *words = &all_words[why];
    uint8_t             code = version == MQTT_5 ? words->connack_5 : words->connack_3;
    struct extras       with[EXTRAS];
    size_t              n = 0;
    if (version == 0 || code == 0)
        return 0;
    extras_of(s, words, code, with);
    for (int i = 0; i < EXTRAS && n == 0; i++)
        n = mqtt_encode_connack(version, code, with[i].text, with[i].reference, out, room_for(s));
    return n;
}

static size_t encode_disconnect(const struct session *s, uint8_t out[PACKET_MAX])
{
    const struct words *words = &all_words[s->why];
    struct extras       with[EXTRAS];
    size_t              n = 0;
    extras_of(s, words, words->disconnect_5, with);
    for (int i = 0; i < EXTRAS && n == 0; i++)
        n = mqtt_encode_disconnect_5(words->disconnect_5, with[i].text, with[i].reference, out, room_for(s));
    return n;
}

/* In a frame where the client speaks WebSocket. */
static void put_packet(const struct session *s, struct buf *b, struct slice packet)
{
    if (packet.len == 0)
        return;
    if (s->ws != NULL)
        buf_added(b, (uint32_t)ws_encode_header(WS_BINARY, packet.len, buf_end(b), buf_room(b)));
    memcpy(buf_end(b), packet.ptr, packet.len);
    buf_added(b, (uint32_t)packet.len);
}

static void put_close(const struct session *s, struct buf *b, enum why why)
{
    if (s->ws == NULL)
        return;
    enum ws_close code = s->ws->fault != WS_CLOSE_NONE ? s->ws->fault : all_words[why].close;
    if (code != WS_CLOSE_NONE)
        buf_added(b, (uint32_t)ws_encode_close(code, slice_of(NULL, 0), NULL, buf_end(b), buf_room(b)));
}

enum step session_step_linger(struct session *s, enum why why, struct buf *answer)
{
    session_settle_end(s, why);
    session_drop_bufs(s);
    s->flow[DOWN].buf = answer;
    buf_give_empty(&s->flow[DOWN].buf); /* there may be no words for it */
    return session_linger(s);
}

/* What is no MQTT is not waited for. */
static bool is_left_at_once(const struct session *s, enum why why)
{
    return s->ws == NULL && (s->protocol != PROTOCOL_MQTT || why == WHY_NOT_MQTT);
}

enum step session_refuse(struct session *s, enum why why, enum mqtt_version version)
{
    uint8_t packet[PACKET_MAX];
    if (is_left_at_once(s, why))
        return session_step_fail(s, why);
    struct buf *answer = buf_take(&s->worker->bufs);
    if (answer == NULL)
        return session_step_fail(s, WHY_NO_MEMORY);
    put_packet(s, answer, slice_of(packet, encode_connack(s, why, version, packet)));
    put_close(s, answer, why);
    return session_step_linger(s, why, answer);
}

enum step session_step_no_server(struct session *s, enum why why)
{
    return session_refuse(s, why, s->mqtt != NULL ? s->mqtt->version : 0);
}

/* Room for n bytes behind what waits for a side. */
static bool make_room(struct session *s, enum direction dir, uint32_t n)
{
    struct flow *f = &s->flow[dir];
    if (f->buf == NULL)
        return (f->buf = buf_take(&s->worker->bufs)) != NULL;
    struct buf *b = buf_room(f->buf) < n ? buf_grow(f->buf, f->buf->capacity + n) : f->buf;
    if (b != NULL)
        f->buf = b;
    return b != NULL;
}

/* A DISCONNECT may be sent to a client that has been let in ([MQTT-3.14.0-1]), once. */
static bool takes_disconnect(const struct session *s)
{
    enum { REFUSED = 0x80 };
    const struct mqtt_facts *mqtt = s->mqtt;
    return mqtt->version == MQTT_5 && mqtt->has_connack && mqtt->connack < REFUSED && !mqtt->disconnected &&
           all_words[s->why].disconnect_5 != 0;
}

/* Between two packets, of a connection that is not about to end by itself. */
static bool can_be_told(const struct session *s, enum direction dir)
{
    bool is_open = s->ws == NULL || (!s->ws->cut && ws_frames_place(&s->ws->frames[dir]) != WS_CLOSED);
    return s->mqtt != NULL && !s->mqtt->loose && is_open && follow_to_boundary(s, dir) == 0 && !s->flow[dir].shut;
}

bool refuse_cleans_will(const struct session *s)
{
    return session_drain(s)->clean_will && why_asks_to_go(s->why) && s->mqtt != NULL && !s->mqtt->loose &&
           !s->flow[UP].eof;
}

/* A DISCONNECT of MQTT 3.1.1 is one of 5, too, with the code 0x00 (5.0 section 3.14.2.1). */
bool refuse_clean_will(struct session *s)
{
    uint8_t packet[2], mask[4];
    if (!refuse_cleans_will(s) || !can_be_told(s, UP))
        return true;
    if (!make_room(s, UP, GOODBYE_MAX) || getrandom(mask, sizeof mask, 0) != sizeof mask)
        return false;
    struct buf  *b = s->flow[UP].buf;
    struct slice goodbye = slice_of(packet, mqtt_encode_disconnect(packet, sizeof packet));
    if (s->ws != NULL) {
        buf_added(b, (uint32_t)ws_encode_control(WS_BINARY, goodbye, mask, buf_end(b), buf_room(b)));
    } else {
        memcpy(buf_end(b), goodbye.ptr, goodbye.len);
        buf_added(b, (uint32_t)goodbye.len);
    }
    return true;
}

/* A CONNACK is what a client hears that the server has not answered yet. */
static size_t encode_farewell(struct session *s, uint8_t packet[PACKET_MAX])
{
    if (!s->mqtt->has_connack)
        return encode_connack(s, s->why, s->mqtt->version, packet);
    size_t n = takes_disconnect(s) ? encode_disconnect(s, packet) : 0;
    if (n > 0)
        count_client(s, COUNT_MQTT_DISCONNECT_GATE + count_reason(all_words[s->why].disconnect_5), 1);
    return n;
}

bool refuse_farewell(struct session *s)
{
    uint8_t packet[PACKET_MAX];
    if (!can_be_told(s, DOWN))
        return true;
    if (!make_room(s, DOWN, WORDS_MAX))
        return false;
    size_t n = encode_farewell(s, packet);
    put_packet(s, s->flow[DOWN].buf, slice_of(packet, n));
    put_close(s, s->flow[DOWN].buf, s->why);
    buf_give_empty(&s->flow[DOWN].buf);
    return true;
}
