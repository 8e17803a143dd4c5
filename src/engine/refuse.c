/* A client that is not let in, or has to go, hears why, where its protocol has words for it. */
#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/ws.h"

enum {
    PACKET_MAX = 128,            /* bytes of a packet of ours */
    WORDS_MAX = PACKET_MAX + 16, /* in a frame, with a close frame behind it */
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
    [WHY_KEEP_ALIVE] = {0, 0, MQTT_REASON_KEEP_ALIVE, WS_CLOSE_POLICY,
                        "nothing came for longer than the keep-alive allows"},
};

/* The most that the client takes. */
static size_t room_for(const struct session *s)
{
    return s->packet_max == 0 || s->packet_max > PACKET_MAX ? PACKET_MAX : s->packet_max;
}

/* The reason goes without its text where that would be too much for the client ([MQTT-3.2.2-19]). */
static size_t encode_connack(const struct session *s, enum why why, enum mqtt_version version, uint8_t out[PACKET_MAX])
{
    const struct words *words = &all_words[why];
    uint8_t             code = version == MQTT_5 ? words->connack_5 : words->connack_3;
    if (version == 0 || code == 0)
        return 0;
    size_t n = mqtt_encode_connack(version, code, slice_str(words->text), out, room_for(s));
    return n != 0 ? n : mqtt_encode_connack(version, code, slice_of(NULL, 0), out, room_for(s));
}

/* The same ([MQTT-3.14.2-3]). */
static size_t encode_disconnect(const struct session *s, uint8_t out[PACKET_MAX])
{
    const struct words *words = &all_words[s->why];
    const struct slice  none = slice_of(NULL, 0);
    size_t n = mqtt_encode_disconnect_5(words->disconnect_5, slice_str(words->text), none, out, room_for(s));
    return n != 0 ? n : mqtt_encode_disconnect_5(words->disconnect_5, none, none, out, room_for(s));
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
    buf_give_empty(&s->worker->bufs, &s->flow[DOWN].buf); /* there may be no words for it */
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

/* Room for words behind what waits for the client. */
static bool make_room(struct session *s)
{
    struct flow *down = &s->flow[DOWN];
    if (down->buf == NULL)
        return (down->buf = buf_take(&s->worker->bufs)) != NULL;
    struct buf *b = buf_room(down->buf) < WORDS_MAX ? buf_grow(down->buf, down->buf->capacity + WORDS_MAX) : down->buf;
    if (b != NULL)
        down->buf = b;
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

static bool can_be_told(const struct session *s)
{
    bool is_open = s->ws == NULL || (!s->ws->cut && ws_frames_place(&s->ws->frames[DOWN]) != WS_CLOSED);
    return s->mqtt != NULL && !s->mqtt->loose && is_open && follow_to_boundary(s) == 0 && !s->flow[DOWN].shut;
}

bool refuse_farewell(struct session *s)
{
    uint8_t packet[PACKET_MAX];
    if (!can_be_told(s))
        return true;
    if (!make_room(s))
        return false;
    size_t n = takes_disconnect(s) ? encode_disconnect(s, packet) : 0;
    if (n > 0)
        count_client(s, COUNT_MQTT_DISCONNECT_GATE + count_reason(all_words[s->why].disconnect_5), 1);
    put_packet(s, s->flow[DOWN].buf, slice_of(packet, n));
    put_close(s, s->flow[DOWN].buf, s->why);
    buf_give_empty(&s->worker->bufs, &s->flow[DOWN].buf);
    return true;
}
