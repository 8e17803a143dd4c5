/* The admin group, the log and the control socket. */
#include <string.h>

#include "base/macros.h"
#include "support/import_ops.h"
#include "unit/ctl/import_tests.h"

#define STATS "listen stats\n mode http\n bind 127.0.0.1:8404\n"

START_TEST(a_section_of_statistics_becomes_the_admin_group)
{
    struct made made =
        make(FRONT BACK STATS " stats enable\n stats uri /stats\n stats refresh 5s\n stats auth ops:secret\n"
                              " monitor-uri /alive\n monitor fail if { nbsrv(b) lt 1 }\n");
    const struct conf_admin *a = &made.conf->admin;
    ck_assert_uint_eq(made.lost, 0);
    ck_assert_uint_eq(addr_port(&a->bind), 8404);
    ck_assert_str_eq(a->stats_uri, "/stats");
    ck_assert_str_eq(a->health_uri, "/alive");
    ck_assert_uint_eq(a->stats_auth.n, 1);
    ck_assert_str_eq(a->stats_auth.at[0], "ops:" IMPORT_TEST_HASH);
    ck_assert_ptr_null(strstr(made.text, "secret"));
    ck_assert_ptr_null(strstr(made.remarks, "secret"));
    made_free(&made);
}
END_TEST

START_TEST(statistics_stay_open_to_whom_they_were)
{
    struct made open = make(FRONT BACK STATS " stats enable\n"),
                narrow =
                    make(FRONT BACK STATS
                         " acl ours src 10.0.0.0/8\n http-request deny unless ours\n stats enable\n stats uri /s\n");
    ck_assert_uint_eq(open.conf->admin.stats_allow.n, 2);
    assert_noted(&open, 9, "narrow admin.stats_allow");
    ck_assert_uint_eq(narrow.conf->admin.stats_allow.n, 1);
    ck_assert_uint_eq(narrow.conf->admin.stats_allow.at[0].bits, 8);
    assert_carried(&narrow);
    made_free(&open);
    made_free(&narrow);
}
END_TEST

START_TEST(statistics_are_not_opened_when_what_guarded_them_is_lost)
{
    static const char *const guards[] = {FRONT BACK STATS " stats uri /s\n stats auth a:none\n",
                                         FRONT BACK STATS " stats uri /s\n http-request deny unless { src -f /list }\n",
                                         FRONT BACK STATS
                                         " stats uri /s\n tcp-request connection reject unless { src -f /list }\n"};
    for (size_t i = 0; i < ARRAY_LEN(guards); i++) {
        struct made made = make(guards[i]);
        ck_assert_uint_eq(made.lost, 1);
        ck_assert_uint_eq(made.conf->admin.stats_allow.n, 5);
        made_free(&made);
    }
}
END_TEST

START_TEST(a_health_answer_of_the_file_becomes_the_health_uri)
{
    struct made made =
        make(FRONT BACK STATS " http-request return status 200 content-type text/plain string ok if { path /up }\n");
    assert_carried(&made);
    ck_assert_str_eq(made.conf->admin.health_uri, "/up");
    made_free(&made);
}
END_TEST

START_TEST(there_is_one_admin_address_and_each_path_is_its_own)
{
    struct made made =
        make(FRONT BACK STATS " monitor-uri /x\n"
                              "frontend more\n mode http\n bind :8405\n stats uri /x\n monitor-uri /y\n");
    ck_assert_uint_eq(addr_port(&made.conf->admin.bind), 8404);
    assert_lost(&made, 12, "at one address");
    assert_lost(&made, 13, "each needs a path of its own");
    assert_lost(&made, 14, "is \"/x\" already");
    made_free(&made);
}
END_TEST

START_TEST(the_admin_address_does_not_stand_where_a_listener_does)
{
    struct made made = make("frontend f\n bind :8080\n default_backend b\n" BACK),
                twice = make("frontend f\n bind :8404\n default_backend b\n" BACK STATS " monitor-uri /x\n");
    ck_assert(!addr_is_set(&made.conf->admin.bind));
    assert_lost(&twice, 8, "listens there already");
    ck_assert_uint_eq(addr_port(&twice.conf->admin.bind), 8080);
    made_free(&made);
    made_free(&twice);
}
END_TEST

START_TEST(log_targets_are_carried_over_once_each)
{
    struct made made =
        make("global\n log /dev/log daemon notice\n log 127.0.0.1 daemon info\n log 127.0.0.1:515 len 900 daemon\n"
             " log stdout format raw daemon\n log /dev/log daemon err\n log ring@x daemon\n" FRONT BACK);
    const struct conf_log   *log = &made.conf->global.log;
    static const char *const want[] = {"syslog:/dev/log", "syslog:udp://127.0.0.1:514", "syslog:udp://127.0.0.1:515",
                                       "stdout"};
    ck_assert_uint_eq(log->to.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_str_eq(log->to.at[i], want[i]);
    ck_assert_int_eq(log->level, LEVEL_INFO);
    assert_noted(&made, 6, "once to each target");
    assert_lost(&made, 7, "no such target");
    ck_assert_uint_eq(made.lost, 1);
    made_free(&made);
}
END_TEST

START_TEST(a_control_socket_has_a_path)
{
    struct made made = make("global\n stats socket 127.0.0.1:9999 level admin\n" FRONT BACK);
    assert_lost(&made, 2, "Unix socket");
    made_free(&made);
}
END_TEST

/* A line that is lost for this version alone is carried over by the version that has the option. */
START_TEST(what_this_version_refuses_is_not_written)
{
    static const struct {
        const char *text, *key;
    } vectors[] = {
        {"global\n stats socket /run/x.sock mode 600 level admin\n" FRONT BACK, "control_socket = \"/run/x.sock\""},
        {"global\n hard-stop-after 30s\n" FRONT BACK, "deadline = \"30s\""},
        {"global\n grace 10s\n" FRONT BACK, "notice = \"10s\""},
        {FRONT BACK STATS " http-request use-service prometheus-exporter if { path /m }\n", "metrics_uri = \"/m\""},
        {FRONT " option tcplog\n" BACK, "format = \"tcplog\""},
        {FRONT " rate-limit sessions 7\n" BACK, "rate_limit = 7"},
        {FRONT BACK " server t 127.0.0.1:2 check weight 7\n", "weight = 7"},
        {FRONT BACK " server t 127.0.0.1:2 check\n balance leastconn\n", "balance = \"leastconn\""},
        {FRONT BACK " server t 127.0.0.1:2 check\n stick on src\n", "balance = \"source\""},
        {FRONT BACK
         " server t 127.0.0.1:2 check\n stick on req.payload(0,0),mqtt_field_value(connect,client_identifier)\n",
         "balance = \"client-id\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct made made = make(vectors[i].text);
        bool        refused = strstr(made.remarks, "not in this version") != NULL;
        ck_assert_msg((strstr(made.text, vectors[i].key) != NULL) != refused, "%s%s", made.text, made.remarks);
        ck_assert_msg((made.lost > 0) == refused, "%s", made.remarks);
        made_free(&made);
    }
}
END_TEST

TCase *import_admin_case(void)
{
    TCase *tc = tcase_create("admin");
    tcase_add_test(tc, a_section_of_statistics_becomes_the_admin_group);
    tcase_add_test(tc, statistics_stay_open_to_whom_they_were);
    tcase_add_test(tc, statistics_are_not_opened_when_what_guarded_them_is_lost);
    tcase_add_test(tc, a_health_answer_of_the_file_becomes_the_health_uri);
    tcase_add_test(tc, there_is_one_admin_address_and_each_path_is_its_own);
    tcase_add_test(tc, the_admin_address_does_not_stand_where_a_listener_does);
    tcase_add_test(tc, log_targets_are_carried_over_once_each);
    tcase_add_test(tc, what_this_version_refuses_is_not_written);
    tcase_add_test(tc, a_control_socket_has_a_path);
    return tc;
}
