/* The first byte says who sends and in which version, four are a mask and one says how the rest, a stream, is cut. */
#include <string.h>

#include "fuzz.h"
#include "proto/mqtt_follow.h"

enum { HEAD = 6, STREAM_MAX = 1 << 16 };

/* What is told of a stream. */
struct told {
    struct mqtt_packet packets[STREAM_MAX / 2]; /* the shortest one has two bytes */
    size_t             n;
    size_t             taken; /* bytes */
    bool               bad, at_boundary;
};

static struct told whole, cut;
static uint8_t     masked[STREAM_MAX];

static void feed(struct mqtt_follow *f, struct mqtt_bytes bytes, struct told *told)
{
    size_t     len = bytes.in.len;
    enum parse answer;
    while ((answer = mqtt_follow_next(f, &bytes, &told->packets[told->n])) == PARSE_OK) {
        FUZZ_CHECK(mqtt_follow_at_boundary(f));
        told->n++;
    }
    FUZZ_CHECK(answer == PARSE_BAD ? bytes.in.len > 0 : bytes.in.len == 0);
    told->taken += len - bytes.in.len;
    told->bad = answer == PARSE_BAD;
    told->at_boundary = mqtt_follow_at_boundary(f);
}

static bool same_packet(const struct mqtt_packet *a, const struct mqtt_packet *b)
{
    return a->type == b->type && a->qos == b->qos && a->size == b->size && a->has_code == b->has_code &&
           a->code == b->code && a->has_server_keep_alive == b->has_server_keep_alive &&
           a->server_keep_alive_s == b->server_keep_alive_s;
}

static void follow_cut(struct mqtt_follow f, struct slice stream, const uint8_t mask[4], uint32_t seed)
{
    cut.n = cut.taken = 0;
    cut.bad = false;
    while (cut.taken < stream.len && !cut.bad) {
        seed = seed * 1664525 + 1013904223;
        size_t            left = stream.len - cut.taken, n = 1 + (seed >> 24) % 8;
        struct mqtt_bytes bytes = {.in = slice_of(masked + cut.taken, n < left ? n : left), .phase = cut.taken % 4};
        memcpy(bytes.mask, mask, 4);
        feed(&f, bytes, &cut);
    }
}

/* The packets lie one behind another; what the other parser takes for a CONNACK says the same. */
static void check_packets(struct slice stream, const struct told *told, enum mqtt_version version)
{
    for (size_t i = 0; i < told->n; i++) {
        const struct mqtt_packet *packet = &told->packets[i];
        struct mqtt_connack       ack;
        size_t                    used;
        FUZZ_CHECK(packet->size >= 2 && packet->size <= stream.len);
        FUZZ_CHECK((unsigned)packet->type == (unsigned)stream.ptr[0] >> 4);
        if (mqtt_parse_connack(stream, version, &ack, &used) == PARSE_OK) {
            FUZZ_CHECK(used == packet->size && packet->has_code && packet->code == ack.code);
            FUZZ_CHECK(packet->has_server_keep_alive == ack.has_server_keep_alive);
            FUZZ_CHECK(packet->server_keep_alive_s == ack.server_keep_alive_s);
        }
        stream = slice_skip(stream, packet->size);
    }
    FUZZ_CHECK(!told->at_boundary || told->bad || stream.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum mqtt_version versions[] = {MQTT_3_1, MQTT_3_1_1, MQTT_5};
    struct mqtt_follow             f;
    if (size < HEAD || size - HEAD > STREAM_MAX - 2)
        return 0;
    enum mqtt_version version = versions[data[0] / 2 % 3];
    struct slice      stream = slice_of(data + HEAD, size - HEAD);
    mqtt_follow_init(&f, (enum mqtt_from)(data[0] % 2), version);
    whole.n = whole.taken = 0;
    struct mqtt_follow again = f;
    feed(&again, (struct mqtt_bytes){.in = stream}, &whole);
    check_packets(stream, &whole, version);
    for (size_t i = 0; i < stream.len; i++)
        masked[i] = stream.ptr[i] ^ data[1 + i % 4];
    if (stream.len == 0)
        return 0;
    follow_cut(f, stream, data + 1, data[5]);
    FUZZ_CHECK(whole.n == cut.n && whole.taken == cut.taken && whole.bad == cut.bad);
    FUZZ_CHECK(whole.at_boundary == cut.at_boundary);
    for (size_t i = 0; i < whole.n; i++)
        FUZZ_CHECK(same_packet(&whole.packets[i], &cut.packets[i]));
    return 0;
}
