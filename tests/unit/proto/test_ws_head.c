#include <stdio.h>
#include <stdlib.h>

#include "proto/ws_head.h"
#include "proto_tests.h"
#include "support/guarded.h"

#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="     /* RFC 6455 section 1.3 */
#define ACCEPT  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" /* and what it asks for */
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define KEYED   "Sec-WebSocket-Key: " KEY "\r\n"
#define OFFER   "Sec-WebSocket-Protocol: mqtt\r\n"
#define GET     "GET /mqtt HTTP/1.1\r\nHost: a\r\n"
#define GOOD    GET UPGRADE KEYED OFFER

static const char *const     subprotocols[] = {"mqtt", "mqttv3.1"};
static const struct ws_rules rules = {"/mqtt", subprotocols, ARRAY_LEN(subprotocols)};

static bool is(struct slice s, const char *text)
{
    return slice_eq(s, slice_str(text));
}

/* text is a head, to the end. */
static struct http1_head head_of(const char *text)
{
    struct http1_head head;
    size_t            used;
    ck_assert_int_eq(http1_parse_request(slice_str(text), &head, &used), PARSE_OK);
    ck_assert_uint_eq(used, strlen(text));
    return head;
}

static struct http1_head answer_of(struct slice text)
{
    struct http1_head head;
    size_t            used;
    ck_assert_int_eq(http1_parse_response(text, &head, &used), PARSE_OK);
    return head;
}

static const char *const good[] = {
    /* Chromium */
    "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:8083\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\n"
    "Origin: http://127.0.0.1:8080\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br\r\n" KEYED
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" OFFER "\r\n",
    /* Firefox */
    "GET /mqtt HTTP/1.1\r\nHost: a:8083\r\nAccept: */*\r\nSec-WebSocket-Version: 13\r\nOrigin: null\r\n" OFFER
    "Sec-WebSocket-Extensions: permessage-deflate\r\n" KEYED "Connection: keep-alive, Upgrade\r\n"
    "Upgrade: websocket\r\n\r\n",
    /* MQTT.js */
    "GET /mqtt HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n" KEYED "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" OFFER "Host: 127.0.0.1:1883\r\n\r\n",
    /* the form of what is asked for */
    GOOD "\r\n",
    "GET /mqtt?token=a/b?c HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED    OFFER "\r\n",
    "GET /mqtt/ HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED               OFFER "\r\n",
    "GET http://a:8083/mqtt?x HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n",
    "GET /mqtt HTTP/1.9\nHost: [::1]:8083\nUPGRADE: h2c, WebSocket\nconnection: UPGRADE\nSEC-WEBSOCKET-VERSION: "
    "13\n" KEYED OFFER "\n",
    GOOD "Content-Length: 0\r\n\r\n",
    GET UPGRADE KEYED "Sec-WebSocket-Protocol: \r\nSec-WebSocket-Protocol: mqtt5,,\t mqtt ,mqttv3.1\r\n\r\n",
    /* a key of which the last digit has bits that nobody needs */
    GET UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZf==\r\n" OFFER "\r\n",
};

START_TEST(what_clients_of_mqtt_ask_for_is_good)
{
    struct http1_head head = head_of(good[_i]);
    struct ws_request request;
    ck_assert_int_eq(ws_check_request(&head, &rules, &request), WS_FAULT_NONE);
    ck_assert(slice_starts(request.key, BYTES("dGhlIHNhbXBsZSBub25jZ")));
    ck_assert_uint_eq(request.key.len, WS_KEY_LEN);
    ck_assert(is(request.subprotocol, "mqtt"));
}
END_TEST

static const struct {
    const char   *text;
    enum ws_fault fault;
} bad[] = {
    {"POST /mqtt HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_METHOD},
    {"get /mqtt HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_METHOD},
    {"GET /mqtt HTTP/1.1\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_HOST},
    {GOOD "Host: a\r\n\r\n", WS_FAULT_HOST},
    {"GET /mqtt HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", WS_FAULT_HOST},
    {"GET /mqtt HTTP/1.1\r\nHost:\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_HOST},
    {"GET /mqtt HTTP/1.1\r\nHost: a b\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_HOST},
    {"GET /mqtt HTTP/1.1\r\nHost: a/b\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_HOST},
    {"GET /mqtt HTTP/1.1\r\nHost: u@a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_HOST},
    {GOOD "Content-Length: 1\r\n\r\n", WS_FAULT_BODY},
    {GOOD "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", WS_FAULT_BODY},
    {GOOD "Content-Length:\r\n\r\n", WS_FAULT_BODY},
    {GOOD "Content-Length: 0, 0\r\n\r\n", WS_FAULT_BODY},
    {GOOD "Transfer-Encoding: chunked\r\n\r\n", WS_FAULT_BODY},
    {"GET / HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET /mqtt2 HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET /mqt HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET /MQTT HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET /mqtt// HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET /?/mqtt HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET mqtt HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET http:///other HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET http://mqtt HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET http:// HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET : HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET ? HTTP/1.1\r\nHost: a\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_PATH},
    {"GET /mqtt HTTP/1.0\r\n" UPGRADE KEYED OFFER "\r\n", WS_FAULT_UPGRADE},
    {GET "\r\n", WS_FAULT_UPGRADE},
    {GET "Upgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Version: 13\r\n" KEYED OFFER "\r\n",
     WS_FAULT_UPGRADE},
    {GET "Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEYED OFFER "\r\n", WS_FAULT_UPGRADE},
    {GET "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEYED OFFER "\r\n", WS_FAULT_VERSION},
    {GET "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" KEYED OFFER "\r\n",
     WS_FAULT_VERSION},
    {GOOD "Sec-WebSocket-Version: 8\r\n\r\n", WS_FAULT_VERSION},
    {GET UPGRADE OFFER "\r\n", WS_FAULT_KEY},
    {GOOD KEYED "\r\n", WS_FAULT_KEY},
    {GET UPGRADE OFFER "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n", WS_FAULT_KEY},
    {GET UPGRADE OFFER "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQa=\r\n\r\n", WS_FAULT_KEY},
    {GET UPGRADE OFFER "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n\r\n", WS_FAULT_KEY},
    {GET UPGRADE OFFER "Sec-WebSocket-Key: dGhlIHNh XBsZSBub25jZQ==\r\n\r\n", WS_FAULT_KEY},
    {GET UPGRADE OFFER "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==dGhlIHN=\r\n\r\n", WS_FAULT_KEY},
    {GET UPGRADE KEYED "\r\n", WS_FAULT_SUBPROTOCOL},
    {GET UPGRADE KEYED "Sec-WebSocket-Protocol: MQTT, mqttv5,\r\n\r\n", WS_FAULT_SUBPROTOCOL},
};

START_TEST(what_is_not_asked_for_well_is_refused)
{
    struct http1_head head = head_of(bad[_i].text);
    struct ws_request request = {.key = slice_of(NULL, 12345)};
    ck_assert_int_eq(ws_check_request(&head, &rules, &request), bad[_i].fault);
    ck_assert_uint_eq(request.key.len, 12345);
}
END_TEST

START_TEST(the_first_subprotocol_that_is_known_is_chosen)
{
    static const struct {
        const char *offer, *chosen;
    } offers[] = {{"mqttv3.1, mqtt", "mqttv3.1"}, {"mqtt, mqttv3.1", "mqtt"}, {"x, mqttv3.1", "mqttv3.1"}};
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        char text[400];
        (void)snprintf(text, sizeof text, GET UPGRADE KEYED "Sec-WebSocket-Protocol: %s\r\n\r\n", offers[i].offer);
        struct http1_head head = head_of(text);
        struct ws_request request;
        ck_assert_int_eq(ws_check_request(&head, &rules, &request), WS_FAULT_NONE);
        ck_assert(is(request.subprotocol, offers[i].chosen));
    }
}
END_TEST

static const struct ws_request asked = {LITERAL(KEY), LITERAL("mqtt")};

START_TEST(the_answer_is_what_clients_wait_for)
{
    static const char wanted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    uint8_t           out[sizeof wanted];
    ck_assert_uint_eq(ws_encode_answer(&asked, BYTES(ACCEPT), out, sizeof wanted - 1), sizeof wanted - 1);
    ck_assert_mem_eq(out, wanted, sizeof wanted - 1);
    ck_assert_uint_eq(ws_encode_answer(&asked, BYTES(ACCEPT), out, sizeof wanted - 2), 0);
    struct http1_head head = answer_of(slice_of(out, sizeof wanted - 1));
    ck_assert_int_eq(ws_check_response(&head, &asked, BYTES(ACCEPT)), WS_ANSWER_GOOD);
}
END_TEST

static const struct {
    enum ws_fault fault;
    unsigned      status;
    const char   *says;
} refusals[] = {
    {WS_FAULT_MALFORMED, 400, "HTTP/1.1"},
    {WS_FAULT_TOO_LONG, 400, "too long"},
    {WS_FAULT_METHOD, 400, "GET"},
    {WS_FAULT_HOST, 400, "Host"},
    {WS_FAULT_BODY, 400, "no body"},
    {WS_FAULT_PATH, 404, "is at /mqtt\n"},
    {WS_FAULT_UPGRADE, 426, "Upgrade: websocket"},
    {WS_FAULT_VERSION, 426, "13"},
    {WS_FAULT_KEY, 400, "Sec-WebSocket-Key"},
    {WS_FAULT_SUBPROTOCOL, 400, "mqtt, mqttv3.1\n"},
    {WS_FAULT_NO_SERVER, 503, "later"},
};

START_TEST(a_refusal_is_whole_http_and_says_why)
{
    uint8_t           out[512];
    struct http1_head head;
    size_t            used, len = ws_encode_refusal(refusals[_i].fault, &rules, out, sizeof out);
    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(http1_parse_response(slice_of(out, len), &head, &used), PARSE_OK);
    ck_assert_int_eq(head.status, (int)refusals[_i].status);
    ck_assert_uint_eq(ws_fault_status(refusals[_i].fault), refusals[_i].status);
    ck_assert(http1_has_token(&head, "Connection", "close"));
    ck_assert(is(http1_find(&head, "Content-Type")->value, "text/plain"));
    ck_assert_uint_eq(strtoul((const char *)http1_find(&head, "Content-Length")->value.ptr, NULL, 10), len - used);
    ck_assert_ptr_nonnull(memmem(out + used, len - used, refusals[_i].says, strlen(refusals[_i].says)));
    ck_assert_int_eq(http1_find(&head, "Sec-WebSocket-Version") != NULL, refusals[_i].status == 426);
    ck_assert_int_eq(http1_has_token(&head, "Upgrade", "websocket"), refusals[_i].status == 426);
    for (size_t cap = 0; cap < len; cap++)
        ck_assert_uint_eq(ws_encode_refusal(refusals[_i].fault, &rules, out, cap), 0);
}
END_TEST

/* What the server is asked when the client asked text. */
static const char *passed_on(const char *text, const struct ws_forwarded *forwarded)
{
    static char       out[2000];
    struct http1_head head = head_of(text);
    struct ws_request request;
    size_t            len;
    ck_assert_int_eq(ws_check_request(&head, &rules, &request), WS_FAULT_NONE);
    len = ws_encode_request(&head, &request, forwarded, (uint8_t *)out, sizeof out - 1);
    ck_assert_uint_gt(len, 0);
    ck_assert_uint_lt(len, strlen(text) + WS_REQUEST_GROWTH);
    ck_assert_uint_eq(ws_encode_request(&head, &request, forwarded, (uint8_t *)out, len - 1), 0);
    ck_assert_uint_eq(ws_encode_request(&head, &request, forwarded, (uint8_t *)out, len), len);
    out[len] = '\0';
    return out;
}

#define OURS "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"

START_TEST(a_server_is_asked_what_the_client_asked_but_for_what_is_ours)
{
    ck_assert_str_eq(passed_on("GET /mqtt?u=1 HTTP/1.1\nHost: a:8083\r\nuser-agent:  x \xFF y\r\n"
                               "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nKeep-Alive: 5\r\n"
                               "Sec-WebSocket-Version: 13\r\n" KEYED "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                               "Sec-WebSocket-Protocol: other\r\nCookie: a=b\r\nOrigin: http://a\r\n"
                               "sec-websocket-protocol: mqtt, mqttv3.1\r\nTE: trailers\r\nExpect: 100-continue\r\n"
                               "X-Forwarded-For: 192.0.2.1\r\nX-Empty:\r\n\r\n",
                               NULL),
                     "GET /mqtt?u=1 HTTP/1.1\r\nHost: a:8083\r\nuser-agent: x \xFF y\r\n"
                     "Sec-WebSocket-Version: 13\r\n" KEYED "Cookie: a=b\r\nOrigin: http://a\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\nX-Empty: \r\n" OURS "\r\n");
}
END_TEST

START_TEST(what_connection_names_stays_between_client_and_gate)
{
    ck_assert_str_eq(
        passed_on(GET "Connection: upgrade, X-Hop, host, sec-websocket-key\r\nConnection: a ,b\r\n"
                      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nx-hop: 1\r\nB: 2\r\nC: 3\r\n" KEYED OFFER
                      "\r\n",
                  NULL),
        GET "Sec-WebSocket-Version: 13\r\nC: 3\r\n" KEYED OURS "\r\n");
}
END_TEST

static struct ws_forwarded from(const char *client, bool tls)
{
    struct ws_forwarded forwarded = {.tls = tls};
    ck_assert(addr_parse(client, &forwarded.client));
    return forwarded;
}

START_TEST(forwarded_fields_tell_the_client_and_not_what_it_says)
{
    struct ws_forwarded v4 = from("192.0.2.7:51000", true), v6 = from("[2001:db8::7]:1", false);
    ck_assert_str_eq(passed_on(GOOD "x-forwarded-FOR: 10.0.0.1\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Proto: x\r\n"
                                    "X-Forwarded-For: 10.0.0.2\r\nForwarded: for=10.0.0.3\r\nX-Forwarded-Host: b\r\n"
                                    "X-Forward: c\r\n\r\n",
                               &v4),
                     GET "Sec-WebSocket-Version: 13\r\n" KEYED "X-Forward: c\r\n" OURS
                         "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Port: 51000\r\nX-Forwarded-Proto: https\r\n\r\n");
    ck_assert_str_eq(passed_on(GOOD "\r\n", &v6),
                     GET "Sec-WebSocket-Version: 13\r\n" KEYED OURS "X-Forwarded-For: 2001:db8::7\r\n"
                         "X-Forwarded-Port: 1\r\nX-Forwarded-Proto: http\r\n\r\n");
}
END_TEST

START_TEST(an_unknown_client_is_not_forwarded_nor_its_own_word)
{
    struct ws_forwarded nobody = {.tls = false};
    ck_assert_str_eq(passed_on(GOOD "X-Forwarded-For: 10.0.0.1\r\n\r\n", &nobody),
                     GET "Sec-WebSocket-Version: 13\r\n" KEYED OURS "X-Forwarded-Proto: http\r\n\r\n");
}
END_TEST

START_TEST(what_was_asked_of_a_server_is_itself_good)
{
    struct ws_forwarded client = from("192.0.2.7:51000", true);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char once[2000];
        (void)snprintf(once, sizeof once, "%s", passed_on(good[i], &client));
        ck_assert_str_eq(passed_on(once, &client), once);
    }
}
END_TEST

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define SWITCHED  SWITCHING "Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"

static const struct {
    const char    *text;
    enum ws_answer answer;
} responses[] = {
    {SWITCHED OFFER "\r\n", WS_ANSWER_GOOD}, /* mosquitto 2.0 */
    {SWITCHING "connection: Upgrade\r\ndate: Wed, 01 Jan 2025 00:00:00 GMT\r\nsec-websocket-accept: " ACCEPT
               "\r\nsec-websocket-protocol: mqtt\r\nserver: Cowboy\r\nupgrade: websocket\r\n\r\n",
     WS_ANSWER_GOOD}, /* EMQX 5 */
    {SWITCHED "\r\n", WS_ANSWER_GOOD},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", WS_ANSWER_STATUS},
    {"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
     WS_ANSWER_STATUS},
    {"HTTP/1.1 100 Continue\r\n\r\n", WS_ANSWER_STATUS},
    {SWITCHING "Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", WS_ANSWER_UPGRADE},
    {SWITCHING "Upgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", WS_ANSWER_UPGRADE},
    {SWITCHING "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", WS_ANSWER_ACCEPT},
    {SWITCHING
     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
     WS_ANSWER_ACCEPT},
    {SWITCHED "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", WS_ANSWER_ACCEPT},
    {SWITCHED "Sec-WebSocket-Protocol: mqttv3.1\r\n\r\n", WS_ANSWER_SUBPROTOCOL},
    {SWITCHED "Sec-WebSocket-Protocol: mqtt, mqttv3.1\r\n\r\n", WS_ANSWER_SUBPROTOCOL},
    {SWITCHED "Sec-WebSocket-Protocol:\r\n\r\n", WS_ANSWER_SUBPROTOCOL},
    {SWITCHED OFFER OFFER "\r\n", WS_ANSWER_SUBPROTOCOL},
    {SWITCHED OFFER "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", WS_ANSWER_EXTENSION},
};

START_TEST(a_server_must_have_understood_the_request)
{
    struct http1_head head = answer_of(slice_str(responses[_i].text));
    ck_assert_int_eq(ws_check_response(&head, &asked, BYTES(ACCEPT)), responses[_i].answer);
}
END_TEST

START_TEST(nothing_is_read_behind_a_head)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct slice      copy = guarded_copy(slice_str(good[i]));
        struct http1_head head;
        struct ws_request request;
        uint8_t           out[2000];
        size_t            used;
        ck_assert_int_eq(http1_parse_request(copy, &head, &used), PARSE_OK);
        ck_assert_int_eq(ws_check_request(&head, &rules, &request), WS_FAULT_NONE);
        ck_assert_uint_gt(ws_encode_request(&head, &request, NULL, out, sizeof out), 0);
        guarded_free(copy);
    }
}
END_TEST

TCase *ws_head_tests(void)
{
    TCase *tc = tcase_create("ws_head");
    tcase_add_loop_test(tc, what_clients_of_mqtt_ask_for_is_good, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, what_is_not_asked_for_well_is_refused, 0, ARRAY_LEN(bad));
    tcase_add_test(tc, the_first_subprotocol_that_is_known_is_chosen);
    tcase_add_test(tc, the_answer_is_what_clients_wait_for);
    tcase_add_loop_test(tc, a_refusal_is_whole_http_and_says_why, 0, ARRAY_LEN(refusals));
    tcase_add_test(tc, a_server_is_asked_what_the_client_asked_but_for_what_is_ours);
    tcase_add_test(tc, what_connection_names_stays_between_client_and_gate);
    tcase_add_test(tc, forwarded_fields_tell_the_client_and_not_what_it_says);
    tcase_add_test(tc, an_unknown_client_is_not_forwarded_nor_its_own_word);
    tcase_add_test(tc, what_was_asked_of_a_server_is_itself_good);
    tcase_add_loop_test(tc, a_server_must_have_understood_the_request, 0, ARRAY_LEN(responses));
    tcase_add_test(tc, nothing_is_read_behind_a_head);
    return tc;
}
