/* Unit tests of room stats/. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "base/macros.h"
#include "stats/counters.h"
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
    struct counters *counters = counters_new(WORKERS, LISTENER_COUNTERS);
    for (size_t i = 0; i < LISTENER_COUNTERS; i++)
        ck_assert_uint_eq(counters_sum(counters, i), 0);
    counter_add(&counters_slot(counters, 0)[LISTENER_BYTES_IN], UINT32_MAX);
    counter_add(&counters_slot(counters, 1)[LISTENER_BYTES_IN], 2);
    counter_add(&counters_slot(counters, 2)[LISTENER_BYTES_OUT], 7);
    counter_add(&counters_slot(counters, 2)[LISTENER_BYTES_OUT], 8);
    for (size_t i = 0; i < LISTENER_COUNTERS; i++) {
        uint64_t expected = i == LISTENER_BYTES_IN ? UINT32_MAX + 2ull : i == LISTENER_BYTES_OUT ? 15 : 0;
        ck_assert_uint_eq(counters_sum(counters, i), expected);
    }
    counters_free(counters);
}
END_TEST

static void assert_names(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_ptr_nonnull(names[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(names[i], names[j]);
    }
}

START_TEST(every_counter_has_a_name_of_its_own)
{
    assert_names(listener_counter_names, LISTENER_COUNTERS);
    assert_names(server_counter_names, SERVER_COUNTERS);
    assert_names(worker_counter_names, WORKER_COUNTERS);
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

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("counters");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, slots_of_two_workers_share_no_cache_line, 0, 20);
    tcase_add_test(tc, a_sum_is_over_all_workers_and_one_number);
    tcase_add_test(tc, every_counter_has_a_name_of_its_own);
    tcase_add_test(tc, a_reader_sees_sums_that_only_grow_and_end_exact);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
