#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/descriptors.h"
#include "unit/health/suites.h"
#include "unit/health/world.h"

START_TEST(a_server_is_unknown_until_it_has_answered_and_then_up_at_once)
{
    w.backend.check.interval_ms = 60000;
    world_start();
    ck_assert_int_eq(state(0), SERVER_UNKNOWN);
    ck_assert_str_eq(status(0), "INI");
    AWAIT(state(0) != SERVER_UNKNOWN);
    assert_up("L4OK");
    ck_assert_uint_eq(report(0)->checks, 1);
    ck_assert_uint_eq(report(0)->level, 4);
    ck_assert(!report(0)->running);
    ASSERT_LOGGED("event=server_up backend=broker server=s0 reason=\"Layer4 check passed\" check=L4OK dur_ms=");
    ASSERT_LOGGED("event=backend_up backend=broker");
    AWAIT(w.fakes[0].ended == 1);
    ck_assert_uint_eq(w.fakes[0].n_heard, 0);
}
END_TEST

START_TEST(a_server_whose_first_check_fails_is_down_at_once)
{
    fake_open(&w.fakes[0], w.loop);
    fake_close(&w.fakes[0]);
    check_once();
    assert_down("L4CON", "Connection refused");
    ck_assert_uint_eq(report(0)->failures, 1);
    ck_assert_uint_eq(report(0)->history.downs, 0);
    ck_assert(report(0)->history.down);
    ASSERT_LOGGED("level=warn event=server_down backend=broker server=s0 reason=\"Layer4 connection problem\" "
                  "detail=\"Connection refused\" check=L4CON dur_ms=");
    ASSERT_LOGGED("level=error event=backend_down backend=broker");
}
END_TEST

START_TEST(a_connection_that_meets_itself_is_no_server)
{
    fake_open(&w.fakes[0], w.loop);
    fake_close(&w.fakes[0]);
    w.servers[0].source_auto = false;
    w.servers[0].source = w.fakes[0].at;
    check_once();
    assert_down("L4CON", "Connection refused");
}
END_TEST

START_TEST(a_connect_that_nobody_answers_times_out_at_layer_4)
{
    int fds[4];
    fake_open(&w.fakes[0], w.loop);
    ev_io_stop(w.loop, &w.fakes[0].listener);
    ck_assert_int_eq(listen(w.fakes[0].listener.fd, 0), 0);
    /* A full queue drops what comes next. */
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fds[i], 0);
        (void)!connect(fds[i], &w.fakes[0].at.sa, addr_socklen(&w.fakes[0].at));
    }
    w.backend.check.timeout_ms = 30;
    check_once();
    assert_down("L4TOUT", "no answer within 30 ms");
    ck_assert_uint_ge(report(0)->last.duration_ms, 29);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    ev_io_start(w.loop, &w.fakes[0].listener);
}
END_TEST

START_TEST(no_descriptor_left_is_a_socket_error)
{
    world_start();
    descriptors_allow(0);
    AWAIT(report(0)->checks == 1);
    descriptors_allow_all();
    assert_down("SOCKERR", "Too many open files");
}
END_TEST

static const char connect_bytes[] = "\x10\x23\x00\x04MQTT\x04\x02\x00\x0a\x00\x17mqgate-check-";

static void heard_connect_and_disconnect(const struct fake *fake, size_t skip)
{
    const uint8_t *heard = fake->heard + skip;
    ck_assert_uint_eq(fake->n_heard, skip + 39);
    ck_assert_mem_eq(heard, connect_bytes, sizeof connect_bytes - 1);
    for (size_t i = sizeof connect_bytes - 1; i < 37; i++)
        ck_assert_msg(strchr("0123456789abcdef", heard[i]) != NULL, "byte %zu", i);
    ck_assert_mem_eq(heard + 37, "\xe0\x00", 2);
}

START_TEST(an_mqtt_check_says_connect_and_disconnect_and_ends_in_good_order)
{
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "\x20\x02\x00\x00");
    check_once();
    assert_up("L7OK");
    ck_assert_int_eq(report(0)->last.code, 0);
    AWAIT(w.fakes[0].ended == 1);
    heard_connect_and_disconnect(&w.fakes[0], 0);
    ck_assert_uint_eq(w.fakes[0].reset, 0);
}
END_TEST

static void client_id_of(char id[24])
{
    check_once();
    AWAIT(w.fakes[0].ended == 1);
    memcpy(id, w.fakes[0].heard + 14, 23);
    id[23] = '\0';
}

START_TEST(nodes_whose_names_begin_alike_use_other_client_ids)
{
    char one[24], two[24];
    w.conf.global.node = "emqx-node-in-frankfurt-1";
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "\x20\x02\x00\x00");
    client_id_of(one);
    world_close();
    world_open();
    w.conf.global.node = "emqx-node-in-frankfurt-2";
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "\x20\x02\x00\x00");
    client_id_of(two);
    ck_assert_str_ne(one, two);
}
END_TEST

START_TEST(any_connack_code_is_a_sign_of_life)
{
    char connack[] = {0x20, 2, 0, (char)_i};
    w.backend.check.type = CHECK_MQTT;
    say(0, connack, sizeof connack);
    check_once();
    assert_up("L7OK");
    ck_assert_int_eq(report(0)->last.code, _i);
}
END_TEST

START_TEST(a_connack_may_come_byte_by_byte)
{
    w.backend.check.type = CHECK_MQTT;
    w.fakes[0].one_by_one = true;
    SAY(0, "\x20\x02\x00\x05");
    check_once();
    assert_up("L7OK");
    ck_assert_int_eq(report(0)->last.code, 5);
}
END_TEST

START_TEST(what_is_no_connack_fails)
{
    static const struct slice bad[] = {{(const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
                                       {(const uint8_t *)"\x20\x03\x00\x00\x00", 5},
                                       {(const uint8_t *)"\x30\x02\x00\x00", 4},
                                       {(const uint8_t *)"\x20\xff\xff\xff\xff", 5}};
    w.backend.check.type = CHECK_MQTT;
    w.fakes[0].answer = bad[_i];
    check_once();
    assert_down("L7RSP", "the answer is no CONNACK");
    AWAIT(w.fakes[0].ended + w.fakes[0].reset == 1);
}
END_TEST

START_TEST(a_server_that_accepts_and_says_nothing_times_out_at_layer_7)
{
    w.backend.check.type = _i == 0 ? CHECK_MQTT : CHECK_HTTP;
    w.backend.check.timeout_ms = 30;
    check_once();
    assert_down("L7TOUT", "no answer within 30 ms");
    ck_assert_uint_ge(report(0)->last.duration_ms, 29);
    AWAIT(w.fakes[0].ended == 1);
}
END_TEST

START_TEST(a_server_that_closes_without_an_answer_fails)
{
    w.backend.check.type = _i == 0 ? CHECK_MQTT : CHECK_HTTP;
    w.fakes[0].closes = true;
    check_once();
    /* Whether the request or the end came first decides what the kernel reports. */
    ck_assert_str_eq(status(0), "L7RSP");
    ck_assert_str_ne(report(0)->last.detail, "");
    ck_assert_int_eq(state(0), SERVER_DOWN);
}
END_TEST

START_TEST(a_server_that_closes_amid_the_answer_fails)
{
    w.backend.check.type = _i == 0 ? CHECK_MQTT : CHECK_HTTP;
    w.fakes[0].closes_behind = true;
    say(0, _i == 0 ? "\x20\x02\x00" : "HTTP/1.1 200 OK\r\n", _i == 0 ? 3 : 17);
    check_once();
    assert_down("L7RSP", "connection closed by the server");
}
END_TEST

START_TEST(an_http_check_asks_for_its_path_and_takes_the_expected_status)
{
    char text[ADDR_TEXT_MAX], request[256];
    w.backend.check.type = CHECK_HTTP;
    w.fakes[0].closes_behind = _i == 0;
    w.fakes[0].one_by_one = _i == 1;
    SAY(0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    check_once();
    assert_up("L7OK");
    ck_assert_int_eq(report(0)->last.code, 200);
    AWAIT(_i == 0 || w.fakes[0].ended == 1);
    int n = snprintf(request, sizeof request,
                     "GET /status HTTP/1.1\r\nHost: %s\r\nUser-Agent: mqgate\r\nConnection: close\r\n\r\n",
                     addr_format(&w.fakes[0].at, text));
    heard_is(&w.fakes[0], request, (size_t)n);
}
END_TEST

START_TEST(another_http_status_fails)
{
    w.backend.check.type = CHECK_HTTP;
    SAY(0, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
    check_once();
    assert_down("L7STS", "HTTP status 503, expected 200");
    ck_assert_int_eq(report(0)->last.code, 503);
    AWAIT(w.fakes[0].ended == 1);
}
END_TEST

START_TEST(an_interim_http_answer_is_passed_over)
{
    w.backend.check.type = CHECK_HTTP;
    w.backend.check.http_expect = 204;
    SAY(0, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    check_once();
    assert_up("L7OK");
    ck_assert_int_eq(report(0)->last.code, 204);
}
END_TEST

START_TEST(what_is_no_http_fails)
{
    w.backend.check.type = CHECK_HTTP;
    SAY(0, "\x20\x02\x00\x00");
    check_once();
    assert_down("L7RSP", "the answer is not HTTP/1");
}
END_TEST

START_TEST(an_http_head_without_end_fails)
{
    static char endless[16384];
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "HTTP/1.1 200 OK\r\nX: ", 20);
    w.backend.check.type = CHECK_HTTP;
    say(0, endless, sizeof endless);
    check_once();
    assert_down("L7RSP", "the answer is too long");
}
END_TEST

#define V1_UNKNOWN "PROXY UNKNOWN\r\n"
#define V2_LOCAL   "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"

START_TEST(a_tcp_check_sends_the_proxy_header_and_nothing_else)
{
    w.servers[0].send_proxy = _i == 0 ? PROXY_OUT_V1 : PROXY_OUT_V2;
    check_once();
    assert_up("L4OK");
    AWAIT(w.fakes[0].ended == 1);
    if (_i == 0)
        heard_is(&w.fakes[0], V1_UNKNOWN, sizeof V1_UNKNOWN - 1);
    else
        heard_is(&w.fakes[0], V2_LOCAL, sizeof V2_LOCAL - 1);
}
END_TEST

START_TEST(the_proxy_header_goes_before_the_dialogue)
{
    w.servers[0].send_proxy = PROXY_OUT_V2;
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "\x20\x02\x00\x00");
    check_once();
    assert_up("L7OK");
    AWAIT(w.fakes[0].ended == 1);
    ck_assert_mem_eq(w.fakes[0].heard, V2_LOCAL, sizeof V2_LOCAL - 1);
    heard_connect_and_disconnect(&w.fakes[0], sizeof V2_LOCAL - 1);
}
END_TEST

START_TEST(at_another_address_no_proxy_header_is_sent)
{
    fake_open(&w.fakes[1], w.loop);
    w.servers[0].send_proxy = PROXY_OUT_V2;
    w.backend.check.type = CHECK_HTTP;
    w.backend.check.address = w.fakes[1].at;
    SAY(1, "HTTP/1.0 200 OK\r\n\r\n");
    check_once();
    assert_up("L7OK");
    AWAIT(w.fakes[1].ended == 1);
    ck_assert_mem_eq(w.fakes[1].heard, "GET /status HTTP/1.1\r\n", 22);
    ck_assert_uint_eq(w.fakes[0].accepted, 0);
}
END_TEST

START_TEST(checking_may_be_given_up_in_the_midst_of_a_check)
{
    w.backend.check.type = CHECK_MQTT;
    w.servers[0].send_proxy = PROXY_OUT_V1;
    world_start();
    AWAIT(w.fakes[0].n_heard > 0);
    health_free(w.health);
    w.health = NULL;
    AWAIT(w.fakes[0].ended == 1);
    ck_assert_int_eq(state(0), SERVER_UNKNOWN);
}
END_TEST

static TCase *new_case(const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, world_open, world_close);
    return tc;
}

TCase *connect_tests(void)
{
    TCase *tc = new_case("connect");
    tcase_add_test(tc, a_server_is_unknown_until_it_has_answered_and_then_up_at_once);
    tcase_add_test(tc, a_server_whose_first_check_fails_is_down_at_once);
    tcase_add_test(tc, a_connection_that_meets_itself_is_no_server);
    tcase_add_test(tc, a_connect_that_nobody_answers_times_out_at_layer_4);
    tcase_add_test(tc, no_descriptor_left_is_a_socket_error);
    tcase_add_loop_test(tc, a_tcp_check_sends_the_proxy_header_and_nothing_else, 0, 2);
    tcase_add_test(tc, the_proxy_header_goes_before_the_dialogue);
    tcase_add_test(tc, at_another_address_no_proxy_header_is_sent);
    tcase_add_test(tc, checking_may_be_given_up_in_the_midst_of_a_check);
    return tc;
}

TCase *dialogue_tests(void)
{
    TCase *tc = new_case("dialogue");
    tcase_add_test(tc, an_mqtt_check_says_connect_and_disconnect_and_ends_in_good_order);
    tcase_add_test(tc, nodes_whose_names_begin_alike_use_other_client_ids);
    tcase_add_loop_test(tc, any_connack_code_is_a_sign_of_life, 0, 6);
    tcase_add_test(tc, a_connack_may_come_byte_by_byte);
    tcase_add_loop_test(tc, what_is_no_connack_fails, 0, 4);
    tcase_add_loop_test(tc, a_server_that_accepts_and_says_nothing_times_out_at_layer_7, 0, 2);
    tcase_add_loop_test(tc, a_server_that_closes_without_an_answer_fails, 0, 2);
    tcase_add_loop_test(tc, a_server_that_closes_amid_the_answer_fails, 0, 2);
    tcase_add_loop_test(tc, an_http_check_asks_for_its_path_and_takes_the_expected_status, 0, 3);
    tcase_add_test(tc, another_http_status_fails);
    tcase_add_test(tc, an_interim_http_answer_is_passed_over);
    tcase_add_test(tc, what_is_no_http_fails);
    tcase_add_test(tc, an_http_head_without_end_fails);
    return tc;
}
