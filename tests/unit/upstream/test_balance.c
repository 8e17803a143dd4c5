/* Which server is next: turns, loads and lots. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "unit/upstream/farm.h"
#include "unit/upstream/suites.h"

static void visit(struct farm *farm, size_t times, size_t *visits)
{
    memset(visits, 0, farm->n * sizeof *visits);
    for (size_t i = 0; i < times; i++)
        visits[farm_visit(farm, 0, 0)]++;
}

/* ---- turns ---- */

START_TEST(equal_servers_take_strict_turns)
{
    const struct server_settings same[3] = {0};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 3, same);
    for (size_t i = 0; i < 300; i++)
        ck_assert_uint_eq(farm_pick(&farm, 0, 0), i % 3);
    farm_fini(&farm);
}
END_TEST

START_TEST(turns_are_by_weight_and_spread_evenly)
{
    const struct server_settings settings[] = {{.weight = 1}, {.weight = 256}, {.weight = 100}, {.weight = 7}};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, ARRAY_LEN(settings), settings);
    size_t                       visits[ARRAY_LEN(settings)], total = 0;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        total += settings[i].weight;
    for (int round = 0; round < 20; round++) {
        visit(&farm, total, visits);
        for (size_t i = 0; i < ARRAY_LEN(settings); i++)
            ck_assert_msg(labs((long)visits[i] - (long)settings[i].weight) <= 1, "%zu: %zu", i, visits[i]);
    }
    farm_fini(&farm);
}
END_TEST

START_TEST(two_to_one_is_never_three_in_a_row)
{
    const struct server_settings settings[] = {{.weight = 20}, {.weight = 10}};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 2, settings);
    size_t                       in_a_row = 0, visits[2] = {0};
    for (int i = 0; i < 300; i++) {
        size_t index = farm_visit(&farm, 0, 0);
        visits[index]++;
        in_a_row = index == 0 ? in_a_row + 1 : 0;
        ck_assert_uint_le(in_a_row, 2);
    }
    ck_assert_uint_eq(visits[0], 200);
    farm_fini(&farm);
}
END_TEST

START_TEST(one_that_was_away_does_not_catch_up)
{
    const struct server_settings same[3] = {0};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 3, same);
    size_t                       visits[3];
    visit(&farm, 4, visits);
    server_set_state(farm.servers[1], SERVER_DOWN);
    visit(&farm, 1000, visits);
    ck_assert_uint_eq(visits[1], 0);
    ck_assert_uint_eq(visits[0], 500);
    server_set_state(farm.servers[1], SERVER_UP);
    visit(&farm, 30, visits);
    ck_assert_uint_ge(visits[1], 10);
    ck_assert_uint_le(visits[1], 11);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_full_one_is_passed_over_and_does_not_catch_up_either)
{
    const struct server_settings settings[] = {{.max_connections = 1}, {0}, {0}};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 3, settings);
    size_t                       visits[3];
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    visit(&farm, 1000, visits);
    ck_assert_uint_eq(visits[0], 0);
    ck_assert(!farm_give(&farm, 0));
    visit(&farm, 30, visits);
    ck_assert_uint_le(visits[0], 11);
    farm_fini(&farm);
}
END_TEST

START_TEST(what_was_tried_is_passed_over_whatever_its_turn)
{
    const struct server_settings same[3] = {0};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 3, same);
    ck_assert_uint_eq(farm_visit(&farm, 1, 0), 1);
    ck_assert_uint_eq(farm_visit(&farm, 3, 0), 2);
    ck_assert_uint_eq(farm_visit(&farm, 0, 0), 0);
    ck_assert_int_eq(farm_refuse(&farm, 7, 0), PICK_EXHAUSTED);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_weight_that_an_operator_sets_holds_from_the_next_turn)
{
    const struct server_settings settings[] = {{.weight = 100}, {.weight = 100}};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 2, settings);
    size_t                       visits[2];
    visit(&farm, 10, visits);
    server_set_weight(farm.servers[0], 25);
    visit(&farm, 100, visits);
    ck_assert_uint_ge(visits[0], 19);
    ck_assert_uint_le(visits[0], 21);
    server_set_weight(farm.servers[0], 0);
    visit(&farm, 10, visits);
    ck_assert_uint_eq(visits[0], 0);
    farm_fini(&farm);
}
END_TEST

enum { VISITORS = 4, VISITS = 30000 };

/* No assertions here: Check's are for one thread. SIZE_MAX: nobody was there. */
static size_t visit_quietly(struct farm *farm, uint64_t key)
{
    struct pool_waiter waiter = {.key = key};
    struct lease       lease;
    if (pool_pick(farm->pool, 0, &waiter, &lease) != PICK_OK)
        return SIZE_MAX;
    return pool_release(farm->pool, &lease) ? SIZE_MAX : lease.index;
}

struct counted {
    struct farm     *farm;
    _Atomic uint64_t visits[3];
};

static void *count_visits(void *arg)
{
    struct counted *c = arg;
    for (int i = 0; i < VISITS; i++) {
        size_t index = visit_quietly(c->farm, 0);
        if (index < ARRAY_LEN(c->visits))
            atomic_fetch_add(&c->visits[index], 1);
    }
    return NULL;
}

START_TEST(threads_together_take_turns_as_strictly_as_one)
{
    const struct server_settings settings[] = {{.weight = 1}, {.weight = 1}, {.weight = 2}};
    struct farm                  farm = farm_of(BALANCE_ROUNDROBIN, 3, settings);
    struct counted               c = {.farm = &farm};
    pthread_t                    threads[VISITORS];
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_visits, &c), 0);
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(atomic_load(&c.visits[i]), (uint64_t)VISITS * VISITORS * settings[i].weight / 4);
    farm_fini(&farm);
}
END_TEST

/* ---- loads ---- */

START_TEST(the_least_loaded_is_next_and_equals_take_turns)
{
    const struct server_settings same[3] = {0};
    struct farm                  farm = farm_of(BALANCE_LEASTCONN, 3, same);
    for (size_t i = 0; i < 9; i++) /* nobody stays: all are equal each time */
        ck_assert_uint_eq(farm_visit(&farm, 0, 0), i % 3);
    for (size_t i = 0; i < 9; i++)
        ck_assert_uint_eq(farm_pick(&farm, 0, 0), i % 3);
    ck_assert(!farm_give(&farm, 2));
    ck_assert(!farm_give(&farm, 2));
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 2);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0), 2);
    farm_fini(&farm);
}
END_TEST

START_TEST(loads_are_by_weight)
{
    const struct server_settings settings[] = {{.weight = 10}, {.weight = 30}, {.weight = 256}};
    struct farm                  farm = farm_of(BALANCE_LEASTCONN, 3, settings);
    for (int i = 0; i < 2960; i++)
        (void)farm_pick(&farm, 0, 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(server_in_flight(farm.servers[i]), 10 * settings[i].weight);
    farm_fini(&farm);
}
END_TEST

START_TEST(one_that_comes_back_empty_is_filled_first)
{
    const struct server_settings same[2] = {0};
    struct farm                  farm = farm_of(BALANCE_LEASTCONN, 2, same);
    server_set_state(farm.servers[0], SERVER_DOWN);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(farm_pick(&farm, 0, 0), 1);
    server_set_state(farm.servers[0], SERVER_UP);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(farm_pick(&farm, 0, 0), 0);
    ck_assert_uint_eq(farm_pick(&farm, 0, 0) + farm_pick(&farm, 0, 0), 1);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_full_one_is_not_the_least_loaded)
{
    const struct server_settings settings[] = {{.max_connections = 1}, {0}, {.max_pending = 1}};
    struct farm                  farm = farm_of(BALANCE_LEASTCONN, 3, settings);
    size_t                       visits[3] = {0};
    for (int i = 0; i < 20; i++)
        visits[farm_pick(&farm, 0, 0)]++;
    ck_assert_uint_eq(visits[0], 1);
    ck_assert_uint_eq(visits[1], 18);
    ck_assert_uint_eq(visits[2], 1);
    farm_fini(&farm);
}
END_TEST

struct visitors {
    struct farm     *farm;
    _Atomic uint32_t at_work, failures;
};

static void *keep_visiting(void *arg)
{
    struct visitors *v = arg;
    for (uint32_t i = 0; i < VISITS; i++)
        atomic_fetch_add(&v->failures, visit_quietly(v->farm, i) == SIZE_MAX);
    atomic_fetch_sub(&v->at_work, 1);
    return NULL;
}

START_TEST(threads_and_an_operator_who_changes_weights_leave_no_place_taken)
{
    const struct server_settings settings[] = {{.weight = 1}, {.weight = 10}, {.weight = 100}};
    struct farm                  farm = farm_of((enum conf_balance)_i, 3, settings);
    struct visitors              v = {.farm = &farm, .at_work = VISITORS};
    pthread_t                    threads[VISITORS];
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_visiting, &v), 0);
    for (uint32_t weight = 0; atomic_load(&v.at_work) > 0; weight = (weight + 1) % (SERVER_WEIGHT_MAX + 1))
        server_set_weight(farm.servers[weight % 2], weight);
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&v.failures), 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(server_in_flight(farm.servers[i]), 0);
    farm_fini(&farm);
}
END_TEST

/* ---- lots ---- */

enum { CLIENTS = 20000 };

static uint64_t client_key(uint32_t n)
{
    char id[16];
    int  len = snprintf(id, sizeof id, "client-%u", n);
    return pool_key(id, (size_t)len);
}

/* Where each client goes; the index that its server has in the farm. */
static uint8_t *places_of_all(struct farm *farm)
{
    uint8_t *places = malloc(CLIENTS);
    ck_assert_ptr_nonnull(places);
    for (uint32_t n = 0; n < CLIENTS; n++)
        places[n] = (uint8_t)farm_visit(farm, 0, client_key(n));
    return places;
}

static void expect_share(const char *what, size_t found, double share)
{
    double expected = share * CLIENTS, slack = 0.06 * expected + 60; /* well over four standard deviations */
    ck_assert_msg((double)found > expected - slack && (double)found < expected + slack, "%s: %zu for %.0f", what, found,
                  expected);
}

/* Of these weights, 0 for none, as servers "a", "b"... */
static struct farm weighted(const uint32_t *weights, size_t n)
{
    struct server_settings settings[8] = {0};
    for (size_t i = 0; i < n; i++)
        settings[i].weight = weights[i];
    return farm_of(BALANCE_CLIENT_ID, n, settings);
}

static const uint32_t lot_weights[][4] = {{100, 100, 100, 100}, {1, 1, 1, 1}, {256, 100, 30, 60}, {10, 20, 30, 40}};

static double total_of(const uint32_t *weights, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += weights[i];
    return total;
}

START_TEST(each_server_has_the_share_that_its_weight_says)
{
    const uint32_t *weights = lot_weights[_i];
    struct farm     farm = weighted(weights, 4);
    uint8_t        *places = places_of_all(&farm);
    size_t          found[4] = {0};
    for (uint32_t n = 0; n < CLIENTS; n++)
        found[places[n]]++;
    for (size_t i = 0; i < 4; i++)
        expect_share("share", found[i], weights[i] / total_of(weights, 4));
    free(places);
    farm_fini(&farm);
}
END_TEST

START_TEST(one_that_comes_takes_its_share_of_each_and_moves_nobody_else)
{
    const uint32_t *weights = lot_weights[_i];
    struct farm     three = weighted(weights, 3), four = weighted(weights, 4);
    uint8_t        *before = places_of_all(&three), *after = places_of_all(&four);
    size_t          moved_from[3] = {0};
    double          came = weights[3] / total_of(weights, 4);
    for (uint32_t n = 0; n < CLIENTS; n++) {
        if (before[n] == after[n])
            continue;
        ck_assert_uint_eq(after[n], 3);
        moved_from[before[n]]++;
    }
    expect_share("moved", moved_from[0] + moved_from[1] + moved_from[2], came);
    for (size_t i = 0; i < 3; i++)
        expect_share("moved from one", moved_from[i], came * weights[i] / total_of(weights, 3));
    free(before);
    free(after);
    farm_fini(&three);
    farm_fini(&four);
}
END_TEST

START_TEST(one_that_goes_down_leaves_its_clients_to_all_others_and_finds_them_again)
{
    const uint32_t *weights = lot_weights[_i];
    struct farm     farm = weighted(weights, 4);
    uint8_t        *before = places_of_all(&farm);
    size_t          went_to[4] = {0};
    server_set_state(farm.servers[0], SERVER_DOWN);
    uint8_t *meanwhile = places_of_all(&farm);
    server_set_state(farm.servers[0], SERVER_UP);
    uint8_t *after = places_of_all(&farm);
    ck_assert_mem_eq(before, after, CLIENTS);
    for (uint32_t n = 0; n < CLIENTS; n++) {
        ck_assert(before[n] == 0 || meanwhile[n] == before[n]);
        if (before[n] == 0)
            went_to[meanwhile[n]]++;
    }
    ck_assert_uint_eq(went_to[0], 0);
    for (size_t i = 1; i < 4; i++)
        expect_share("went", went_to[i], weights[0] / total_of(weights, 4) * weights[i] / total_of(weights + 1, 3));
    free(before);
    free(meanwhile);
    free(after);
    farm_fini(&farm);
}
END_TEST

START_TEST(a_tried_server_passes_its_client_on_to_where_it_would_be_without_it)
{
    const uint32_t *weights = lot_weights[0];
    struct farm     farm = weighted(weights, 4), without = weighted(weights, 4);
    for (uint32_t n = 0; n < 1000; n++) {
        size_t home = farm_visit(&farm, 0, client_key(n));
        server_set_state(without.servers[home], SERVER_DOWN);
        ck_assert_uint_eq(farm_visit(&farm, 1ull << home, client_key(n)), farm_visit(&without, 0, client_key(n)));
        server_set_state(without.servers[home], SERVER_UP);
    }
    farm_fini(&farm);
    farm_fini(&without);
}
END_TEST

START_TEST(a_smaller_weight_moves_only_what_the_server_gives_away)
{
    struct farm farm = weighted(lot_weights[0], 4);
    uint8_t    *before = places_of_all(&farm);
    size_t      left = 0;
    server_set_weight(farm.servers[2], 50);
    uint8_t *after = places_of_all(&farm);
    for (uint32_t n = 0; n < CLIENTS; n++) {
        ck_assert(before[n] == 2 || after[n] == before[n]);
        left += before[n] != after[n];
    }
    expect_share("left", left, 1 / 4. - 50 / 350.);
    free(before);
    free(after);
    farm_fini(&farm);
}
END_TEST

/* After a reload of a file with its servers in another order, at other addresses. */
START_TEST(names_decide_and_not_order)
{
    const struct server_settings some[] = {{.name = "b1"}, {.name = "b2"}, {.name = "b3"}, {.name = "b4"}};
    const struct server_settings others[] = {{.name = "b3"}, {.name = "b1"}, {.name = "b4"}, {.name = "b2"}};
    struct farm                  left = farm_of(BALANCE_SOURCE, 4, some), right = farm_of(BALANCE_SOURCE, 4, others);
    struct addr                  elsewhere;
    ck_assert(addr_parse("192.0.2.1:1884", &elsewhere));
    server_set_address(right.servers[0], &elsewhere);
    for (uint32_t n = 0; n < 2000; n++) {
        uint64_t key = client_key(n);
        ck_assert_str_eq(some[farm_visit(&left, 0, key)].name, others[farm_visit(&right, 0, key)].name);
    }
    farm_fini(&left);
    farm_fini(&right);
}
END_TEST

/* The targets of an SRV record, whose slots here are others than on the next node. */
START_TEST(identities_decide_where_there_are_any)
{
    const struct server_settings slots[] = {{.name = "b1"}, {.name = "b2"}, {.name = "b3"}};
    const char *const here[] = {"x:1", "y:1", "z:1"}, *const there[] = {"z:1", "x:1", "y:1"};
    struct farm left = farm_of(BALANCE_SOURCE, 3, slots), right = farm_of(BALANCE_SOURCE, 3, slots);
    for (size_t i = 0; i < ARRAY_LEN(here); i++) {
        server_set_identity(left.servers[i], here[i]);
        server_set_identity(right.servers[i], there[i]);
    }
    for (uint32_t n = 0; n < 2000; n++) {
        uint64_t key = client_key(n);
        ck_assert_str_eq(here[farm_visit(&left, 0, key)], there[farm_visit(&right, 0, key)]);
    }
    farm_fini(&left);
    farm_fini(&right);
}
END_TEST

/* Another hash would move every client at the next upgrade. */
START_TEST(a_client_goes_where_it_went_in_the_version_before)
{
    static const char            expected[] = "232131111311331131331313";
    const struct server_settings some[] = {{.name = "b1"}, {.name = "b2", .weight = 50}, {.name = "b3"}};
    struct farm                  farm = farm_of(BALANCE_CLIENT_ID, 3, some);
    char                         found[sizeof expected];
    for (uint32_t n = 0; n < sizeof expected - 1; n++)
        found[n] = (char)('1' + farm_visit(&farm, 0, client_key(n)));
    found[sizeof expected - 1] = '\0';
    ck_assert_str_eq(found, expected);
    farm_fini(&farm);
}
END_TEST

START_TEST(backups_are_used_in_the_order_written_whatever_the_balance)
{
    const struct server_settings settings[] = {{0}, {.backup = true, .max_connections = 2}, {.backup = true}};
    struct farm                  farm = farm_of((enum conf_balance)_i, 3, settings);
    for (uint32_t n = 0; n < 100; n++)
        ck_assert_uint_eq(farm_pick(&farm, 0, client_key(n)), 0);
    server_set_state(farm.servers[0], SERVER_DOWN);
    for (uint32_t n = 0; n < 100; n++)
        ck_assert_uint_eq(farm_visit(&farm, 0, client_key(n)), 1);
    ck_assert_uint_eq(farm_pick(&farm, 0, 1), 1);
    ck_assert_uint_eq(farm_pick(&farm, 0, 1), 1);
    ck_assert_uint_eq(farm_pick(&farm, 0, 1), 2);
    farm_fini(&farm);
}
END_TEST

START_TEST(the_most_servers_are_all_used)
{
    const struct server_settings same[POOL_SERVERS_MAX] = {0};
    struct server_settings       named[POOL_SERVERS_MAX];
    char                         names[POOL_SERVERS_MAX][8];
    uint64_t                     used = 0;
    memcpy(named, same, sizeof named);
    for (size_t i = 0; i < POOL_SERVERS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "s%zu", i);
        named[i].name = names[i];
    }
    struct farm farm = farm_of((enum conf_balance)_i, POOL_SERVERS_MAX, named);
    for (uint32_t n = 0; n < 2000; n++)
        used |= 1ull << farm_visit(&farm, 0, client_key(n));
    ck_assert_uint_eq(used, UINT64_MAX);
    farm_fini(&farm);
}
END_TEST

TCase *balance_tcase(void)
{
    TCase *tc = tcase_create("balance");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, equal_servers_take_strict_turns);
    tcase_add_test(tc, turns_are_by_weight_and_spread_evenly);
    tcase_add_test(tc, two_to_one_is_never_three_in_a_row);
    tcase_add_test(tc, one_that_was_away_does_not_catch_up);
    tcase_add_test(tc, a_full_one_is_passed_over_and_does_not_catch_up_either);
    tcase_add_test(tc, what_was_tried_is_passed_over_whatever_its_turn);
    tcase_add_test(tc, a_weight_that_an_operator_sets_holds_from_the_next_turn);
    tcase_add_test(tc, threads_together_take_turns_as_strictly_as_one);
    tcase_add_test(tc, the_least_loaded_is_next_and_equals_take_turns);
    tcase_add_test(tc, loads_are_by_weight);
    tcase_add_test(tc, one_that_comes_back_empty_is_filled_first);
    tcase_add_test(tc, a_full_one_is_not_the_least_loaded);
    tcase_add_loop_test(tc, threads_and_an_operator_who_changes_weights_leave_no_place_taken, BALANCE_LOCAL_FIRST,
                        BALANCE_CLIENT_ID + 1);
    tcase_add_loop_test(tc, each_server_has_the_share_that_its_weight_says, 0, ARRAY_LEN(lot_weights));
    tcase_add_loop_test(tc, one_that_comes_takes_its_share_of_each_and_moves_nobody_else, 0, ARRAY_LEN(lot_weights));
    tcase_add_loop_test(tc, one_that_goes_down_leaves_its_clients_to_all_others_and_finds_them_again, 0,
                        ARRAY_LEN(lot_weights));
    tcase_add_test(tc, a_tried_server_passes_its_client_on_to_where_it_would_be_without_it);
    tcase_add_test(tc, a_smaller_weight_moves_only_what_the_server_gives_away);
    tcase_add_test(tc, names_decide_and_not_order);
    tcase_add_test(tc, identities_decide_where_there_are_any);
    tcase_add_test(tc, a_client_goes_where_it_went_in_the_version_before);
    tcase_add_loop_test(tc, backups_are_used_in_the_order_written_whatever_the_balance, BALANCE_LOCAL_FIRST,
                        BALANCE_CLIENT_ID + 1);
    tcase_add_loop_test(tc, the_most_servers_are_all_used, BALANCE_LEASTCONN, BALANCE_CLIENT_ID + 1);
    return tc;
}
