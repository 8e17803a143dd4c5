/* Unit tests of room dns/: what follows from answers. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "dns/answer.h"
#include "dns/slots.h"
#include "support/unit.h"

static struct addr ip(const char *text)
{
    struct addr at;
    ck_assert(addr_parse_ip(text, &at));
    return at;
}

/* ---- addresses ---- */

START_TEST(the_address_in_use_is_kept_while_it_is_among_the_answers)
{
    const struct addr all[] = {ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.0.3")}, two = ip("10.0.0.2"), none = {0};
    struct addr       with_port = two;
    addr_set_port(&with_port, 1883);
    struct addr chosen = answer_choose(&with_port, all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &two));
    chosen = answer_choose(&two, all, 1);
    ck_assert(addr_same_ip(&chosen, &all[0]));
    chosen = answer_choose(&none, all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &all[0]));
    chosen = answer_choose(&two, all, 0);
    ck_assert(!addr_is_set(&chosen));
}
END_TEST

START_TEST(ipv4_comes_before_ipv6_unless_that_is_in_use)
{
    const struct addr all[] = {ip("2001:db8::1"), ip("2001:db8::2"), ip("10.0.0.1")}, none = {0};
    struct addr       chosen = answer_choose(&none, all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &all[2]));
    chosen = answer_choose(&all[1], all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &all[1]));
    chosen = answer_choose(&none, all, 2);
    ck_assert(addr_same_ip(&chosen, &all[0]));
}
END_TEST

/* ---- time ---- */

START_TEST(a_name_is_asked_for_again_by_its_ttl_within_hold)
{
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 3, 5000), 3000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 300, 5000), 5000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 0, 5000), 1000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 1, 1000), 1000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, UINT32_MAX, UINT32_MAX), UINT32_MAX);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_NONE, 300, 60000), 1000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_FAILED, 300, 60000), 1000);
}
END_TEST

START_TEST(only_an_answer_that_there_is_nothing_takes_addresses_and_only_when_it_holds)
{
    struct standing s = {0};
    ck_assert(!standing_note(&s, ANSWER_FAILED, 1, 5000));
    ck_assert(!standing_note(&s, ANSWER_FAILED, 1000000, 5000));
    ck_assert(s.bad);
    ck_assert(!standing_note(&s, ANSWER_NONE, 1001000, 5000));
    ck_assert(!standing_note(&s, ANSWER_NONE, 1005999, 5000));
    ck_assert(!standing_note(&s, ANSWER_FAILED, 1006000, 5000)); /* it says nothing */
    ck_assert(standing_note(&s, ANSWER_NONE, 1006001, 5000));
    ck_assert(standing_note(&s, ANSWER_NONE, 1007000, 5000));
    ck_assert(!standing_note(&s, ANSWER_GOOD, 1008000, 5000));
    ck_assert(!s.bad);
    ck_assert(!standing_note(&s, ANSWER_NONE, 1009000, 5000)); /* it begins anew */
}
END_TEST

/* ---- slots ---- */

enum { SLOTS = 4 };

static struct slot       slots[SLOTS];
static struct dns_answer answer;
static uint64_t          number;

static void setup(void)
{
    memset(slots, 0, sizeof slots);
    number = 0;
}

static void target(const char *host, uint16_t priority, uint16_t weight)
{
    struct dns_service *s = &answer.services[answer.n_services++];
    *s = (struct dns_service){.port = 1883, .priority = priority, .weight = weight};
    (void)snprintf(s->host, sizeof s->host, "%s", host);
}

/* An answer with targets of one letter each, all alike. */
static size_t fill(const char *letters)
{
    answer.n_services = 0;
    for (; *letters != '\0'; letters++)
        target((char[]){*letters, '\0'}, 1, 1);
    return slots_fill(slots, SLOTS, &answer, ++number);
}

/* A letter for each slot, '-' for a free one. */
static void assert_slots(const char *letters)
{
    char is[SLOTS + 1] = {0};
    memset(is, '-', SLOTS);
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].is_taken)
            is[i] = slots[i].host[0];
    }
    ck_assert_str_eq(is, letters);
}

START_TEST(a_target_keeps_its_slot_in_whatever_order_answers_come)
{
    ck_assert_uint_eq(fill("abc"), 0);
    assert_slots("abc-");
    ck_assert(slots[0].is_new && slots[1].is_new && slots[2].is_new);
    ck_assert_uint_eq(fill("cab"), 0);
    assert_slots("abc-");
    ck_assert(!slots[0].is_new && !slots[1].is_new && !slots[2].is_new);
    ck_assert_uint_eq(fill("ca"), 0);
    assert_slots("a-c-");
    ck_assert_uint_eq(fill("dca"), 0);
    assert_slots("a-cd"); /* the one that nobody had yet */
    ck_assert(slots[3].is_new && !slots[0].is_new);
}
END_TEST

START_TEST(a_target_that_comes_back_gets_its_old_slot)
{
    (void)fill("abc");
    (void)fill("c");
    (void)fill("bc");
    assert_slots("-bc-");
    ck_assert(slots[1].is_new);
    (void)fill("cdb");
    assert_slots("-bcd");
    (void)fill("cdbe");
    assert_slots("ebcd"); /* the only one left */
}
END_TEST

START_TEST(the_slot_that_has_been_free_the_longest_is_taken)
{
    (void)fill("abcd");
    (void)fill("acd");
    (void)fill("cd");
    (void)fill("cde");
    assert_slots("-ecd");
}
END_TEST

START_TEST(who_finds_no_slot_is_counted_and_the_others_stay)
{
    ck_assert_uint_eq(fill("abcdef"), 2);
    assert_slots("abcd");
    ck_assert_uint_eq(fill("fedcba"), 2);
    assert_slots("abcd");
    ck_assert_uint_eq(fill("fedca"), 1);
    assert_slots("aecd");
    slots_clear(slots, SLOTS);
    assert_slots("----");
}
END_TEST

START_TEST(slots_do_not_follow_from_the_order_of_the_answer)
{
    (void)fill("cab");
    assert_slots("abc-");
    setup();
    (void)fill("bca");
    assert_slots("abc-");
}
END_TEST

START_TEST(a_target_named_twice_has_one_slot_and_another_port_is_another)
{
    ck_assert_uint_eq(fill("aab"), 0);
    assert_slots("ab--");
    answer.n_services = 0;
    target("a", 1, 1);
    target("a", 1, 1);
    answer.services[1].port = 1884;
    ck_assert_uint_eq(slots_fill(slots, SLOTS, &answer, ++number), 0);
    assert_slots("a-a-");
    ck_assert_uint_eq(slots[2].port, 1884);
}
END_TEST

START_TEST(the_lowest_priority_is_used_and_the_others_are_backups)
{
    answer.n_services = 0;
    const char *const later[] = {"x", "y", "z"};
    for (size_t i = 0; i < ARRAY_LEN(later); i++)
        target(later[i], (uint16_t)(30 - i), 1);
    target("a", 10, 1);
    target("b", 10, 1);
    ck_assert_uint_eq(slots_fill(slots, SLOTS, &answer, ++number), 1);
    assert_slots("abzy");
    ck_assert(!slots[0].backup && !slots[1].backup && slots[2].backup && slots[3].backup);
    answer.n_services = 0;
    target("y", 29, 1);
    target("z", 28, 1);
    ck_assert_uint_eq(slots_fill(slots, SLOTS, &answer, ++number), 0);
    assert_slots("--zy");
    ck_assert(!slots[2].backup && slots[3].backup);
}
END_TEST

START_TEST(weights_keep_their_proportion)
{
    static const struct {
        uint16_t of[2];
        uint32_t become[2];
    } cases[] = {{{0, 0}, {1, 1}},         {{1, 10}, {1, 10}},     {{256, 1}, {256, 1}},
                 {{512, 256}, {256, 128}}, {{65535, 1}, {256, 1}}, {{65535, 0}, {256, 1}}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        answer.n_services = 0;
        target("a", 1, cases[i].of[0]);
        target("b", 1, cases[i].of[1]);
        (void)slots_fill(slots, SLOTS, &answer, ++number);
        ck_assert_uint_eq(slots[0].weight, cases[i].become[0]);
        ck_assert_uint_eq(slots[1].weight, cases[i].become[1]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dns");
    TCase *answers = tcase_create("answers"), *places = tcase_create("slots");
    tcase_add_test(answers, the_address_in_use_is_kept_while_it_is_among_the_answers);
    tcase_add_test(answers, ipv4_comes_before_ipv6_unless_that_is_in_use);
    tcase_add_test(answers, a_name_is_asked_for_again_by_its_ttl_within_hold);
    tcase_add_test(answers, only_an_answer_that_there_is_nothing_takes_addresses_and_only_when_it_holds);
    tcase_add_checked_fixture(places, setup, NULL);
    tcase_add_test(places, a_target_keeps_its_slot_in_whatever_order_answers_come);
    tcase_add_test(places, a_target_that_comes_back_gets_its_old_slot);
    tcase_add_test(places, the_slot_that_has_been_free_the_longest_is_taken);
    tcase_add_test(places, who_finds_no_slot_is_counted_and_the_others_stay);
    tcase_add_test(places, slots_do_not_follow_from_the_order_of_the_answer);
    tcase_add_test(places, a_target_named_twice_has_one_slot_and_another_port_is_another);
    tcase_add_test(places, the_lowest_priority_is_used_and_the_others_are_backups);
    tcase_add_test(places, weights_keep_their_proportion);
    suite_add_tcase(suite, answers);
    suite_add_tcase(suite, places);
    return unit_run(suite);
}
