/* Metrics: their text in both formats, and what a query chooses of them. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "admin/prom_families.h"
#include "admin/render_prom.h"
#include "config.h"
#include "unit/admin/fixture.h"
#include "unit/admin/suites.h"

static struct fixture f;
static struct text    page; /* the last answer */

static void setup(void)
{
    fixture_snapshot(&f);
}

static void teardown(void)
{
    text_fini(&page);
    fixture_snapshot_free(&f);
}

static void show(const char *query, bool open_metrics)
{
    struct prom_options options = prom_options_parse(query);
    options.open_metrics = open_metrics;
    text_fini(&page);
    page = (struct text){0};
    render_prom(&f.view, &options, &page);
    ck_assert(!page.failed);
    ck_assert_ptr_nonnull(page.at); /* an empty answer is one, too */
}

static size_t lines_of(const char *line)
{
    size_t n = 0, len = strlen(line);
    for (const char *at = page.at; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        n += strncmp(at, line, len) == 0 && at[len] == '\n';
    }
    return n;
}

static void expect(const char *line)
{
    ck_assert_msg(lines_of(line) == 1, "%zu times \"%s\" in:\n%.3000s", lines_of(line), line, page.at);
}

static void expect_not(const char *part)
{
    ck_assert_msg(strstr(page.at, part) == NULL, "\"%s\" in:\n%.3000s", part, page.at);
}

START_TEST(metrics_have_haproxys_names_and_labels)
{
    row_count(f.stats, f.listener->binds[0].row, COUNT_REQUEST_IN, 12);
    row_count(f.stats, f.servers[1].row, COUNT_CONNECTS_FAILED, 3);
    show(NULL, false);
    expect("# TYPE haproxy_process_connections_total counter");
    expect("haproxy_process_nbthread 2");
    expect("haproxy_process_build_info{version=\"" PACKAGE_VERSION "\"} 1");
    expect("haproxy_process_node{node=\"node-1\"} 1");
    expect("haproxy_frontend_bytes_in_total{proxy=\"mqtt\"} 12");
    expect("haproxy_listener_bytes_in_total{proxy=\"mqtt\",listener=\"sock-1\"} 12");
    expect("haproxy_listener_bytes_in_total{proxy=\"mqtt\",listener=\"sock-2\"} 0");
    expect("haproxy_backend_connection_errors_total{proxy=\"emqx\"} 3");
    expect("haproxy_server_connection_errors_total{proxy=\"emqx\",server=\"broker2\"} 3");
    expect("haproxy_server_limit_sessions{proxy=\"emqx\",server=\"broker1\"} 7");
    expect("haproxy_frontend_status{proxy=\"mqtt\",state=\"UP\"} 1");
    expect("haproxy_listener_status{proxy=\"mqtt\",listener=\"sock-1\",state=\"OPEN\"} 1");
    expect_not("# EOF");
}
END_TEST

START_TEST(a_family_is_told_of_once_and_stands_together)
{
    char seen[32768] = ",", family[128] = "";
    show(NULL, false);
    for (char *line = strtok(page.at, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            ck_assert_int_eq(sscanf(line + 7, "%126s", family), 1);
            char key[130];
            (void)snprintf(key, sizeof key, ",%s,", family);
            ck_assert_msg(strstr(seen, key) == NULL, "%s again", family);
            ck_assert_uint_lt(strlen(seen) + strlen(key), sizeof seen);
            (void)strcat(seen, key + 1);
        } else {
            const char *at = strncmp(line, "# TYPE ", 7) == 0 ? line + 7 : line;
            size_t      len = strlen(family);
            ck_assert_msg(strncmp(at, family, len) == 0 && strchr(" {", at[len]) != NULL, "%s under %s", line, family);
        }
    }
}
END_TEST

START_TEST(milliseconds_are_shown_as_seconds_with_six_decimals)
{
    average_add(&f.servers[0].row->connect_ms, 1250);
    show(NULL, false);
    expect("haproxy_server_connect_time_average_seconds{proxy=\"emqx\",server=\"broker1\"} 1.250000");
    expect("haproxy_server_max_connect_time_seconds{proxy=\"emqx\",server=\"broker1\"} 1.250000");
    expect("haproxy_server_connect_time_average_seconds{proxy=\"emqx\",server=\"broker2\"} 0.000000");
}
END_TEST

START_TEST(what_a_server_has_not_answered_is_told)
{
    ck_assert(server_take_place(f.servers[0].live) && server_take_place(f.servers[0].live));
    server_answered(f.servers[0].live);
    show(NULL, false);
    expect("# TYPE mqgate_server_pending_connects gauge");
    expect("mqgate_server_pending_connects{proxy=\"emqx\",server=\"broker1\"} 1");
    expect("mqgate_server_pending_connects{proxy=\"emqx\",server=\"broker2\"} 0");
    expect("haproxy_server_current_sessions{proxy=\"emqx\",server=\"broker1\"} 2");
}
END_TEST

START_TEST(who_was_refused_is_told_by_reason)
{
    row_count(f.stats, f.listener->row, COUNT_DENIED_CONNECTIONS, 1);
    row_count(f.stats, f.listener->row, COUNT_DENIED_SESSIONS, 2);
    row_count(f.stats, f.listener->row, COUNT_DENIED_LIMIT, 3);
    row_count(f.stats, f.listener->row, COUNT_DENIED_SOURCE_CONNECTIONS, 4);
    row_count(f.stats, f.listener->row, COUNT_DENIED_SOURCE_RATE, 5);
    row_count(f.stats, f.listener->row, COUNT_PROXY_ERRORS, 6);
    row_count(f.stats, f.listener->row, COUNT_NO_SERVER, 7);
    show(NULL, false);
    expect("# TYPE mqgate_frontend_denied_total counter");
    expect("mqgate_frontend_denied_total{proxy=\"mqtt\",reason=\"connection\"} 1");
    expect("mqgate_frontend_denied_total{proxy=\"mqtt\",reason=\"session\"} 2");
    expect("mqgate_frontend_denied_total{proxy=\"mqtt\",reason=\"limit\"} 3");
    expect("mqgate_frontend_denied_source_total{proxy=\"mqtt\"} 9");
    expect("mqgate_frontend_proxy_errors_total{proxy=\"mqtt\"} 6");
    expect("mqgate_frontend_no_server_total{proxy=\"mqtt\"} 7");
    expect_not("mqgate_frontend_tls_"); /* it speaks none */
}
END_TEST

START_TEST(each_worker_has_its_own_counters)
{
    counter_add(counters_slot(stats_workers(f.stats), 1) + WORKER_ACCEPT_PAUSES_LIMIT, 5);
    show(NULL, false);
    expect("mqgate_worker_accept_pauses_limit_total{worker=\"0\"} 0");
    expect("mqgate_worker_accept_pauses_limit_total{worker=\"1\"} 5");
    for (size_t i = 0; i < WORKER_COUNTERS; i++) {
        char line[256];
        (void)snprintf(line, sizeof line, "# HELP mqgate_worker_%s_total %s", worker_counter_names[i],
                       prom_worker_helps[i]);
        expect(line);
    }
}
END_TEST

START_TEST(the_state_of_a_server_is_one_of_them)
{
    server_set_admin(f.servers[0].live, SERVER_MAINT);
    server_set_state(f.servers[1].live, SERVER_DOWN);
    show(NULL, false);
    expect("haproxy_server_status{proxy=\"emqx\",server=\"broker1\",state=\"MAINT\"} 1");
    expect("haproxy_server_status{proxy=\"emqx\",server=\"broker1\",state=\"UP\"} 0");
    expect("haproxy_server_status{proxy=\"emqx\",server=\"broker2\",state=\"DOWN\"} 1");
    expect("haproxy_backend_status{proxy=\"emqx\",state=\"DOWN\"} 1");
    expect("haproxy_backend_agg_server_status{proxy=\"emqx\",state=\"MAINT\"} 1");
    expect("haproxy_backend_agg_server_check_status{proxy=\"emqx\",state=\"DOWN\"} 1");
    expect("haproxy_backend_agg_server_status{proxy=\"emqx\",state=\"UP\"} 0");
    expect("mqgate_healthy 0");
    server_set_admin(f.servers[0].live, SERVER_DRAIN);
    show(NULL, false);
    expect("haproxy_server_status{proxy=\"emqx\",server=\"broker1\",state=\"DRAIN\"} 1");
}
END_TEST

START_TEST(what_the_last_check_found_is_told)
{
    fixture_check(&f);
    show(NULL, false);
    expect("haproxy_server_check_status{proxy=\"emqx\",server=\"broker1\",state=\"L4CON\"} 1");
    expect("haproxy_server_check_status{proxy=\"emqx\",server=\"broker1\",state=\"L4OK\"} 0");
    expect("haproxy_server_check_code{proxy=\"emqx\",server=\"broker1\"} 0");
    expect("haproxy_backend_agg_check_status{proxy=\"emqx\",state=\"L4CON\"} 2");
}
END_TEST

START_TEST(where_nothing_is_checked_no_check_is_told_of)
{
    show(NULL, false);
    expect_not("haproxy_server_check_status");
    expect_not("haproxy_server_check_code");
    expect_not("haproxy_server_check_duration");
    expect("haproxy_backend_agg_check_status{proxy=\"emqx\",state=\"L4OK\"} 0");
}
END_TEST

START_TEST(no_counter_of_openmetrics_is_nan)
{
    show(NULL, false);
    expect("# TYPE haproxy_process_connections_total counter");
    expect("haproxy_server_check_failures_total{proxy=\"emqx\",server=\"broker1\"} NaN"); /* nobody checks it */
    show(NULL, true);
    expect("# TYPE haproxy_process_connections counter");
    expect("haproxy_process_connections_total 0");
    expect("# TYPE mqgate_worker_accepted counter");
    expect("# TYPE mqgate_healthy gauge");
    expect_not("check_failures_total");
    expect("haproxy_server_queue_limit{proxy=\"emqx\",server=\"broker1\"} NaN"); /* a gauge may be */
    ck_assert_str_eq(page.at + page.len - 6, "# EOF\n");
}
END_TEST

START_TEST(openmetrics_is_for_those_who_ask)
{
    ck_assert(prom_wants_open_metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"));
    ck_assert(prom_wants_open_metrics("text/plain, Application/OpenMetrics-Text"));
    ck_assert(!prom_wants_open_metrics("text/html, */*"));
    ck_assert(!prom_wants_open_metrics(NULL));
}
END_TEST

START_TEST(scopes_choose_what_is_told_of)
{
    show("scope=server&scope=listener", false);
    expect("# TYPE haproxy_server_weight gauge");
    expect("# TYPE haproxy_listener_status gauge");
    expect_not("haproxy_process_");
    expect_not("haproxy_frontend_");
    expect_not("mqgate_healthy");
    show("scope=global", false);
    expect("mqgate_healthy 1");
    expect_not("proxy=");
    show("scope=server&scope=&scope=frontend", false);
    expect_not("haproxy_server_");
    show("scope=*&something=else&&=&scope", false);
    expect("haproxy_process_nbthread 2");
    show("scope=resolver", false);
    ck_assert_str_eq(page.at, "");
    show("scope=resolver", true);
    ck_assert_str_eq(page.at, "# EOF\n");
}
END_TEST

START_TEST(metrics_are_chosen_by_name)
{
    show("metrics=haproxy_server_weight%2Cmqgate_healthy,nonsense", false);
    expect("haproxy_server_weight{proxy=\"emqx\",server=\"broker1\"} 100");
    expect("mqgate_healthy 1");
    expect_not("haproxy_server_uweight");
    expect_not("haproxy_backend_");
    show("metrics=mqgate_frontend_denied_total&metrics=mqgate_server_carried_total", true);
    expect("mqgate_frontend_denied_total{proxy=\"mqtt\",reason=\"limit\"} 0");
    expect("mqgate_server_carried_total{proxy=\"emqx\",server=\"broker2\"} 0");
    show("metrics=-mqgate_frontend_denied_total", false);
    expect_not("mqgate_frontend_denied_total");
    expect("# TYPE mqgate_frontend_no_server_total counter");
    show("metrics=haproxy_server_weight,-haproxy_server_weight", false);
    ck_assert_str_eq(page.at, "");
    show("metrics=", false);
    expect("mqgate_healthy 1");
}
END_TEST

START_TEST(servers_in_maintenance_can_be_left_out)
{
    server_set_admin(f.servers[0].live, SERVER_MAINT);
    show("no-maint", false);
    expect_not("broker1");
    expect("haproxy_server_weight{proxy=\"emqx\",server=\"broker2\"} 100");
    expect("haproxy_backend_status{proxy=\"emqx\",state=\"UP\"} 1");
}
END_TEST

START_TEST(a_query_of_any_length_stays_within_its_buffers)
{
    enum { LONG = 3 * PROM_METRICS_MAX };
    static const char *const begins[] = {"", "metrics=", "scope=", "metrics=a&metrics=-", "%", "metrics=%2", "&"};
    static const char        fills[] = {'a', ',', '%', '&', '=', '-'};
    char                     query[LONG + 32];
    for (size_t b = 0; b < ARRAY_LEN(begins); b++) {
        for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
            size_t len = strlen(begins[b]);
            memcpy(query, begins[b], len);
            memset(query + len, fills[i], LONG);
            query[len + LONG] = '\0';
            struct prom_options options = prom_options_parse(query);
            ck_assert_uint_lt(strlen(options.metrics), PROM_METRICS_MAX);
        }
    }
}
END_TEST

START_TEST(labels_are_quoted)
{
    f.conf->global.node = "a\"b\\c\nd\xff\xc3\xa4";
    show("scope=global", false);
    expect("haproxy_process_node{node=\"a\\\"b\\\\c?d?\xc3\xa4\"} 1");
}
END_TEST

TCase *prom_tcase(void)
{
    TCase *tc = tcase_create("metrics");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, metrics_have_haproxys_names_and_labels);
    tcase_add_test(tc, a_family_is_told_of_once_and_stands_together);
    tcase_add_test(tc, milliseconds_are_shown_as_seconds_with_six_decimals);
    tcase_add_test(tc, what_a_server_has_not_answered_is_told);
    tcase_add_test(tc, who_was_refused_is_told_by_reason);
    tcase_add_test(tc, each_worker_has_its_own_counters);
    tcase_add_test(tc, the_state_of_a_server_is_one_of_them);
    tcase_add_test(tc, what_the_last_check_found_is_told);
    tcase_add_test(tc, where_nothing_is_checked_no_check_is_told_of);
    tcase_add_test(tc, no_counter_of_openmetrics_is_nan);
    tcase_add_test(tc, openmetrics_is_for_those_who_ask);
    tcase_add_test(tc, scopes_choose_what_is_told_of);
    tcase_add_test(tc, metrics_are_chosen_by_name);
    tcase_add_test(tc, servers_in_maintenance_can_be_left_out);
    tcase_add_test(tc, a_query_of_any_length_stays_within_its_buffers);
    tcase_add_test(tc, labels_are_quoted);
    return tc;
}
