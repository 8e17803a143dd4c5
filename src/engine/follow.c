/* MQTT is followed while it is relayed: what is counted, how long a client may be silent, and where a packet ends. */
#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/ws.h"

static enum count by_direction(enum direction dir, enum count up, enum count down)
{
    return dir == UP ? up : down;
}

static void count_both(struct session *s, enum count which)
{
    count_client(s, which, 1);
    count_server(s, which, 1);
}

/* MQTT 3.1.1 section 3.1.2.10 and 5.0 section 3.1.2.10 give a client one and a half times its keep-alive; 5 seconds
 * more are for networks. Rounded up by less than one 32nd, so that clients of many different keep-alives share few
 * lists of deadlines. 0: no limit. */
static uint32_t silence_ms(const struct session *s)
{
    enum { FOR_THE_NETWORK_MS = 5000, STEPS = 32 };
    if (!s->listener->conf->mqtt.enforce_keepalive || s->mqtt->keep_alive_s == 0)
        return 0;
    uint32_t exact = s->mqtt->keep_alive_s * 1500u + FOR_THE_NETWORK_MS, step = 1;
    while (step * 2 * STEPS <= exact)
        step *= 2;
    return (exact + step - 1) / step * step;
}

static bool set_silence(struct session *s)
{
    uint32_t ms = silence_ms(s);
    if (ms != 0 && !deadlines_add(&s->worker->deadlines, ms))
        return false;
    s->mqtt->silence_ms = ms;
    return true;
}

static void on_connack(struct session *s, const struct mqtt_packet *packet)
{
    struct mqtt_facts *mqtt = s->mqtt;
    mqtt->has_connack = true;
    mqtt->connack = packet->code;
    session_server_answered(s);
    if (mqtt->version == MQTT_5)
        count_both(s, COUNT_MQTT_CONNACK_5 + count_reason(packet->code));
    else
        count_both(s, COUNT_MQTT_CONNACK_3 + count_return(packet->code));
    if (!packet->has_server_keep_alive)
        return;
    mqtt->keep_alive_s = packet->server_keep_alive_s;
    if (set_silence(s)) /* else the client's own goes on */
        relay_restart_deadline(s);
}

static void on_packet(struct session *s, enum direction dir, const struct mqtt_packet *packet)
{
    count_both(s, by_direction(dir, COUNT_MQTT_UP, COUNT_MQTT_DOWN) + (unsigned)packet->type);
    switch (packet->type) {
    case MQTT_PUBLISH:
        count_both(s, by_direction(dir, COUNT_MQTT_PUBLISH_UP, COUNT_MQTT_PUBLISH_DOWN) + packet->qos);
        break;
    case MQTT_CONNACK:
        on_connack(s, packet);
        break;
    case MQTT_DISCONNECT:
        s->mqtt->disconnected |= dir == DOWN;
        s->mqtt->leaves |= dir == UP;
        if (packet->has_code)
            count_both(s, by_direction(dir, COUNT_MQTT_DISCONNECT_UP, COUNT_MQTT_DISCONNECT_DOWN) +
                              count_reason(packet->code));
        break;
    default:
        break;
    }
}

/* The client's CONNECT has been read already. */
static struct mqtt_bytes without_connect(struct session *s, enum direction dir, struct mqtt_bytes bytes)
{
    uint32_t *left = &s->mqtt->connect_left;
    size_t    n = dir == UP && *left < bytes.in.len ? *left : dir == UP ? bytes.in.len : 0;
    *left -= (uint32_t)n;
    bytes.in = slice_skip(bytes.in, n);
    bytes.phase = (uint8_t)((bytes.phase + n) % 4);
    return bytes;
}

/* Returns how many bytes are MQTT: fewer than there are when the stream has stopped being that. */
static size_t follow_packets(struct session *s, enum direction dir, struct mqtt_bytes bytes)
{
    struct mqtt_bytes  rest = without_connect(s, dir, bytes);
    struct mqtt_packet packet;
    enum parse         answer;
    while ((answer = mqtt_follow_next(&s->mqtt->follow[dir], &rest, &packet)) == PARSE_OK)
        on_packet(s, dir, &packet);
    return answer == PARSE_BAD ? bytes.in.len - rest.in.len : bytes.in.len;
}

/* The same of bytes that are frames with MQTT inside. */
static size_t follow_frames(struct session *s, enum direction dir, struct slice in)
{
    struct ws_frames *frames = &s->ws->frames[dir];
    struct ws_span    span;
    size_t            at = 0, used;
    enum ws_close     fault = WS_CLOSE_NONE;
    while (ws_frames_next(frames, slice_skip(in, at), &span, &used, &fault) == PARSE_OK) {
        size_t n = span.payload.len;
        at += used;
        if (span.opcode != WS_BINARY && span.opcode != WS_CONTINUATION)
            continue;
        struct mqtt_bytes bytes = {.in = span.payload, .phase = span.phase};
        memcpy(bytes.mask, span.mask, sizeof bytes.mask);
        size_t good = follow_packets(s, dir, bytes);
        if (good < n) {
            s->ws->cut |= dir == DOWN; /* its header has been let through */
            return at - (n - good);
        }
    }
    if (dir == UP)
        s->ws->fault = fault;
    return at + used;
}

/* Returns how many of the bytes may go on. */
static size_t stopped_being_mqtt(struct session *s, enum direction dir, size_t good, size_t all)
{
    if (!s->listener->conf->mqtt.strict) {
        s->mqtt->loose = true;
        s->mqtt->silence_ms = 0;
        count_both(s, COUNT_MQTT_LOOSE);
        relay_restart_deadline(s);
        return all;
    }
    count_both(s, COUNT_MQTT_BROKEN);
    relay_shed(s, dir == UP ? WHY_CLIENT_NOT_MQTT : WHY_SERVER_NOT_MQTT);
    s->flow[dir].eof = true; /* nothing of what follows is wanted */
    return good;
}

void follow_received(struct session *s, enum direction dir, size_t n)
{
    struct flow *f = &s->flow[dir];
    if (s->mqtt == NULL || s->mqtt->loose || n == 0)
        return;
    struct slice in = slice_of(buf_end(f->buf) - n, n);
    size_t good = s->ws != NULL ? follow_frames(s, dir, in) : follow_packets(s, dir, (struct mqtt_bytes){.in = in});
    if (good < n)
        good = stopped_being_mqtt(s, dir, good, n);
    buf_drop(f->buf, (uint32_t)(n - good));
    buf_give_empty(&f->buf);
}

bool follow_begin(struct session *s)
{
    struct mqtt_facts *mqtt = s->mqtt;
    if (mqtt == NULL)
        return true;
    mqtt_follow_init(&mqtt->follow[UP], MQTT_FROM_CLIENT, mqtt->version);
    mqtt_follow_init(&mqtt->follow[DOWN], MQTT_FROM_SERVER, mqtt->version);
    if (s->ws != NULL) {
        ws_frames_init(&s->ws->frames[UP], true);
        ws_frames_init(&s->ws->frames[DOWN], false);
    }
    if (!set_silence(s))
        return false;
    count_server(s, COUNT_MQTT_SESSIONS + count_version(mqtt->version), 1);
    count_server(s, COUNT_MQTT_UP + (unsigned)MQTT_CONNECT, 1);
    return true;
}

void follow_what_waited(struct session *s)
{
    for (enum direction dir = UP; dir <= DOWN; dir++)
        follow_received(s, dir, buf_len(s->flow[dir].buf));
}

/* Of a frame or packet that is begun; at least one byte, which may be more of its header. */
static size_t at_least_one(uint64_t left)
{
    return left == 0 ? 1 : left < BUF_CAPACITY ? (size_t)left : BUF_CAPACITY;
}

size_t follow_to_boundary(const struct session *s, enum direction dir)
{
    if (s->mqtt == NULL || s->mqtt->loose)
        return 0;
    const struct mqtt_follow *packets = &s->mqtt->follow[dir];
    const struct ws_frames   *frames = s->ws != NULL ? &s->ws->frames[dir] : NULL;
    bool                      in_packet = !mqtt_follow_at_boundary(packets);
    if (frames == NULL)
        return in_packet ? at_least_one(packets->left) : 0;
    switch (ws_frames_place(frames)) {
    case WS_CLOSED:
        return 0;
    case WS_WITHIN_FRAME:
        return frames->header_read == frames->header_len ? at_least_one(frames->left) : 1;
    case WS_BETWEEN_MESSAGES:
        return in_packet ? 1 : 0;
    default:
        return 1;
    }
}
