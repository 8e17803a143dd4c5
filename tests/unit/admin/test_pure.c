/* What needs no socket: which URI is which, who may come in, what is written. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/act.h"
#include "admin/auth.h"
#include "admin/basic.h"
#include "admin/form.h"
#include "admin/page.h"
#include "admin/render_json.h"
#include "admin/render_text.h"
#include "admin/uri.h"
#include "base/clock.h"
#include "base/ct.h"
#include "report/history.h"
#include "unit/admin/fixture.h"
#include "unit/admin/suites.h"

static const struct conf_admin conf = {
    .health_uri = "/haproxy_health", .stats_uri = "/haproxy_stats", .metrics_uri = "/metrics"};

static enum endpoint endpoint_of(const char *uri)
{
    return uri_parse(uri, &conf).endpoint;
}

START_TEST(health_is_the_whole_uri_and_nothing_else)
{
    static const char *const others[] = {"/haproxy_health?x=1",
                                         "/haproxy_health/",
                                         "/haproxy_healt",
                                         "/",
                                         "/HAPROXY_HEALTH",
                                         "/haproxy%5fhealth",
                                         "*",
                                         ""};
    ck_assert_int_eq(endpoint_of("/haproxy_health"), ENDPOINT_HEALTH);
    ck_assert_int_eq(endpoint_of("http://node:8080/haproxy_health"), ENDPOINT_HEALTH);
    ck_assert_int_eq(endpoint_of("HTTPS://node/haproxy_health"), ENDPOINT_HEALTH);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        ck_assert_msg(endpoint_of(others[i]) == ENDPOINT_NONE, "%s", others[i]);
    ck_assert_int_eq(endpoint_of("http://haproxy_health"), ENDPOINT_NONE);
}
END_TEST

START_TEST(stats_options_are_found_anywhere_behind_the_prefix)
{
    static const struct {
        const char     *uri;
        enum stats_form form;
    } cases[] = {{"/haproxy_stats", STATS_PAGE},
                 {"/haproxy_stats/", STATS_PAGE},
                 {"/haproxy_statsXYZ", STATS_PAGE},
                 {"/haproxy_stats?json", STATS_PAGE},
                 {"/haproxy_stats;jso", STATS_PAGE},
                 {"/haproxy_stats;JSON", STATS_PAGE},
                 {"/haproxy_stats;norefresh", STATS_PAGE},
                 {"/haproxy_stats;mqgate", STATS_PAGE},
                 {"/haproxy_stats;csv", STATS_CSV},
                 {"/haproxy_stats/;csv", STATS_CSV},
                 {"/haproxy_stats/;csv;norefresh", STATS_CSV},
                 {"/haproxy_stats?x;csv", STATS_CSV},
                 {"/haproxy_stats;typed;csv", STATS_TYPED},
                 {"/haproxy_stats;json", STATS_JSON},
                 {"/haproxy_stats?x;json", STATS_JSON},
                 {"/haproxy_statsXYZ;json;norefresh", STATS_JSON},
                 {"http://node/haproxy_stats/;csv;json", STATS_JSON},
                 {"/haproxy_stats;json;mqgate", STATS_PLAIN_JSON},
                 {"/haproxy_stats;mqgate;json;csv", STATS_PLAIN_JSON},
                 {"/haproxy_stats;json-schema", STATS_SCHEMA},
                 {"/haproxy_stats;json-schema;json", STATS_SCHEMA}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_assert_int_eq(endpoint_of(cases[i].uri), ENDPOINT_STATS);
        ck_assert_msg(uri_parse(cases[i].uri, &conf).form == cases[i].form, "%s", cases[i].uri);
    }
    ck_assert_int_eq(endpoint_of("/x/haproxy_stats;json"), ENDPOINT_NONE);
    ck_assert_int_eq(endpoint_of("/haproxy;json"), ENDPOINT_NONE);
}
END_TEST

START_TEST(metrics_are_a_path_of_their_own_with_a_query)
{
    static const struct conf_admin all = {.health_uri = "/ok", .stats_uri = "/", .metrics_uri = "/metrics"};
    ck_assert_int_eq(endpoint_of("/metrics"), ENDPOINT_METRICS);
    ck_assert_int_eq(endpoint_of("/metrics?scope=server"), ENDPOINT_METRICS);
    ck_assert_int_eq(endpoint_of("/metricsx"), ENDPOINT_NONE);
    ck_assert_int_eq(uri_parse("/metrics", &all).endpoint, ENDPOINT_METRICS);
    ck_assert_int_eq(uri_parse("/metrics/", &all).endpoint, ENDPOINT_STATS);
    ck_assert_int_eq(uri_parse("/ok", &all).endpoint, ENDPOINT_HEALTH);
    ck_assert_int_eq(uri_parse("/ok;csv", &all).form, STATS_CSV);
}
END_TEST

START_TEST(stats_options_say_what_is_shown)
{
    struct asked asked = uri_parse("/haproxy_stats;up;csv?scope=eMqX;x", &conf);
    ck_assert(asked.up && !asked.no_maint);
    ck_assert_str_eq(asked.scope, "eMqX");
    asked = uri_parse("/haproxy_stats;no-maint;st=DONE", &conf);
    ck_assert(!asked.up && asked.no_maint);
    ck_assert_str_eq(asked.scope, "");
    ck_assert_str_eq(asked.status, "DONE");
    ck_assert_str_eq(uri_parse("/haproxy_stats;st=<b>x", &conf).status, "");
    ck_assert_str_eq(uri_parse("/haproxy_stats;st=DON", &conf).status, "");
    ck_assert_str_eq(uri_parse("/haproxy_stats?scope=12345678901234567890123", &conf).scope, "12345678901234567890");
}
END_TEST

START_TEST(a_scope_is_cut_at_20_and_forgotten_when_no_name_could_have_it)
{
    static const char *const all[][2] = {
        {"?scope=emqx", "emqx"},
        {";csv;scope=emqx;up", "emqx"},
        {"?x=1&scope=emqx&y", "emqx"},
        {"?scope=a.b_c:d-1", "a.b_c:d-1"},
        {"?scope=01234567890123456789xyz", "01234567890123456789"},
        {"?scope=", ""},
        {"?scope=;csv", ""},
        {"?SCOPE=emqx", ""},
        {"?scope=em%71x", ""},
        {"?scope=a+b", ""},
        {"?scope=\"><script>", ""},
        {"?scope=\xc3\xa9", ""},
        {"?scope=one&scope=two", "one"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "/haproxy_stats%s", all[i][0]);
        ck_assert_str_eq(uri_parse(text, &conf).scope, all[i][1]);
    }
}
END_TEST

START_TEST(the_way_back_from_a_form_keeps_the_view)
{
    struct asked asked = uri_parse("/haproxy_stats;up;norefresh;csv?scope=ab;st=XXXX;no-maint", &conf);
    ck_assert_str_eq(reply_see_stats(&conf, &asked, "PART").location,
                     "/haproxy_stats;st=PART;up;no-maint;norefresh?scope=ab");
    asked = uri_parse("/haproxy_statsXYZ", &conf);
    ck_assert_str_eq(reply_see_stats(&conf, &asked, "DONE").location, "/haproxy_stats;st=DONE");
}
END_TEST

START_TEST(a_form_is_read_field_by_field)
{
    struct form  form;
    char         name[FORM_VALUE_MAX];
    size_t       at = 0;
    struct slice body = slice_str("s=s%31&action=maint&b=emqx%2dmqtt&s=&s=two+words&junk&=x&s=%00x&s=%zz");
    form_parse(body, &form);
    ck_assert_int_eq(form.action, FORM_MAINT);
    ck_assert_str_eq(form.backend, "emqx-mqtt");
    ck_assert(form_next_server(body, &at, name));
    ck_assert_str_eq(name, "s1");
    ck_assert(form_next_server(body, &at, name));
    ck_assert_str_eq(name, "");
    ck_assert(form_next_server(body, &at, name));
    ck_assert_str_eq(name, "two words");
    ck_assert(form_next_server(body, &at, name));
    ck_assert_str_eq(name, "");
    ck_assert(form_next_server(body, &at, name));
    ck_assert_str_eq(name, "%zz");
    ck_assert(!form_next_server(body, &at, name));
    form_parse(slice_str("b=one&action=ready&action=explode&b="), &form);
    ck_assert_int_eq(form.action, FORM_UNKNOWN);
    ck_assert(form.has_backend && form.backend[0] == '\0');
    form_parse(slice_of(NULL, 0), &form);
    ck_assert(form.action == FORM_NOTHING && !form.has_backend);
}
END_TEST

START_TEST(a_form_of_any_length_stays_within_its_buffers)
{
    char        body[300] = "b=";
    struct form form;
    for (size_t n = 0; n < sizeof body - 3; n++) {
        body[2 + n] = 'x';
        form_parse(slice_of(body, 3 + n), &form);
        ck_assert_uint_eq(strlen(form.backend), n + 1 < FORM_VALUE_MAX ? n + 1 : 0);
    }
}
END_TEST

START_TEST(a_form_is_urlencoded_or_says_nothing_of_its_type)
{
    ck_assert(form_may_be(NULL));
    ck_assert(form_may_be("application/x-www-form-urlencoded"));
    ck_assert(form_may_be("Application/X-WWW-Form-Urlencoded; charset=utf-8"));
    ck_assert(!form_may_be("application/x-www-form-urlencoded2"));
    ck_assert(!form_may_be("text/plain"));
    ck_assert(!form_may_be("multipart/form-data; boundary=x"));
    ck_assert(!form_may_be(""));
}
END_TEST

START_TEST(the_codes_of_a_form_are_haproxys)
{
    static const struct {
        const char *form;
        const char *code;
    } all[] = {
        {"s=broker1&action=ready&b=emqx", "DONE"},
        {"b=emqx&action=ready&s=broker1&s=broker2", "DONE"},
        {"s=broker1&s=nobody&action=ready&b=emqx", "PART"},
        {"s=nobody&action=ready&b=emqx", "ERRP"},
        {"s=broker1&action=foo&b=emqx", "ERRP"},
        {"s=broker1&action=&b=emqx", "ERRP"},
        {"s=broker1&action=READY&b=emqx", "ERRP"},
        {"s=broker1&action=ready&b=nobody", "ERRP"},
        {"s=broker1&action=ready&b=mqtt", "ERRP"}, /* a frontend */
        {"s=broker1&action=ready&b=%23999", "ERRP"},
        {"s=broker1&action=ready&b=#", "ERRP"},
        {"s=broker1&b=emqx", "NONE"},
        {"s=broker1&action=ready", "NONE"},
        {"action=ready&b=emqx", "NONE"},
        {"junk", "NONE"},
        {"s=broker1&action=dagent&b=emqx", "NONE"},
        {"s=broker1&action=arunn&b=emqx", "NONE"},
        {"s=broker1&s=nobody&action=eagent&b=emqx", "ERRP"},
        {"s=broker1&action=enable&b=emqx", "NONE"},
        {"s=broker1&action=disable&b=emqx", "DONE"},
        {"s=broker1&action=disable&b=emqx", "NONE"},
        {"s=broker1&s=broker2&action=disable&b=emqx", "DONE"},
        {"s=broker1&action=start&b=emqx", "NONE"},
        {"s=broker1&action=enable&b=emqx", "DONE"},
        {"s=broker1&action=stop&b=emqx", "DONE"},
        {"s=broker1&action=stop&b=emqx", "NONE"},
        {"s=broker1&action=start&b=emqx", "DONE"},
    };
    struct fixture f;
    fixture_snapshot(&f);
    fixture_check(&f);
    f.log_settings.level = LEVEL_ERROR;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const char *code = act_on_form(&f.view, slice_str(all[i].form));
        ck_assert_msg(strcmp(code, all[i].code) == 0, "%zu: %s: %s", i, all[i].form, code);
    }
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(a_form_acts_on_the_server_that_it_names)
{
    static const struct {
        const char       *action;
        enum server_admin admin;
        enum server_state state;
    } all[] = {
        {"drain", SERVER_DRAIN, SERVER_DOWN}, {"hrunn", SERVER_DRAIN, SERVER_UP}, {"hdown", SERVER_DRAIN, SERVER_DOWN},
        {"hrunn", SERVER_DRAIN, SERVER_UP},   {"start", SERVER_READY, SERVER_UP}, {"hnolb", SERVER_DRAIN, SERVER_UP},
        {"ready", SERVER_READY, SERVER_UP},   {"maint", SERVER_MAINT, SERVER_UP},
    };
    struct fixture f;
    char           text[128];
    fixture_snapshot(&f);
    fixture_check(&f);
    for (size_t i = 0; i < N_SERVERS; i++)
        server_set_state(f.servers[i].live, SERVER_DOWN);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        (void)snprintf(text, sizeof text, "s=broker2&action=%s&b=%%23%u", all[i].action, f.snap->backends[0].row->iid);
        ck_assert_str_eq(act_on_form(&f.view, slice_str(text)), "DONE");
        ck_assert_msg(server_admin(f.servers[1].live) == all[i].admin, "%zu: %s", i, all[i].action);
        ck_assert_msg(server_state(f.servers[1].live) == all[i].state, "%zu: %s", i, all[i].action);
        ck_assert_int_eq(server_admin(f.servers[0].live), SERVER_READY);
    }
    ck_assert_str_eq(act_on_form(&f.view, slice_str("s=broker1&b=emqx&action=dhlth")), "DONE");
    ck_assert(health_report(f.health, 0, 0)->disabled && !health_report(f.health, 0, 1)->disabled);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(a_page_of_another_site_is_told_apart)
{
    ck_assert(act_comes_from_here("node:8080", NULL, NULL, NULL)); /* curl */
    ck_assert(act_comes_from_here("node:8080", "http://node:8080", NULL, "same-origin"));
    ck_assert(act_comes_from_here("node:8080", NULL, "http://NODE:8080/haproxy_stats;st=DONE", NULL));
    ck_assert(!act_comes_from_here("node:8080", "http://evil.example", NULL, NULL));
    ck_assert(!act_comes_from_here("node:8080", "http://node:8081", NULL, NULL));
    ck_assert(!act_comes_from_here("node:8080", "null", NULL, NULL));
    ck_assert(!act_comes_from_here("node:8080", NULL, "http://evil.example/?node:8080", NULL));
    ck_assert(!act_comes_from_here("node:8080", "http://node:8080.evil.example", NULL, NULL));
    ck_assert(!act_comes_from_here(NULL, "http://node:8080", NULL, NULL));
    ck_assert(!act_comes_from_here("node:8080", NULL, NULL, "cross-site"));
}
END_TEST

START_TEST(credentials_are_read_as_rfc_7617_writes_them)
{
    struct credentials c;
    ck_assert(basic_parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", &c)); /* RFC 7617 section 2 */
    ck_assert_str_eq(c.user, "Aladdin");
    ck_assert_str_eq(c.password, "open sesame");
    ck_assert(basic_parse("bAsIc   b3BzOmE6Yjo=", &c));
    ck_assert_str_eq(c.user, "ops");
    ck_assert_str_eq(c.password, "a:b:");
    ck_assert(basic_parse("Basic Og==", &c));
    ck_assert_str_eq(c.user, "");
    ck_assert_str_eq(c.password, "");
}
END_TEST

START_TEST(what_is_no_basic_header_is_refused)
{
    static const char *const bad[] = {"",
                                      "Basic",
                                      "Basic ",
                                      "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                                      "BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                                      "Basic QWxhZGRpbg==", /* no colon */
                                      "Basic YTpi=",        /* wrong padding */
                                      "Basic YTpiYw",
                                      "Basic YT!i",
                                      "Basic Y=pi",
                                      "Basic ====",
                                      "Basic YTpi YTpi",
                                      "Basic YQBiOmM="}; /* NUL inside */
    struct credentials       c = {.user = "as it was"};
    ck_assert(!basic_parse(NULL, &c));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(!basic_parse(bad[i], &c), "%s", bad[i]);
    ck_assert_str_eq(c.user, "as it was");
}
END_TEST

/* "YWFh" is "aaa". */
START_TEST(credentials_of_any_length_stay_within_their_buffers)
{
    for (size_t quads = 0; quads < 600; quads++) {
        struct credentials c;
        char               header[4096] = "Basic YTph"; /* "a:a" */
        for (size_t i = 0; i < quads; i++)
            strcat(header, "YWFh");
        bool fits = 1 + 3 * quads < PASSWORD_MAX;
        ck_assert_msg(basic_parse(header, &c) == fits, "%zu", quads);
        if (fits)
            ck_assert_uint_eq(strlen(c.password), 1 + 3 * quads);
    }
}
END_TEST

static void hash_password(char out[CRYPT_OUTPUT_SIZE + 8], const char *user, const char *password)
{
    static struct crypt_data scratch;
    const char              *hash = crypt_r(password, "$6$rounds=1000$saltsalt", &scratch);
    ck_assert_ptr_nonnull(hash);
    (void)snprintf(out, CRYPT_OUTPUT_SIZE + 8, "%s:%s", user, hash);
}

static bool lets_in(const struct conf_strings *users, const char *user, const char *password)
{
    static struct crypt_data scratch;
    struct auth_job          job = {0};
    (void)snprintf(job.given.user, sizeof job.given.user, "%s", user);
    (void)snprintf(job.given.password, sizeof job.given.password, "%s", password);
    auth_job_prepare(&job, users);
    auth_job_work(&job, &scratch);
    ck_assert_uint_eq(strlen(job.given.password), 0);
    return job.matches;
}

START_TEST(only_the_right_password_of_a_known_user_lets_in)
{
    char                      ops[CRYPT_OUTPUT_SIZE + 8], dev[CRYPT_OUTPUT_SIZE + 8];
    const char               *entries[] = {ops, dev};
    const struct conf_strings users = {.at = entries, .n = 2};
    hash_password(ops, "ops", "one");
    hash_password(dev, "dev", "two");
    ck_assert(lets_in(&users, "ops", "one"));
    ck_assert(lets_in(&users, "dev", "two"));
    ck_assert(!lets_in(&users, "ops", "two"));
    ck_assert(!lets_in(&users, "ops", ""));
    ck_assert(!lets_in(&users, "op", "one"));
    ck_assert(!lets_in(&users, "", "one"));
    ck_assert(!lets_in(&users, "nobody", "one")); /* although it is the password his hash is made of */
}
END_TEST

START_TEST(a_hash_that_is_none_lets_nobody_in)
{
    static char               long_entry[2048] = "e:";
    const char               *entries[] = {"a:", "b:*0", "c:*1", "d:$6$", long_entry, "f"};
    const struct conf_strings users = {.at = entries, .n = ARRAY_LEN(entries)};
    static const char *const  passwords[] = {"", "*0", "*1", "$6$", "x"};
    memset(long_entry + 2, 'x', sizeof long_entry - 3);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        for (size_t k = 0; k < ARRAY_LEN(passwords); k++) {
            const char user[] = {(char)('a' + (char)i), '\0'};
            ck_assert_msg(!lets_in(&users, user, passwords[k]), "%s with \"%s\"", user, passwords[k]);
        }
    }
}
END_TEST

START_TEST(constant_time_comparing_finds_every_difference)
{
    uint8_t a[32] = {0}, b[32] = {0};
    ck_assert(ct_equal(slice_of(a, sizeof a), slice_of(b, sizeof b)));
    ck_assert(ct_equal(slice_of(NULL, 0), slice_of(NULL, 0)));
    ck_assert(!ct_equal(slice_of(a, 31), slice_of(b, 32)));
    for (size_t bit = 0; bit < sizeof b * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert(!ct_equal(slice_of(a, sizeof a), slice_of(b, sizeof b)));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

/* The bytes are HAProxy's, as load balancers know them. */
START_TEST(health_pages_are_haproxys_byte_for_byte)
{
    struct reply ok = reply_health(true), bad = reply_health(false);
    ck_assert_uint_eq(ok.status, 200);
    ck_assert_str_eq(ok.body, "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n");
    ck_assert_uint_eq(strlen(ok.body), 58);
    ck_assert_uint_eq(bad.status, 503);
    ck_assert_uint_eq(strlen(bad.body), 107);
}
END_TEST

static json_t *render(struct fixture *f)
{
    json_error_t error;
    struct text  out = {0};
    render_json(&f->view, &out);
    char *text = text_take(&out);
    ck_assert_ptr_nonnull(text);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s in %s", error.text, text);
    free(text);
    return json;
}

static const char *string_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_int_t integer_at(const json_t *object, const char *key)
{
    ck_assert_msg(json_is_integer(json_object_get(object, key)), "%s", key);
    return json_integer_value(json_object_get(object, key));
}

START_TEST(json_tells_of_the_process)
{
    struct fixture f;
    fixture_snapshot(&f);
    counter_add(counters_slot(stats_workers(f.stats), 1) + WORKER_OUT_OF_MEMORY, 5);
    json_t *json = render(&f);
    ck_assert_str_eq(string_at(json, "node"), "node-1");
    ck_assert_str_eq(string_at(json, "state"), "running");
    ck_assert_int_eq(integer_at(json, "pid"), getpid());
    ck_assert_int_eq(integer_at(json, "workers"), 2);
    ck_assert_int_eq(integer_at(json, "out_of_memory"), 5);
    ck_assert(json_is_true(json_object_get(json, "healthy")));
    json_decref(json);
    f.view.accepting = false;
    json = render(&f);
    ck_assert(json_is_false(json_object_get(json, "healthy")));
    json_decref(json);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(json_tells_of_listeners)
{
    struct fixture f;
    fixture_snapshot(&f);
    for (unsigned worker = 0; worker < 2; worker++)
        counter_add(counters_slot(f.listener->row->counters, worker) + COUNT_REQUEST_IN, 1u << 31);
    atomic_store(&f.listener->row->sessions.now, 3);
    json_t       *json = render(&f);
    const json_t *l = json_array_get(json_object_get(json, "listeners"), 0);
    ck_assert_str_eq(string_at(l, "name"), "mqtt");
    ck_assert_str_eq(string_at(l, "protocol"), "mqtt");
    ck_assert_str_eq(string_at(l, "backend"), "emqx");
    ck_assert(json_is_null(json_object_get(l, "tls")));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(l, "bind"), 1)), "[::]:1883");
    ck_assert_int_eq(integer_at(l, "open"), 3);
    ck_assert_int_eq(integer_at(l, "bytes_in"), (json_int_t)1 << 32);
    json_decref(json);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(json_tells_of_servers)
{
    struct fixture f;
    fixture_snapshot(&f);
    server_set_state(f.servers[1].live, SERVER_DOWN);
    ck_assert(server_take_place(f.servers[0].live));
    f.conf->backends[0].servers[0].name = "broker\xff"; /* not UTF-8 */
    json_t       *json = render(&f);
    const json_t *b = json_array_get(json_object_get(json, "backends"), 0);
    const json_t *first = json_array_get(json_object_get(b, "servers"), 0);
    const json_t *second = json_array_get(json_object_get(b, "servers"), 1);
    ck_assert_str_eq(string_at(b, "name"), "emqx");
    ck_assert(json_is_true(json_object_get(b, "healthy")));
    ck_assert_int_eq(integer_at(b, "waiting"), 0);
    ck_assert_str_eq(string_at(second, "name"), "broker2");
    ck_assert_str_eq(string_at(second, "address"), "127.0.0.1:1");
    ck_assert_str_eq(string_at(second, "state"), "DOWN");
    ck_assert_int_eq(integer_at(first, "in_flight"), 1);
    ck_assert_int_eq(integer_at(first, "max_connections"), 7);
    json_decref(json);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(json_tells_of_the_last_check)
{
    struct fixture f;
    fixture_snapshot(&f);
    fixture_check(&f);
    json_t       *json = render(&f);
    const json_t *b = json_array_get(json_object_get(json, "backends"), 0);
    const json_t *c = json_object_get(json_array_get(json_object_get(b, "servers"), 1), "check");
    ck_assert_str_eq(string_at(c, "status"), "L4CON");
    ck_assert_str_eq(string_at(c, "text"), "Layer4 connection problem");
    ck_assert_ptr_nonnull(strstr(string_at(c, "detail"), "refused"));
    ck_assert(json_is_null(json_object_get(c, "code")));
    ck_assert_int_lt(integer_at(c, "duration_ms"), 2000);
    ck_assert_int_eq(integer_at(c, "failed"), 1);
    json_decref(json);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(json_has_haproxys_columns_of_every_line)
{
    struct fixture f;
    fixture_snapshot(&f);
    atomic_store(&f.listener->row->sessions.now, 3);
    json_t       *json = render(&f);
    const json_t *l = json_array_get(json_object_get(json, "listeners"), 0);
    const json_t *b = json_array_get(json_object_get(json, "backends"), 0);
    ck_assert_int_eq(integer_at(json_object_get(l, "stat"), "scur"), 3);
    ck_assert_str_eq(string_at(json_object_get(l, "stat"), "svname"), "FRONTEND");
    ck_assert_uint_eq(json_array_size(json_object_get(l, "binds")), 2);
    ck_assert_str_eq(string_at(json_array_get(json_object_get(l, "binds"), 1), "addr"), "[::]:1883");
    ck_assert_str_eq(string_at(json_object_get(b, "stat"), "svname"), "BACKEND");
    const json_t *server = json_object_get(json_array_get(json_object_get(b, "servers"), 0), "stat");
    ck_assert_str_eq(string_at(server, "svname"), "broker1");
    ck_assert_int_eq(integer_at(server, "lastsess"), -1);
    ck_assert_str_eq(string_at(json_object_get(json, "info"), "node"), "node-1");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "certificates")), 0);
    json_decref(json);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(json_has_the_last_minutes)
{
    struct fixture f;
    fixture_snapshot(&f);
    f.view.history = history_new();
    ck_assert_ptr_nonnull(f.view.history);
    for (int second = 0; second <= 2 * HISTORY_STEP_S; second++) {
        atomic_store(&f.listener->row->sessions.now, (uint32_t)second);
        history_tick(f.view.history, f.snap);
        uint64_t now_ms = clock_mono_ms();
        while (clock_mono_ms() == now_ms)
            continue; /* a rate needs time to pass */
    }
    json_t       *json = render(&f);
    const json_t *l = json_array_get(json_object_get(json, "listeners"), 0);
    const json_t *points = json_object_get(json_object_get(l, "history"), "sessions");
    ck_assert_uint_eq(json_array_size(points), 2);
    ck_assert_int_eq(json_integer_value(json_array_get(points, 0)), HISTORY_STEP_S);
    ck_assert_int_eq(json_integer_value(json_array_get(points, 1)), 2 * HISTORY_STEP_S);
    json_decref(json);
    history_free(f.view.history);
    fixture_snapshot_free(&f);
}
END_TEST

START_TEST(the_page_carries_what_it_was_told_and_no_markup_of_it)
{
    struct reply page = reply_page(&(struct page_facts){.admin = true, .status = "DONE", .scope = "\"><b>&'"});
    ck_assert_uint_eq(page.status, 200);
    ck_assert_ptr_nonnull(strstr(page.body, "<body data-admin=\"1\" data-status=\"DONE\" "
                                            "data-scope=\"&#34;&#62;&#60;b&#62;&#38;&#39;\">"));
    ck_assert_str_eq(page.headers[0].name, "content-security-policy");
    free(page.owned);
    page = reply_page(&(struct page_facts){.admin = false});
    ck_assert_ptr_nonnull(strstr(page.body, "<body data-admin=\"\" data-status=\"\" data-scope=\"\">"));
    ck_assert_ptr_null(strstr(page.body, "@@"));
    free(page.owned);
}
END_TEST

TCase *pure_tcase(void)
{
    TCase *tc = tcase_create("pure");
    tcase_add_test(tc, health_is_the_whole_uri_and_nothing_else);
    tcase_add_test(tc, stats_options_are_found_anywhere_behind_the_prefix);
    tcase_add_test(tc, stats_options_say_what_is_shown);
    tcase_add_test(tc, metrics_are_a_path_of_their_own_with_a_query);
    tcase_add_test(tc, a_form_is_read_field_by_field);
    tcase_add_test(tc, a_form_of_any_length_stays_within_its_buffers);
    tcase_add_test(tc, a_page_of_another_site_is_told_apart);
    tcase_add_test(tc, a_scope_is_cut_at_20_and_forgotten_when_no_name_could_have_it);
    tcase_add_test(tc, the_way_back_from_a_form_keeps_the_view);
    tcase_add_test(tc, a_form_is_urlencoded_or_says_nothing_of_its_type);
    tcase_add_test(tc, the_codes_of_a_form_are_haproxys);
    tcase_add_test(tc, a_form_acts_on_the_server_that_it_names);
    tcase_add_test(tc, credentials_are_read_as_rfc_7617_writes_them);
    tcase_add_test(tc, what_is_no_basic_header_is_refused);
    tcase_add_test(tc, credentials_of_any_length_stay_within_their_buffers);
    tcase_add_test(tc, only_the_right_password_of_a_known_user_lets_in);
    tcase_add_test(tc, a_hash_that_is_none_lets_nobody_in);
    tcase_add_test(tc, constant_time_comparing_finds_every_difference);
    tcase_add_test(tc, health_pages_are_haproxys_byte_for_byte);
    tcase_add_test(tc, json_tells_of_the_process);
    tcase_add_test(tc, json_tells_of_listeners);
    tcase_add_test(tc, json_tells_of_servers);
    tcase_add_test(tc, json_tells_of_the_last_check);
    tcase_add_test(tc, json_has_haproxys_columns_of_every_line);
    tcase_add_test(tc, json_has_the_last_minutes);
    tcase_add_test(tc, the_page_carries_what_it_was_told_and_no_markup_of_it);
    return tc;
}
