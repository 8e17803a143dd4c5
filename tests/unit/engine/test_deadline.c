/* Unit tests of engine/deadline: pure, the clock is a number. */
#include <check.h>

#include "base/macros.h"
#include "engine/deadline.h"
#include "support/unit.h"

enum { SHORT_MS = 50, LONG_MS = 6400, LONG_SLACK_MS = LONG_MS / 64 };

static const uint64_t START_MS = 5000000000; /* more than 32 bits hold: a machine that has been up for 58 days */

static struct deadlines all_of(const uint32_t *after_ms, size_t n)
{
    struct deadlines all;
    deadlines_init(&all);
    for (size_t i = 0; i < n; i++)
        ck_assert(deadlines_add(&all, after_ms[i]));
    return all;
}

static struct deadlines long_and_short(void)
{
    return all_of((const uint32_t[]){LONG_MS, SHORT_MS}, 2);
}

START_TEST(nothing_set_is_nothing_due)
{
    struct deadlines all = long_and_short();
    struct deadline  d = {0};
    ck_assert_uint_eq(deadlines_next(&all), UINT64_MAX);
    ck_assert_ptr_null(deadlines_take_due(&all, UINT64_MAX));
    deadline_clear(&d);
    deadline_touch(&d, START_MS);
    ck_assert_uint_eq(deadlines_next(&all), UINT64_MAX);
    deadlines_fini(&all);
}
END_TEST

START_TEST(what_is_set_stays_when_others_are_merged)
{
    struct deadlines all = all_of((const uint32_t[]){7, 8}, 2), more = all_of((const uint32_t[]){9, 8}, 2);
    struct deadline  old = {0}, new = {0};
    deadline_set(&all, &old, 8, START_MS);
    deadlines_merge(&all, &more);
    ck_assert_ptr_null(more.lists);
    deadline_set(&all, &new, 9, START_MS);
    ck_assert_ptr_eq(deadlines_take_due(&all, START_MS + 10), &old);
    ck_assert_ptr_eq(deadlines_take_due(&all, START_MS + 10), &new);
    deadlines_fini(&all);
    deadlines_fini(&more);
}
END_TEST

START_TEST(a_deadline_is_due_exactly_once_and_never_early)
{
    struct deadlines all = long_and_short();
    struct deadline  d = {0};
    deadline_set(&all, &d, LONG_MS, START_MS);
    uint64_t at = deadlines_next(&all);
    ck_assert_uint_ge(at, START_MS + LONG_MS);
    ck_assert_uint_le(at, START_MS + LONG_MS + LONG_SLACK_MS);
    ck_assert_ptr_null(deadlines_take_due(&all, at - 1));
    ck_assert_ptr_eq(deadlines_take_due(&all, at), &d);
    ck_assert_ptr_null(d.list);
    ck_assert_ptr_null(deadlines_take_due(&all, UINT64_MAX));
    deadlines_fini(&all);
}
END_TEST

START_TEST(what_is_due_comes_in_order_of_time_across_durations)
{
    struct deadlines all = long_and_short();
    struct deadline  d[6] = {0};
    deadline_set(&all, &d[2], LONG_MS, START_MS);
    deadline_set(&all, &d[4], LONG_MS, START_MS + 1000);
    deadline_set(&all, &d[0], SHORT_MS, START_MS + 1000);
    deadline_set(&all, &d[1], SHORT_MS, START_MS + 2000);
    deadline_set(&all, &d[3], SHORT_MS, START_MS + LONG_MS + LONG_SLACK_MS);
    deadline_set(&all, &d[5], SHORT_MS, START_MS + 2 * LONG_MS);
    ck_assert_uint_eq(deadlines_next(&all), START_MS + 1000 + SHORT_MS);
    for (size_t i = 0; i < ARRAY_LEN(d); i++)
        ck_assert_ptr_eq(deadlines_take_due(&all, START_MS + 10 * LONG_MS), &d[i]);
    ck_assert_uint_eq(deadlines_next(&all), UINT64_MAX);
    deadlines_fini(&all);
}
END_TEST

START_TEST(a_deadline_set_again_is_replaced)
{
    struct deadlines all = long_and_short();
    struct deadline  d = {0}, other = {0};
    deadline_set(&all, &d, LONG_MS, START_MS);
    deadline_set(&all, &other, LONG_MS, START_MS);
    deadline_set(&all, &d, SHORT_MS, START_MS + 1);
    ck_assert_ptr_eq(deadlines_take_due(&all, START_MS + 1 + SHORT_MS), &d);
    ck_assert_ptr_null(deadlines_take_due(&all, START_MS + 1 + SHORT_MS));
    deadline_set(&all, &d, LONG_MS, START_MS + 100);
    ck_assert_ptr_eq(deadlines_take_due(&all, UINT64_MAX), &other);
    ck_assert_ptr_eq(deadlines_take_due(&all, UINT64_MAX), &d);
    ck_assert_ptr_null(deadlines_take_due(&all, UINT64_MAX));
    deadlines_fini(&all);
}
END_TEST

START_TEST(what_is_cleared_is_never_due)
{
    struct deadlines all = long_and_short();
    struct deadline  d[3] = {0};
    size_t           cleared = (size_t)_i;
    for (size_t i = 0; i < ARRAY_LEN(d); i++)
        deadline_set(&all, &d[i], LONG_MS, START_MS + i);
    deadline_clear(&d[cleared]);
    deadline_clear(&d[cleared]);
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        if (i != cleared)
            ck_assert_ptr_eq(deadlines_take_due(&all, UINT64_MAX), &d[i]);
    }
    ck_assert_ptr_null(deadlines_take_due(&all, UINT64_MAX));
    deadlines_fini(&all);
}
END_TEST

START_TEST(a_touched_deadline_is_due_one_duration_after_the_last_touch_and_little_more)
{
    struct deadlines all = long_and_short();
    struct deadline  d = {0};
    uint64_t         now = START_MS, moved = 0;
    deadline_set(&all, &d, LONG_MS, now);
    for (int i = 0; i < 10000; i++) { /* a busy session: touched every 3 ms for longer than its deadline */
        uint64_t was = d.at_ms;
        now += 3;
        deadline_touch(&d, now);
        ck_assert_uint_ge(deadlines_next(&all), now + LONG_MS);
        ck_assert_uint_le(deadlines_next(&all), now + LONG_MS + LONG_SLACK_MS);
        moved += d.at_ms != was;
    }
    ck_assert_uint_le(moved, 3 * 10000 / LONG_SLACK_MS + 1);
    ck_assert_ptr_null(deadlines_take_due(&all, now + LONG_MS - 1));
    ck_assert_ptr_eq(deadlines_take_due(&all, now + LONG_MS + LONG_SLACK_MS), &d);
    deadlines_fini(&all);
}
END_TEST

START_TEST(a_touch_moves_behind_those_that_are_idle)
{
    struct deadlines all = long_and_short();
    struct deadline  busy = {0}, idle = {0};
    deadline_set(&all, &busy, LONG_MS, START_MS);
    deadline_set(&all, &idle, LONG_MS, START_MS + 1);
    deadline_touch(&busy, START_MS + LONG_MS / 2);
    ck_assert_ptr_eq(deadlines_take_due(&all, UINT64_MAX), &idle);
    ck_assert_ptr_eq(deadlines_take_due(&all, UINT64_MAX), &busy);
    deadlines_fini(&all);
}
END_TEST

/* Random walk against the plainest model there is: an array of times. */
START_TEST(any_course_of_events_keeps_order_and_loses_nobody)
{
    enum { N = 40, STEPS = 20000 };
    struct deadlines all = long_and_short();
    struct deadline  d[N] = {0};
    uint64_t         now = START_MS, random = UINT64_C(88172645463325252) + (uint64_t)_i;
    for (int step = 0; step < STEPS; step++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* xorshift, Marsaglia 2003 */
        struct deadline *one = &d[random % N];
        now += random >> 32 & 31;
        switch (random >> 40 & 3) {
        case 0:
            deadline_set(&all, one, (random >> 50 & 1) != 0 ? LONG_MS : SHORT_MS, now);
            break;
        case 1:
            deadline_touch(one, now);
            break;
        case 2:
            deadline_clear(one);
            break;
        default:
            for (uint64_t at = deadlines_next(&all), last = 0; at <= now; at = deadlines_next(&all)) {
                ck_assert_uint_ge(at, last);
                last = at;
                ck_assert_ptr_nonnull(deadlines_take_due(&all, now));
            }
            ck_assert_ptr_null(deadlines_take_due(&all, now));
        }
        uint64_t next = UINT64_MAX;
        for (size_t i = 0; i < N; i++)
            next = d[i].list != NULL && d[i].at_ms < next ? d[i].at_ms : next;
        ck_assert_uint_eq(deadlines_next(&all), next);
    }
    while (deadlines_take_due(&all, UINT64_MAX) != NULL)
        ;
    deadlines_fini(&all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tc = tcase_create("deadline");
    tcase_add_test(tc, nothing_set_is_nothing_due);
    tcase_add_test(tc, what_is_set_stays_when_others_are_merged);
    tcase_add_test(tc, a_deadline_is_due_exactly_once_and_never_early);
    tcase_add_test(tc, what_is_due_comes_in_order_of_time_across_durations);
    tcase_add_test(tc, a_deadline_set_again_is_replaced);
    tcase_add_loop_test(tc, what_is_cleared_is_never_due, 0, 3);
    tcase_add_test(tc, a_touched_deadline_is_due_one_duration_after_the_last_touch_and_little_more);
    tcase_add_test(tc, a_touch_moves_behind_those_that_are_idle);
    tcase_add_loop_test(tc, any_course_of_events_keeps_order_and_loses_nobody, 0, 8);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
