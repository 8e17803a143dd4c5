/* Unit tests of room snapshot/: a configuration made live. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/load.h"
#include "snapshot/snapshot.h"
#include "support/pki.h"
#include "support/unit.h"

static char                yard[] = "/tmp/mqgate-snapshot-XXXXXX";
static struct log_settings log_settings = {.level = LEVEL_INFO, .wake_fd = -1};
static struct log          lines = {.settings = &log_settings};
static struct tls_tickets *tickets;
static struct stats       *stats;

static const char *const yard_files[] = {"good.pem", "good.key", "old.pem", "old.key"};

static void yard_make(void)
{
    struct pki_identity good = pki_make(&(struct pki_wish){.cn = "good", .san = "DNS:a.example"});
    struct pki_identity old = pki_make(&(struct pki_wish){.cn = "old", .starts_s = -7200, .ends_s = -3600});
    if (mkdtemp(yard) == NULL || chdir(yard) != 0)
        abort();
    pki_write_chain("good.pem", &good, NULL);
    pki_write_key("good.key", &good, NULL);
    pki_write_chain("old.pem", &old, NULL);
    pki_write_key("old.key", &old, NULL);
    pki_free(&good);
    pki_free(&old);
}

static void yard_remove(void)
{
    for (size_t i = 0; i < ARRAY_LEN(yard_files); i++)
        (void)unlink(yard_files[i]);
    if (chdir("/") != 0 || rmdir(yard) != 0)
        abort();
}

static void setup(void)
{
    struct err err = {0};
    lines.ring = log_ring_new();
    tickets = tls_tickets_new(&err);
    stats = stats_new(2);
    ck_assert_ptr_nonnull(stats);
    ck_assert_ptr_nonnull(lines.ring);
    ck_assert_msg(tickets != NULL, "%s", err.text);
}

static void teardown(void)
{
    log_ring_free(lines.ring);
    stats_free(stats);
    tls_tickets_free(tickets);
}

/* Text with ' where a configuration has ", so that it can be read here. */
static struct conf *conf_from(const char *text)
{
    char               quoted[2048];
    struct conf_errors errors = {0};
    ck_assert_uint_lt(strlen(text), sizeof quoted);
    strcpy(quoted, text);
    for (char *at = quoted; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    struct conf *conf = conf_load_text("test.conf", quoted, &errors);
    ck_assert_msg(conf != NULL, "%s", errors.list != NULL ? errors.list->text : "out of memory");
    return conf;
}

static struct snapshot *live_from(const char *text)
{
    struct err       err = {0};
    struct conf     *conf = conf_from(text);
    struct snapshot *snap = snapshot_build(conf, NULL, stats, tickets, &lines, &err);
    ck_assert_msg(snap != NULL, "%s", err.text);
    conf_unref(conf);
    return snap;
}

static const char two_of_all[] =
    "global: { workers = 2; };\n"
    "tls = ( { name = 'edge'; certificates = ( { chain = 'good.pem'; key = 'good.key'; } ); },\n"
    "        { name = 'back'; certificates = ( { chain = 'good.pem'; key = 'good.key'; } ); } );\n"
    "tls_client = ( { name = 'other'; }, { name = 'inner'; verify = 'none'; } );\n"
    "backends = (\n"
    "  { name = 'x'; servers = ( { name = 'a'; address = '127.0.0.1:1883'; max_connections = 1; },\n"
    "                            { name = 'b'; address = '127.0.0.1:1884'; tls = 'inner'; } ); },\n"
    "  { name = 'y'; check: { type = 'none'; }; servers = ( { name = 'a'; address = '127.0.0.1:1885'; } ); } );\n"
    "listeners = (\n"
    "  { name = 'plain'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'y'; },\n"
    "  { name = 'tls'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; tls = 'back'; },\n"
    "  { name = 'twin'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; tls = 'back'; } );\n";

START_TEST(every_name_in_a_configuration_becomes_the_live_thing)
{
    struct snapshot *snap = live_from(two_of_all);
    ck_assert_ptr_eq(snap->listeners[0].backends[PROTOCOL_TCP], &snap->backends[1]);
    ck_assert_ptr_null(snap->listeners[0].tls);
    ck_assert_ptr_eq(snap->listeners[1].backends[PROTOCOL_TCP], &snap->backends[0]);
    ck_assert_ptr_eq(snap->listeners[1].tls, snap->tls[1]);
    ck_assert_ptr_eq(snap->listeners[2].tls, snap->tls[1]);
    ck_assert_ptr_ne(snap->listeners[1].row, snap->listeners[2].row);
    ck_assert_ptr_eq(snap->listeners[1].binds[0].listener, &snap->listeners[1]);
    ck_assert_uint_eq(snap->listeners[1].binds[0].row->iid, snap->listeners[1].row->iid);
    const struct snap_server *servers = snap->backends[0].servers;
    ck_assert_ptr_null(servers[0].tls);
    ck_assert_ptr_eq(servers[1].tls, snap->tls_clients[1]);
    ck_assert_str_eq(server_name(servers[1].live), "b");
    ck_assert_ptr_eq(servers[1].conf, &snap->conf->backends[0].servers[1]);
    snapshot_unref(snap);
}
END_TEST

START_TEST(a_second_snapshot_goes_on_counting_under_the_same_names)
{
    struct snapshot *first = live_from(two_of_all);
    counter_add(&counters_slot(first->listeners[0].binds[0].row->counters, 1)[COUNT_CONNECTIONS], 3);
    struct snapshot *second = live_from(two_of_all);
    snapshot_unref(first);
    stats_sweep(stats);
    ck_assert_uint_eq(row_sum(second->listeners[0].row, COUNT_CONNECTIONS), 3);
    ck_assert_uint_eq(row_sum(second->listeners[1].row, COUNT_CONNECTIONS), 0);
    snapshot_unref(second);
}
END_TEST

START_TEST(names_lead_to_listeners_backends_and_servers)
{
    struct snapshot *snap = live_from(two_of_all);
    ck_assert_ptr_eq(snapshot_find_listener(snap, "twin"), &snap->listeners[2]);
    ck_assert_ptr_null(snapshot_find_listener(snap, "x"));
    ck_assert_ptr_eq(snapshot_find_backend(snap, "y"), &snap->backends[1]);
    ck_assert_ptr_null(snapshot_find_backend(snap, "twin"));
    ck_assert_ptr_eq(snap_backend_find_server(&snap->backends[0], "b"), &snap->backends[0].servers[1]);
    ck_assert_ptr_null(snap_backend_find_server(&snap->backends[1], "b"));
    snapshot_unref(snap);
}
END_TEST

START_TEST(servers_keep_their_order_and_limits_and_wait_for_their_first_check)
{
    struct snapshot     *snap = live_from(two_of_all);
    struct snap_backend *x = &snap->backends[0];
    struct pool_waiter   one = {0};
    struct lease         first, second;
    ck_assert_int_eq(server_state(x->servers[0].live), SERVER_UNKNOWN);
    ck_assert_int_eq(server_state(snap->backends[1].servers[0].live), SERVER_UNCHECKED);
    ck_assert_int_eq(pool_pick(x->pool, 0, &one, &first), PICK_OK);
    ck_assert_uint_eq(first.index, 0);
    ck_assert_int_eq(pool_pick(x->pool, 0, &one, &second), PICK_OK);
    ck_assert_uint_eq(second.index, 1);
    ck_assert_uint_eq(server_in_flight(x->servers[0].live), 1);
    snapshot_unref(snap);
}
END_TEST

START_TEST(the_last_reference_frees_a_snapshot)
{
    struct snapshot *snap = live_from(two_of_all);
    ck_assert_ptr_eq(snapshot_ref(snap), snap);
    ck_assert_ptr_eq(snapshot_ref(snap), snap);
    snapshot_unref(snap);
    snapshot_unref(snap);
    ck_assert_str_eq(snap->conf->listeners[1].name, "tls");
    snapshot_unref(snap);
    snapshot_unref(NULL);
}
END_TEST

/* conf is used after the failure, and freed: a sanitizer would see a conf that was half taken over. */
START_TEST(a_failure_names_the_section_and_leaves_the_configuration_to_its_owner)
{
    static const struct {
        const char *text, *section, *file;
    } cases[] = {
        {"tls = ( { name = 'edge'; certificates = ( { chain = 'good.pem'; key = 'good.key'; } ); },\n"
         "        { name = 'back'; certificates = ( { chain = 'absent.pem'; key = 'good.key'; } ); } );\n"
         "backends = ( { name = 'x'; servers = ( { name = 'a'; address = '127.0.0.1:1883'; } ); } );\n"
         "listeners = ( { name = 'l'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; tls = 'back'; } );\n",
         "tls \"back\": ", "absent.pem"},
        {"tls_client = ( { name = 'inner'; ca = 'absent-ca.pem'; } );\n"
         "backends = ( { name = 'x'; servers = ( { name = 'a'; address = '127.0.0.1:1883'; tls = 'inner'; } ); } );\n"
         "listeners = ( { name = 'l'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; } );\n",
         "tls_client \"inner\": ", "absent-ca.pem"},
    };
    struct err   err = {0};
    struct conf *conf = conf_from(cases[_i].text);
    ck_assert_ptr_null(snapshot_build(conf, NULL, stats, tickets, &lines, &err));
    ck_assert_msg(strncmp(err.text, cases[_i].section, strlen(cases[_i].section)) == 0, "%s", err.text);
    ck_assert_msg(strstr(err.text, cases[_i].file) != NULL, "%s", err.text);
    ck_assert_str_eq(conf->listeners[0].name, "l");
    conf_unref(conf);
}
END_TEST

START_TEST(a_certificate_that_has_expired_is_warned_of_and_serves)
{
    char              line[LOG_LINE_MAX];
    enum log_severity severity;
    struct snapshot  *snap = live_from(
         "tls = ( { name = 'edge'; certificates = ( { chain = 'old.pem'; key = 'old.key'; } ); } );\n"
          "backends = ( { name = 'x'; servers = ( { name = 'a'; address = '127.0.0.1:1883'; } ); } );\n"
          "listeners = ( { name = 'l'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; tls = 'edge'; } );\n");
    size_t len = log_ring_take(lines.ring, line, &severity);
    ck_assert_uint_gt(len, 0);
    line[len] = '\0';
    ck_assert_int_eq(severity, SYSLOG_WARNING);
    ck_assert_msg(strstr(line, "event=tls_warning") != NULL && strstr(line, "old.pem") != NULL, "%s", line);
    ck_assert(!log_ring_waits(lines.ring));
    snapshot_unref(snap);
}
END_TEST

#define THREE_BACKENDS                                                                                                 \
    "backends = (\n"                                                                                                   \
    "  { name = 'x'; servers = ( { name = 'a'; address = '127.0.0.1:1883'; },\n"                                       \
    "                            { name = 'b'; address = '127.0.0.1:1884'; } ); },\n"                                  \
    "  { name = 'unused'; servers = ( { name = 'a'; address = '127.0.0.1:1885'; } ); },\n"                             \
    "  { name = 'y'; servers = ( { name = 'a'; address = '127.0.0.1:1886'; } ); } );\n"                                \
    "listeners = ( { name = 'l'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; },\n"                          \
    "  { name = 'm'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'y'; },\n"                                      \
    "  { name = 'n'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'y'; } );\n"

START_TEST(the_verdict_asks_all_or_any_of_the_backends_in_use)
{
    bool             all = _i == 0;
    struct snapshot *snap = live_from(all ? "admin: { healthy_when = 'all'; };\n" THREE_BACKENDS
                                          : "admin: { healthy_when = 'any'; };\n" THREE_BACKENDS);
    struct server   *xa = snap->backends[0].servers[0].live, *xb = snap->backends[0].servers[1].live;
    struct server   *unused = snap->backends[1].servers[0].live, *y = snap->backends[2].servers[0].live;
    ck_assert(!snapshot_is_healthy(snap)); /* not one check has answered */
    server_set_state(unused, SERVER_UP);
    ck_assert(!snapshot_is_healthy(snap));
    server_set_state(xb, SERVER_UP);
    ck_assert(snapshot_is_healthy(snap) == !all);
    server_set_state(y, SERVER_UP);
    ck_assert(snapshot_is_healthy(snap));
    server_set_state(xa, SERVER_DOWN); /* b is still there */
    server_set_state(unused, SERVER_DOWN);
    ck_assert(snapshot_is_healthy(snap));
    server_set_state(xb, SERVER_DOWN);
    ck_assert(snapshot_is_healthy(snap) == !all);
    server_set_state(y, SERVER_DOWN);
    ck_assert(!snapshot_is_healthy(snap));
    snapshot_unref(snap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tc = tcase_create("snapshot");
    tcase_set_timeout(tc, 60);
    tcase_add_unchecked_fixture(tc, yard_make, yard_remove);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_name_in_a_configuration_becomes_the_live_thing);
    tcase_add_test(tc, a_second_snapshot_goes_on_counting_under_the_same_names);
    tcase_add_test(tc, names_lead_to_listeners_backends_and_servers);
    tcase_add_test(tc, servers_keep_their_order_and_limits_and_wait_for_their_first_check);
    tcase_add_test(tc, the_last_reference_frees_a_snapshot);
    tcase_add_loop_test(tc, a_failure_names_the_section_and_leaves_the_configuration_to_its_owner, 0, 2);
    tcase_add_test(tc, a_certificate_that_has_expired_is_warned_of_and_serves);
    tcase_add_loop_test(tc, the_verdict_asks_all_or_any_of_the_backends_in_use, 0, 2);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
