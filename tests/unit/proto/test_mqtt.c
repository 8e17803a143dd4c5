#include <stdlib.h>

#include "proto/mqtt.h"
#include "proto_tests.h"
#include "support/guarded.h"

enum { MAX_SIZE = 1024 }; /* bytes of a CONNECT */

#define HEAD_3_1   "\0\6MQIsdp\3"
#define HEAD_3_1_1 "\0\4MQTT\4"
#define HEAD_5     "\0\4MQTT\5"

static enum parse ask_connect(struct slice in, size_t *used)
{
    struct mqtt_connect connect;
    enum mqtt_fault     fault = MQTT_FAULT_NONE;
    enum parse          answer = mqtt_parse_connect(in, MAX_SIZE, &connect, used, &fault);
    ck_assert((answer == PARSE_BAD) == (fault != MQTT_FAULT_NONE));
    return answer;
}

/* Every property of CONNECT: 11 15 16 17 19 21 22 26 26 27. */
#define CONNECT_PROPERTIES                                                                                             \
    "\x11\0\0\0\x0A\x15\0\3sha\x16\0\2\0\1\x17\1\x19\0\x21\0\1\x22\0\0\x26\0\1k\0\1v\x26\0\1k\0\0\x27\0\0\0\1"
/* Every property of a will: 01 02 03 08 09 18 26. */
#define WILL_PROPERTIES "\x01\1\x02\0\0\0\1\x03\0\1t\x08\0\1r\x09\0\2\xFF\0\x18\0\0\0\0\x26\0\0\0\0"

static const struct slice good[] = {
    LITERAL("\x10\x0C" HEAD_3_1_1 "\x02\0\x3C\0\0"),                           /* empty id, clean */
    LITERAL("\x10\x0D" HEAD_3_1_1 "\x00\0\x3C\0\1a"),                          /* resumed session */
    LITERAL("\x10\x8C\x80\0" HEAD_3_1_1 "\x02\0\x3C\0\0"),                     /* padded length */
    LITERAL("\x10\x18" HEAD_3_1_1 "\xC2\0\0\0\0\0\3usr\0\5pa\0\xFFs"),         /* user, password of any bytes */
    LITERAL("\x10\x10" HEAD_3_1_1 "\x82\0\0\0\0\0\2us"),                       /* user alone */
    LITERAL("\x10\x14" HEAD_3_1_1 "\x36\0\0\0\0\0\1t\0\3\xFF\0m"),             /* will, QoS 2, retained */
    LITERAL("\x10\x13" HEAD_3_1_1 "\x02\0\0\0\7\x7F\xC2\x80\xF4\x8F\xBF\xBF"), /* ends of UTF-8's ranges */
    LITERAL("\x10\x0F" HEAD_3_1 "\x02\0\x3C\0\1a"),
    LITERAL("\x10\x0F" HEAD_3_1 "\x3B\0\x3C\0\1a"), /* reserved bit and will bits mean nothing */
    LITERAL("\x10\x0F" HEAD_3_1 "\xC2\0\x3C\0\1a"), /* flags without their fields */
    LITERAL("\x10\x12" HEAD_3_1 "\xC2\0\x3C\0\1a\0\1u"),
    LITERAL("\x10\x14" HEAD_3_1 "\xC2\0\x3C\0\1a\0\1u\0\0"),
    LITERAL("\x10\x0D" HEAD_5 "\x00\0\x3C\0\0\0"),      /* empty id, not clean */
    LITERAL("\x10\x10" HEAD_5 "\x42\0\x3C\0\0\0\0\1p"), /* password alone */
    LITERAL("\x10\x39" HEAD_5 "\x02\0\x3C\x2C" CONNECT_PROPERTIES "\0\0"),
    LITERAL("\x10\x31" HEAD_5 "\x06\0\x3C\0\0\0\x1E" WILL_PROPERTIES "\0\1w\0\0"),
};

START_TEST(any_cut_of_a_good_connect_asks_for_more)
{
    assert_good(ask_connect, good[_i]);
}
END_TEST

#define MALFORMED_AT(bytes, n)                                                                                         \
    {                                                                                                                  \
        {LITERAL(bytes), n}, MQTT_FAULT_MALFORMED                                                                      \
    }
#define MALFORMED_5_AT(bytes, n)                                                                                       \
    {                                                                                                                  \
        {LITERAL(bytes), n}, MQTT_FAULT_MALFORMED_5                                                                    \
    }
/* A CONNECT of 5 with these n bytes of properties, bad where they end. */
#define PROPERTIES(n, bytes) MALFORMED_5_AT("\x10\x32" HEAD_5 "\x02\0\0" n bytes, 0)
/* The same for a will's. */
#define OF_WILL(n, bytes)    MALFORMED_5_AT("\x10\x32" HEAD_5 "\x06\0\0\0\0\0" n bytes, 0)
/* A client id of 3.1.1 of these n bytes. */
#define CLIENT_ID(n, bytes)  MALFORMED_AT("\x10\x1C" HEAD_3_1_1 "\x02\0\0\0" n bytes, 0)

static const struct {
    struct bad_vector bytes;
    enum mqtt_fault   fault;
} bad[] = {
    {{LITERAL("\x20\x0C"), 1}, MQTT_FAULT_NOT_CONNECT},
    {{LITERAL("\x11\x0C"), 1}, MQTT_FAULT_NOT_CONNECT},
    {{LITERAL("\0"), 1}, MQTT_FAULT_NOT_CONNECT},
    {{LITERAL("GET / HTTP/1.1\r\n"), 1}, MQTT_FAULT_NOT_CONNECT},
    {{LITERAL("\x16\x03\x01"), 1}, MQTT_FAULT_NOT_CONNECT},
    {{LITERAL("\x10\x0C\1"), 3}, MQTT_FAULT_NOT_MQTT},
    {{LITERAL("\x10\x0C\0\5"), 4}, MQTT_FAULT_NOT_MQTT},
    {{LITERAL("\x10\x0C\0\4MQTt"), 8}, MQTT_FAULT_NOT_MQTT},
    {{LITERAL("\x10\x0C\0\4MQIs"), 7}, MQTT_FAULT_NOT_MQTT},
    {{LITERAL("\x10\x0C\0\6MQTT"), 7}, MQTT_FAULT_NOT_MQTT},
    {{LITERAL("\x10\x0C\0\4mqtt"), 5}, MQTT_FAULT_NOT_MQTT},
    {{LITERAL("\x10\x0C\0\4MQTT\3\2"), 9}, MQTT_FAULT_LEVEL},
    {{LITERAL("\x10\x0C\0\4MQTT\6\2"), 9}, MQTT_FAULT_LEVEL},
    {{LITERAL("\x10\x0C\0\4MQTT\x86\2"), 9}, MQTT_FAULT_LEVEL},
    {{LITERAL("\x10\x0E\0\6MQIsdp\4\2"), 11}, MQTT_FAULT_LEVEL},
    {{LITERAL("\x10\x0E\0\6MQIsdp\x84\2"), 11}, MQTT_FAULT_LEVEL},
    {{LITERAL("\x10\x81\x08" HEAD_3_1_1 "\2"), 10}, MQTT_FAULT_TOO_LARGE}, /* 1025 and 3 bytes */
    {{LITERAL("\x10\xFE\x07" HEAD_3_1 "\2"), 12}, MQTT_FAULT_TOO_LARGE},   /* 1022 and 3 bytes */
    {{LITERAL("\x10\xFF\xFF\xFF\x7F" HEAD_5 "\2"), 12}, MQTT_FAULT_TOO_LARGE_5},
    {{LITERAL("\x10\xFF\xFF\xFF\x7F\0\4MQTT\6\2"), 12}, MQTT_FAULT_LEVEL},
    {{LITERAL("\x10\x0E" HEAD_3_1 "\2\0\0\0\0"), 0}, MQTT_FAULT_EMPTY_ID_3_1},
    {{LITERAL("\x10\x0C" HEAD_3_1_1 "\0\0\0\0\0"), 0}, MQTT_FAULT_EMPTY_ID_3_1_1},
    /* the header and the flags */
    MALFORMED_AT("\x10\xFF\xFF\xFF\x80", 5),
    MALFORMED_AT("\x10\0", 2),
    MALFORMED_AT("\x10\x05\0\4MQTT", 2),
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x03\0\0", 10),
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x1E\0\0", 10),
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x0A\0\0", 10),
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x22\0\0", 10),
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x42\0\0", 10),
    MALFORMED_AT("\x10\x0F" HEAD_3_1 "\x1E\0\0", 12),
    MALFORMED_AT("\x10\x0F" HEAD_3_1 "\x42\0\0", 12),
    MALFORMED_5_AT("\x10\x0D" HEAD_5 "\x03\0\0", 10),
    MALFORMED_5_AT("\x10\x0D" HEAD_5 "\x1E\0\0", 10),
    MALFORMED_5_AT("\x10\x0D" HEAD_5 "\x0A\0\0", 10),
    MALFORMED_5_AT("\x10\x0D" HEAD_5 "\x22\0\0", 10),
    MALFORMED_5_AT("\x10\x8D\0" HEAD_5 "\x02\0\0\0\0\0", 10),
    /* lengths that do not add up */
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x02\0\0\0\1", 0),
    MALFORMED_AT("\x10\x0D" HEAD_3_1_1 "\x02\0\0\0\0.", 14),
    MALFORMED_AT("\x10\x0C" HEAD_3_1_1 "\x82\0\0\0\0", 14),
    MALFORMED_AT("\x10\x0F" HEAD_3_1_1 "\x82\0\0\0\0\0\2u", 16),
    MALFORMED_AT("\x10\x0F" HEAD_3_1_1 "\xC2\0\0\0\0\0\1u", 0),
    MALFORMED_AT("\x10\x0F" HEAD_3_1_1 "\x06\0\0\0\0\0\1t", 0),
    MALFORMED_AT("\x10\x13" HEAD_3_1 "\x82\0\0\0\1a\0\1ux", 20),
    MALFORMED_5_AT("\x10\x0D" HEAD_5 "\x02\0\0\3\0\0", 13),
    MALFORMED_5_AT("\x10\x0E" HEAD_5 "\x02\0\0\0\0\0.", 15),
    MALFORMED_5_AT("\x10\x0A" HEAD_5 "\x02\0\0", 0),
    /* text that is none */
    CLIENT_ID("\2", "a\0"),
    CLIENT_ID("\1", "\x80"),
    CLIENT_ID("\2", "\xC1\xBF"),
    CLIENT_ID("\2", "\xC2\x7F"),
    CLIENT_ID("\2", "\xC2\xC0"),
    CLIENT_ID("\1", "\xC2"),
    CLIENT_ID("\3", "\xE0\x9F\xBF"),
    CLIENT_ID("\3", "\xED\xA0\x80"),
    CLIENT_ID("\3", "\xE1\x80\x7F"),
    CLIENT_ID("\2", "\xE1\x80"),
    CLIENT_ID("\4", "\xF0\x8F\xBF\xBF"),
    CLIENT_ID("\4", "\xF4\x90\x80\x80"),
    CLIENT_ID("\4", "\xF5\x80\x80\x80"),
    CLIENT_ID("\4", "\xF1\x80\x80\xC0"),
    CLIENT_ID("\3", "\xF1\x80\x80"),
    MALFORMED_AT("\x10\x0F" HEAD_3_1_1 "\x82\0\0\0\0\0\1\xFF", 0),
    MALFORMED_AT("\x10\x11" HEAD_3_1_1 "\x06\0\0\0\0\0\1\xFF", 0),
    /* properties of CONNECT */
    PROPERTIES("\x80\0", ""),
    PROPERTIES("\6", "\x01"),
    PROPERTIES("\6", "\x13"),
    PROPERTIES("\6", "\x7E"),
    PROPERTIES("\6", "\x91"),
    PROPERTIES("\6", "\0"),
    PROPERTIES("\4", "\x11"),
    PROPERTIES("\x0A", "\x11\0\0\0\0\x11"),
    PROPERTIES("\6", "\x17\2"),
    PROPERTIES("\6", "\x19\xFF"),
    PROPERTIES("\6", "\x21\0\0"),
    PROPERTIES("\6", "\x27\0\0\0\0"),
    PROPERTIES("\6", "\x26\0\1\0"),
    PROPERTIES("\x08", "\x26\0\1k\0\1\xC0"),
    PROPERTIES("\6", "\x15\0\4"),
    PROPERTIES("\6", "\x15\0\3\xED\xBF\xBF"),
    PROPERTIES("\6", "\x16\0\3abc"),
    PROPERTIES("\x0D", "\x15\0\1a\x15"),
    /* and of a will */
    OF_WILL("\6", "\x11"),
    OF_WILL("\6", "\x15"),
    OF_WILL("\6", "\x01\2"),
    OF_WILL("\6", "\x01\1\x01"),
    OF_WILL("\6", "\x03\0\1\0"),
    OF_WILL("\6", "\x08\0\5"),
};

START_TEST(a_bad_connect_is_bad_where_it_shows_and_says_why)
{
    struct mqtt_connect connect;
    size_t              used;
    enum mqtt_fault     fault = MQTT_FAULT_NONE;
    assert_bad(ask_connect, &bad[_i].bytes);
    ck_assert_int_eq(mqtt_parse_connect(bad[_i].bytes.bytes, MAX_SIZE, &connect, &used, &fault), PARSE_BAD);
    ck_assert_int_eq(fault, bad[_i].fault);
}
END_TEST

static struct mqtt_connect connect_of(struct slice in)
{
    struct mqtt_connect connect;
    size_t              used;
    enum mqtt_fault     fault;
    ck_assert_int_eq(mqtt_parse_connect(in, MAX_SIZE, &connect, &used, &fault), PARSE_OK);
    return connect;
}

START_TEST(what_a_connect_says_is_told)
{
    struct mqtt_connect c = connect_of(BYTES("\x10\x1D" HEAD_3_1_1 "\xC6\1\2\0\3dev\0\1t\0\1m\0\3usr\0\1p"));
    ck_assert(c.version == MQTT_3_1_1 && c.clean && c.has_will && c.has_user && c.has_password);
    ck_assert_uint_eq(c.keep_alive_s, 258);
    ck_assert(slice_eq(c.client_id, slice_str("dev")) && slice_eq(c.user, slice_str("usr")));
    c = connect_of(BYTES("\x10\x14" HEAD_5 "\x40\0\0\0\0\3dev\0\2pw"));
    ck_assert(c.version == MQTT_5 && !c.clean && !c.has_will && !c.has_user && c.has_password);
    ck_assert_uint_eq(c.user.len, 0);
    c = connect_of(BYTES("\x10\x0F" HEAD_3_1 "\xC0\0\x3C\0\1a"));
    ck_assert(c.version == MQTT_3_1 && !c.clean && !c.has_user && !c.has_password);
}
END_TEST

START_TEST(a_connect_of_max_size_is_taken)
{
    struct mqtt_connect connect;
    size_t              used;
    enum mqtt_fault     fault;
    uint8_t             bytes[MAX_SIZE + 1];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "\x10\xFD\x07" HEAD_3_1_1 "\x02\0\0\x03\xF1", 15);
    ck_assert_int_eq(mqtt_parse_connect(slice_of(bytes, sizeof bytes), MAX_SIZE, &connect, &used, &fault), PARSE_OK);
    ck_assert_uint_eq(used, MAX_SIZE);
    ck_assert_uint_eq(connect.client_id.len, 1009);
    ck_assert_int_eq(mqtt_parse_connect(slice_of(bytes, sizeof bytes), MAX_SIZE - 1, &connect, &used, &fault),
                     PARSE_BAD);
    ck_assert_int_eq(fault, MQTT_FAULT_TOO_LARGE);
}
END_TEST

static enum parse ask_header(struct slice in, size_t *used)
{
    struct mqtt_header header;
    return mqtt_parse_header(in, &header, used);
}

static const struct {
    struct slice       bytes;
    struct mqtt_header header;
} headers[] = {
    {LITERAL("\x10\0"), {MQTT_CONNECT, 0, 0, false}},
    {LITERAL("\x3D\x7F"), {MQTT_PUBLISH, 13, 127, false}},
    {LITERAL("\x62\x80\1"), {MQTT_PUBREL, 2, 128, false}},
    {LITERAL("\x82\xFF\x7F"), {MQTT_SUBSCRIBE, 2, 16383, false}},
    {LITERAL("\xA2\x80\x80\1"), {MQTT_UNSUBSCRIBE, 2, 16384, false}},
    {LITERAL("\x34\xFF\xFF\x7F"), {MQTT_PUBLISH, 4, 2097151, false}},
    {LITERAL("\x30\x80\x80\x80\1"), {MQTT_PUBLISH, 0, 2097152, false}},
    {LITERAL("\x30\xFF\xFF\xFF\x7F"), {MQTT_PUBLISH, 0, 268435455, false}},
    {LITERAL("\xC0\x80\x80\x80\0"), {MQTT_PINGREQ, 0, 0, true}},
    {LITERAL("\xF0\x81\0"), {MQTT_AUTH, 0, 1, true}},
};

START_TEST(every_length_of_a_header_is_read)
{
    struct mqtt_header header;
    size_t             used;
    assert_good(ask_header, headers[_i].bytes);
    ck_assert_int_eq(mqtt_parse_header(headers[_i].bytes, &header, &used), PARSE_OK);
    ck_assert_int_eq(header.type, headers[_i].header.type);
    ck_assert_uint_eq(header.flags, headers[_i].header.flags);
    ck_assert_uint_eq(header.remaining, headers[_i].header.remaining);
    ck_assert(header.padded == headers[_i].header.padded);
}
END_TEST

START_TEST(a_header_has_the_flags_of_its_type)
{
    /* bit n: flags n are good */
    static const uint16_t good_flags[16] = {0, 1, 1, 0x3F3F, 1, 1, 4, 1, 4, 1, 4, 1, 1, 1, 1, 1};
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t bytes[] = {(uint8_t)first, 0};
        size_t        used;
        bool          is_good = (good_flags[first >> 4] >> (first & 15) & 1) != 0;
        ck_assert_msg(ask_header(slice_of(bytes, 1), &used) == (is_good ? PARSE_MORE : PARSE_BAD), "%02x", first);
        ck_assert_int_eq(ask_header(slice_of(bytes, 2), &used), is_good ? PARSE_OK : PARSE_BAD);
    }
    ck_assert_int_eq(ask_header(BYTES("\x30\xFF\xFF\xFF\xFF"), &(size_t){0}), PARSE_BAD);
}
END_TEST

static enum mqtt_version asked; /* by ask_connack() */

static enum parse ask_connack(struct slice in, size_t *used)
{
    struct mqtt_connack ack;
    return mqtt_parse_connack(in, asked, &ack, used);
}

#define ALL_CONNACK_PROPERTIES                                                                                         \
    "\x11\0\0\0\0\x12\0\1i\x13\0\x1E\x15\0\1m\x16\0\1d\x1A\0\0\x1C\0\0\x1F\0\0\x21\0\1\x22\0\0\x24\1\x25\0\x26\0\0\0"  \
    "\0"                                                                                                               \
    "\x27\0\0\0\1\x28\1\x29\1\x2A\0"

static const struct {
    enum mqtt_version   version;
    struct slice        bytes;
    struct mqtt_connack ack;
} acks[] = {
    {MQTT_3_1, LITERAL("\x20\2\xFF\0"), {false, 0, false, 0}},
    {MQTT_3_1, LITERAL("\x20\2\0\5"), {false, 5, false, 0}},
    {MQTT_3_1_1, LITERAL("\x20\2\1\0"), {true, 0, false, 0}},
    {MQTT_3_1_1, LITERAL("\x20\2\0\1"), {false, 1, false, 0}},
    {MQTT_5, LITERAL("\x20\3\1\0\0"), {true, 0, false, 0}},
    {MQTT_5, LITERAL("\x20\6\0\0\3\x13\1\2"), {false, 0, true, 258}},
    {MQTT_5, LITERAL("\x20\x09\0\x87\6\x1F\0\3why"), {false, 0x87, false, 0}},
    {MQTT_5, LITERAL("\x20\2\0\1"), {false, 1, false, 0}},
    {MQTT_5, LITERAL("\x20\x3A\0\0\x37" ALL_CONNACK_PROPERTIES), {false, 0, true, 30}},
};

START_TEST(a_connack_is_read_as_its_version_says)
{
    struct mqtt_connack ack;
    size_t              used;
    asked = acks[_i].version;
    assert_good(ask_connack, acks[_i].bytes);
    ck_assert_int_eq(mqtt_parse_connack(acks[_i].bytes, asked, &ack, &used), PARSE_OK);
    ck_assert(ack.session_present == acks[_i].ack.session_present);
    ck_assert_uint_eq(ack.code, acks[_i].ack.code);
    ck_assert(ack.has_server_keep_alive == acks[_i].ack.has_server_keep_alive);
    ck_assert_uint_eq(ack.server_keep_alive_s, acks[_i].ack.server_keep_alive_s);
}
END_TEST

static const struct {
    enum mqtt_version version;
    struct bad_vector bytes;
} bad_acks[] = {
    {MQTT_3_1_1, {LITERAL("\x10"), 1}},
    {MQTT_3_1_1, {LITERAL("\x21\2"), 1}},
    {MQTT_3_1_1, {LITERAL("HTTP/1.1"), 1}},
    {MQTT_3_1_1, {LITERAL("\x20\1\0"), 3}},
    {MQTT_3_1_1, {LITERAL("\x20\3\0\0"), 4}},
    {MQTT_3_1_1, {LITERAL("\x20\2\2\0"), 3}},
    {MQTT_3_1_1, {LITERAL("\x20\2\1\5"), 4}},
    {MQTT_5, {LITERAL("\x20\2\0\0"), 4}},
    {MQTT_5, {LITERAL("\x20\x83\0\0\0\0"), 3}},
    {MQTT_5, {LITERAL("\x20\4\0\0\0\0"), 5}},
    {MQTT_5, {LITERAL("\x20\4\0\0\1\x17"), 6}},
    {MQTT_5, {LITERAL("\x20\6\0\0\3\x21\0\0"), 8}},
    {MQTT_5, {LITERAL("\x20\x09\0\0\6\x13\0\0\x13"), 9}},
};

START_TEST(a_bad_connack_is_bad_where_it_shows)
{
    asked = bad_acks[_i].version;
    assert_bad(ask_connack, &bad_acks[_i].bytes);
}
END_TEST

START_TEST(types_and_codes_have_names)
{
    ck_assert_str_eq(mqtt_type_name(MQTT_CONNECT), "CONNECT");
    ck_assert_str_eq(mqtt_type_name(MQTT_AUTH), "AUTH");
    ck_assert_str_eq(mqtt_type_name((enum mqtt_type)16), "");
    for (unsigned code = 0; code <= UINT8_MAX; code++) {
        bool is_reason = code == 0 || code == 4 || (code >= 0x80 && code <= 0xA2);
        ck_assert_msg((*mqtt_reason_name((uint8_t)code) != '\0') == is_reason, "%u", code);
        ck_assert_msg((*mqtt_return_name((uint8_t)code) != '\0') == (code <= 5), "%u", code);
    }
    ck_assert_str_eq(mqtt_reason_name(0x8E), "Session taken over");
    ck_assert_str_eq(mqtt_return_name(5), "Not authorized");
}
END_TEST

TCase *mqtt_tests(void)
{
    TCase *tc = tcase_create("mqtt");
    tcase_add_loop_test(tc, any_cut_of_a_good_connect_asks_for_more, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, a_bad_connect_is_bad_where_it_shows_and_says_why, 0, ARRAY_LEN(bad));
    tcase_add_test(tc, what_a_connect_says_is_told);
    tcase_add_test(tc, a_connect_of_max_size_is_taken);
    tcase_add_loop_test(tc, every_length_of_a_header_is_read, 0, ARRAY_LEN(headers));
    tcase_add_test(tc, a_header_has_the_flags_of_its_type);
    tcase_add_loop_test(tc, a_connack_is_read_as_its_version_says, 0, ARRAY_LEN(acks));
    tcase_add_loop_test(tc, a_bad_connack_is_bad_where_it_shows, 0, ARRAY_LEN(bad_acks));
    tcase_add_test(tc, types_and_codes_have_names);
    return tc;
}
