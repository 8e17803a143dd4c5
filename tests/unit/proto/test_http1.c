#include "proto/http1.h"
#include "proto_tests.h"

static enum parse ask_request(struct slice in, size_t *used)
{
    struct http1_head head;
    return http1_parse_request(in, &head, used);
}

static enum parse ask_response(struct slice in, size_t *used)
{
    struct http1_head head;
    return http1_parse_response(in, &head, used);
}

#define UPGRADE                                                                                                        \
    "GET /mqtt HTTP/1.1\r\nHost: mq.example:8083\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"         \
    "Sec-WebSocket-Protocol: mqttv3.1 ,\tmqtt\r\nX-Empty:\r\nCONNECTION:close\r\n\r\n"
#define FIELDS_16 "a:\nb:\nc:\nd:\ne:\nf:\ng:\nh:\ni:\nj:\nk:\nl:\nm:\nn:\no:\np:\n"
#define FIELDS_64 FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_16

static const struct slice good_requests[] = {
    LITERAL(UPGRADE),
    LITERAL("GET / HTTP/1.0\r\n\r\n"),
    LITERAL("\r\nGET / HTTP/1.1\r\n\r\n"),
    LITERAL("GET / HTTP/1.1\n\n"),
    LITERAL("OPTIONS * HTTP/1.1\nA:b\r\n\n"),
    LITERAL("M-SEARCH!#$%&'*+.^_`|~ http://[::1]:80/?a=%20;b HTTP/1.9\r\n!: \t \"\xFF\x80\" \t\r\n\r\n"),
    LITERAL("GET / HTTP/1.1\r\n" FIELDS_64 "\r\n"),
};

START_TEST(any_cut_of_a_good_request_asks_for_more)
{
    assert_good(ask_request, good_requests[_i]);
}
END_TEST

static const struct slice good_responses[] = {
    LITERAL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    LITERAL("HTTP/1.0 599 \r\n\r\n"),
    LITERAL("HTTP/1.1 200\r\nServer:\r\n\r\n"),
    LITERAL("HTTP/1.1 404 No\t\xFC such thing\n\n"),
};

START_TEST(any_cut_of_a_good_response_asks_for_more)
{
    assert_good(ask_response, good_responses[_i]);
}
END_TEST

static const struct bad_vector bad_requests[] = {
    {LITERAL("\x10\x0C"), 1},
    {LITERAL("\x16\3\1"), 1},
    {LITERAL("\r\n\r\n"), 3},
    {LITERAL("\rGET"), 2},
    {LITERAL(" GET / HTTP/1.1\r\n"), 1},
    {LITERAL("GET\t/ HTTP/1.1\r\n"), 4},
    {LITERAL("GET  / HTTP/1.1\r\n"), 5},
    {LITERAL("G(T / HTTP/1.1\r\n"), 2},
    {LITERAL("GET /\r\n"), 6},
    {LITERAL("GET /\x7F HTTP/1.1\r\n"), 6},
    {LITERAL("GET /\xC3\xBC HTTP/1.1\r\n"), 6},
    {LITERAL("GET /  HTTP/1.1\r\n"), 7},
    {LITERAL("GET / http/1.1\r\n"), 7},
    {LITERAL("GET / HTTP/2.0\r\n"), 12},
    {LITERAL("GET / HTTP/1.x\r\n"), 14},
    {LITERAL("GET / HTTP/1.10\r\n"), 15},
    {LITERAL("GET / HTTP/1.1 \r\n"), 15},
    {LITERAL("GET / HTTP/1.1\rX"), 16},
    {LITERAL("GET / HTTP/1.1\r\n A: b\r\n"), 17},
    {LITERAL("GET / HTTP/1.1\r\n: b\r\n"), 17},
    {LITERAL("GET / HTTP/1.1\r\nA : b\r\n"), 18},
    {LITERAL("GET / HTTP/1.1\r\nA\r\n"), 18},
    {LITERAL("GET / HTTP/1.1\r\nA[: b\r\n"), 18},
    {LITERAL("GET / HTTP/1.1\r\nA: b\0\r\n"), 21},
    {LITERAL("GET / HTTP/1.1\r\nA: b\x0B\r\n"), 21},
    {LITERAL("GET / HTTP/1.1\r\nA: b\x7F\r\n"), 21},
    {LITERAL("GET / HTTP/1.1\r\nA: b\rc\r\n"), 22},
    {LITERAL("GET / HTTP/1.1\r\nA: b\r\n c\r\n"), 23},
    {LITERAL("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n"), 23},
    {LITERAL("GET / HTTP/1.1\r\nA: b\r\n\r\r\n"), 24},
    {LITERAL("GET / HTTP/1.1\r\n" FIELDS_64 "z:"), 16 + 192 + 1},
};

START_TEST(a_bad_request_is_bad_at_the_byte_that_shows_it)
{
    assert_bad(ask_request, &bad_requests[_i]);
}
END_TEST

static const struct bad_vector bad_responses[] = {
    {LITERAL("\r\nHTTP/1.1 200 OK\r\n\r\n"), 1},
    {LITERAL("ICY 200 OK"), 1},
    {LITERAL("HTTP/2 200\r\n"), 6},
    {LITERAL("HTTP/1.1  200 OK\r\n"), 10},
    {LITERAL("HTTP/1.1 099 OK\r\n"), 10},
    {LITERAL("HTTP/1.1 600 OK\r\n"), 10},
    {LITERAL("HTTP/1.1 20 OK\r\n"), 12},
    {LITERAL("HTTP/1.1 2000 OK\r\n"), 13},
    {LITERAL("HTTP/1.1 200 O\0K\r\n"), 15},
    {LITERAL("HTTP/1.1 200 OK\r\r\n"), 17},
    {LITERAL("HTTP/1.1 200 OK\r\n\0"), 18},
};

START_TEST(a_bad_response_is_bad_at_the_byte_that_shows_it)
{
    assert_bad(ask_response, &bad_responses[_i]);
}
END_TEST

static bool is(struct slice s, const char *text)
{
    return slice_eq(s, slice_str(text));
}

START_TEST(what_a_request_says_is_told)
{
    struct http1_head head;
    size_t            used;
    ck_assert_int_eq(http1_parse_request(BYTES(UPGRADE "GET"), &head, &used), PARSE_OK);
    ck_assert(is(head.method, "GET") && is(head.target, "/mqtt"));
    ck_assert_int_eq(head.minor, 1);
    ck_assert_int_eq(head.status, 0);
    ck_assert_uint_eq(head.n_fields, 6);
    ck_assert(is(http1_find(&head, "host")->name, "Host") && is(http1_find(&head, "host")->value, "mq.example:8083"));
    ck_assert(is(http1_find(&head, "sec-websocket-protocol")->value, "mqttv3.1 ,\tmqtt"));
    ck_assert(is(http1_find(&head, "X-EMPTY")->value, ""));
    ck_assert_ptr_null(http1_find(&head, "hos"));
    ck_assert_ptr_null(http1_find(&head, "host:"));
}
END_TEST

START_TEST(a_token_is_found_in_any_list_of_the_name)
{
    struct http1_head head;
    size_t            used;
    ck_assert_int_eq(http1_parse_request(BYTES(UPGRADE), &head, &used), PARSE_OK);
    ck_assert(http1_has_token(&head, "connection", "upgrade"));
    ck_assert(http1_has_token(&head, "Connection", "Keep-Alive"));
    ck_assert(http1_has_token(&head, "connection", "close"));
    ck_assert(http1_has_token(&head, "upgrade", "websocket"));
    ck_assert(http1_has_token(&head, "sec-websocket-protocol", "mqtt"));
    ck_assert(http1_has_token(&head, "sec-websocket-protocol", "mqttv3.1"));
    ck_assert(!http1_has_token(&head, "sec-websocket-protocol", "mqttv3"));
    ck_assert(!http1_has_token(&head, "connection", "alive"));
    ck_assert(!http1_has_token(&head, "te", "trailers"));
    ck_assert(!http1_has_token(&head, "x-empty", "a"));
}
END_TEST

START_TEST(what_a_response_says_is_told)
{
    struct http1_head head;
    size_t            used;
    ck_assert_int_eq(http1_parse_response(good_responses[0], &head, &used), PARSE_OK);
    ck_assert(head.status == 101 && head.minor == 1 && head.n_fields == 1 && head.method.len == 0);
    ck_assert_int_eq(http1_parse_response(good_responses[1], &head, &used), PARSE_OK);
    ck_assert(head.status == 599 && head.minor == 0 && head.n_fields == 0);
}
END_TEST

START_TEST(a_later_minor_version_is_read_as_1)
{
    struct http1_head head;
    size_t            used;
    ck_assert_int_eq(http1_parse_request(BYTES("GET / HTTP/1.9\r\n\r\n"), &head, &used), PARSE_OK);
    ck_assert_int_eq(head.minor, 1);
}
END_TEST

TCase *http1_tests(void)
{
    TCase *tc = tcase_create("http1");
    tcase_add_loop_test(tc, any_cut_of_a_good_request_asks_for_more, 0, ARRAY_LEN(good_requests));
    tcase_add_loop_test(tc, any_cut_of_a_good_response_asks_for_more, 0, ARRAY_LEN(good_responses));
    tcase_add_loop_test(tc, a_bad_request_is_bad_at_the_byte_that_shows_it, 0, ARRAY_LEN(bad_requests));
    tcase_add_loop_test(tc, a_bad_response_is_bad_at_the_byte_that_shows_it, 0, ARRAY_LEN(bad_responses));
    tcase_add_test(tc, what_a_request_says_is_told);
    tcase_add_test(tc, a_token_is_found_in_any_list_of_the_name);
    tcase_add_test(tc, what_a_response_says_is_told);
    tcase_add_test(tc, a_later_minor_version_is_read_as_1);
    return tc;
}
