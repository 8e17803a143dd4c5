/* What is counted of MQTT: the same numbers in every form. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/render_json.h"
#include "admin/render_prom.h"
#include "proto/mqtt.h"
#include "report/history.h"
#include "report/mqtt.h"
#include "report/tally.h"
#include "unit/admin/fixture.h"
#include "unit/admin/suites.h"

static struct fixture f;
static struct text    said; /* the last answer */

static void setup(void)
{
    fixture_snapshot(&f);
}

static void teardown(void)
{
    text_fini(&said);
    fixture_snapshot_free(&f);
}

static struct text *fresh(void)
{
    text_fini(&said);
    said = (struct text){0};
    return &said;
}

static void count(unsigned which, uint64_t n)
{
    row_count(f.stats, f.listener->binds[0].row, which, n);
    row_count(f.stats, f.servers[0].row, which, n);
}

static void expect(const char *line)
{
    size_t n = 0, len = strlen(line);
    for (const char *at = said.at; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        n += strncmp(at, line, len) == 0 && at[len] == '\n';
    }
    ck_assert_msg(n == 1, "%zu times \"%s\" in:\n%.20000s", n, line, said.at);
}

static void expect_not(const char *part)
{
    ck_assert_msg(strstr(said.at, part) == NULL, "\"%s\" in:\n%.3000s", part, said.at);
}

static void show_metrics(bool open_metrics)
{
    struct prom_options options = prom_options_parse(NULL);
    options.open_metrics = open_metrics;
    render_prom(&f.view, &options, fresh());
    ck_assert(!said.failed);
}

static void show_mqtt(const char *proxy)
{
    ck_assert(report_mqtt(&f.view, proxy, fresh()));
    ck_assert(!said.failed);
}

static json_t *render(void)
{
    json_error_t error;
    render_json(&f.view, fresh());
    json_t *json = json_loads(said.at, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s in %s", error.text, said.at);
    return json;
}

/* ---- which figures ---- */

struct seen {
    char   all[8192];
    size_t n;
};

static void note(void *user, const struct tally *tally)
{
    struct seen *seen = user;
    size_t       len = strlen(seen->all);
    (void)snprintf(seen->all + len, sizeof seen->all - len, "%s/%s=%llu%s ", tally->value[0],
                   tally->value[1] != NULL ? tally->value[1] : "", (unsigned long long)tally->n,
                   tally->is_kept ? "" : "?");
    seen->n++;
}

static struct seen look(enum tally_group group)
{
    struct seen seen = {.n = 0};
    tally_each(f.listener->row, group, note, &seen);
    return seen;
}

START_TEST(every_counter_of_mqtt_is_told_of_once)
{
    static const struct {
        enum tally_group group;
        enum count       from;
        size_t           n;
    } all[] = {{TALLY_PUBLISHES, COUNT_MQTT_PUBLISH_UP, 2 * MQTT_QOS},
               {TALLY_CONNECTS, COUNT_MQTT_SESSIONS, MQTT_VERSIONS},
               {TALLY_CONNACKS, COUNT_MQTT_CONNACK_3, MQTT_RETURNS + MQTT_REASONS},
               {TALLY_DISCONNECTS, COUNT_MQTT_DISCONNECT_UP, 3 * MQTT_REASONS},
               {TALLY_REFUSED, COUNT_REFUSED_PACE, 7}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (size_t n = 0; n < all[i].n; n++)
            count(all[i].from + (unsigned)n, 1000 + n);
        struct seen seen = look(all[i].group);
        ck_assert_uint_eq(seen.n, all[i].n);
        for (size_t n = 0; n < all[i].n; n++) {
            char number[16];
            (void)snprintf(number, sizeof number, "=%zu ", 1000 + n);
            const char *at = strstr(seen.all, number);
            ck_assert_msg(at != NULL && strstr(at + 1, number) == NULL, "%s in %s", number, seen.all);
        }
    }
}
END_TEST

START_TEST(codes_are_told_of_as_they_came)
{
    static const struct {
        unsigned    which;
        const char *is;
    } cases[] = {{COUNT_MQTT_CONNACK_3 + 5, "3.x/0x05=1 "},
                 {COUNT_MQTT_CONNACK_3 + 6, "3.x/other=1 "},
                 {COUNT_MQTT_CONNACK_5 + 0, "5/0x00=1 "},
                 {COUNT_MQTT_CONNACK_5 + 2, "5/0x80=1 "},
                 {COUNT_MQTT_CONNACK_5 + 37, "5/other=1 "}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        count(cases[i].which, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        ck_assert_msg(strstr(look(TALLY_CONNACKS).all, cases[i].is) != NULL, "%s", cases[i].is);
    for (unsigned code = 0; code <= 0xFF; code++) {
        char is[32];
        bool is_known = code == 0 || code == 4 || (code >= 0x80 && code <= 0xA2);
        row_clear(f.listener->row, true);
        count(COUNT_MQTT_DISCONNECT_GATE + count_reason((uint8_t)code), 1);
        (void)snprintf(is, sizeof is, is_known ? "gate/0x%02X=1 " : "gate/other=1 ", code);
        ck_assert_msg(strstr(look(TALLY_DISCONNECTS).all, is) != NULL, "%s", is);
    }
}
END_TEST

START_TEST(types_are_told_of_in_directions_that_they_go)
{
    struct seen seen = look(TALLY_PACKETS);
    ck_assert_uint_eq(seen.n, 22);
    ck_assert_ptr_nonnull(strstr(seen.all, "in/CONNECT="));
    ck_assert_ptr_null(strstr(seen.all, "out/CONNECT="));
    ck_assert_ptr_nonnull(strstr(seen.all, "out/PINGRESP="));
    ck_assert_ptr_null(strstr(seen.all, "in/PINGRESP="));
    ck_assert_ptr_nonnull(strstr(seen.all, "in/AUTH="));
    ck_assert_ptr_nonnull(strstr(seen.all, "out/AUTH="));
}
END_TEST

/* ---- the forms ---- */

static void some_traffic(void)
{
    count(COUNT_MQTT_UP + MQTT_CONNECT, 9);
    count(COUNT_MQTT_UP + MQTT_PUBLISH, 6);
    count(COUNT_MQTT_PUBLISH_UP + 2, 6);
    count(COUNT_MQTT_DOWN + MQTT_CONNACK, 9);
    count(COUNT_MQTT_DOWN + MQTT_PUBLISH, 3);
    count(COUNT_MQTT_PUBLISH_DOWN + 1, 3);
    count(COUNT_MQTT_SESSIONS + count_version(5), 8);
    count(COUNT_MQTT_CLOSED + count_version(5), 3);
    count(COUNT_MQTT_SESSIONS + count_version(4), 1);
    count(COUNT_MQTT_CONNACK_5 + count_reason(0), 7);
    count(COUNT_MQTT_CONNACK_5 + count_reason(0x87), 1);
    count(COUNT_MQTT_CONNACK_3 + count_return(5), 1);
    count(COUNT_MQTT_DISCONNECT_UP + count_reason(4), 2);
    count(COUNT_MQTT_DISCONNECT_DOWN + count_reason(0x8E), 1);
    count(COUNT_MQTT_DISCONNECT_GATE + count_reason(0x81), 4);
    count(COUNT_MQTT_BROKEN, 4);
    row_count(f.stats, f.listener->row, COUNT_REFUSED_VERSION, 11);
    row_count(f.stats, f.listener->row, COUNT_PACED, 12);
    row_count(f.stats, f.listener->row, COUNT_REFUSED_PACE, 2);
    row_count(f.stats, f.listener->row, COUNT_KEEP_ALIVE_ENDED, 13);
    row_count(f.stats, f.listener->row, COUNT_MAX_AGE_ENDED, 14);
}

START_TEST(metrics_tell_of_mqtt)
{
    some_traffic();
    show_metrics(false);
    expect("# TYPE mqgate_frontend_mqtt_packets_total counter");
    expect("mqgate_frontend_mqtt_packets_total{proxy=\"mqtt\",direction=\"in\",type=\"CONNECT\"} 9");
    expect("mqgate_server_mqtt_packets_total{proxy=\"emqx\",server=\"broker1\",direction=\"out\",type=\"CONNACK\"} 9");
    expect("mqgate_server_mqtt_packets_total{proxy=\"emqx\",server=\"broker2\",direction=\"out\",type=\"CONNACK\"} 0");
    expect("mqgate_frontend_mqtt_publishes_total{proxy=\"mqtt\",direction=\"in\",qos=\"2\"} 6");
    expect("mqgate_frontend_mqtt_publishes_total{proxy=\"mqtt\",direction=\"out\",qos=\"1\"} 3");
    expect("# TYPE mqgate_frontend_mqtt_sessions gauge");
    expect("mqgate_frontend_mqtt_sessions{proxy=\"mqtt\",version=\"5\"} 5");
    expect("mqgate_frontend_mqtt_connects_total{proxy=\"mqtt\",version=\"5\"} 8");
    expect("mqgate_frontend_mqtt_connects_total{proxy=\"mqtt\",version=\"3.1\"} 0");
    expect(
        "mqgate_frontend_mqtt_connacks_total{proxy=\"mqtt\",version=\"5\",code=\"0x87\",reason=\"Not authorized\"} 1");
    expect("mqgate_frontend_mqtt_disconnects_total{proxy=\"mqtt\",sender=\"gate\",code=\"0x81\",reason=\"Malformed "
           "Packet\"} 4");
    expect("mqgate_frontend_mqtt_broken_total{proxy=\"mqtt\"} 4");
    expect("mqgate_frontend_refused_total{proxy=\"mqtt\",reason=\"version\"} 11");
    expect("mqgate_frontend_refused_total{proxy=\"mqtt\",reason=\"pace\"} 2");
    expect("mqgate_frontend_paced_total{proxy=\"mqtt\"} 12");
    expect("mqgate_frontend_keep_alive_ended_total{proxy=\"mqtt\"} 13");
    expect("mqgate_frontend_max_age_ended_total{proxy=\"mqtt\"} 14");
    expect_not("mqgate_frontend_refused_total{proxy=\"admin\"");
    show_metrics(true);
    expect("# TYPE mqgate_frontend_mqtt_packets counter");
    expect("# TYPE mqgate_frontend_mqtt_sessions gauge");
}
END_TEST

START_TEST(a_code_never_seen_has_no_series_and_one_that_was_keeps_it)
{
    show_metrics(false);
    expect_not("0x87");
    ck_assert_ptr_nonnull(strstr(said.at, "code=\"0x00\""));
    count(COUNT_MQTT_CONNACK_5 + count_reason(0x87), 1);
    row_clear(f.listener->row, true);
    show_metrics(false);
    expect(
        "mqgate_frontend_mqtt_connacks_total{proxy=\"mqtt\",version=\"5\",code=\"0x87\",reason=\"Not authorized\"} 0");
}
END_TEST

START_TEST(where_no_mqtt_is_spoken_there_is_none_in_metrics)
{
    f.conf->listeners[0].protocol = PROTOCOL_TCP;
    some_traffic();
    show_metrics(false);
    expect_not("_mqtt_");
    expect_not("keep_alive");
    expect("mqgate_frontend_refused_total{proxy=\"mqtt\",reason=\"pace\"} 2"); /* rate_limit is for all */
}
END_TEST

static json_int_t integer_at(json_t *json, const char *path)
{
    char keys[128];
    (void)snprintf(keys, sizeof keys, "%s", path);
    for (char *key = strtok(keys, "/"); key != NULL; key = strtok(NULL, "/")) {
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) : json_object_get(json, key);
        ck_assert_msg(json != NULL, "%s of %s", key, path);
    }
    ck_assert_msg(json_is_integer(json), "%s", path);
    return json_integer_value(json);
}

START_TEST(json_tells_of_mqtt)
{
    static const struct {
        const char *path;
        json_int_t  is;
    } cases[] = {{"listeners/0/mqtt/packets/in/CONNECT", 9},
                 {"listeners/0/mqtt/packets/out/CONNACK", 9},
                 {"listeners/0/mqtt/packets/out/AUTH", 0},
                 {"listeners/0/mqtt/publishes/in/2", 6},
                 {"listeners/0/mqtt/publishes/out/1", 3},
                 {"listeners/0/mqtt/sessions/5", 5},
                 {"listeners/0/mqtt/connects/5", 8},
                 {"listeners/0/mqtt/connacks/0/code", 5},
                 {"listeners/0/mqtt/connacks/2/code", 0x87},
                 {"listeners/0/mqtt/connacks/2/count", 1},
                 {"listeners/0/mqtt/disconnects/2/code", 0x81},
                 {"listeners/0/mqtt/disconnects/2/count", 4},
                 {"listeners/0/mqtt/broken", 4},
                 {"listeners/0/refused/version", 11},
                 {"listeners/0/paced", 12},
                 {"listeners/0/keep_alive_ended", 13},
                 {"listeners/0/max_age_ended", 14},
                 {"listeners/0/stat/mqgate_refused", 13},
                 {"listeners/0/stat/mqgate_mqtt_packets_in", 15},
                 {"listeners/0/binds/0/mqgate_mqtt_packets_out", 12},
                 {"listeners/0/stat/mqgate_mqtt_publish_in", 6},
                 {"listeners/0/stat/mqgate_mqtt5_cur", 5},
                 {"listeners/0/stat/mqgate_mqtt_connack_errors", 2},
                 {"listeners/0/stat/mqgate_mqtt_broken", 4},
                 {"backends/0/stat/mqgate_mqtt_publish_out", 3},
                 {"backends/0/servers/0/mqtt/packets/in/PUBLISH", 6},
                 {"backends/0/servers/1/mqtt/packets/in/PUBLISH", 0}};
    some_traffic();
    json_t *json = render();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        ck_assert_msg(integer_at(json, cases[i].path) == cases[i].is, "%s", cases[i].path);
    const json_t *mqtt = json_object_get(json_array_get(json_object_get(json, "listeners"), 0), "mqtt");
    const json_t *gate = json_array_get(json_object_get(mqtt, "disconnects"), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(mqtt, "connacks")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(gate, "sender")), "gate");
    ck_assert_str_eq(json_string_value(json_object_get(gate, "reason")), "Malformed Packet");
    json_decref(json);
    f.conf->listeners[0].protocol = PROTOCOL_TCP;
    json = render();
    ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(json, "listeners"), 0), "mqtt")));
    json_decref(json);
}
END_TEST

START_TEST(packets_a_second_are_kept_for_charts)
{
    f.view.history = history_new();
    history_tick(f.view.history, f.snap);
    count(COUNT_MQTT_UP + MQTT_PUBLISH, 1000000);
    count(COUNT_MQTT_DOWN + MQTT_PUBACK, 1000000);
    struct timespec ms = {.tv_nsec = 2000000}; /* a rate needs some time to pass */
    (void)nanosleep(&ms, NULL);
    for (int i = 0; i < HISTORY_STEP_S; i++)
        history_tick(f.view.history, f.snap);
    json_t *json = render();
    ck_assert_int_gt(integer_at(json, "listeners/0/history/packets_in_rate/0"), 1000);
    ck_assert_int_gt(integer_at(json, "listeners/0/history/packets_out_rate/0"), 1000);
    json_decref(json);
    history_free(f.view.history);
    f.view.history = NULL;
}
END_TEST

START_TEST(a_table_shows_what_there_was)
{
    some_traffic();
    show_mqtt(NULL);
    ck_assert_int_eq(strncmp(said.at, "frontend mqtt\n", 14), 0);
    expect("server emqx/broker1");
    show_mqtt("mqtt");
    expect_not("server emqx");
    expect("  sessions                                                     now      let in");
    expect("    MQTT 5                                                       5           8");
    expect("  packets                                                       in         out");
    expect("    CONNECT                                                      9           -");
    expect("    CONNACK                                                      -           9");
    expect("    PUBLISH                                                      6           3");
    expect("      QoS 0                                                      0           0");
    expect("      QoS 2                                                      6           0");
    expect("  CONNACK                                                    count");
    expect("    5 0x87 Not authorized                                        1");
    expect("  DISCONNECT                                                 count");
    expect("    client 0x04 Disconnect with Will Message                     2");
    expect("  refused                                                    count");
    expect("    version                                                     11");
    expect("    ended by keep-alive                                         13");
    expect_not("AUTH");
    expect_not("malformed");
    expect_not("\n\n"); /* it would end an answer of the control socket */
}
END_TEST

START_TEST(a_table_is_of_the_proxy_that_is_asked_for)
{
    show_mqtt("emqx");
    expect("server emqx/broker2");
    expect_not("frontend");
    ck_assert(!report_mqtt(&f.view, "nobody", fresh()));
    show_mqtt("admin");
    ck_assert_ptr_null(said.at);
}
END_TEST

TCase *mqtt_tcase(void)
{
    TCase *tc = tcase_create("mqtt");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_counter_of_mqtt_is_told_of_once);
    tcase_add_test(tc, codes_are_told_of_as_they_came);
    tcase_add_test(tc, types_are_told_of_in_directions_that_they_go);
    tcase_add_test(tc, metrics_tell_of_mqtt);
    tcase_add_test(tc, a_code_never_seen_has_no_series_and_one_that_was_keeps_it);
    tcase_add_test(tc, where_no_mqtt_is_spoken_there_is_none_in_metrics);
    tcase_add_test(tc, json_tells_of_mqtt);
    tcase_add_test(tc, packets_a_second_are_kept_for_charts);
    tcase_add_test(tc, a_table_shows_what_there_was);
    tcase_add_test(tc, a_table_is_of_the_proxy_that_is_asked_for);
    return tc;
}
