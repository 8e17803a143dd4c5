/* Unit tests of room upstream/. */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/macros.h"
#include "support/unit.h"
#include "unit/upstream/suites.h"
#include "upstream/pool.h"

enum { WORKERS = 2 };

/* Servers "a", "b", ... of one pool. */
struct farm {
    struct server *servers[POOL_SERVERS_MAX];
    size_t         n;
    struct pool   *pool;
};

/* With a weight, as every server has one unless it says otherwise. */
static struct server *make_server(const char *name, const struct server_settings *limits, enum server_state state)
{
    struct server_settings settings = *limits;
    settings.name = name;
    settings.weight = 100;
    ck_assert(addr_parse("127.0.0.1:1883", &settings.address));
    return server_new(&settings, state);
}

static struct farm farm_of(size_t n, const struct server_settings *limits)
{
    struct farm farm = {.n = n};
    for (size_t i = 0; i < n; i++) {
        char name[] = {(char)('a' + i % 26), '\0'};
        farm.servers[i] = make_server(name, &limits[i], SERVER_UP);
        ck_assert_ptr_nonnull(farm.servers[i]);
    }
    farm.pool = pool_new(farm.servers, n, WORKERS);
    ck_assert_ptr_nonnull(farm.pool);
    return farm;
}

static void farm_fini(struct farm *farm)
{
    pool_free(farm->pool);
    for (size_t i = 0; i < farm->n; i++)
        server_free(farm->servers[i]);
}

static size_t picked(struct farm *farm, uint64_t tried)
{
    size_t index = SIZE_MAX;
    ck_assert_int_eq(pool_pick(farm->pool, tried, &index), PICK_OK);
    return index;
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
    server_free(server);
    server_free(NULL);
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
    server_free(server);
}
END_TEST

START_TEST(slots_end_at_the_limit_and_come_back)
{
    const struct server_settings two = {.max_connections = 2}, none = {0};
    struct server               *server = make_server("b1", &two, SERVER_UP);
    ck_assert(server_take_slot(server));
    ck_assert(server_take_slot(server));
    ck_assert(!server_take_slot(server));
    ck_assert_uint_eq(server_in_flight(server), 2);
    server_give_slot(server);
    ck_assert(server_take_slot(server));
    server_free(server);
    server = make_server("b2", &none, SERVER_UP);
    for (int i = 0; i < 100000; i++)
        ck_assert(server_take_slot(server));
    server_free(server);
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
    server_free(server);
}
END_TEST

START_TEST(a_limit_set_at_run_time_holds_from_then_on)
{
    const struct server_settings two = {.max_connections = 2};
    struct server               *server = make_server("b1", &two, SERVER_UP);
    ck_assert(server_take_slot(server) && server_take_slot(server) && !server_take_slot(server));
    server_set_max_connections(server, 3);
    ck_assert(server_take_slot(server) && !server_take_slot(server));
    server_set_max_connections(server, 1);
    server_give_slot(server);
    ck_assert(!server_take_slot(server));
    ck_assert_uint_eq(server_in_flight(server), 2);
    ck_assert_uint_eq(peak_read(&server_gauge(server)->peak), 3);
    server_set_max_connections(server, 0);
    ck_assert(server_take_slot(server));
    server_free(server);
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
    ck_assert(server_set_address(server, &other));
    at = server_address(server);
    ck_assert_str_eq(addr_format(&at, text), "[::1]:1884");
    server_free(server);
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
    server_free(server);
}
END_TEST

enum { CONTENDERS = 4, ROUNDS = 50000, SLOTS = 3 };

struct contest {
    struct server   *server;
    _Atomic uint32_t holders, most, refused;
};

static void *contend(void *arg)
{
    struct contest *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (!server_take_slot(c->server)) {
            atomic_fetch_add(&c->refused, 1);
            continue;
        }
        uint32_t now = atomic_fetch_add(&c->holders, 1) + 1, most = atomic_load(&c->most);
        while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
            ;
        atomic_fetch_sub(&c->holders, 1);
        server_give_slot(c->server);
    }
    return NULL;
}

START_TEST(many_threads_never_hold_more_than_the_limit)
{
    const struct server_settings limits = {.max_connections = SLOTS};
    struct contest               c = {.server = make_server("b1", &limits, SERVER_UP)};
    pthread_t                    threads[CONTENDERS];
    for (int i = 0; i < CONTENDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, &c), 0);
    for (int i = 0; i < CONTENDERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_ge(atomic_load(&c.most), 1);
    ck_assert_uint_le(atomic_load(&c.most), SLOTS);
    ck_assert_uint_eq(server_in_flight(c.server), 0);
    server_free(c.server);
}
END_TEST

START_TEST(the_first_written_is_picked_while_it_has_room)
{
    const struct server_settings limits[] = {{.max_connections = 2}, {.max_connections = 1}, {0}};
    struct farm                  farm = farm_of(3, limits);
    ck_assert_uint_eq(picked(&farm, 0), 0);
    ck_assert_uint_eq(picked(&farm, 0), 0);
    ck_assert_uint_eq(picked(&farm, 0), 1);
    ck_assert_uint_eq(picked(&farm, 0), 2);
    pool_release(farm.pool, 1);
    ck_assert_uint_eq(picked(&farm, 0), 1);
    pool_release(farm.pool, 0);
    ck_assert_uint_eq(picked(&farm, 0), 0);
    ck_assert_uint_eq(server_in_flight(farm.servers[0]), 2);
    farm_fini(&farm);
}
END_TEST

START_TEST(what_was_tried_is_passed_over_until_all_were)
{
    const struct server_settings limits[3] = {0};
    struct farm                  farm = farm_of(3, limits);
    size_t                       index = 7;
    ck_assert_uint_eq(picked(&farm, 1), 1);
    ck_assert_uint_eq(picked(&farm, 3), 2);
    ck_assert_uint_eq(picked(&farm, 6), 0);
    ck_assert_int_eq(pool_pick(farm.pool, 7, &index), PICK_EXHAUSTED);
    ck_assert_uint_eq(index, 7);
    farm_fini(&farm);
}
END_TEST

START_TEST(the_last_of_the_most_servers_has_a_bit_too)
{
    const struct server_settings limits[POOL_SERVERS_MAX] = {0};
    struct farm                  farm = farm_of(POOL_SERVERS_MAX, limits);
    size_t                       index;
    ck_assert_uint_eq(picked(&farm, UINT64_MAX >> 1), POOL_SERVERS_MAX - 1);
    ck_assert_int_eq(pool_pick(farm.pool, UINT64_MAX, &index), PICK_EXHAUSTED);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_full_server_is_worth_waiting_for_and_a_tried_one_is_not)
{
    const struct server_settings limits[] = {{.max_connections = 1}, {.max_connections = 1}};
    struct farm                  farm = farm_of(2, limits);
    size_t                       index;
    ck_assert_uint_eq(picked(&farm, 0), 0);
    ck_assert_int_eq(pool_pick(farm.pool, 2, &index), PICK_FULL);
    ck_assert_uint_eq(picked(&farm, 0), 1);
    ck_assert_int_eq(pool_pick(farm.pool, 0, &index), PICK_FULL);
    ck_assert_int_eq(pool_pick(farm.pool, 3, &index), PICK_EXHAUSTED);
    ck_assert_uint_eq(server_in_flight(farm.servers[0]), 1);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_server_that_is_down_is_not_picked)
{
    const struct server_settings limits[2] = {0};
    struct farm                  farm = farm_of(2, limits);
    size_t                       index;
    server_set_state(farm.servers[0], SERVER_DOWN);
    ck_assert_uint_eq(picked(&farm, 0), 1);
    server_set_state(farm.servers[1], SERVER_DOWN);
    ck_assert_int_eq(pool_pick(farm.pool, 0, &index), PICK_NONE_UP);
    server_set_state(farm.servers[0], SERVER_UNKNOWN); /* may be tried before the first check has answered */
    ck_assert_uint_eq(picked(&farm, 0), 0);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_backup_serves_only_while_no_other_is_usable)
{
    const struct server_settings limits[] = {{.backup = true}, {.max_connections = 1}, {.backup = true}};
    struct farm                  farm = farm_of(3, limits);
    size_t                       index;
    ck_assert_uint_eq(picked(&farm, 0), 1);
    ck_assert_int_eq(pool_pick(farm.pool, 0, &index), PICK_FULL);
    ck_assert_int_eq(pool_pick(farm.pool, 2, &index), PICK_EXHAUSTED);
    server_set_state(farm.servers[1], SERVER_DOWN);
    ck_assert_uint_eq(picked(&farm, 0), 0);
    ck_assert_uint_eq(picked(&farm, 1), 2);
    server_set_state(farm.servers[0], SERVER_DOWN);
    server_set_state(farm.servers[2], SERVER_DOWN);
    ck_assert_int_eq(pool_pick(farm.pool, 0, &index), PICK_NONE_UP);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_pool_is_healthy_while_one_server_is)
{
    const struct server_settings limits[] = {{0}, {.backup = true}};
    struct farm                  farm = farm_of(2, limits);
    server_set_state(farm.servers[0], SERVER_DOWN);
    ck_assert(pool_is_healthy(farm.pool));
    server_set_state(farm.servers[1], SERVER_UNKNOWN);
    ck_assert(!pool_is_healthy(farm.pool));
    server_set_state(farm.servers[0], SERVER_UNCHECKED);
    ck_assert(pool_is_healthy(farm.pool));
    farm_fini(&farm);
}
END_TEST

START_TEST(who_waits_first_is_first)
{
    const struct server_settings limits[1] = {0};
    struct farm                  farm = farm_of(1, limits);
    struct pool_waiter           w[3] = {0}, other = {0};
    ck_assert(!pool_has_waiters(farm.pool));
    for (int i = 0; i < 3; i++)
        pool_wait(farm.pool, 0, &w[i]);
    pool_wait(farm.pool, 1, &other);
    ck_assert_uint_eq(pool_n_waiting(farm.pool), 4);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 0), &w[0]);
    pool_leave(farm.pool, 0, &w[1]); /* gave up in the middle of the queue */
    pool_leave(farm.pool, 0, &w[0]);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 0), &w[2]);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 1), &other);
    pool_leave(farm.pool, 0, &w[2]);
    ck_assert_ptr_null(pool_first_waiter(farm.pool, 0));
    ck_assert(pool_has_waiters(farm.pool));
    pool_leave(farm.pool, 1, &other);
    ck_assert(!pool_has_waiters(farm.pool));
    farm_fini(&farm);
}
END_TEST

/* Two workers want one slot; each tells the other when it gives the slot back and sees somebody wait. */
struct duel {
    struct farm farm;
    sem_t       mail[WORKERS];
};

struct duellist {
    struct duel *duel;
    unsigned     worker;
};

static void wait_for_slot(struct duel *d, unsigned worker)
{
    struct pool_waiter me = {0};
    size_t             index;
    if (pool_pick(d->farm.pool, 0, &index) == PICK_OK)
        return;
    pool_wait(d->farm.pool, worker, &me);
    while (pool_pick(d->farm.pool, 0, &index) != PICK_OK)
        (void)sem_wait(&d->mail[worker]);
    pool_leave(d->farm.pool, worker, &me);
}

static void *take_turns(void *arg)
{
    const struct duellist *me = arg;
    struct duel           *d = me->duel;
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_slot(d, me->worker);
        pool_release(d->farm.pool, 0);
        for (unsigned w = 0; pool_has_waiters(d->farm.pool) && w < WORKERS; w++)
            (void)sem_post(&d->mail[w]);
    }
    return NULL;
}

/* A wake-up that is lost leaves both asleep, and the test ends by its timeout. */
START_TEST(nobody_waits_for_a_slot_that_is_free)
{
    const struct server_settings one = {.max_connections = 1};
    struct duel                  d = {.farm = farm_of(1, &one)};
    struct duellist              who[WORKERS];
    pthread_t                    threads[WORKERS];
    for (unsigned w = 0; w < WORKERS; w++) {
        ck_assert_int_eq(sem_init(&d.mail[w], 0, 0), 0);
        who[w] = (struct duellist){&d, w};
    }
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(pthread_create(&threads[w], NULL, take_turns, &who[w]), 0);
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(pthread_join(threads[w], NULL), 0);
    ck_assert_uint_eq(server_in_flight(d.farm.servers[0]), 0);
    ck_assert(!pool_has_waiters(d.farm.pool));
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(sem_destroy(&d.mail[w]), 0);
    farm_fini(&d.farm);
}
END_TEST

static TCase *server_tests(void)
{
    TCase *tc = tcase_create("server");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_state_says_who_may_be_tried_and_who_is_healthy);
    tcase_add_test(tc, a_server_keeps_its_own_name);
    tcase_add_test(tc, slots_end_at_the_limit_and_come_back);
    tcase_add_test(tc, an_operator_takes_a_server_out_and_puts_it_back);
    tcase_add_test(tc, a_limit_set_at_run_time_holds_from_then_on);
    tcase_add_test(tc, an_address_set_at_run_time_is_the_next_one_told);
    tcase_add_test(tc, failures_are_told_once);
    tcase_add_test(tc, many_threads_never_hold_more_than_the_limit);
    return tc;
}

static TCase *pool_tests(void)
{
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_first_written_is_picked_while_it_has_room);
    tcase_add_test(tc, what_was_tried_is_passed_over_until_all_were);
    tcase_add_test(tc, the_last_of_the_most_servers_has_a_bit_too);
    tcase_add_test(tc, a_full_server_is_worth_waiting_for_and_a_tried_one_is_not);
    tcase_add_test(tc, a_server_that_is_down_is_not_picked);
    tcase_add_test(tc, a_backup_serves_only_while_no_other_is_usable);
    tcase_add_test(tc, a_pool_is_healthy_while_one_server_is);
    tcase_add_test(tc, who_waits_first_is_first);
    tcase_add_test(tc, nobody_waits_for_a_slot_that_is_free);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("upstream");
    suite_add_tcase(suite, server_tests());
    suite_add_tcase(suite, pool_tests());
    suite_add_tcase(suite, sources_tcase());
    return unit_run(suite);
}
