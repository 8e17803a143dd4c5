#include <stdlib.h>

#include "proto/mqtt_follow.h"
#include "proto_tests.h"

enum { LONGEST = 65535 }; /* bytes of a string of MQTT */

static void assert_bytes(const uint8_t *out, size_t len, struct slice wanted)
{
    ck_assert_uint_eq(len, wanted.len);
    ck_assert_mem_eq(out, wanted.ptr, wanted.len);
}

START_TEST(our_connect_is_good_and_of_exact_length)
{
    static const char *const ids[] = {"", "mqgate-check", "12345678901234567890123"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct mqtt_connect c;
        enum mqtt_fault     fault;
        uint8_t             out[64];
        size_t              used, len = mqtt_encode_connect(slice_str(ids[i]), 258, out, sizeof out);
        ck_assert_uint_eq(len, 14 + strlen(ids[i]));
        ck_assert_int_eq(mqtt_parse_connect(slice_of(out, len), 64, &c, &used, &fault), PARSE_OK);
        ck_assert_uint_eq(used, len);
        ck_assert(c.version == MQTT_3_1_1 && c.clean && !c.has_will && !c.has_user && !c.has_password);
        ck_assert_uint_eq(c.keep_alive_s, 258);
        ck_assert(slice_eq(c.client_id, slice_str(ids[i])));
        for (size_t cap = 0; cap < len; cap++)
            ck_assert_uint_eq(mqtt_encode_connect(slice_str(ids[i]), 258, out, cap), 0);
    }
    uint8_t out[64];
    ck_assert_uint_eq(mqtt_encode_connect(slice_str("123456789012345678901234"), 0, out, sizeof out), 0);
}
END_TEST

static const struct {
    enum mqtt_version version;
    uint8_t           code;
    const char       *reason, *reference;
    struct slice      bytes;
} connacks[] = {
    {MQTT_3_1, MQTT_RETURN_CLIENT_ID, "", "", LITERAL("\x20\2\0\2")},
    {MQTT_3_1_1, MQTT_RETURN_VERSION, "unheard", "nor this", LITERAL("\x20\2\0\1")},
    {MQTT_3_1_1, MQTT_RETURN_SERVER_UNAVAILABLE, "", "", LITERAL("\x20\2\0\3")},
    {MQTT_5, MQTT_REASON_SERVER_UNAVAILABLE, "", "", LITERAL("\x20\3\0\x88\0")},
    {MQTT_5, MQTT_REASON_MALFORMED, "why", "", LITERAL("\x20\x09\0\x81\6\x1F\0\3why")},
    {MQTT_5, MQTT_REASON_USE_ANOTHER_SERVER, "go", "b:1", LITERAL("\x20\x0E\0\x9C\x0B\x1F\0\2go\x1C\0\3b:1")},
    {MQTT_5, MQTT_REASON_USE_ANOTHER_SERVER, "", "b:1", LITERAL("\x20\x09\0\x9C\6\x1C\0\3b:1")},
};

START_TEST(our_connack_refuses_in_the_words_of_its_version)
{
    struct mqtt_connack ack;
    uint8_t             out[64];
    enum mqtt_version   version = connacks[_i].version;
    uint8_t             code = connacks[_i].code;
    struct slice        reason = slice_str(connacks[_i].reason), reference = slice_str(connacks[_i].reference);
    size_t              used, len = mqtt_encode_connack(version, code, reason, reference, out, sizeof out);
    assert_bytes(out, len, connacks[_i].bytes);
    ck_assert_int_eq(mqtt_parse_connack(slice_of(out, len), version, &ack, &used), PARSE_OK);
    ck_assert(used == len && ack.code == code && !ack.session_present);
    for (size_t cap = 0; cap < len; cap++)
        ck_assert_uint_eq(mqtt_encode_connack(version, code, reason, reference, out, cap), 0);
}
END_TEST

START_TEST(our_disconnect_has_two_bytes)
{
    uint8_t out[2];
    ck_assert_uint_eq(mqtt_encode_disconnect(out, 2), 2);
    ck_assert_mem_eq(out, "\xE0\0", 2);
    ck_assert_uint_eq(mqtt_encode_disconnect(out, 1), 0);
}
END_TEST

static const struct {
    enum mqtt_reason code;
    const char      *reason, *reference;
    struct slice     bytes;
} disconnects[] = {
    {MQTT_REASON_SHUTTING_DOWN, "bye", "", LITERAL("\xE0\x08\x8B\6\x1F\0\3bye")},
    {MQTT_REASON_USE_ANOTHER_SERVER, "go", "b:1", LITERAL("\xE0\x0D\x9C\x0B\x1F\0\2go\x1C\0\3b:1")},
    {MQTT_REASON_NORMAL, "", "", LITERAL("\xE0\5\0\3\x1F\0\0")},
};

START_TEST(our_disconnect_of_5_always_has_a_reason_string)
{
    uint8_t      out[64];
    struct slice reason = slice_str(disconnects[_i].reason), reference = slice_str(disconnects[_i].reference);
    size_t       len = mqtt_encode_disconnect_5(disconnects[_i].code, reason, reference, out, sizeof out);
    assert_bytes(out, len, disconnects[_i].bytes);
    for (size_t cap = 0; cap < len; cap++)
        ck_assert_uint_eq(mqtt_encode_disconnect_5(disconnects[_i].code, reason, reference, out, cap), 0);
}
END_TEST

static struct mqtt_packet follow_whole(enum mqtt_from from, uint8_t *out, size_t len, struct slice before)
{
    struct mqtt_follow f;
    struct mqtt_packet packet;
    struct mqtt_bytes  greeting = {.in = before}, bytes = {.in = slice_of(out, len)};
    mqtt_follow_init(&f, from, MQTT_5);
    if (before.len > 0)
        ck_assert_int_eq(mqtt_follow_next(&f, &greeting, &packet), PARSE_OK);
    ck_assert_int_eq(mqtt_follow_next(&f, &bytes, &packet), PARSE_OK);
    ck_assert_uint_eq(bytes.in.len, 0);
    ck_assert_uint_eq(packet.size, len);
    return packet;
}

/* Where the lengths take another byte, and where they end. */
START_TEST(lengths_are_right_for_any_text)
{
    static const size_t lens[] = {1, 119, 120, 121, 122, 123, 124, 125, 16370, 16380, 16384, LONGEST};
    enum { CAP = LONGEST + 64 };
    uint8_t *out = malloc(CAP), *text = malloc(LONGEST + 1);
    ck_assert(out != NULL && text != NULL);
    memset(text, 'x', LONGEST + 1);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct mqtt_connack ack;
        struct slice        reason = slice_of(text, lens[i]);
        size_t used, len = mqtt_encode_connack(MQTT_5, MQTT_REASON_TOO_LARGE, reason, slice_str("b"), out, CAP);
        ck_assert_int_eq(mqtt_parse_connack(slice_of(out, len), MQTT_5, &ack, &used), PARSE_OK);
        ck_assert(used == len && ack.code == MQTT_REASON_TOO_LARGE);
        ck_assert_uint_eq(follow_whole(MQTT_FROM_SERVER, out, len, slice_of(NULL, 0)).code, MQTT_REASON_TOO_LARGE);
        len = mqtt_encode_disconnect_5(MQTT_REASON_KEEP_ALIVE, reason, slice_str("b"), out, CAP);
        ck_assert_uint_eq(follow_whole(MQTT_FROM_SERVER, out, len, BYTES("\x20\3\0\0\0")).code, MQTT_REASON_KEEP_ALIVE);
    }
    struct slice too_long = slice_of(text, LONGEST + 1);
    ck_assert_uint_eq(mqtt_encode_connack(MQTT_5, MQTT_REASON_TOO_LARGE, too_long, slice_of(NULL, 0), out, CAP), 0);
    ck_assert_uint_eq(mqtt_encode_connack(MQTT_5, MQTT_REASON_TOO_LARGE, slice_str("x"), too_long, out, CAP), 0);
    ck_assert_uint_eq(mqtt_encode_disconnect_5(MQTT_REASON_NORMAL, too_long, slice_of(NULL, 0), out, CAP), 0);
    ck_assert_uint_eq(mqtt_encode_disconnect_5(MQTT_REASON_NORMAL, slice_str("x"), too_long, out, CAP), 0);
    free(text);
    free(out);
}
END_TEST

TCase *mqtt_encode_tests(void)
{
    TCase *tc = tcase_create("mqtt_encode");
    tcase_add_test(tc, our_connect_is_good_and_of_exact_length);
    tcase_add_loop_test(tc, our_connack_refuses_in_the_words_of_its_version, 0, ARRAY_LEN(connacks));
    tcase_add_test(tc, our_disconnect_has_two_bytes);
    tcase_add_loop_test(tc, our_disconnect_of_5_always_has_a_reason_string, 0, ARRAY_LEN(disconnects));
    tcase_add_test(tc, lengths_are_right_for_any_text);
    return tc;
}
