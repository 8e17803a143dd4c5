/* What a client speaks is told by its first bytes, however they are cut. */
#include <stdlib.h>

#include "proto/tell.h"
#include "proto_tests.h"
#include "support/guarded.h"

static enum tell ask(struct slice bytes, const char *path)
{
    struct slice copy = guarded_copy(bytes);
    enum tell    answer = tell(copy, path);
    guarded_free(copy);
    return answer;
}

/* The first told_by bytes tell it, one fewer do not, and whatever follows changes nothing. */
static const struct {
    struct slice bytes;
    enum tell    told;
    size_t       told_by;
} vectors[] = {
    {LITERAL("\x10\x0C"), TELL_MQTT, 1},
    {LITERAL("\x16\3\1\2\0"), TELL_TLS, 1},
    {LITERAL("PROXY TCP4 "), TELL_PROXY, 6},
    {LITERAL("PROXY /x HTTP/1.1\r\n"), TELL_PROXY, 6}, /* no such method */
    {LITERAL("\r\n\r\n\0\r\nQUIT\n\x21"), TELL_PROXY, 12},
    /* HTTP that begins as a PROXY header does */
    {LITERAL("PROPFIND /x HTTP/1.1\r\n"), TELL_HTTP, 11},
    {LITERAL("PROXYS /x HTTP/1.1\r\n"), TELL_HTTP, 9},
    {LITERAL("POST /mqtt HTTP/1.1\r\n"), TELL_WS, 11},
    {LITERAL("PRI * HTTP/2.0\r\n\r\nSM"), TELL_HTTP, 5},
    {LITERAL("\r\nGET /x HTTP/1.1\r\n"), TELL_HTTP, 8},
    {LITERAL("\nGET /mqtt HTTP/1.1\r\n"), TELL_WS, 11},
    /* the path, and what is nearly it */
    {LITERAL("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n"), TELL_WS, 10},
    {LITERAL("GET /mqtt?a=/b HTTP/1.1\r\n"), TELL_WS, 10},
    {LITERAL("GET /mqtt/ HTTP/1.1\r\n"), TELL_WS, 11},
    {LITERAL("GET /mqtt/?a HTTP/1.1\r\n"), TELL_WS, 11},
    {LITERAL("GET /mqtt// HTTP/1.1\r\n"), TELL_HTTP, 11},
    {LITERAL("GET /mqtt/x HTTP/1.1\r\n"), TELL_HTTP, 11},
    {LITERAL("GET /mqtt\r\n"), TELL_HTTP, 10},
    {LITERAL("GET /mqttx HTTP/1.1\r\n"), TELL_HTTP, 10},
    {LITERAL("GET /mqt HTTP/1.1\r\n"), TELL_HTTP, 9},
    {LITERAL("GET /MQTT HTTP/1.1\r\n"), TELL_HTTP, 6},
    {LITERAL("GET / HTTP/1.1\r\n"), TELL_HTTP, 6},
    {LITERAL("HEAD /haproxy_health HTTP/1.0\r\n"), TELL_HTTP, 7},
    {LITERAL("OPTIONS * HTTP/1.1\r\n"), TELL_HTTP, 9},
    {LITERAL("M-SEARCH * HTTP/1.1\r\n"), TELL_HTTP, 10},
    {LITERAL("GET http://a.test:80/mqtt HTTP/1.1\r\n"), TELL_WS, 26},
    {LITERAL("GET http://a.test/x HTTP/1.1\r\n"), TELL_HTTP, 19},
    {LITERAL("GET http://a.test HTTP/1.1\r\n"), TELL_HTTP, 18},
    {LITERAL("GET http://a.test?x=/mqtt HTTP/1.1\r\n"), TELL_HTTP, 18},
    {LITERAL("GET ws+x.y-1://a.test/mqtt HTTP/1.1\r\n"), TELL_WS, 27},
    /* nothing that is known */
    {LITERAL("\0"), TELL_NOTHING, 1},
    {LITERAL("\x1F\0"), TELL_NOTHING, 1},
    {LITERAL("\x80\x2E\1"), TELL_NOTHING, 1},
    {LITERAL(" GET / HTTP/1.1"), TELL_NOTHING, 1},
    {LITERAL("get / HTTP/1.1"), TELL_NOTHING, 1},
    {LITERAL("GeT / HTTP/1.1"), TELL_NOTHING, 2},
    {LITERAL("GET\t/ HTTP/1.1"), TELL_NOTHING, 4},
    {LITERAL("GET  / HTTP/1.1"), TELL_NOTHING, 5},
    {LITERAL("SSH-2.0-x\r\n"), TELL_NOTHING, 5},
    {LITERAL("HELO a.test\r\n"), TELL_NOTHING, 12},
    {LITERAL("CONNECT a.test:443 HTTP/1.1\r\n"), TELL_NOTHING, 16},
    {LITERAL("\r\r"), TELL_NOTHING, 2},
    {LITERAL("\r\n\r\nGET / HTTP/1.1\r\n"), TELL_NOTHING, 5},
    {LITERAL("\r\n\r\n\0\r\nQUIX"), TELL_NOTHING, 11},
    {LITERAL("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1"), TELL_NOTHING, 33},
};

START_TEST(any_cut_of_what_a_client_says_asks_for_more_until_it_is_told_for_good)
{
    struct slice bytes = vectors[_i].bytes;
    for (size_t n = 0; n <= bytes.len; n++) {
        enum tell answer = ask(slice_of(bytes.ptr, n), "/mqtt");
        enum tell wanted = n < vectors[_i].told_by ? TELL_MORE : vectors[_i].told;
        ck_assert_msg(answer == wanted, "%d to %zu bytes of %.*s", answer, n, (int)bytes.len, (const char *)bytes.ptr);
    }
}
END_TEST

START_TEST(the_path_of_websocket_is_the_listeners_own)
{
    ck_assert_int_eq(ask(BYTES("GET / HTTP/1.1"), "/"), TELL_WS);
    ck_assert_int_eq(ask(BYTES("GET // HTTP/1.1"), "/"), TELL_WS);
    ck_assert_int_eq(ask(BYTES("GET /mqtt HTTP/1.1"), "/"), TELL_HTTP);
    ck_assert_int_eq(ask(BYTES("GET /a/b HTTP/1.1"), "/a/b"), TELL_WS);
    ck_assert_int_eq(ask(BYTES("GET /mqtt HTTP/1.1"), "/a/b"), TELL_HTTP);
}
END_TEST

START_TEST(a_target_without_end_is_told_when_it_is_longer_than_any_path)
{
    uint8_t     bytes[TELL_MAX + 1] = {0};
    const char *start = "GET http://";
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, start, strlen(start));
    ck_assert_int_eq(ask(slice_of(bytes, TELL_MAX - 1), "/mqtt"), TELL_MORE);
    ck_assert_int_eq(ask(slice_of(bytes, TELL_MAX), "/mqtt"), TELL_HTTP);
    bytes[TELL_MAX] = '/';
    ck_assert_int_eq(ask(slice_of(bytes, TELL_MAX + 1), "/mqtt"), TELL_HTTP);
}
END_TEST

TCase *tell_tests(void)
{
    TCase *tc = tcase_create("tell");
    tcase_add_loop_test(tc, any_cut_of_what_a_client_says_asks_for_more_until_it_is_told_for_good, 0,
                        (int)ARRAY_LEN(vectors));
    tcase_add_test(tc, the_path_of_websocket_is_the_listeners_own);
    tcase_add_test(tc, a_target_without_end_is_told_when_it_is_longer_than_any_path);
    return tc;
}
