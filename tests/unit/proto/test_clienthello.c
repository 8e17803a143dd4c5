#include <stdlib.h>

#include "proto/clienthello.h"
#include "proto/writer.h"
#include "proto_tests.h"

static enum parse ask(struct slice in, size_t *used)
{
    struct clienthello hello;
    enum parse         answer = clienthello_peek(in, &hello);
    (void)used; /* a look takes no bytes */
    return answer;
}

#define RANDOM     "0123456789abcdef0123456789ABCDEF"
#define SUITES     "\0\2\x13\x01\1\0" /* and no compression */
#define SNI_MQ     "\0\0\0\x0F\0\x0D\0\0\x0Amq.example"
#define ALPN_MQTT  "\0\x10\0\x0C\0\x0A\4mqtt\4http"
#define BODY_START "\3\3" RANDOM "\0" SUITES /* 41 bytes */

/* Wraps a body into a handshake message and this into records of record_len bytes of content each. */
static struct slice hello_of(struct slice body, size_t record_len)
{
    static uint8_t message[4 + 3 * UINT16_MAX], out[8 * UINT16_MAX];
    struct writer  m = writer_of(message, sizeof message), w = writer_of(out, sizeof out);
    writer_u8(&m, 1);
    writer_u8(&m, (uint8_t)(body.len >> 16));
    writer_u16(&m, (uint16_t)body.len);
    writer_put(&m, body);
    for (struct slice rest = slice_of(message, writer_len(&m)); rest.len > 0;) {
        struct slice content = slice_of(rest.ptr, rest.len < record_len ? rest.len : record_len);
        writer_u8(&w, 22);
        writer_u16(&w, 0x0301);
        writer_u16(&w, (uint16_t)content.len);
        writer_put(&w, content);
        rest = slice_skip(rest, content.len);
    }
    ck_assert(!m.failed && !w.failed);
    return slice_of(out, w.len);
}

static const struct {
    struct slice body;
    const char  *sni;
    struct slice alpn;
} good[] = {
    {LITERAL(BODY_START), "", {NULL, 0}}, /* TLS 1.2 without extensions */
    {LITERAL(BODY_START "\0\0"), "", {NULL, 0}},
    {LITERAL(BODY_START "\0\x23" SNI_MQ ALPN_MQTT), "mq.example", LITERAL("\4mqtt\4http")},
    {LITERAL("\3\1" RANDOM "\x20" RANDOM SUITES "\0\x2B" ALPN_MQTT "\x7A\x7A\0\0"
             "\0\x17\0\0" SNI_MQ),
     "mq.example", LITERAL("\4mqtt\4http")},
    {LITERAL(BODY_START "\0\x0C"
                        "\0\0\0\x08\0\6\7\0\3abc"),
     "",
     {NULL, 0}}, /* a name of a type to come */
};

START_TEST(any_cut_of_a_good_hello_asks_for_more_in_records_of_any_length)
{
    for (size_t record_len = 1; record_len < 150; record_len += 7)
        assert_good(ask, hello_of(good[_i].body, record_len));
}
END_TEST

START_TEST(name_and_protocols_are_told)
{
    static const size_t record_lens[] = {1, 3, 4, 5, 64, 16384};
    for (size_t i = 0; i < ARRAY_LEN(record_lens); i++) {
        struct clienthello hello;
        ck_assert_int_eq(clienthello_peek(hello_of(good[_i].body, record_lens[i]), &hello), PARSE_OK);
        ck_assert_str_eq(hello.sni, good[_i].sni);
        ck_assert(slice_eq(slice_of(hello.alpn, hello.alpn_len), good[_i].alpn));
    }
}
END_TEST

/* Records and message headers. */
static const struct bad_vector bad_records[] = {
    {LITERAL("\x10\x0C\0\4MQTT"), 1},
    {LITERAL("GET / HTTP/1.1\r\n"), 1},
    {LITERAL("\x80\x2E\1\3\1"), 1}, /* SSL 2 */
    {LITERAL("\x17\3\3\0\1a"), 1},
    {LITERAL("\x16\2\0\0\1\1"), 2},
    {LITERAL("\x16\4\0\0\1\1"), 2},
    {LITERAL("\x16\3\1\0\0"), 5},
    {LITERAL("\x16\3\1\x40\1"), 5},
    {LITERAL("\x16\3\1\0\x04\2\0\0\0"), 6},     /* a ServerHello */
    {LITERAL("\x16\3\1\x02\0\1\0\x3F\xFD"), 9}, /* a byte larger than the limit */
    {LITERAL("\x16\3\1\0\1\1\x15\3\1\0\2"), 7}, /* an alert in the midst */
    {LITERAL("\x16\3\1\0\1\1\x16\3\1\0\0"), 11},
    {LITERAL("\x16\3\1\0\x04\1\0\0\0"), 9},    /* an empty hello */
    {LITERAL("\x16\3\1\1\0\1\0\0\x50\2"), 10}, /* a version of another age */
};

START_TEST(what_is_no_hello_is_bad_at_the_byte_that_shows_it)
{
    assert_bad(ask, &bad_records[_i]);
}
END_TEST

/* Bodies. */
static const struct slice bad_bodies[] = {
    LITERAL("\3\3" RANDOM),
    LITERAL("\3\3" RANDOM "\x21" RANDOM "x" SUITES),
    LITERAL("\3\3" RANDOM "\0"
            "\0\0\1\0"),
    LITERAL("\3\3" RANDOM "\0"
            "\0\3\1\2\3\1\0"),
    LITERAL("\3\3" RANDOM "\0"
            "\0\2\1\2\0"),
    LITERAL(BODY_START "\0"),
    LITERAL(BODY_START "\0\1"),
    LITERAL(BODY_START "\0\0."),
    LITERAL(BODY_START "\0\3\0\x17\0"),
    LITERAL(BODY_START "\0\4\0\x17\0\1."),
    LITERAL(BODY_START "\0\x14"
                       "\0\0\0\x10\0\x0D\0\0\x0Amq.example."), /* an extension longer than its list */
    LITERAL(BODY_START "\0\x13"
                       "\0\0\0\x0F\0\x0E\0\0\x0Amq.example"),
    LITERAL(BODY_START "\0\x13"
                       "\0\0\0\x0F\0\x0D\0\0\x0Bmq.example"),
    LITERAL(BODY_START "\0\x13"
                       "\0\0\0\x0F\0\x0D\0\0\x09mq.example"),
    LITERAL(BODY_START "\0\x13"
                       "\0\0\0\x0F\0\x0D\0\0\x0Amq\0example"),
    LITERAL(BODY_START "\0\x13"
                       "\0\0\0\x0F\0\x0D\0\0\x0Amq\nexample"),
    LITERAL(BODY_START "\0\x13"
                       "\0\0\0\x0F\0\x0D\0\0\x0Amq example"),
    LITERAL(BODY_START "\0\6"
                       "\0\0\0\2\0\0"), /* no name at all */
    LITERAL(BODY_START "\0\4"
                       "\0\0\0\0"),
    LITERAL(BODY_START "\0\x09"
                       "\0\0\0\5\0\3\0\0\0"), /* an empty name */
    LITERAL(BODY_START "\0\x0E"
                       "\0\0\0\x0A\0\x08\0\0\1a\0\0\1b"),
    LITERAL(BODY_START "\0\x26" SNI_MQ SNI_MQ),
    LITERAL(BODY_START "\0\x20" ALPN_MQTT ALPN_MQTT),
    LITERAL(BODY_START "\0\6"
                       "\0\x10\0\2\0\0"),
    LITERAL(BODY_START "\0\7"
                       "\0\x10\0\3\0\1\0"),
    LITERAL(BODY_START "\0\x08"
                       "\0\x10\0\4\0\2\2a"),
    LITERAL(BODY_START "\0\x09"
                       "\0\x10\0\5\0\2\1a."),
};

START_TEST(a_bad_hello_is_bad_in_records_of_any_length)
{
    static const size_t record_lens[] = {1, 7, 16384};
    for (size_t i = 0; i < ARRAY_LEN(record_lens); i++) {
        struct slice       bytes = hello_of(bad_bodies[_i], record_lens[i]);
        struct clienthello hello;
        bool               was_bad = false;
        for (size_t n = 0; n <= bytes.len; n++) {
            enum parse answer = clienthello_peek(slice_of(bytes.ptr, n), &hello);
            ck_assert_int_ne(answer, PARSE_OK);
            ck_assert(!was_bad || answer == PARSE_BAD);
            was_bad = answer == PARSE_BAD;
        }
        ck_assert(was_bad);
    }
}
END_TEST

/* A hello whose one extension has this type and this data. */
static struct slice body_with(uint16_t type, struct slice data)
{
    static uint8_t body[64 + UINT16_MAX];
    struct writer  w = writer_of(body, sizeof body);
    writer_put(&w, BYTES(BODY_START));
    size_t extensions = writer_begin16(&w);
    writer_u16(&w, type);
    size_t extension = writer_begin16(&w);
    writer_put(&w, data);
    writer_end16(&w, extension);
    writer_end16(&w, extensions);
    ck_assert_uint_gt(writer_len(&w), 0);
    return slice_of(body, w.len);
}

static struct slice server_name_of(size_t len)
{
    static uint8_t data[512];
    memset(data, 'a', sizeof data);
    struct writer w = writer_of(data, sizeof data);
    writer_u16(&w, (uint16_t)(len + 3));
    writer_u8(&w, 0);
    writer_u16(&w, (uint16_t)len);
    return slice_of(data, len + 5);
}

START_TEST(the_longest_name_is_told_and_no_longer_one)
{
    struct clienthello hello;
    ck_assert_int_eq(clienthello_peek(hello_of(body_with(0, server_name_of(255)), 100), &hello), PARSE_OK);
    ck_assert_uint_eq(strlen(hello.sni), 255);
    ck_assert_int_eq(clienthello_peek(hello_of(body_with(0, server_name_of(256)), 100), &hello), PARSE_BAD);
}
END_TEST

START_TEST(of_many_protocols_the_whole_names_that_fit_are_told)
{
    struct clienthello hello;
    uint8_t            data[2 + 3 * 101] = {0x01, 0x2F};
    for (size_t i = 0; i < 3; i++) {
        memset(data + 2 + i * 101, 'a' + (int)i, 101);
        data[2 + i * 101] = 100;
    }
    ck_assert_int_eq(clienthello_peek(hello_of(body_with(16, slice_of(data, sizeof data)), 16384), &hello), PARSE_OK);
    ck_assert_uint_eq(hello.alpn_len, 202);
    ck_assert_mem_eq(hello.alpn, data + 2, 202);
}
END_TEST

START_TEST(the_largest_hello_is_taken_and_no_larger_one)
{
    static const uint8_t padding[CLIENTHELLO_MAX];
    struct clienthello   hello;
    const size_t         room = CLIENTHELLO_MAX - 4 - 41 - 2 - 4;
    ck_assert_int_eq(clienthello_peek(hello_of(body_with(21, slice_of(padding, room)), 16384), &hello), PARSE_OK);
    ck_assert_int_eq(clienthello_peek(hello_of(body_with(21, slice_of(padding, room)), 999), &hello), PARSE_OK);
    ck_assert_int_eq(clienthello_peek(hello_of(body_with(21, slice_of(padding, room + 1)), 999), &hello), PARSE_BAD);
}
END_TEST

TCase *clienthello_tests(void)
{
    TCase *tc = tcase_create("clienthello");
    tcase_add_loop_test(tc, any_cut_of_a_good_hello_asks_for_more_in_records_of_any_length, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, name_and_protocols_are_told, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, what_is_no_hello_is_bad_at_the_byte_that_shows_it, 0, ARRAY_LEN(bad_records));
    tcase_add_loop_test(tc, a_bad_hello_is_bad_in_records_of_any_length, 0, ARRAY_LEN(bad_bodies));
    tcase_add_test(tc, the_longest_name_is_told_and_no_longer_one);
    tcase_add_test(tc, of_many_protocols_the_whole_names_that_fit_are_told);
    tcase_add_test(tc, the_largest_hello_is_taken_and_no_larger_one);
    return tc;
}
