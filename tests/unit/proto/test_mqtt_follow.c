#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/mqtt_follow.h"
#include "proto_tests.h"
#include "support/guarded.h"

enum { PACKETS_MAX = 24 };

static const uint8_t masks[][4] = {{0, 0, 0, 0}, {0x37, 0xFA, 0x21, 0x3D}, {0xFF, 0x00, 0x80, 0x10}};

/* What became of a stream that was handed over in pieces. */
struct run {
    struct mqtt_follow f;
    struct mqtt_packet packets[PACKETS_MAX];
    size_t             n;
    size_t             taken; /* bytes */
    bool               bad;
};

static struct run run_begin(enum mqtt_from from, enum mqtt_version version)
{
    struct run r = {0};
    mqtt_follow_init(&r.f, from, version);
    return r;
}

static void assert_stays_bad(struct run *r, struct mqtt_bytes *bytes)
{
    struct mqtt_packet packet;
    size_t             left = bytes->in.len;
    ck_assert_uint_gt(left, 0);
    ck_assert_int_eq(mqtt_follow_next(&r->f, bytes, &packet), PARSE_BAD);
    ck_assert_uint_eq(bytes->in.len, left);
}

/* One piece, that ends at an unreadable page; masked by the mask, whose first byte is for byte `taken - phase`. */
static void run_feed(struct run *r, struct slice piece, const uint8_t mask[4], unsigned phase)
{
    struct slice      copy = guarded_copy(piece);
    uint8_t          *at = (uint8_t *)(uintptr_t)copy.ptr;
    struct mqtt_bytes bytes = {.in = copy, .phase = (uint8_t)((phase + r->taken) % 4)};
    enum parse        answer;
    memcpy(bytes.mask, mask, 4);
    for (size_t i = 0; i < copy.len; i++)
        at[i] ^= mask[(bytes.phase + i) % 4];
    do {
        size_t             before = bytes.in.len;
        struct mqtt_packet packet;
        answer = mqtt_follow_next(&r->f, &bytes, &packet);
        r->taken += before - bytes.in.len;
        ck_assert_uint_eq(bytes.phase, (phase + r->taken) % 4);
        ck_assert(answer != PARSE_MORE || bytes.in.len == 0);
        if (answer == PARSE_OK) {
            ck_assert_uint_lt(r->n, PACKETS_MAX);
            ck_assert(mqtt_follow_at_boundary(&r->f));
            r->packets[r->n++] = packet;
        }
    } while (answer == PARSE_OK);
    r->bad = answer == PARSE_BAD;
    if (r->bad)
        assert_stays_bad(r, &bytes);
    guarded_free(copy);
}

static void assert_same_packet(const struct mqtt_packet *a, const struct mqtt_packet *b)
{
    ck_assert_int_eq(a->type, b->type);
    ck_assert_uint_eq(a->qos, b->qos);
    ck_assert_uint_eq(a->size, b->size);
    ck_assert(a->has_code == b->has_code);
    ck_assert_uint_eq(a->code, b->code);
    ck_assert(a->has_server_keep_alive == b->has_server_keep_alive);
    ck_assert_uint_eq(a->server_keep_alive_s, b->server_keep_alive_s);
}

struct stream {
    enum mqtt_from     from;
    enum mqtt_version  version;
    struct slice       bytes;
    struct mqtt_packet packets[PACKETS_MAX]; /* of size 0 at the end */
};

#define CODE(c) .has_code = true, .code = (c)

static const struct stream streams[] = {
    {MQTT_FROM_CLIENT,
     MQTT_3_1,
     LITERAL("\x82\6\0\1\0\1t\0"
             "\x8A\6\0\1\0\1t\0"                /* again, as a duplicate */
             "\x82\2\0\2"                       /* no topic */
             "\x3A\7\0\1t\0\7hi"                /* PUBLISH, QoS 1, duplicate */
             "\x6A\2\0\7"                       /* PUBREL, duplicate */
             "\x4F\x82\x80\0\0\7\xC0\0\xEF\0"), /* flags and lengths that 3.1 does not speak of */
     {{MQTT_SUBSCRIBE, .size = 8},
      {MQTT_SUBSCRIBE, .size = 8},
      {MQTT_SUBSCRIBE, .size = 4},
      {MQTT_PUBLISH, .qos = 1, .size = 9},
      {MQTT_PUBREL, .size = 4},
      {MQTT_PUBACK, .size = 6},
      {MQTT_PINGREQ, .size = 2},
      {MQTT_DISCONNECT, .size = 2}}},
    {MQTT_FROM_CLIENT,
     MQTT_3_1_1,
     LITERAL("\x82\6\0\1\0\1t\0"
             "\x30\3\0\1t"
             "\x30\x83\x80\x80\0\0\1t" /* padded */
             "\x34\6\0\1t\0\3m"
             "\x62\2\0\3"
             "\x40\2\0\3\x50\2\0\4\x70\2\0\4"
             "\xC0\0\xC0\x80\0"
             "\xA2\5\0\5\0\1t"
             "\xE0\0"
             "\xC0\0"), /* behind DISCONNECT, which is the server's to ignore */
     {{MQTT_SUBSCRIBE, .size = 8},
      {MQTT_PUBLISH, .size = 5},
      {MQTT_PUBLISH, .size = 8},
      {MQTT_PUBLISH, .qos = 2, .size = 8},
      {MQTT_PUBREL, .size = 4},
      {MQTT_PUBACK, .size = 4},
      {MQTT_PUBREC, .size = 4},
      {MQTT_PUBCOMP, .size = 4},
      {MQTT_PINGREQ, .size = 2},
      {MQTT_PINGREQ, .size = 3},
      {MQTT_UNSUBSCRIBE, .size = 7},
      {MQTT_DISCONNECT, .size = 2},
      {MQTT_PINGREQ, .size = 2}}},
    {MQTT_FROM_CLIENT,
     MQTT_5,
     LITERAL("\xF0\0"
             "\xF0\6\x18\4\x15\0\1m"
             "\x82\7\0\1\0\0\1t\0"
             "\x30\4\0\1t\0"
             "\x32\7\0\1t\0\3\0m"
             "\x62\2\0\3\x62\3\0\3\0\x40\4\0\3\0\0"
             "\xA2\6\0\5\0\0\1t"
             "\xE0\0\xE0\1\4\xE0\2\x93\0\xE0\x08\x82\6\x1F\0\3why"
             "\xC0\0"),
     {{MQTT_AUTH, .size = 2},
      {MQTT_AUTH, .size = 8},
      {MQTT_SUBSCRIBE, .size = 9},
      {MQTT_PUBLISH, .size = 6},
      {MQTT_PUBLISH, .qos = 1, .size = 9},
      {MQTT_PUBREL, .size = 4},
      {MQTT_PUBREL, .size = 5},
      {MQTT_PUBACK, .size = 6},
      {MQTT_UNSUBSCRIBE, .size = 8},
      {MQTT_DISCONNECT, .size = 2, CODE(0)},
      {MQTT_DISCONNECT, .size = 3, CODE(4)},
      {MQTT_DISCONNECT, .size = 4, CODE(0x93)},
      {MQTT_DISCONNECT, .size = 10, CODE(0x82)},
      {MQTT_PINGREQ, .size = 2}}},
    {MQTT_FROM_SERVER,
     MQTT_3_1,
     LITERAL("\x20\2\xFF\0\x90\2\0\2\xB0\2\0\3\xD0\0"),
     {{MQTT_CONNACK, .size = 4, CODE(0)},
      {MQTT_SUBACK, .size = 4},
      {MQTT_UNSUBACK, .size = 4},
      {MQTT_PINGRESP, .size = 2}}},
    {MQTT_FROM_SERVER,
     MQTT_3_1_1,
     LITERAL("\x20\2\1\0"
             "\x90\3\0\1\0"
             "\x31\x8A\1\0\1t123456789012345678901234567890123456789012345678901234567890"
             "123456789012345678901234567890123456789012345678901234567890123456789012345"
             "\x50\2\0\1\x70\2\0\1\x40\2\0\1\x62\2\0\1"
             "\xD0\0"
             "\xB0\2\0\1"),
     {{MQTT_CONNACK, .size = 4, CODE(0)},
      {MQTT_SUBACK, .size = 5},
      {MQTT_PUBLISH, .size = 141},
      {MQTT_PUBREC, .size = 4},
      {MQTT_PUBCOMP, .size = 4},
      {MQTT_PUBACK, .size = 4},
      {MQTT_PUBREL, .size = 4},
      {MQTT_PINGRESP, .size = 2},
      {MQTT_UNSUBACK, .size = 4}}},
    {MQTT_FROM_SERVER,
     MQTT_5,
     LITERAL("\xF0\0"
             "\xF0\6\x18\4\x15\0\1m"
             "\x20\x39\1\0\x36\x11\0\0\0\0\x12\0\1i\x15\0\1m\x16\0\1d\x1A\0\0\x1C\0\0\x1F\0\0\x21\0\1\x22\0\0\x24"
             "\1\x25\0\x26\0\0\0\1v\x27\0\0\0\1\x28\1\x13\1\2\x29\1"
             "\xF0\2\0\0"
             "\x90\4\0\1\0\0"
             "\xB0\4\0\1\0\x11"
             "\x30\6\0\0\3\x23\0\1"
             "\xE0\5\x8B\3\x1F\0\0"),
     {{MQTT_AUTH, .size = 2},
      {MQTT_AUTH, .size = 8},
      {MQTT_CONNACK, .size = 59, CODE(0), .has_server_keep_alive = true, .server_keep_alive_s = 258},
      {MQTT_AUTH, .size = 4},
      {MQTT_SUBACK, .size = 6},
      {MQTT_UNSUBACK, .size = 6},
      {MQTT_PUBLISH, .size = 8},
      {MQTT_DISCONNECT, .size = 7, CODE(0x8B)}}},
};

static void assert_run(const struct run *r, const struct stream *s)
{
    size_t n = 0;
    for (; s->packets[n].size > 0; n++)
        assert_same_packet(&r->packets[n], &s->packets[n]);
    ck_assert_uint_eq(r->n, n);
    ck_assert_uint_eq(r->taken, s->bytes.len);
    ck_assert(!r->bad && mqtt_follow_at_boundary(&r->f));
}

START_TEST(packets_are_told_wherever_a_stream_is_cut)
{
    const struct stream *s = &streams[_i];
    for (size_t cut = 0; cut <= s->bytes.len; cut++) {
        for (unsigned way = 0; way < 4 * ARRAY_LEN(masks); way++) {
            struct run r = run_begin(s->from, s->version);
            run_feed(&r, slice_of(s->bytes.ptr, cut), masks[way / 4], way % 4);
            run_feed(&r, slice_skip(s->bytes, cut), masks[way / 4], way % 4);
            assert_run(&r, s);
        }
    }
}
END_TEST

static bool ends_a_packet(const struct stream *s, size_t at)
{
    size_t end = 0;
    for (size_t n = 0; end < at; n++)
        end += s->packets[n].size;
    return end == at;
}

START_TEST(byte_by_byte_the_boundaries_are_where_packets_end)
{
    const struct stream *s = &streams[_i];
    for (unsigned way = 0; way < 4 * ARRAY_LEN(masks); way++) {
        struct run r = run_begin(s->from, s->version);
        for (size_t at = 0; at < s->bytes.len; at++) {
            ck_assert_msg(mqtt_follow_at_boundary(&r.f) == ends_a_packet(s, at), "at %zu", at);
            run_feed(&r, slice_of(s->bytes.ptr + at, 1), masks[way / 4], way % 4);
        }
        assert_run(&r, s);
    }
}
END_TEST

struct bad_stream {
    enum mqtt_from    from;
    enum mqtt_version version;
    struct slice      bytes; /* the last one cannot be */
    size_t            n;     /* packets before */
};

#define CONNACK_3 "\x20\2\0\0"
#define CONNACK_5 "\x20\3\0\0\0"

static const struct bad_stream bad_streams[] = {
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\xC0\0\x10"), 1}, /* a second CONNECT */
    {MQTT_FROM_CLIENT, MQTT_5, LITERAL("\x10"), 0},           /* the same */
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\x36"), 0},       /* QoS 3 */
    {MQTT_FROM_CLIENT, MQTT_3_1, LITERAL("\x36"), 0},         /* not even in 3.1 */
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\x6A"), 0},       /* flags that only 3.1 knows */
    {MQTT_FROM_CLIENT, MQTT_3_1, LITERAL("\0"), 0},           /* type 0 */
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\xF0"), 0},       /* AUTH before 5 */
    {MQTT_FROM_CLIENT, MQTT_3_1, LITERAL("\xFF"), 0},         /* the same */
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\x30\xFF\xFF\xFF\xFF"), 0},
    {MQTT_FROM_CLIENT, MQTT_5, LITERAL("\x30\x84\0"), 0},         /* padded */
    {MQTT_FROM_CLIENT, MQTT_5, LITERAL("\xC0\x80\x80\0"), 0},     /* the same */
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\x32\4"), 0},         /* no room for the packet identifier */
    {MQTT_FROM_CLIENT, MQTT_5, LITERAL("\x34\5"), 0},             /* the same */
    {MQTT_FROM_CLIENT, MQTT_3_1_1, LITERAL("\x30\4\0\1tmG"), 1},  /* something else behind a packet */
    {MQTT_FROM_SERVER, MQTT_3_1_1, LITERAL("\x30"), 0},           /* before CONNACK */
    {MQTT_FROM_SERVER, MQTT_5, LITERAL("\xF0\0\xE0"), 1},         /* the same */
    {MQTT_FROM_SERVER, MQTT_3_1_1, LITERAL("\xF0"), 0},           /* AUTH before 5 */
    {MQTT_FROM_SERVER, MQTT_3_1_1, LITERAL(CONNACK_3 "\x20"), 1}, /* a second CONNACK */
    {MQTT_FROM_SERVER, MQTT_5, LITERAL(CONNACK_5 "\x20"), 1},     /* the same */
    {MQTT_FROM_SERVER, MQTT_3_1, LITERAL(CONNACK_3 "\xE0"), 1},   /* DISCONNECT before 5 */
    {MQTT_FROM_SERVER, MQTT_3_1_1, LITERAL(CONNACK_3 "\xE0"), 1}, /* the same */
    {MQTT_FROM_SERVER, MQTT_5, LITERAL("\x20\2\0\0"), 0},         /* the form of 3.1.1 */
    {MQTT_FROM_SERVER, MQTT_5, LITERAL("\x20\2\0\2"), 0},         /* the same */
    {MQTT_FROM_SERVER, MQTT_3_1_1, LITERAL("H"), 0},
};

START_TEST(a_stream_is_bad_at_the_byte_that_cannot_be_wherever_it_is_cut)
{
    const struct bad_stream *s = &bad_streams[_i];
    size_t                   good = s->bytes.len - 1;
    for (size_t cut = 0; cut <= good; cut++) {
        for (unsigned way = 0; way < 4 * ARRAY_LEN(masks); way++) {
            struct run r = run_begin(s->from, s->version);
            run_feed(&r, slice_of(s->bytes.ptr, cut), masks[way / 4], way % 4);
            ck_assert(!r.bad);
            run_feed(&r, slice_skip(s->bytes, cut), masks[way / 4], way % 4);
            ck_assert(r.bad);
            ck_assert_uint_eq(r.taken, good);
            ck_assert_uint_eq(r.n, s->n);
        }
    }
}
END_TEST

/* Does the direction, past its first packet, take a header of this type and length? As DISCONNECT and QoS 0. */
static bool takes(enum mqtt_from from, enum mqtt_version version, enum mqtt_type type, uint8_t len)
{
    bool          has_flags = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
    const uint8_t header[] = {(uint8_t)((unsigned)type << 4 | (has_flags ? 2u : 0u)), len};
    struct run    r = run_begin(from, version);
    if (from == MQTT_FROM_SERVER && type != MQTT_CONNACK)
        run_feed(&r, version == MQTT_5 ? BYTES(CONNACK_5) : BYTES(CONNACK_3), masks[0], 0);
    run_feed(&r, slice_of(header, 2), masks[0], 0);
    return !r.bad;
}

#define C    (1 << MQTT_FROM_CLIENT)
#define S    (1 << MQTT_FROM_SERVER)
#define ANY  255 /* no longest */
#define NONE 0

/* Who sends it, and its shortest and longest body: in 3.1, 3.1.1 and 5. */
static const struct {
    enum mqtt_type type;
    struct {
        unsigned senders;
        uint8_t  least, most;
    } in[3];
} types[] = {
    {MQTT_CONNECT, {{NONE, 0, 0}, {NONE, 0, 0}, {NONE, 0, 0}}},
    {MQTT_CONNACK, {{S, 2, 2}, {S, 2, 2}, {S, 2, ANY}}},
    {MQTT_PUBLISH, {{C | S, 3, ANY}, {C | S, 3, ANY}, {C | S, 4, ANY}}},
    {MQTT_PUBACK, {{C | S, 2, 2}, {C | S, 2, 2}, {C | S, 2, ANY}}},
    {MQTT_PUBREC, {{C | S, 2, 2}, {C | S, 2, 2}, {C | S, 2, ANY}}},
    {MQTT_PUBREL, {{C | S, 2, 2}, {C | S, 2, 2}, {C | S, 2, ANY}}},
    {MQTT_PUBCOMP, {{C | S, 2, 2}, {C | S, 2, 2}, {C | S, 2, ANY}}},
    {MQTT_SUBSCRIBE, {{C, 2, ANY}, {C, 6, ANY}, {C, 7, ANY}}},
    {MQTT_SUBACK, {{S, 2, ANY}, {S, 3, ANY}, {S, 4, ANY}}},
    {MQTT_UNSUBSCRIBE, {{C, 2, ANY}, {C, 5, ANY}, {C, 6, ANY}}},
    {MQTT_UNSUBACK, {{S, 2, 2}, {S, 2, 2}, {S, 4, ANY}}},
    {MQTT_PINGREQ, {{C, 0, 0}, {C, 0, 0}, {C, 0, 0}}},
    {MQTT_PINGRESP, {{S, 0, 0}, {S, 0, 0}, {S, 0, 0}}},
    {MQTT_DISCONNECT, {{C, 0, 0}, {C, 0, 0}, {C | S, 0, ANY}}},
    {MQTT_AUTH, {{NONE, 0, 0}, {NONE, 0, 0}, {C | S, 0, ANY}}},
};

START_TEST(each_type_has_its_senders_and_its_lengths)
{
    for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
        for (uint8_t len = 0; len < 128; len++) {
            for (unsigned from = MQTT_FROM_CLIENT; from <= MQTT_FROM_SERVER; from++) {
                unsigned senders = types[_i].in[version - MQTT_3_1].senders;
                bool     due = (senders >> from & 1) != 0 && len >= types[_i].in[version - MQTT_3_1].least &&
                           len <= types[_i].in[version - MQTT_3_1].most;
                ck_assert_msg(takes((enum mqtt_from)from, (enum mqtt_version)version, types[_i].type, len) == due,
                              "type %d of %u bytes from %u in %u", types[_i].type, len, from, version);
            }
        }
    }
}
END_TEST

static const struct {
    struct slice bytes;
    uint8_t      code;
    bool         has_keep_alive;
    uint16_t     keep_alive_s;
} connacks[] = {
    {LITERAL("\x20\2\0\1"), 1, false, 0}, /* from a server of 3.1.1 */
    {LITERAL("\x20\3\0\x88\0"), 0x88, false, 0},
    {LITERAL("\x20\6\0\0\3\x13\0\x1E"), 0, true, 30},
    {LITERAL("\x20\6\0\0\3\x13\0\0"), 0, true, 0},
    {LITERAL("\x20\x12\0\0\x83\1\x1F\0\5\x13\x13\x13\x13\x13\x13\1\x2C\x11\0\0"), 0, true, 300},
    {LITERAL("\x20\6\0\0\3\x21\x13\x13"), 0, false, 0},
    {LITERAL("\x20\x0B\0\0\x08\x1F\0\2\x13\x13\x13\xFF\xFF"), 0, true, 65535},
    {LITERAL("\x20\x0E\0\0\x0B\x26\0\1\x13\0\2\x13\x13\x24\0\x13"), 0, false, 0}, /* cut off by its own length */
    {LITERAL("\x20\x0D\0\0\x0A\x26\0\1\x13\0\1\x13\x13\0\5"), 0, true, 5},
    {LITERAL("\x20\x08\0\0\5\x7F\0\x13\0\5"), 0, false, 0}, /* unknown: what follows cannot be told */
    {LITERAL("\x20\x0A\0\0\x83\x80\0\x22\0\1\x13\0"), 0, false, 0},
    {LITERAL("\x20\5\0\0\2\x1F\xFF"), 0, false, 0}, /* strings longer than the packet */
    {LITERAL("\x20\6\0\0\3\x1F\xFF\xFF"), 0, false, 0},
};

START_TEST(server_keep_alive_is_found_among_all_properties)
{
    struct slice whole = connacks[_i].bytes;
    for (size_t cut = 0; cut <= whole.len; cut++) {
        struct run r = run_begin(MQTT_FROM_SERVER, MQTT_5);
        run_feed(&r, slice_of(whole.ptr, cut), masks[1], 0);
        run_feed(&r, slice_skip(whole, cut), masks[1], 0);
        run_feed(&r, BYTES("\xE0\1\x8E"), masks[0], 0);
        ck_assert(!r.bad);
        ck_assert_uint_eq(r.n, 2);
        ck_assert(r.packets[0].has_code && r.packets[0].code == connacks[_i].code);
        ck_assert(r.packets[0].has_server_keep_alive == connacks[_i].has_keep_alive);
        ck_assert_uint_eq(r.packets[0].server_keep_alive_s, connacks[_i].keep_alive_s);
        ck_assert(r.packets[1].code == 0x8E && !r.packets[1].has_server_keep_alive);
    }
}
END_TEST

/* The largest packet there is, most of it at addresses that nobody can read. */
START_TEST(a_payload_is_not_looked_at)
{
    enum { STEP = 1 << 20, LARGEST = 268435455 };
    struct mqtt_packet packet;
    struct run         r = run_begin(MQTT_FROM_CLIENT, MQTT_5);
    void              *nowhere = mmap(NULL, STEP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(nowhere != MAP_FAILED);
    run_feed(&r, BYTES("\x34\xFF\xFF\xFF\x7F"), masks[0], 0);
    for (size_t left = LARGEST; left > 0;) {
        size_t            n = left < STEP ? left : STEP;
        struct mqtt_bytes bytes = {.in = slice_of(nowhere, n)};
        left -= n;
        ck_assert(!mqtt_follow_at_boundary(&r.f));
        ck_assert_int_eq(mqtt_follow_next(&r.f, &bytes, &packet), left > 0 ? PARSE_MORE : PARSE_OK);
        ck_assert_uint_eq(bytes.in.len, 0);
    }
    ck_assert(packet.type == MQTT_PUBLISH && packet.qos == 2 && packet.size == LARGEST + 5u);
    ck_assert_int_eq(munmap(nowhere, STEP), 0);
}
END_TEST

TCase *mqtt_follow_tests(void)
{
    TCase *tc = tcase_create("mqtt_follow");
    tcase_add_loop_test(tc, packets_are_told_wherever_a_stream_is_cut, 0, ARRAY_LEN(streams));
    tcase_add_loop_test(tc, byte_by_byte_the_boundaries_are_where_packets_end, 0, ARRAY_LEN(streams));
    tcase_add_loop_test(tc, a_stream_is_bad_at_the_byte_that_cannot_be_wherever_it_is_cut, 0, ARRAY_LEN(bad_streams));
    tcase_add_loop_test(tc, each_type_has_its_senders_and_its_lengths, 0, ARRAY_LEN(types));
    tcase_add_loop_test(tc, server_keep_alive_is_found_among_all_properties, 0, ARRAY_LEN(connacks));
    tcase_add_test(tc, a_payload_is_not_looked_at);
    return tc;
}
