/* HAProxy's lines, as HAProxy 2.6 wrote them. */
#include <stdlib.h>
#include <time.h>

#include "base/tcplog.h"
#include "unit/base/suites.h"

/* 23 November 2026, 10:04:15.567 UTC. */
static const uint64_t accepted_ms = 1795428255567u;

static struct addr address(const char *text)
{
    struct addr a;
    ck_assert(addr_parse(text, &a));
    return a;
}

static void zone(const char *tz)
{
    ck_assert_int_eq(setenv("TZ", tz, 1), 0);
    tzset();
}

static void assert_session(const char *expected, const struct tcplog *t)
{
    char   line[LOG_LINE_MAX];
    size_t n = tcplog_session(line, t);
    ck_assert_str_eq(line, expected);
    ck_assert_uint_eq(n, strlen(expected));
}

static struct tcplog plain(const struct addr *client)
{
    return (struct tcplog){.client = client,
                           .accepted_ms = accepted_ms,
                           .frontend = "mqtt",
                           .backend = "emqx",
                           .termination = "--",
                           .process_sessions = 2,
                           .frontend_sessions = 2,
                           .backend_sessions = 1};
}

START_TEST(a_session_is_written_as_haproxy_does)
{
    struct addr   client = address("127.0.0.1:39380");
    struct tcplog t = plain(&client);
    zone("UTC");
    t.server = "e1";
    t.wait_ms = 1;
    t.total_ms = 2;
    t.bytes = 5;
    assert_session("127.0.0.1:39380 [23/Nov/2026:10:04:15.567] mqtt emqx/e1 1/0/2 5 -- 2/2/1/0/0 0/0", &t);
    t.tls = true;
    t.server = "e5";
    t.wait_ms = 3;
    t.total_ms = 3;
    t.bytes = 50;
    assert_session("127.0.0.1:39380 [23/Nov/2026:10:04:15.567] mqtt~ emqx/e5 3/0/3 50 -- 2/2/1/0/0 0/0", &t);
}
END_TEST

START_TEST(what_was_not_reached_is_minus_one_and_no_server_has_its_sign)
{
    struct addr   client = address("127.0.0.1:39380");
    struct tcplog t = plain(&client);
    zone("UTC");
    t.backend = "queue";
    t.wait_ms = 502;
    t.connect_ms = TCPLOG_NOT_REACHED;
    t.total_ms = 501;
    t.termination = "sQ";
    t.backend_queue = 1;
    assert_session("127.0.0.1:39380 [23/Nov/2026:10:04:15.567] mqtt queue/<NOSRV> 502/-1/501 0 sQ 2/2/1/0/0 0/1", &t);
    t.wait_ms = TCPLOG_NOT_REACHED;
    t.total_ms = 0;
    t.termination = "SC";
    t.backend_queue = 0;
    assert_session("127.0.0.1:39380 [23/Nov/2026:10:04:15.567] mqtt queue/<NOSRV> -1/-1/0 0 SC 2/2/1/0/0 0/0", &t);
}
END_TEST

START_TEST(retries_that_went_elsewhere_have_a_plus)
{
    struct addr   client = address("127.0.0.1:50884");
    struct tcplog t = plain(&client);
    zone("UTC");
    t.server = "s1";
    t.wait_ms = 1;
    t.connect_ms = TCPLOG_NOT_REACHED;
    t.termination = "SC";
    t.retries = 2;
    assert_session("127.0.0.1:50884 [23/Nov/2026:10:04:15.567] mqtt emqx/s1 1/-1/0 0 SC 2/2/1/0/2 0/0", &t);
    t.redispatched = true;
    assert_session("127.0.0.1:50884 [23/Nov/2026:10:04:15.567] mqtt emqx/s1 1/-1/0 0 SC 2/2/1/0/+2 0/0", &t);
}
END_TEST

START_TEST(the_date_is_local_time)
{
    struct addr client = address("127.0.0.1:1");
    char        line[LOG_LINE_MAX];
    zone("XST-14"); /* fourteen hours ahead: already tomorrow */
    ck_assert_uint_gt(tcplog_failure(line, &client, accepted_ms, "mqtt", 1, "x"), 0);
    ck_assert_str_eq(line, "127.0.0.1:1 [24/Nov/2026:00:04:15.567] mqtt/1: x");
}
END_TEST

START_TEST(an_ipv6_address_has_no_brackets)
{
    struct addr client = address("[2001:db8::7]:1"), to = address("[2001:db8::8]:2");
    char        line[LOG_LINE_MAX];
    zone("UTC");
    ck_assert_uint_gt(tcplog_connect(line, &client, &to, "fe"), 0);
    ck_assert_str_eq(line, "Connect from 2001:db8::7:1 to 2001:db8::8:2 (fe/TCP)");
    ck_assert_uint_gt(tcplog_failure(line, &client, accepted_ms, "fe", 2, "SSL handshake failure"), 0);
    ck_assert_str_eq(line, "2001:db8::7:1 [23/Nov/2026:10:04:15.567] fe/2: SSL handshake failure");
}
END_TEST

START_TEST(proxies_have_haproxys_words)
{
    char line[LOG_LINE_MAX];
    ck_assert_uint_eq(tcplog_started(line, "mqtt"), strlen("Proxy mqtt started."));
    ck_assert_str_eq(line, "Proxy mqtt started.");
    ck_assert_uint_gt(tcplog_stopped(line, "mqtt", 7, 0), 0);
    ck_assert_str_eq(line, "Proxy mqtt stopped (cumulated conns: FE: 7, BE: 0).");
    ck_assert_uint_gt(tcplog_paused(line, "mqtt"), 0);
    ck_assert_str_eq(line, "Paused frontend mqtt.");
    ck_assert_uint_gt(tcplog_resumed(line, "mqtt"), 0);
    ck_assert_str_eq(line, "Resumed frontend mqtt.");
    ck_assert_uint_gt(tcplog_no_server(line, "emqx"), 0);
    ck_assert_str_eq(line, "backend emqx has no server available!");
}
END_TEST

START_TEST(the_greatest_numbers_and_names_fit)
{
    static char longest[64 + 1];
    struct addr client = address("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    char        line[LOG_LINE_MAX];
    memset(longest, 'x', sizeof longest - 1);
    struct tcplog t = {.client = &client,
                       .accepted_ms = UINT64_MAX,
                       .frontend = longest,
                       .tls = true,
                       .backend = longest,
                       .server = longest,
                       .wait_ms = INT64_MAX,
                       .connect_ms = INT64_MAX,
                       .total_ms = UINT64_MAX,
                       .bytes = UINT64_MAX,
                       .termination = "--",
                       .process_sessions = UINT32_MAX,
                       .frontend_sessions = UINT32_MAX,
                       .backend_sessions = UINT32_MAX,
                       .server_sessions = UINT32_MAX,
                       .retries = UINT32_MAX,
                       .redispatched = true,
                       .backend_queue = UINT32_MAX};
    size_t        n = tcplog_session(line, &t);
    ck_assert_uint_eq(n, strlen(line));
    ck_assert_str_eq(line + n - strlen("/+4294967295 0/4294967295"), "/+4294967295 0/4294967295");
}
END_TEST

START_TEST(a_text_too_long_is_cut)
{
    static char long_text[2 * LOG_LINE_MAX];
    struct addr client = address("127.0.0.1:1");
    char        line[LOG_LINE_MAX];
    memset(long_text, 'x', sizeof long_text - 1);
    ck_assert_uint_eq(tcplog_failure(line, &client, accepted_ms, "mqtt", 1, long_text), LOG_LINE_MAX - 1);
    ck_assert_uint_eq(strlen(line), LOG_LINE_MAX - 1);
}
END_TEST

TCase *tcplog_tcase(void)
{
    TCase *tc = tcase_create("tcplog");
    tcase_add_test(tc, a_session_is_written_as_haproxy_does);
    tcase_add_test(tc, what_was_not_reached_is_minus_one_and_no_server_has_its_sign);
    tcase_add_test(tc, retries_that_went_elsewhere_have_a_plus);
    tcase_add_test(tc, the_date_is_local_time);
    tcase_add_test(tc, an_ipv6_address_has_no_brackets);
    tcase_add_test(tc, proxies_have_haproxys_words);
    tcase_add_test(tc, the_greatest_numbers_and_names_fit);
    tcase_add_test(tc, a_text_too_long_is_cut);
    return tc;
}
