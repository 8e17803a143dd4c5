/* Unit tests of room upstream/. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "support/unit.h"
#include "unit/upstream/suites.h"
#include "upstream/server.h"

/* With a weight, as every server has one unless it says otherwise. */
static struct server *make_server(const char *name, const struct server_settings *limits, enum server_state state)
{
    struct server_settings settings = *limits;
    settings.name = name;
    settings.weight = 100;
    ck_assert(addr_parse("127.0.0.1:1883", &settings.address));
    return server_new(&settings, state);
}

START_TEST(a_state_says_who_may_be_tried_and_who_is_healthy)
{
    static const struct {
        enum server_state state;
        bool              usable, healthy;
        const char       *name;
    } cases[] = {{SERVER_UNKNOWN, true, false, "UNKNOWN"},
                 {SERVER_UP, true, true, "UP"},
                 {SERVER_DOWN, false, false, "DOWN"},
                 {SERVER_UNCHECKED, true, true, "no check"}};
    const struct server_settings none = {0};
    struct server               *server = make_server("b1", &none, SERVER_UNKNOWN);
    ck_assert_int_eq(server_state(server), SERVER_UNKNOWN);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        server_set_state(server, cases[i].state);
        ck_assert_int_eq(server_state(server), cases[i].state);
        ck_assert(server_is_usable(server) == cases[i].usable);
        ck_assert(server_is_healthy(server) == cases[i].healthy);
        ck_assert_str_eq(server_state_names[cases[i].state], cases[i].name);
    }
    server_unref(server);
    server_unref(NULL);
}
END_TEST

START_TEST(a_server_keeps_its_own_name)
{
    const struct server_settings backup = {.backup = true};
    char                         name[] = "b1";
    struct server               *server = make_server(name, &backup, SERVER_UP);
    name[0] = 'x';
    ck_assert_str_eq(server_name(server), "b1");
    ck_assert(server_is_backup(server));
    server_unref(server);
}
END_TEST

START_TEST(places_end_at_the_limit_and_come_back)
{
    const struct server_settings two = {.max_connections = 2}, none = {0};
    struct server               *server = make_server("b1", &two, SERVER_UP);
    ck_assert(server_take_place(server));
    ck_assert(server_take_place(server));
    ck_assert(!server_take_place(server));
    ck_assert_uint_eq(server_in_flight(server), 2);
    server_give_place(server, true);
    ck_assert(server_take_place(server));
    server_unref(server);
    server = make_server("b2", &none, SERVER_UP);
    for (int i = 0; i < 100000; i++)
        ck_assert(server_take_place(server));
    server_unref(server);
}
END_TEST

START_TEST(a_server_that_owes_answers_is_full)
{
    const struct server_settings limits = {.max_connections = 3, .max_pending = 2};
    struct server               *server = make_server("b1", &limits, SERVER_UP);
    ck_assert(server_take_place(server) && server_take_place(server));
    ck_assert(!server_has_room(server) && !server_take_place(server));
    ck_assert_uint_eq(server_pending(server), 2);
    server_answered(server);
    ck_assert(server_has_room(server) && server_take_place(server));
    ck_assert_uint_eq(server_pending(server), 2);
    ck_assert_uint_eq(server_in_flight(server), 3);
    server_answered(server);
    server_answered(server);
    ck_assert(!server_take_place(server)); /* all have been answered, and all are there */
    ck_assert_uint_eq(server_pending(server), 0);
    server_give_place(server, false);
    ck_assert(server_take_place(server));
    server_give_place(server, true);
    ck_assert_uint_eq(server_pending(server), 0);
    ck_assert_uint_eq(server_in_flight(server), 2);
    server_unref(server);
}
END_TEST

START_TEST(the_peak_begins_anew_with_what_is_there)
{
    const struct server_settings none = {0};
    struct server               *server = make_server("b1", &none, SERVER_UP);
    for (int i = 0; i < 3; i++)
        ck_assert(server_take_place(server));
    server_give_place(server, true);
    ck_assert_uint_eq(server_most_in_flight(server), 3);
    server_forget_peak(server);
    ck_assert_uint_eq(server_most_in_flight(server), 2);
    server_unref(server);
}
END_TEST

START_TEST(an_operator_takes_a_server_out_and_puts_it_back)
{
    const struct server_settings none = {0};
    struct server               *server = make_server("b1", &none, SERVER_UP);
    const enum server_admin      out[] = {SERVER_DRAIN, SERVER_MAINT};
    for (size_t i = 0; i < ARRAY_LEN(out); i++) {
        server_set_admin(server, out[i]);
        ck_assert(!server_is_usable(server) && !server_is_healthy(server));
        server_set_admin(server, SERVER_READY);
        ck_assert(server_is_usable(server) && server_is_healthy(server));
    }
    server_set_weight(server, 0);
    ck_assert(!server_is_usable(server));
    server_set_weight(server, 7);
    ck_assert(server_is_usable(server));
    ck_assert_uint_eq(server_weight(server), 7);
    ck_assert_uint_eq(server_initial_weight(server), 100);
    server_unref(server);
}
END_TEST

START_TEST(a_limit_set_at_run_time_holds_from_then_on)
{
    const struct server_settings two = {.max_connections = 2};
    struct server               *server = make_server("b1", &two, SERVER_UP);
    ck_assert(server_take_place(server) && server_take_place(server) && !server_take_place(server));
    server_set_max_connections(server, 3);
    ck_assert(server_take_place(server) && !server_take_place(server));
    server_set_max_connections(server, 1);
    server_give_place(server, true);
    ck_assert(!server_take_place(server));
    ck_assert_uint_eq(server_in_flight(server), 2);
    ck_assert_uint_eq(server_most_in_flight(server), 3);
    server_set_max_connections(server, 0);
    ck_assert(server_take_place(server));
    server_unref(server);
}
END_TEST

START_TEST(an_address_set_at_run_time_is_the_next_one_told)
{
    const struct server_settings none = {0};
    struct server               *server = make_server("b1", &none, SERVER_UP);
    struct addr                  other, at = server_address(server);
    char                         text[ADDR_TEXT_MAX];
    ck_assert_str_eq(addr_format(&at, text), "127.0.0.1:1883");
    ck_assert(addr_parse("[::1]:1884", &other));
    server_set_address(server, &other);
    at = server_address(server);
    ck_assert_str_eq(addr_format(&at, text), "[::1]:1884");
    server_unref(server);
}
END_TEST

START_TEST(a_server_without_an_address_is_not_tried)
{
    const struct server_settings nowhere = {.name = "b1", .host = "broker.example.", .weight = 100};
    struct server               *server = server_new(&nowhere, SERVER_UNCHECKED);
    char                         host[SERVER_HOST_MAX];
    struct addr                  at;
    ck_assert(!server_has_address(server) && !server_is_usable(server) && !server_is_healthy(server));
    ck_assert(server_is_in_maintenance(server));
    ck_assert_str_eq(server_host(server, host), "broker.example"); /* names in certificates have no dot there */
    ck_assert(addr_parse("10.0.0.1:1883", &at));
    server_set_address(server, &at);
    ck_assert(server_has_address(server) && server_is_healthy(server) && !server_is_in_maintenance(server));
    ck_assert_str_eq(server_host(server, host), "broker.example");
    server_set_location(server, &(struct addr){0}, "");
    ck_assert(!server_is_usable(server));
    ck_assert_str_eq(server_host(server, host), "");
    server_unref(server);
}
END_TEST

/* Port n, and n twenty times in the host. */
static void place_n(unsigned n, struct addr *at, char host[SERVER_HOST_MAX])
{
    const uint8_t ip[16] = {(uint8_t)n, [15] = (uint8_t)n};
    size_t        len = 0;
    *at = addr_from_ip6(ip, (uint16_t)n);
    for (int i = 0; i < 20; i++)
        len += (size_t)snprintf(host + len, SERVER_HOST_MAX - len, "%u.", n);
    host[len - 1] = '\0';
}

struct mover {
    struct server *server;
    _Atomic bool   done;
};

static void *move_about(void *user)
{
    struct mover *m = user;
    struct addr   at;
    char          host[SERVER_HOST_MAX];
    for (unsigned i = 0; i < 100000; i++) {
        place_n(1 + i % 60000, &at, host);
        server_set_location(m->server, &at, host);
    }
    atomic_store(&m->done, true);
    return NULL;
}

START_TEST(a_place_is_read_whole_while_it_changes)
{
    const struct server_settings none = {0};
    struct mover                 m = {.server = make_server("b1", &none, SERVER_UP)};
    pthread_t                    thread;
    struct addr                  at, is;
    char                         host[SERVER_HOST_MAX], other[SERVER_HOST_MAX];
    place_n(1, &at, host);
    server_set_location(m.server, &at, host);
    ck_assert_int_eq(pthread_create(&thread, NULL, move_about, &m), 0);
    while (!atomic_load(&m.done)) {
        is = server_address(m.server);
        place_n(addr_port(&is), &at, other);
        ck_assert_mem_eq(&is, &at, sizeof at);
        place_n((unsigned)strtoul(server_host(m.server, host), NULL, 10), &at, other);
        ck_assert_str_eq(host, other);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    server_unref(m.server);
}
END_TEST

START_TEST(failures_are_told_once)
{
    const struct server_settings none = {0};
    struct server               *server = make_server("b1", &none, SERVER_UP);
    ck_assert_uint_eq(server_take_failures(server), 0);
    server_note_failure(server);
    server_note_failure(server);
    ck_assert_uint_eq(server_take_failures(server), 2);
    ck_assert_uint_eq(server_take_failures(server), 0);
    server_unref(server);
}
END_TEST

enum { CONTENDERS = 4, ROUNDS = 50000, PLACES = 3, PENDING = 2 };

struct tally {
    _Atomic uint32_t now, most;
};

struct contest {
    struct server *server;
    struct tally   holders, pending;
};

static void enter(struct tally *t)
{
    uint32_t now = atomic_fetch_add(&t->now, 1) + 1, most = atomic_load(&t->most);
    while (now > most && !atomic_compare_exchange_weak(&t->most, &most, now))
        ;
}

static void *contend(void *arg)
{
    struct contest *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        bool answered = i % 2 == 0;
        if (!server_take_place(c->server))
            continue;
        enter(&c->holders);
        enter(&c->pending);
        atomic_fetch_sub(&c->pending.now, 1);
        if (answered)
            server_answered(c->server);
        atomic_fetch_sub(&c->holders.now, 1);
        server_give_place(c->server, !answered);
    }
    return NULL;
}

START_TEST(many_threads_never_hold_more_than_the_limits)
{
    const struct server_settings limits = {.max_connections = PLACES, .max_pending = PENDING};
    struct contest               c = {.server = make_server("b1", &limits, SERVER_UP)};
    pthread_t                    threads[CONTENDERS];
    for (int i = 0; i < CONTENDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, &c), 0);
    for (int i = 0; i < CONTENDERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_ge(atomic_load(&c.holders.most), 1);
    ck_assert_uint_le(atomic_load(&c.holders.most), PLACES);
    ck_assert_uint_le(atomic_load(&c.pending.most), PENDING);
    ck_assert_uint_eq(server_in_flight(c.server), 0);
    ck_assert_uint_eq(server_pending(c.server), 0);
    server_unref(c.server);
}
END_TEST

static TCase *server_tests(void)
{
    TCase *tc = tcase_create("server");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_state_says_who_may_be_tried_and_who_is_healthy);
    tcase_add_test(tc, a_server_keeps_its_own_name);
    tcase_add_test(tc, places_end_at_the_limit_and_come_back);
    tcase_add_test(tc, a_server_that_owes_answers_is_full);
    tcase_add_test(tc, the_peak_begins_anew_with_what_is_there);
    tcase_add_test(tc, an_operator_takes_a_server_out_and_puts_it_back);
    tcase_add_test(tc, a_limit_set_at_run_time_holds_from_then_on);
    tcase_add_test(tc, an_address_set_at_run_time_is_the_next_one_told);
    tcase_add_test(tc, a_server_without_an_address_is_not_tried);
    tcase_add_test(tc, a_place_is_read_whole_while_it_changes);
    tcase_add_test(tc, failures_are_told_once);
    tcase_add_test(tc, many_threads_never_hold_more_than_the_limits);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("upstream");
    suite_add_tcase(suite, server_tests());
    suite_add_tcase(suite, pool_tcase());
    suite_add_tcase(suite, balance_tcase());
    suite_add_tcase(suite, pace_tcase());
    suite_add_tcase(suite, sources_tcase());
    return unit_run(suite);
}
