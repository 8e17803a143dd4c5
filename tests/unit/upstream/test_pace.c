/* The pace of a listener: never too many in a second, none lost to a late timer, and everybody's turn. Time is counted
 * here, not passed. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/unit.h"
#include "unit/upstream/suites.h"
#include "upstream/pace.h"

static const uint64_t SECOND = 1000000000, MS = 1000000, START = 1000000000000;

enum { WORKERS_MAX = 4 };

static struct pace *pace_of(uint32_t rate, unsigned n_workers)
{
    struct pace *p = pace_new(rate, n_workers, PACE_WAY_SHORT_NS);
    ck_assert_ptr_nonnull(p);
    return p;
}

/* When sessions began, in order. */
struct begun {
    uint64_t *at;
    size_t    n, room;
};

static void note(struct begun *b, uint64_t at_ns)
{
    if (b->n == b->room) {
        b->room = b->room * 2 + 1024;
        b->at = reallocarray(b->at, b->room, sizeof *b->at);
        ck_assert_ptr_nonnull(b->at);
    }
    b->at[b->n++] = at_ns;
}

/* The most in any second, wherever it begins. */
static size_t most_in_a_second(const struct begun *b)
{
    size_t most = 0, first = 0;
    for (size_t i = 0; i < b->n; i++) {
        while (b->at[i] - b->at[first] >= SECOND)
            first++;
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    return most;
}

/* Workers whose queues never end, each asking late_ns() after the time that it was told. */
struct crowd {
    struct pace *pace;
    unsigned     n_workers;
    uint64_t     asks_at[WORKERS_MAX];
    size_t       let_in[WORKERS_MAX];
    struct begun begun;
};

static struct crowd crowd_of(uint32_t rate, unsigned n_workers)
{
    struct crowd c = {.pace = pace_of(rate, n_workers), .n_workers = n_workers};
    for (unsigned i = 0; i < n_workers; i++)
        c.asks_at[i] = START;
    return c;
}

static void crowd_fini(struct crowd *c)
{
    pace_unref(c->pace);
    free(c->begun.at);
}

/* Who asks next asks until it has to wait. Answers the worker. */
static unsigned crowd_step(struct crowd *c, uint64_t (*late_ns)(unsigned worker))
{
    unsigned w = 0;
    for (unsigned i = 1; i < c->n_workers; i++)
        w = c->asks_at[i] < c->asks_at[w] ? i : w;
    struct pace_lane *lane = pace_lane(c->pace, w);
    while (pace_take(lane, c->asks_at[w])) {
        note(&c->begun, c->asks_at[w]);
        c->let_in[w]++;
    }
    ck_assert_uint_gt(lane->at_ns, c->asks_at[w]);
    c->asks_at[w] = lane->at_ns + late_ns(w);
    return w;
}

static void crowd_run(struct crowd *c, uint64_t (*late_ns)(unsigned worker), uint64_t until_ns)
{
    while (c->asks_at[crowd_step(c, late_ns)] < until_ns)
        continue;
}

static uint64_t never_late(unsigned worker)
{
    (void)worker;
    return 0;
}

/* The same numbers in each run. */
static uint64_t any_below(uint64_t n)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static uint64_t late_as_timers_are(unsigned worker)
{
    (void)worker;
    return any_below(PACE_SLACK_NS + 1);
}

/* Mostly as timers are, and at times as a busy machine is. */
static uint64_t late_at_random(unsigned worker)
{
    uint64_t late = late_as_timers_are(worker);
    return any_below(8) == 0 ? late + any_below(3000) * MS : late;
}

static uint64_t late_for_each_slot(unsigned worker)
{
    (void)worker;
    return PACE_SLACK_NS + 1;
}

static uint64_t only_the_second_is_late(unsigned worker)
{
    return worker == 1 ? 30 * MS : 0;
}

static uint64_t (*const latenesses[])(unsigned worker) = {never_late, late_as_timers_are, late_at_random,
                                                          late_for_each_slot, only_the_second_is_late};
static const uint32_t rates[] = {1, 2, 3, 7, 99, 100, 1000, 20000};

START_TEST(in_no_second_more_begin_than_the_rate)
{
    uint32_t rate = rates[_i];
    for (size_t l = 0; l < ARRAY_LEN(latenesses); l++) {
        for (unsigned n = 1; n <= WORKERS_MAX; n++) {
            struct crowd c = crowd_of(rate, n);
            crowd_run(&c, latenesses[l], START + 8 * SECOND);
            ck_assert_uint_gt(c.begun.n, 0);
            ck_assert_uint_le(most_in_a_second(&c.begun), rate);
            crowd_fini(&c);
        }
    }
}
END_TEST

START_TEST(a_timer_that_is_some_milliseconds_late_loses_nothing)
{
    enum { SECONDS = 30 };
    uint32_t rate = rates[_i];
    for (unsigned n = 1; n <= WORKERS_MAX; n++) {
        struct crowd c = crowd_of(rate, n);
        crowd_run(&c, late_as_timers_are, START + SECONDS * SECOND);
        ck_assert_uint_ge(c.begun.n + n, (size_t)rate * SECONDS * 94 / 100); /* each holds one at the end */
        crowd_fini(&c);
    }
}
END_TEST

START_TEST(the_start_is_no_burst)
{
    struct crowd c = crowd_of(1000, 1);
    while (pace_take(pace_lane(c.pace, 0), START))
        note(&c.begun, START);
    ck_assert_uint_le(c.begun.n, 1000 * (uint64_t)PACE_SLACK_NS / SECOND + 1);
    crowd_fini(&c);
}
END_TEST

START_TEST(after_a_silence_there_is_no_burst)
{
    struct crowd      c = crowd_of(100, 2);
    struct pace_lane *lane = pace_lane(c.pace, 0);
    crowd_run(&c, never_late, START + SECOND);
    ck_assert(lane->holds); /* whoever waited for that slot has given up */
    size_t before = c.begun.n;
    while (pace_take(lane, START + 60 * SECOND))
        note(&c.begun, START + 60 * SECOND);
    ck_assert_uint_le(c.begun.n - before, 2);
    crowd_fini(&c);
}
END_TEST

START_TEST(who_comes_when_a_slot_is_free_does_not_wait)
{
    struct pace      *p = pace_of(10, 2);
    struct pace_lane *lane = pace_lane(p, 0), *other = pace_lane(p, 1);
    ck_assert(pace_take(lane, START));
    ck_assert(!pace_take(other, START));
    ck_assert(pace_take(other, other->at_ns));
    ck_assert(pace_take(lane, other->at_ns + SECOND / 5));
    pace_unref(p);
}
END_TEST

START_TEST(a_slot_that_is_held_serves_whoever_comes_in_time)
{
    struct pace      *p = pace_of(10, 1);
    struct pace_lane *lane = pace_lane(p, 0);
    ck_assert(pace_take(lane, START));
    ck_assert(!pace_take(lane, START));
    uint64_t at = lane->at_ns;
    ck_assert(!pace_take(lane, at - 1));
    ck_assert_uint_eq(lane->at_ns, at);
    ck_assert(pace_take(lane, at + PACE_SLACK_NS));
    pace_unref(p);
}
END_TEST

START_TEST(workers_with_waiters_take_turns)
{
    enum { N = 3, ROUNDS = 1000 };
    struct crowd c = crowd_of(50, N);
    for (int i = 0; i < N; i++)
        (void)crowd_step(&c, never_late);
    unsigned first = crowd_step(&c, never_late), second = crowd_step(&c, never_late),
             third = crowd_step(&c, never_late);
    for (int i = 0; i < ROUNDS; i++) {
        ck_assert_uint_eq(crowd_step(&c, never_late), first);
        ck_assert_uint_eq(crowd_step(&c, never_late), second);
        ck_assert_uint_eq(crowd_step(&c, never_late), third);
    }
    crowd_fini(&c);
}
END_TEST

START_TEST(one_waiter_beside_a_crowd_is_soon_in)
{
    enum { RATE = 100 };
    struct crowd c = crowd_of(RATE, 3);
    c.n_workers = 2; /* the third has one waiter, later */
    crowd_run(&c, never_late, START + 2 * SECOND);
    struct pace_lane *lane = pace_lane(c.pace, 2);
    uint64_t          now = c.asks_at[0] < c.asks_at[1] ? c.asks_at[0] : c.asks_at[1];
    ck_assert(!pace_take(lane, now));
    ck_assert_uint_le(lane->at_ns - now, 3 * 103 * SECOND / 100 / RATE);
    ck_assert(pace_take(lane, lane->at_ns));
    crowd_fini(&c);
}
END_TEST

START_TEST(a_worker_that_is_always_late_is_not_left_out)
{
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct crowd c = crowd_of(rates[i], rates[i] > 1 ? 2 : 1);
        crowd_run(&c, rates[i] > 1 ? only_the_second_is_late : late_for_each_slot, START + 40 * SECOND);
        ck_assert_uint_ge(c.let_in[c.n_workers - 1], 10);
        crowd_fini(&c);
    }
}
END_TEST

START_TEST(the_highest_rate_is_reached)
{
    struct pace *p = pace_of(PACE_RATE_MAX, 1);
    size_t       n = 0;
    for (uint64_t at = START; at < START + SECOND; at += 5 * MS) {
        while (pace_take(pace_lane(p, 0), at))
            n++;
    }
    ck_assert_uint_le(n, PACE_RATE_MAX);
    ck_assert_uint_ge(n, PACE_RATE_MAX / 100 * 94);
    pace_unref(p);
}
END_TEST

START_TEST(who_waits_first_is_first_and_all_are_counted)
{
    struct pace       *p = pace_of(10, 2);
    struct pace_lane  *lane = pace_lane(p, 0), *other = pace_lane(p, 1);
    struct pace_waiter waiters[5];
    for (size_t i = 0; i < 3; i++)
        pace_wait(lane, &waiters[i], false);
    pace_wait(other, &waiters[3], false);
    pace_wait(lane, &waiters[4], true);
    ck_assert_uint_eq(pace_n_waiting(p), 5);
    ck_assert_ptr_eq(lane->first, &waiters[4]);
    pace_leave(lane, &waiters[4]);
    pace_leave(lane, &waiters[1]);
    ck_assert_ptr_eq(lane->first, &waiters[0]);
    pace_leave(lane, &waiters[0]);
    ck_assert_ptr_eq(lane->first, &waiters[2]);
    pace_leave(lane, &waiters[2]);
    ck_assert_ptr_null(lane->first);
    ck_assert_ptr_eq(other->first, &waiters[3]);
    pace_leave(other, &waiters[3]);
    ck_assert_uint_eq(pace_n_waiting(p), 0);
    pace_unref(p);
}
END_TEST

/* ---- threads ---- */

/* Each asks whenever the clock, which all of them push on, says anything. */
struct rush {
    struct pace     *pace;
    _Atomic uint64_t clock_ns;
    _Atomic unsigned n_threads;
    struct begun     begun[WORKERS_MAX];
};

static void *rush_in(void *arg)
{
    enum { STEP_NS = 20 * 1000 };
    struct rush      *r = arg;
    unsigned          me = atomic_fetch_add(&r->n_threads, 1);
    struct pace_lane *lane = pace_lane(r->pace, me);
    uint64_t          now;
    while ((now = atomic_fetch_add(&r->clock_ns, STEP_NS)) < START + 6 * SECOND) {
        if (pace_take(lane, now))
            note(&r->begun[me], now);
    }
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return first < second ? -1 : first > second;
}

START_TEST(threads_together_keep_to_the_rate)
{
    enum { RATE = 3000 };
    struct rush  r = {.pace = pace_of(RATE, WORKERS_MAX), .clock_ns = START};
    struct begun all = {0};
    pthread_t    threads[WORKERS_MAX];
    for (int i = 0; i < WORKERS_MAX; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, rush_in, &r), 0);
    for (int i = 0; i < WORKERS_MAX; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        for (size_t n = 0; n < r.begun[i].n; n++)
            note(&all, r.begun[i].at[n]);
        free(r.begun[i].at);
    }
    ck_assert_uint_gt(all.n, 0);
    qsort(all.at, all.n, sizeof *all.at, by_time);
    ck_assert_uint_le(most_in_a_second(&all), RATE);
    free(all.at);
    pace_unref(r.pace);
}
END_TEST

TCase *pace_tcase(void)
{
    TCase *tc = tcase_create("pace");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, in_no_second_more_begin_than_the_rate, 0, (int)ARRAY_LEN(rates));
    tcase_add_loop_test(tc, a_timer_that_is_some_milliseconds_late_loses_nothing, 0, (int)ARRAY_LEN(rates));
    tcase_add_test(tc, the_start_is_no_burst);
    tcase_add_test(tc, after_a_silence_there_is_no_burst);
    tcase_add_test(tc, who_comes_when_a_slot_is_free_does_not_wait);
    tcase_add_test(tc, a_slot_that_is_held_serves_whoever_comes_in_time);
    tcase_add_test(tc, workers_with_waiters_take_turns);
    tcase_add_test(tc, one_waiter_beside_a_crowd_is_soon_in);
    tcase_add_test(tc, a_worker_that_is_always_late_is_not_left_out);
    tcase_add_test(tc, the_highest_rate_is_reached);
    tcase_add_test(tc, who_waits_first_is_first_and_all_are_counted);
    tcase_add_test(tc, threads_together_keep_to_the_rate);
    return tc;
}
