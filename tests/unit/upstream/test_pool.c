/* The places of a pool: who gets one, who waits, and that nobody waits in vain. */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/macros.h"
#include "unit/upstream/farm.h"
#include "unit/upstream/suites.h"

START_TEST(the_first_written_is_picked_while_it_has_room)
{
    const struct server_settings limits[] = {{.max_connections = 2}, {.max_connections = 1}, {0}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 3, limits);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 1);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 2);
    ck_assert(!farm_give(&farm, 1));
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 1);
    ck_assert(!farm_give(&farm, 0));
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    ck_assert_uint_eq(server_in_flight(farm.servers[0]), 2);
    farm_fini(&farm);
}
END_TEST

START_TEST(what_was_tried_is_passed_over_until_all_were)
{
    const struct server_settings limits[3] = {0};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 3, limits);
    ck_assert_uint_eq(farm_pick(&farm, 1, 0), 1);
    ck_assert_uint_eq(farm_pick(&farm, 3, 0), 2);
    ck_assert_uint_eq(farm_pick(&farm, 6, 0), 0);
    ck_assert_int_eq(farm_refuse(&farm, 7, 0), PICK_EXHAUSTED);
    farm_fini(&farm);
}
END_TEST

START_TEST(the_last_of_the_most_servers_has_a_bit_too)
{
    const struct server_settings limits[POOL_SERVERS_MAX] = {0};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, POOL_SERVERS_MAX, limits);
    ck_assert_uint_eq(farm_pick(&farm, UINT64_MAX >> 1, 0), POOL_SERVERS_MAX - 1);
    ck_assert_int_eq(farm_refuse(&farm, UINT64_MAX, 0), PICK_EXHAUSTED);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_full_server_is_worth_waiting_for_and_a_tried_one_is_not)
{
    const struct server_settings limits[] = {{.max_connections = 1}, {.max_connections = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 2, limits);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    ck_assert_int_eq(farm_refuse(&farm, 2, 0), PICK_FULL);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 1);
    ck_assert_int_eq(farm_refuse(&farm, 0, 0), PICK_FULL);
    ck_assert_int_eq(farm_refuse(&farm, 3, 0), PICK_EXHAUSTED);
    ck_assert_uint_eq(server_in_flight(farm.servers[0]), 1);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_server_that_is_down_is_not_picked)
{
    const struct server_settings limits[2] = {0};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 2, limits);
    server_set_state(farm.servers[0], SERVER_DOWN);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 1);
    server_set_state(farm.servers[1], SERVER_DOWN);
    ck_assert_int_eq(farm_refuse(&farm, 0, 0), PICK_NONE_UP);
    server_set_state(farm.servers[0], SERVER_UNKNOWN); /* may be tried before the first check has answered */
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_backup_serves_only_while_no_other_is_usable)
{
    const struct server_settings limits[] = {{.backup = true}, {.max_connections = 1}, {.backup = true}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 3, limits);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 1);
    ck_assert_int_eq(farm_refuse(&farm, 0, 0), PICK_FULL);
    ck_assert_int_eq(farm_refuse(&farm, 2, 0), PICK_EXHAUSTED);
    server_set_state(farm.servers[1], SERVER_DOWN);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    ck_assert_uint_eq(farm_pick(&farm, 1, 0), 2);
    server_set_state(farm.servers[0], SERVER_DOWN);
    server_set_state(farm.servers[2], SERVER_DOWN);
    ck_assert_int_eq(farm_refuse(&farm, 0, 0), PICK_NONE_UP);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_pool_is_healthy_while_one_server_is)
{
    const struct server_settings limits[] = {{0}, {.backup = true}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 2, limits);
    server_set_state(farm.servers[0], SERVER_DOWN);
    ck_assert(pool_is_healthy(farm.pool));
    server_set_state(farm.servers[1], SERVER_UNKNOWN);
    ck_assert(!pool_is_healthy(farm.pool));
    server_set_state(farm.servers[0], SERVER_UNCHECKED);
    ck_assert(pool_is_healthy(farm.pool));
    farm_fini(&farm);
}
END_TEST

/* ---- leases ---- */

START_TEST(a_lease_is_given_back_once)
{
    const struct server_settings limits[1] = {{0}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           waiter = {0};
    struct lease                 lease;
    ck_assert_int_eq(pool_pick(farm.pool, 0, &waiter, &lease), PICK_OK);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    for (int i = 0; i < 2; i++)
        ck_assert(!pool_answered(farm.pool, &lease));
    ck_assert(lease.held && !lease.pending);
    ck_assert_uint_eq(server_pending(farm.servers[0]), 1);
    for (int i = 0; i < 2; i++)
        ck_assert(!pool_release(farm.pool, &lease));
    ck_assert(!lease.held);
    ck_assert_uint_eq(server_in_flight(farm.servers[0]), 1);
    ck_assert_uint_eq(server_pending(farm.servers[0]), 1);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_session_that_ends_unanswered_gives_both_places_back)
{
    const struct server_settings limits[] = {{.max_pending = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           waiter = {0};
    struct lease                 lease;
    ck_assert_int_eq(pool_pick(farm.pool, 0, &waiter, &lease), PICK_OK);
    ck_assert_int_eq(farm_refuse(&farm, 0, 0), PICK_FULL);
    ck_assert(!pool_release(farm.pool, &lease));
    ck_assert_uint_eq(server_pending(farm.servers[0]), 0);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    farm_fini(&farm);
}
END_TEST

START_TEST(an_answer_lets_the_next_one_in)
{
    const struct server_settings limits[] = {{.max_pending = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           first = {0}, second = {0};
    struct lease                 one, two;
    ck_assert_int_eq(pool_pick(farm.pool, 0, &first, &one), PICK_OK);
    ck_assert_int_eq(pool_pick(farm.pool, 1, &second, &two), PICK_FULL);
    ck_assert(second.waits);
    ck_assert(pool_answered(farm.pool, &one)); /* tell the workers */
    ck_assert_int_eq(pool_pick(farm.pool, 1, &second, &two), PICK_OK);
    ck_assert(!second.waits);
    ck_assert(!pool_answered(farm.pool, &two));
    ck_assert_uint_eq(server_in_flight(farm.servers[0]), 2);
    farm_fini(&farm);
}
END_TEST

START_TEST(an_answer_is_no_news_where_answers_are_not_waited_for)
{
    const struct server_settings limits[] = {{.max_connections = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           first = {0}, second = {0};
    struct lease                 one, two;
    ck_assert_int_eq(pool_pick(farm.pool, 0, &first, &one), PICK_OK);
    ck_assert_int_eq(pool_pick(farm.pool, 0, &second, &two), PICK_FULL);
    ck_assert(!pool_answered(farm.pool, &one));
    ck_assert(pool_release(farm.pool, &one));
    pool_leave(farm.pool, 0, &second);
    farm_fini(&farm);
}
END_TEST

/* ---- queues ---- */

static void wait_for_place(struct farm *farm, unsigned worker, struct pool_waiter *waiter)
{
    struct lease lease;
    ck_assert_int_eq(pool_pick(farm->pool, worker, waiter, &lease), PICK_FULL);
    ck_assert(waiter->waits);
}

START_TEST(who_waits_first_is_first)
{
    const struct server_settings limits[1] = {{.max_connections = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           w[3] = {0}, other = {0};
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    for (int i = 0; i < 3; i++)
        wait_for_place(&farm, 0, &w[i]);
    wait_for_place(&farm, 1, &other);
    ck_assert_uint_eq(pool_n_waiting(farm.pool), 4);
    ck_assert_uint_eq(pool_n_queues(farm.pool), 1);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 0, 0), &w[0]);
    pool_leave(farm.pool, 0, &w[1]); /* gave up in the middle of the queue */
    pool_leave(farm.pool, 0, &w[0]);
    pool_leave(farm.pool, 0, &w[0]);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 0, 0), &w[2]);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 1, 0), &other);
    pool_leave(farm.pool, 0, &w[2]);
    ck_assert_ptr_null(pool_first_waiter(farm.pool, 0, 0));
    ck_assert(farm_give(&farm, 0));
    pool_leave(farm.pool, 1, &other);
    ck_assert_uint_eq(pool_n_waiting(farm.pool), 0);
    ck_assert_uint_eq(peak_read(&pool_waiting_gauge(farm.pool)->peak), 4);
    farm_fini(&farm);
}
END_TEST

START_TEST(who_comes_later_does_not_take_the_place_of_those_who_wait)
{
    const struct server_settings limits[1] = {{.max_connections = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           first = {0}, second = {0}, late = {0};
    struct lease                 lease;
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    wait_for_place(&farm, 0, &first);
    wait_for_place(&farm, 0, &second);
    ck_assert(farm_give(&farm, 0));
    wait_for_place(&farm, 0, &late);
    wait_for_place(&farm, 0, &second);
    ck_assert_int_eq(pool_pick(farm.pool, 0, &first, &lease), PICK_OK);
    ck_assert(pool_release(farm.pool, &lease));
    ck_assert_int_eq(pool_pick(farm.pool, 0, &second, &lease), PICK_OK);
    pool_leave(farm.pool, 0, &late);
    farm_fini(&farm);
}
END_TEST

START_TEST(who_waits_while_the_last_server_goes_down_is_told_so)
{
    const struct server_settings limits[1] = {{.max_connections = 1}};
    struct farm                  farm = farm_of(BALANCE_LOCAL_FIRST, 1, limits);
    struct pool_waiter           waiter = {0};
    struct lease                 lease;
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    wait_for_place(&farm, 0, &waiter);
    server_set_state(farm.servers[0], SERVER_DOWN);
    ck_assert_int_eq(farm_refuse(&farm, 0, 0), PICK_NONE_UP); /* not behind those who wait */
    ck_assert_int_eq(pool_pick(farm.pool, 0, &waiter, &lease), PICK_NONE_UP);
    ck_assert(!waiter.waits);
    farm_fini(&farm);
}
END_TEST

/* A key whose client goes to this server. */
static uint64_t key_of(struct farm *farm, size_t server)
{
    uint64_t key = 0;
    while (farm_visit(farm, 0, key) != server)
        key++;
    return key;
}

START_TEST(who_waits_for_its_own_server_holds_up_nobody_else)
{
    const struct server_settings limits[] = {{.max_connections = 1}, {.max_connections = 2}};
    struct farm                  farm = farm_of(BALANCE_SOURCE, 2, limits);
    uint64_t                     keys[] = {key_of(&farm, 0), key_of(&farm, 1)};
    struct pool_waiter           waiter = {.key = keys[0]};
    struct lease                 lease;
    ck_assert_uint_eq(farm_pick(&farm, 0, keys[0]), 0);
    wait_for_place(&farm, 0, &waiter);
    ck_assert_uint_eq(pool_n_queues(farm.pool), 2);
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 0, 0), &waiter);
    ck_assert_ptr_null(pool_first_waiter(farm.pool, 0, 1));
    ck_assert_uint_eq(farm_pick(&farm, 0, keys[1]), 1);
    ck_assert_uint_eq(farm_pick(&farm, 1, keys[0]), 1); /* it has tried its own */
    ck_assert_int_eq(farm_refuse(&farm, 0, keys[1]), PICK_FULL);
    ck_assert(farm_give(&farm, 0));
    ck_assert_int_eq(pool_pick(farm.pool, 0, &waiter, &lease), PICK_OK);
    ck_assert_uint_eq(lease.index, 0);
    farm_fini(&farm);
}
END_TEST

START_TEST(who_waits_for_a_server_that_goes_down_moves_to_the_next_and_home_again)
{
    const struct server_settings limits[] = {{.max_connections = 1}, {.max_connections = 1}};
    struct farm                  farm = farm_of(BALANCE_CLIENT_ID, 2, limits);
    uint64_t                     keys[] = {key_of(&farm, 0), key_of(&farm, 1)};
    struct pool_waiter           here = {.key = keys[0]}, there = {.key = keys[1]};
    struct lease                 lease;
    ck_assert_uint_eq(farm_pick(&farm, 0, keys[0]), 0);
    ck_assert_uint_eq(farm_pick(&farm, 0, keys[1]), 1);
    wait_for_place(&farm, 0, &there);
    wait_for_place(&farm, 0, &here);
    server_set_state(farm.servers[0], SERVER_DOWN);
    wait_for_place(&farm, 0, &here);
    ck_assert_ptr_null(pool_first_waiter(farm.pool, 0, 0));
    ck_assert_ptr_eq(pool_first_waiter(farm.pool, 0, 1), &there);
    ck_assert_uint_eq(pool_n_waiting(farm.pool), 2);
    server_set_state(farm.servers[0], SERVER_UP);
    ck_assert(farm_give(&farm, 0));
    ck_assert_int_eq(pool_pick(farm.pool, 0, &here, &lease), PICK_OK);
    ck_assert_uint_eq(lease.index, 0);
    pool_leave(farm.pool, 0, &there);
    farm_fini(&farm);
}
END_TEST

/* ---- threads ---- */

/* Two workers want one place; each tells the other when it gives something back and is told that somebody waits. */
struct duel {
    struct farm farm;
    sem_t       mail[FARM_WORKERS];
};

struct duellist {
    struct duel *duel;
    unsigned     worker;
};

enum { ROUNDS = 50000 };

static void tell_all(struct duel *d, bool somebody_waits)
{
    for (unsigned w = 0; somebody_waits && w < FARM_WORKERS; w++)
        (void)sem_post(&d->mail[w]);
}

static void *take_turns(void *arg)
{
    const struct duellist *me = arg;
    struct duel           *d = me->duel;
    struct pool_waiter     waiter = {0};
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct lease lease;
        waiter.key = i;
        while (pool_pick(d->farm.pool, me->worker, &waiter, &lease) != PICK_OK)
            (void)sem_wait(&d->mail[me->worker]);
        if (i % 2 == 0)
            tell_all(d, pool_answered(d->farm.pool, &lease));
        tell_all(d, pool_release(d->farm.pool, &lease));
    }
    return NULL;
}

static const struct {
    enum conf_balance      balance;
    struct server_settings servers[2];
} duels[] = {
    {BALANCE_LOCAL_FIRST, {{.max_connections = 1}, {.max_connections = 1, .backup = true}}},
    {BALANCE_LOCAL_FIRST, {{.max_pending = 1}, {.max_connections = 1, .backup = true}}},
    {BALANCE_LOCAL_FIRST, {{.max_connections = 1, .max_pending = 1}, {.max_connections = 1, .backup = true}}},
    {BALANCE_SOURCE, {{.max_connections = 1}, {.max_pending = 1}}},
};

/* A wake-up that is lost leaves both asleep, and the test ends by its timeout. */
START_TEST(nobody_waits_for_a_place_that_is_free)
{
    struct duel     d = {.farm = farm_of(duels[_i].balance, 2, duels[_i].servers)};
    struct duellist who[FARM_WORKERS];
    pthread_t       threads[FARM_WORKERS];
    for (unsigned w = 0; w < FARM_WORKERS; w++) {
        ck_assert_int_eq(sem_init(&d.mail[w], 0, 0), 0);
        who[w] = (struct duellist){&d, w};
    }
    for (unsigned w = 0; w < FARM_WORKERS; w++)
        ck_assert_int_eq(pthread_create(&threads[w], NULL, take_turns, &who[w]), 0);
    for (unsigned w = 0; w < FARM_WORKERS; w++)
        ck_assert_int_eq(pthread_join(threads[w], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(server_in_flight(d.farm.servers[i]), 0);
        ck_assert_uint_eq(server_pending(d.farm.servers[i]), 0);
    }
    ck_assert_uint_eq(pool_n_waiting(d.farm.pool), 0);
    for (unsigned w = 0; w < FARM_WORKERS; w++)
        ck_assert_int_eq(sem_destroy(&d.mail[w]), 0);
    farm_fini(&d.farm);
}
END_TEST

TCase *pool_tcase(void)
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
    tcase_add_test(tc, a_lease_is_given_back_once);
    tcase_add_test(tc, a_session_that_ends_unanswered_gives_both_places_back);
    tcase_add_test(tc, an_answer_lets_the_next_one_in);
    tcase_add_test(tc, an_answer_is_no_news_where_answers_are_not_waited_for);
    tcase_add_test(tc, who_waits_first_is_first);
    tcase_add_test(tc, who_comes_later_does_not_take_the_place_of_those_who_wait);
    tcase_add_test(tc, who_waits_while_the_last_server_goes_down_is_told_so);
    tcase_add_test(tc, who_waits_for_its_own_server_holds_up_nobody_else);
    tcase_add_test(tc, who_waits_for_a_server_that_goes_down_moves_to_the_next_and_home_again);
    tcase_add_loop_test(tc, nobody_waits_for_a_place_that_is_free, 0, ARRAY_LEN(duels));
    return tc;
}
