/* Unit tests of room snapshot/: a configuration made live. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/load.h"
#include "snapshot/carry.h"
#include "snapshot/snapshot.h"
#include "support/image.h"
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

/* ---- from one process to the next ---- */

/* Backends x with servers a and b, y without checks; what follows in a may be given otherwise. */
#define CARRIED(a_has, x_has, y_has, l_has)                                                                            \
    "backends = (\n"                                                                                                   \
    "  { name = 'x'; " x_has " servers = ( { name = 'a'; " a_has " },\n"                                               \
    "    { name = 'b'; address = '127.0.0.1:1884'; } ); },\n"                                                          \
    "  { name = 'y'; " y_has " servers = ( { name = 'a'; address = '127.0.0.1:1885'; } ); } );\n"                      \
    "listeners = ( { name = 'l'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'x'; " l_has " },\n"                \
    "  { name = 'm'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'y'; },\n"                                      \
    "  { name = 'n'; bind = '127.0.0.1:0'; protocol = 'tcp'; backend = 'y'; } );\n"
#define A_HAS    "address = '127.0.0.1:1883'; max_connections = 10; weight = 50;"
#define NO_CHECK "check: { type = 'none'; };"
#define L_HAS    "max_connections = 100; per_source: { max_connections = 5; };"
static const char carried_text[] = CARRIED(A_HAS, "", NO_CHECK, L_HAS);

static struct snap_server *server_of(const struct snapshot *snap, const char *backend, const char *name)
{
    return snap_backend_find_server(snapshot_find_backend(snap, backend), name);
}

/* As operators, checks and sessions leave it. */
static struct snapshot *lived_in(const char *text)
{
    struct snapshot      *snap = live_from(text);
    struct server        *a = server_of(snap, "x", "a")->live, *b = server_of(snap, "x", "b")->live;
    struct snap_listener *l = snapshot_find_listener(snap, "l");
    struct addr           elsewhere, client;
    uint32_t              place;
    ck_assert(addr_parse_ip("10.0.0.7", &elsewhere) && addr_parse_ip("192.0.2.1", &client));
    addr_set_port(&elsewhere, 1999);
    server_set_state(a, SERVER_UP);
    server_set_weight(a, 0);
    server_set_max_connections(a, 0);
    server_set_backup(a, true);
    server_set_location(a, &elsewhere, "a.example");
    ck_assert(server_take_place(a));
    server_set_state(b, SERVER_DOWN);
    server_set_admin(b, SERVER_DRAIN);
    gauge_add(pool_waiting_gauge(snapshot_find_backend(snap, "x")->pool));
    gauge_sub(pool_waiting_gauge(snapshot_find_backend(snap, "x")->pool));
    atomic_store(&l->max_connections, 7);
    atomic_store(&l->next_aged_ns, 12345);
    atomic_store(&snapshot_find_listener(snap, "m")->state, LISTENER_PAUSED);
    atomic_store(&snapshot_find_listener(snap, "n")->state, LISTENER_STOPPED);
    if (l->sources != NULL)
        ck_assert_int_eq(sources_take(l->sources, &client, &(struct source_limits){0}, clock_mono_ms(), &place),
                         SOURCE_LET_IN);
    return snap;
}

/* A process with this configuration, after what before has written. */
static struct snapshot *next_process(const struct snapshot *before, const char *text)
{
    struct snapshot    *next = live_from(text);
    struct image_writer image = image_start();
    struct image_record record;
    struct err          err = {0};
    snapshot_carry_servers(before, &image);
    snapshot_carry_listeners(before, &image);
    struct image_reader r = image_reread(&image);
    while (image_next(&r, &record)) {
        ck_assert_msg(snapshot_adopt_server(next, &record, &err), "%s", err.text);
        ck_assert_msg(snapshot_adopt_listener(next, &record, &err), "%s", err.text);
    }
    image_drop(&image);
    return next;
}

START_TEST(a_server_is_in_the_next_process_what_it_was)
{
    struct snapshot     *before = lived_in(carried_text), *next = next_process(before, carried_text);
    const struct server *a = server_of(next, "x", "a")->live, *b = server_of(next, "x", "b")->live;
    const struct addr    at = server_address(a), b_at = server_address(b);
    char                 text[ADDR_TEXT_MAX], host[SERVER_HOST_MAX];
    ck_assert_int_eq(server_state(a), SERVER_UP);
    ck_assert_uint_eq(server_weight(a), 0);
    ck_assert_uint_eq(server_initial_weight(a), 50);
    ck_assert_uint_eq(server_max_connections(a), 0);
    ck_assert(server_is_backup(a));
    ck_assert_str_eq(addr_format(&at, text), "10.0.0.7:1999");
    ck_assert_str_eq(server_host(a, host), "a.example");
    ck_assert_uint_eq(server_most_in_flight(a), 1);
    ck_assert_uint_eq(server_in_flight(a), 0); /* its sessions are yet to come */
    ck_assert_int_eq(server_state(b), SERVER_DOWN);
    ck_assert_int_eq(server_admin(b), SERVER_DRAIN);
    ck_assert_str_eq(addr_format(&b_at, text), "127.0.0.1:1884");
    ck_assert_int_eq(server_state(server_of(next, "y", "a")->live), SERVER_UNCHECKED);
    ck_assert_uint_eq(peak_read(&pool_waiting_gauge(next->backends[0].pool)->peak), 1);
    snapshot_unref(before);
    snapshot_unref(next);
}
END_TEST

START_TEST(what_the_file_says_otherwise_than_before_counts_and_the_rest_stays)
{
    struct snapshot *before = lived_in(carried_text);
    struct snapshot *next =
        next_process(before, CARRIED("address = '127.0.0.1:1899'; max_connections = 11; weight = 60;", "", "",
                                     "max_connections = 101;"));
    const struct server *a = server_of(next, "x", "a")->live;
    const struct addr    at = server_address(a);
    char                 text[ADDR_TEXT_MAX];
    ck_assert_int_eq(server_state(a), SERVER_UP);
    ck_assert_uint_eq(server_weight(a), 60);
    ck_assert_uint_eq(server_max_connections(a), 11);
    ck_assert(server_is_backup(a));
    ck_assert_str_eq(addr_format(&at, text), "127.0.0.1:1899");
    ck_assert_int_eq(server_state(server_of(next, "y", "a")->live),
                     SERVER_UP); /* it was not checked, and counted as that */
    ck_assert_uint_eq(snapshot_find_listener(next, "l")->max_connections, 101);
    ck_assert_ptr_null(snapshot_find_listener(next, "l")->sources);
    snapshot_unref(next);
    next = next_process(before, CARRIED(A_HAS, NO_CHECK, "", L_HAS));
    ck_assert_int_eq(server_state(server_of(next, "x", "b")->live), SERVER_UNCHECKED);
    ck_assert_int_eq(server_admin(server_of(next, "x", "b")->live), SERVER_DRAIN);
    snapshot_unref(next);
    next = next_process(before, two_of_all); /* that has servers and listeners of other names, too */
    ck_assert_int_eq(server_state(server_of(next, "x", "a")->live), SERVER_UP);
    snapshot_unref(next);
    snapshot_unref(before);
}
END_TEST

START_TEST(where_the_file_alone_says_it_a_new_file_is_followed)
{
    struct snapshot *before = live_from(carried_text);
    struct snapshot *next =
        next_process(before, CARRIED("address = '127.0.0.1:1899'; max_connections = 0; weight = 0;", "", "", ""));
    const struct server *a = server_of(next, "x", "a")->live;
    ck_assert_uint_eq(server_weight(a), 0);
    ck_assert_uint_eq(server_max_connections(a), 0);
    ck_assert_int_eq(server_state(a), SERVER_UNKNOWN);
    ck_assert_uint_eq(snapshot_find_listener(next, "l")->max_connections, 0);
    snapshot_unref(next);
    snapshot_unref(before);
}
END_TEST

START_TEST(a_listener_is_in_the_next_process_as_an_operator_left_it)
{
    struct snapshot            *before = lived_in(carried_text), *next = next_process(before, carried_text);
    const struct snap_listener *l = snapshot_find_listener(next, "l");
    struct addr                 client;
    struct source               source;
    ck_assert_uint_eq(l->max_connections, 7);
    ck_assert_uint_eq(l->next_aged_ns, 12345);
    ck_assert_int_eq(l->state, LISTENER_OPEN);
    ck_assert_int_eq(snapshot_find_listener(next, "m")->state, LISTENER_PAUSED);
    ck_assert_int_eq(snapshot_find_listener(next, "n")->state, LISTENER_STOPPED);
    ck_assert(addr_parse_ip("192.0.2.1", &client));
    ck_assert(sources_find(l->sources, &client, clock_mono_ms(), &source));
    ck_assert_uint_eq(source.connections_ever, 1);
    ck_assert_uint_eq(source.connections, 0);
    snapshot_unref(before);
    snapshot_unref(next);
}
END_TEST

START_TEST(a_second_with_an_upgrade_in_it_lets_no_more_in_than_any_other)
{
    static const char text[] = CARRIED(A_HAS, "", "", "rate_limit = 1;");
    struct snapshot  *before = live_from(text);
    struct pace      *pace = snapshot_find_listener(before, "l")->pace;
    const uint64_t    now_ns = clock_mono_ns();
    ck_assert(pace_take(pace_lane(pace, 0), now_ns));
    struct snapshot *next = next_process(before, text);
    pace = snapshot_find_listener(next, "l")->pace;
    ck_assert(!pace_take(pace_lane(pace, 0), now_ns + 900 * 1000000ull));
    ck_assert_uint_ge(pace_lane(pace, 0)->at_ns, now_ns + 1000 * 1000000ull);
    ck_assert_uint_le(pace_lane(pace, 0)->at_ns, now_ns + 1100 * 1000000ull);
    pace_resume(pace, UINT64_MAX, now_ns); /* of no clock of ours */
    ck_assert_uint_le(pace_next_ns(pace), now_ns + 3000 * 1000000ull);
    snapshot_unref(before);
    snapshot_unref(next);
}
END_TEST

/* Each byte of each record in turn is another one: the record is understood or refused, and all stays usable. */
START_TEST(no_record_that_is_damaged_does_harm)
{
    struct snapshot    *before = lived_in(carried_text), *next = live_from(carried_text);
    struct image_writer image = image_start();
    struct image_record record;
    struct lease        lease;
    snapshot_carry_servers(before, &image);
    snapshot_carry_listeners(before, &image);
    struct image_reader r = image_reread(&image);
    while (image_next(&r, &record)) {
        for (size_t i = 0; i < record.fields.len; i++) {
            uint8_t      *at = image.at + (record.fields.ptr + i - image.at);
            const uint8_t was = *at;
            struct err    err = {0};
            *at = (uint8_t)(was + 1 + i % 255);
            if (!snapshot_adopt_server(next, &record, &err) || !snapshot_adopt_listener(next, &record, &err))
                ck_assert_str_ne(err.text, "");
            for (size_t b = 0; b < next->conf->n_backends; b++) {
                struct pool_waiter waiter = {0};
                if (pool_pick(next->backends[b].pool, 0, &waiter, &lease) == PICK_OK)
                    ck_assert(!pool_release(next->backends[b].pool, &lease));
                pool_leave(next->backends[b].pool, 0, &waiter);
            }
            *at = was;
        }
    }
    image_drop(&image);
    snapshot_unref(before);
    snapshot_unref(next);
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
    tcase_add_test(tc, a_server_is_in_the_next_process_what_it_was);
    tcase_add_test(tc, what_the_file_says_otherwise_than_before_counts_and_the_rest_stays);
    tcase_add_test(tc, where_the_file_alone_says_it_a_new_file_is_followed);
    tcase_add_test(tc, a_listener_is_in_the_next_process_as_an_operator_left_it);
    tcase_add_test(tc, a_second_with_an_upgrade_in_it_lets_no_more_in_than_any_other);
    tcase_add_test(tc, no_record_that_is_damaged_does_harm);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
