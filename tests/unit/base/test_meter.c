/* Gauges, rates, averages; text and commands. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/command.h"
#include "base/macros.h"
#include "base/meter.h"
#include "base/siphash.h"
#include "base/text.h"
#include "unit/base/suites.h"

START_TEST(a_gauge_knows_its_peak_and_its_limit)
{
    struct gauge g = {0};
    ck_assert(gauge_take(&g, 2) && gauge_take(&g, 2) && !gauge_take(&g, 2));
    gauge_sub(&g);
    ck_assert_uint_eq(gauge_now(&g), 1);
    ck_assert_uint_eq(peak_read(&g.peak), 2);
    gauge_forget_peak(&g);
    ck_assert_uint_eq(peak_read(&g.peak), 1);
    for (int i = 0; i < 1000; i++)
        ck_assert(gauge_take(&g, 0));
}
END_TEST

/* 10 events in one second; what is told of them 0, 1/4, 3/4 and 1 second after it ended. */
START_TEST(a_rate_fades_over_the_second_that_follows)
{
    struct rate r = {0};
    for (uint64_t i = 0; i < 10; i++)
        rate_add(&r, 5000 + i * 100);
    ck_assert_uint_eq(rate_read(&r, 5999), 10);
    ck_assert_uint_eq(rate_read(&r, 6000), 10);
    ck_assert_uint_eq(rate_read(&r, 6250), 7);
    ck_assert_uint_eq(rate_read(&r, 6750), 2);
    ck_assert_uint_eq(rate_read(&r, 7000), 0);
    ck_assert_uint_eq(rate_read(&r, 60000), 0);
    rate_add(&r, 60000);
    ck_assert_uint_eq(peak_read(&r.peak), 10);
    ck_assert_uint_eq(rate_read(&r, 60999), 1);
    ck_assert_uint_eq(rate_read(&r, 61999), 1); /* one a second or less does not flap */
}
END_TEST

START_TEST(a_clock_that_is_a_turn_behind_counts_with_those_ahead)
{
    struct rate r = {0};
    rate_add(&r, 7000);
    rate_add(&r, 6999);
    ck_assert_uint_eq(rate_read(&r, 7001), 2);
    ck_assert_uint_eq(peak_read(&r.peak), 2);
}
END_TEST

START_TEST(a_rate_takes_no_more_than_its_limit)
{
    struct rate r = {0};
    for (int i = 0; i < 4; i++)
        ck_assert(rate_take(&r, 4, 5999));
    ck_assert(!rate_take(&r, 4, 5999));
    ck_assert(!rate_take(&r, 4, 6000));
    ck_assert(rate_take(&r, 4, 6250)); /* three of them are still within a second, as far as is known */
    ck_assert(!rate_take(&r, 4, 6250));
    ck_assert_uint_eq(rate_read(&r, 6250), 4);
    for (uint64_t now_ms = 10001; now_ms < 20000; now_ms += 1000)
        ck_assert(rate_take(&r, 1, now_ms));
    ck_assert(rate_take(&r, 0, 19000));
}
END_TEST

/* Of the paper: key 00 01 02..., message of len bytes 00 01 02... */
START_TEST(siphash_gives_what_its_authors_say)
{
    static const struct {
        size_t   len;
        uint64_t hash;
    } vectors[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {7, 0xab0200f58b01d137},
                   {8, 0x93f5f5799a932462}, {9, 0x9e0082df0ba9e4b0}, {15, 0xa129ca6149be45e5}};
    uint8_t key[SIPHASH_KEY_BYTES];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        ck_assert_uint_eq(siphash(key, key, vectors[i].len), vectors[i].hash);
}
END_TEST

START_TEST(a_limit_says_how_long_to_wait)
{
    struct rate r = {0};
    ck_assert_uint_eq(rate_wait_ms(&r, 5, 1000), 0);
    for (int i = 0; i < 5; i++)
        rate_add(&r, 1000);
    uint32_t wait_ms = rate_wait_ms(&r, 5, 1000);
    ck_assert(wait_ms >= 1 && wait_ms <= 1000);
    ck_assert_uint_eq(rate_wait_ms(&r, 5, 2300), 0); /* a fifth of the second has passed: room for one */
    ck_assert_uint_eq(rate_wait_ms(&r, 6, 1000), 0);
}
END_TEST

static void *add_many(void *r)
{
    for (int i = 0; i < 100000; i++)
        rate_add(r, 1000);
    return NULL;
}

START_TEST(no_event_of_two_threads_is_lost)
{
    struct rate r = {0};
    pthread_t   other;
    ck_assert_int_eq(pthread_create(&other, NULL, add_many, &r), 0);
    (void)add_many(&r);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    ck_assert_uint_eq(rate_read(&r, 1000), 200000);
}
END_TEST

START_TEST(an_average_is_exact_at_first_and_follows_later)
{
    struct average a = {0};
    ck_assert_uint_eq(average_read(&a), 0);
    average_add(&a, 10);
    average_add(&a, 20);
    ck_assert_uint_eq(average_read(&a), 15);
    for (int i = 0; i < 20000; i++)
        average_add(&a, 1000);
    ck_assert_uint_ge(average_read(&a), 999);
    ck_assert_uint_le(average_read(&a), 1000);
    ck_assert_uint_eq(peak_read(&a.peak), 1000);
}
END_TEST

START_TEST(text_grows_and_is_taken)
{
    struct text t = {0};
    char        big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    text_add(&t, "%d %s", 7, "words");
    text_add(&t, "%s", big);
    ck_assert_uint_eq(t.len, 7 + sizeof big - 1);
    text_cut(&t, 7);
    text_put_line_part(&t, " a\nb\x01\xff\xc3\xa9");
    char *all = text_take(&t);
    ck_assert_str_eq(all, "7 words a?b??\xc3\xa9");
    free(all);
    ck_assert_uint_eq(t.len, 0);
    all = text_take(&t);
    ck_assert_str_eq(all, "");
    free(all);
}
END_TEST

START_TEST(json_strings_are_json)
{
    struct text t = {0};
    text_put_json(&t, "a\"\\\n\x7f\xff\xc3\xa9");
    ck_assert_str_eq(t.at, "\"a\\u0022\\u005c\\u000a\x7f\\ufffd\xc3\xa9\"");
    text_fini(&t);
}
END_TEST

START_TEST(an_age_has_two_units)
{
    static const struct {
        uint64_t    seconds;
        const char *text;
    } cases[] = {{0, "0s"},
                 {59, "59s"},
                 {60, "1m"},
                 {3599, "59m59s"},
                 {3600, "1h"},
                 {86399, "23h59m"},
                 {86400 * 3 + 5 * 3600, "3d5h"},
                 {86400 + 60, "1d1m"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {0};
        text_put_age(&t, cases[i].seconds);
        ck_assert_str_eq(t.at, cases[i].text);
        text_fini(&t);
    }
}
END_TEST

START_TEST(only_whole_numbers_within_bounds_are_numbers)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1.0", "256", "99999999999999999999999"};
    uint64_t                 n = 77;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(!command_number(bad[i], 255, &n), "%s", bad[i]);
    ck_assert_uint_eq(n, 77);
    ck_assert(command_number("0", 255, &n) && n == 0);
    ck_assert(command_number("255", 255, &n) && n == 255);
    ck_assert(command_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
    ck_assert(!command_number("18446744073709551616", UINT64_MAX, &n));
    ck_assert(!command_number("7", 5, &n));
}
END_TEST

START_TEST(a_message_is_one_line_and_the_whole_answer)
{
    struct command_call call = {.argc = 0};
    char                slashed[] = "be/srv/x", plain[] = "be";
    const char         *left, *right;
    text_puts(&call.out, "half an answer\n");
    ck_assert_int_eq(command_fail(&call, "no '%s'", "a\nb"), COMMAND_DONE);
    ck_assert_str_eq(call.out.at, "no 'a?b'\n");
    ck_assert_int_eq(call.severity, SEVERITY_ERROR);
    ck_assert_str_eq(command_arg(&call, 3), "");
    ck_assert(command_split(slashed, &left, &right));
    ck_assert_str_eq(left, "be");
    ck_assert_str_eq(right, "srv/x");
    ck_assert(!command_split(plain, &left, &right));
    text_fini(&call.out);
}
END_TEST

TCase *meter_tcase(void)
{
    TCase *tc = tcase_create("meters and text");
    tcase_add_test(tc, a_gauge_knows_its_peak_and_its_limit);
    tcase_add_test(tc, a_rate_fades_over_the_second_that_follows);
    tcase_add_test(tc, a_clock_that_is_a_turn_behind_counts_with_those_ahead);
    tcase_add_test(tc, a_rate_takes_no_more_than_its_limit);
    tcase_add_test(tc, siphash_gives_what_its_authors_say);
    tcase_add_test(tc, a_limit_says_how_long_to_wait);
    tcase_add_test(tc, no_event_of_two_threads_is_lost);
    tcase_add_test(tc, an_average_is_exact_at_first_and_follows_later);
    tcase_add_test(tc, text_grows_and_is_taken);
    tcase_add_test(tc, json_strings_are_json);
    tcase_add_test(tc, an_age_has_two_units);
    tcase_add_test(tc, only_whole_numbers_within_bounds_are_numbers);
    tcase_add_test(tc, a_message_is_one_line_and_the_whole_answer);
    return tc;
}
