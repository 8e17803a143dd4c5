/* Unit tests of room stats/. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "base/macros.h"
#include "stats/row.h"
#include "support/unit.h"

enum { WORKERS = 3, CACHE_LINE = 64 };

START_TEST(slots_of_two_workers_share_no_cache_line)
{
    const size_t     n = (size_t)_i + 1;
    struct counters *counters = counters_new(WORKERS, n);
    ck_assert_ptr_nonnull(counters);
    for (unsigned w = 0; w < WORKERS; w++) {
        uintptr_t first = (uintptr_t)&counters_slot(counters, w)[0];
        uintptr_t last = (uintptr_t)&counters_slot(counters, w)[n - 1];
        ck_assert_uint_eq(first % CACHE_LINE, 0);
        if (w + 1 < WORKERS)
            ck_assert_uint_lt(last / CACHE_LINE, (uintptr_t)counters_slot(counters, w + 1) / CACHE_LINE);
    }
    counters_free(counters);
    counters_free(NULL);
}
END_TEST

START_TEST(a_sum_is_over_all_workers_and_one_number)
{
    struct counters *counters = counters_new(WORKERS, COUNTS);
    for (size_t i = 0; i < COUNTS; i++)
        ck_assert_uint_eq(counters_sum(counters, i), 0);
    counter_add(&counters_slot(counters, 0)[COUNT_REQUEST_IN], UINT32_MAX);
    counter_add(&counters_slot(counters, 1)[COUNT_REQUEST_IN], 2);
    counter_add(&counters_slot(counters, 2)[COUNT_RESPONSE_OUT], 7);
    counter_add(&counters_slot(counters, 2)[COUNT_RESPONSE_OUT], 8);
    for (size_t i = 0; i < COUNTS; i++) {
        uint64_t expected = i == COUNT_REQUEST_IN ? UINT32_MAX + 2ull : i == COUNT_RESPONSE_OUT ? 15 : 0;
        ck_assert_uint_eq(counters_sum(counters, i), expected);
    }
    counters_free(counters);
}
END_TEST

START_TEST(every_worker_counter_has_a_name_of_its_own)
{
    for (size_t i = 0; i < WORKER_COUNTERS; i++) {
        ck_assert_ptr_nonnull(worker_counter_names[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(worker_counter_names[i], worker_counter_names[j]);
    }
}
END_TEST

enum { ADDS = 200000 };
static const uint64_t STEP = (1ull << 33) + 1; /* both halves of the word move at each step */

static void *add_many(void *slot)
{
    for (int i = 0; i < ADDS; i++)
        counter_add(slot, STEP);
    return NULL;
}

START_TEST(a_reader_sees_sums_that_only_grow_and_end_exact)
{
    struct counters *counters = counters_new(WORKERS, 1);
    pthread_t        threads[WORKERS];
    const uint64_t   total = WORKERS * ADDS * STEP;
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(pthread_create(&threads[w], NULL, add_many, counters_slot(counters, w)), 0);
    for (uint64_t sum = 0, before = 0; sum < total; before = sum) {
        sum = counters_sum(counters, 0);
        ck_assert_uint_ge(sum, before);
        ck_assert_uint_eq(sum % STEP, 0);
    }
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(pthread_join(threads[w], NULL), 0);
    ck_assert_uint_eq(counters_sum(counters, 0), total);
    counters_free(counters);
}
END_TEST

/* ---- rows ---- */

static void add(struct row *row, enum count which, uint64_t n)
{
    counter_add(&counters_slot(row->counters, 0)[which], n);
}

START_TEST(a_proxy_sums_its_own_and_its_children_and_remembers_those_that_are_gone)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *frontend = stats_proxy(stats, ROW_FRONTEND, "mqtt");
    struct row   *first = stats_child(stats, frontend, "sock-1"), *second = stats_child(stats, frontend, "sock-2");
    add(frontend, COUNT_REQUEST_IN, 1);
    add(first, COUNT_REQUEST_IN, 10);
    add(second, COUNT_REQUEST_IN, 100);
    ck_assert_uint_eq(row_sum(frontend, COUNT_REQUEST_IN), 111);
    ck_assert_uint_eq(row_sum(first, COUNT_REQUEST_IN), 10);
    row_unref(second);
    stats_sweep(stats);
    ck_assert_uint_eq(row_sum(frontend, COUNT_REQUEST_IN), 111);
    row_unref(first);
    row_unref(frontend);
    stats_sweep(stats);
    ck_assert_uint_eq(stats_sum(stats, COUNT_REQUEST_IN), 111);
    stats_free(stats);
}
END_TEST

START_TEST(a_name_that_comes_again_goes_on_counting_and_ids_are_never_shared)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *before = stats_proxy(stats, ROW_BACKEND, "emqx"), *server = stats_child(stats, before, "s1");
    struct row   *frontend = stats_proxy(stats, ROW_FRONTEND, "emqx"); /* a name of another kind is another row */
    add(server, COUNT_PICKS, 5);
    struct row *after = stats_proxy(stats, ROW_BACKEND, "emqx");
    ck_assert_ptr_eq(after, before);
    ck_assert_ptr_ne(frontend, before);
    ck_assert_uint_ne(frontend->iid, before->iid);
    ck_assert_uint_eq(server->iid, before->iid);
    ck_assert_uint_eq(server->sid, 1);
    ck_assert_uint_eq(before->sid, 0);
    row_unref(before);
    stats_sweep(stats); /* still held once, and by its server */
    ck_assert_uint_eq(row_sum(after, COUNT_PICKS), 5);
    row_unref(after);
    row_unref(server);
    row_unref(frontend);
    stats_free(stats);
}
END_TEST

START_TEST(clearing_forgets_counts_and_peaks_but_not_what_is_open)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *row = stats_proxy(stats, ROW_FRONTEND, "mqtt");
    gauge_add(&row->sessions);
    gauge_add(&row->sessions);
    gauge_sub(&row->sessions);
    add(row, COUNT_CONNECTIONS, 2);
    row_clear(row, false);
    ck_assert_uint_eq(row_sum(row, COUNT_CONNECTIONS), 2);
    ck_assert_uint_eq(peak_read(&row->sessions.peak), 1);
    row_clear(row, true);
    ck_assert_uint_eq(row_sum(row, COUNT_CONNECTIONS), 0);
    ck_assert_uint_eq(row_ever(row, COUNT_CONNECTIONS), 2);
    ck_assert_uint_eq(gauge_now(&row->sessions), 1);
    add(row, COUNT_HANDSHAKES, 5);
    add(row, COUNT_TLS_CLOSED, 3);
    row_clear(row, true);
    ck_assert_uint_eq(row_open(row, COUNT_HANDSHAKES, COUNT_TLS_CLOSED), 2);
    row_unref(row);
    stats_free(stats);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("counters");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, slots_of_two_workers_share_no_cache_line, 0, 20);
    tcase_add_test(tc, a_sum_is_over_all_workers_and_one_number);
    tcase_add_test(tc, every_worker_counter_has_a_name_of_its_own);
    tcase_add_test(tc, a_reader_sees_sums_that_only_grow_and_end_exact);
    tcase_add_test(tc, a_proxy_sums_its_own_and_its_children_and_remembers_those_that_are_gone);
    tcase_add_test(tc, a_name_that_comes_again_goes_on_counting_and_ids_are_never_shared);
    tcase_add_test(tc, clearing_forgets_counts_and_peaks_but_not_what_is_open);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
