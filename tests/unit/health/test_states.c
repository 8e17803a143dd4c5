#include "unit/health/suites.h"
#include "unit/health/world.h"

START_TEST(without_checks_a_server_counts_as_up_and_is_left_alone)
{
    w.backend.check.type = CHECK_NONE;
    world_start();
    ck_assert_int_eq(state(0), SERVER_UNCHECKED);
    ck_assert_str_eq(status(0), "UNK");
    server_note_failure(w.live[0]);
    health_note_failures(w.health);
    ck_assert_int_eq(state(0), SERVER_UNCHECKED);
    ck_assert_uint_eq(report(0)->checks, 0);
    ck_assert_uint_eq(server_take_failures(w.live[0]), 0);
    ck_assert(!logged("event="));
}
END_TEST

START_TEST(it_takes_fall_failures_in_a_row_to_go_down)
{
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "\x20\x02\x00\x00");
    world_start();
    AWAIT(report(0)->passed == 2);
    SAY(0, "nonsense");
    AWAIT(report(0)->failed == 2);
    assert_up("L7RSP");
    ck_assert_uint_eq(report(0)->level, 2);
    SAY(0, "\x20\x02\x00\x00");
    AWAIT(report(0)->passed == 1);
    SAY(0, "nonsense");
    AWAIT(report(0)->failed == 2);
    assert_up("L7RSP");
    ck_assert(!logged("server_down"));
    AWAIT(report(0)->failed == 3);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    ck_assert_uint_eq(report(0)->history.downs, 1);
    ck_assert_uint_eq(report(0)->failed_up, 5);
    ck_assert_uint_eq(health_backend_history(w.health, 0)->downs, 1);
    ASSERT_LOGGED(
        "event=server_down backend=broker server=s0 reason=\"Layer7 invalid response\" detail=\"the answer is "
        "no CONNACK\" check=L7RSP");
}
END_TEST

START_TEST(each_change_of_a_server_is_told_once)
{
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "nonsense");
    world_start();
    AWAIT(report(0)->failed == 2);
    ck_assert_uint_eq(w.n_changes, 1);
    SAY(0, "\x20\x02\x00\x00");
    AWAIT(report(0)->passed == 3);
    ck_assert_uint_eq(w.n_changes, 2);
}
END_TEST

START_TEST(it_takes_rise_successes_in_a_row_to_come_back)
{
    w.backend.check.type = CHECK_MQTT;
    w.backend.check.rise = 3;
    world_start();
    SAY(0, "nonsense");
    AWAIT(report(0)->failed == 1);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    SAY(0, "\x20\x02\x00\x00");
    AWAIT(report(0)->passed == 2);
    SAY(0, "nonsense");
    AWAIT(report(0)->failed == 1);
    SAY(0, "\x20\x02\x00\x00");
    AWAIT(report(0)->passed == 2);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    ck_assert_uint_eq(report(0)->level, 2);
    uint64_t down_ms = health_down_ms(&report(0)->history, clock_mono_ms());
    AWAIT(report(0)->passed == 3);
    ck_assert_int_eq(state(0), SERVER_UP);
    ck_assert_uint_ge(report(0)->history.down_ms, down_ms);
    ck_assert_uint_eq(report(0)->level, 5);
}
END_TEST

/* The interval is a minute: only fast_interval lets this test end. */
START_TEST(between_up_and_down_the_checks_come_fast)
{
    w.backend.check.type = CHECK_MQTT;
    w.backend.check.interval_ms = 60000;
    SAY(0, "\x20\x02\x00\x00");
    world_start();
    AWAIT(state(0) == SERVER_UP);
    SAY(0, "nonsense");
    server_note_failure(w.live[0]);
    health_note_failures(w.health);
    AWAIT(state(0) == SERVER_DOWN);
    ck_assert_uint_eq(report(0)->failed, 3);
    SAY(0, "\x20\x02\x00\x00");
    server_note_failure(w.live[0]);
    health_note_failures(w.health);
    AWAIT(state(0) == SERVER_UP);
    ck_assert_uint_eq(report(0)->passed, 2);
}
END_TEST

START_TEST(failed_sessions_count_as_one_failed_check_until_the_next)
{
    w.backend.check.interval_ms = w.backend.check.fast_interval_ms = 60000;
    world_start();
    AWAIT(state(0) == SERVER_UP);
    for (int i = 0; i < 10; i++) {
        server_note_failure(w.live[0]);
        server_note_failure(w.live[0]);
        health_note_failures(w.health);
    }
    ck_assert_uint_eq(report(0)->failed, 1);
    ck_assert_str_eq(status(0), "HANA");
    ck_assert_str_eq(report(0)->last.detail, "sessions could not connect: 2");
    ck_assert_int_eq(state(0), SERVER_UP);
}
END_TEST

START_TEST(failed_sessions_bring_the_next_check_forward_and_it_may_clear_the_server)
{
    w.backend.check.interval_ms = 60000;
    world_start();
    AWAIT(state(0) == SERVER_UP);
    server_note_failure(w.live[0]);
    health_note_failures(w.health);
    ck_assert_uint_eq(report(0)->level, 3);
    AWAIT(report(0)->passed == 1);
    ck_assert_str_eq(status(0), "L4OK");
    ck_assert_uint_eq(report(0)->level, 4);
}
END_TEST

START_TEST(where_one_failure_is_enough_failed_sessions_take_a_server_down)
{
    w.backend.check.interval_ms = w.backend.check.fast_interval_ms = 60000;
    w.backend.check.fall = 1;
    world_start();
    AWAIT(state(0) == SERVER_UP);
    server_note_failure(w.live[0]);
    health_note_failures(w.health);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    ASSERT_LOGGED("reason=\"Health analyze\" detail=\"sessions could not connect: 1\" check=HANA");
}
END_TEST

START_TEST(failed_sessions_make_no_second_check_beside_a_running_one)
{
    w.backend.check.type = CHECK_MQTT;
    w.backend.check.fast_interval_ms = 0;
    world_start();
    AWAIT(w.fakes[0].n_heard > 0);
    ck_assert(report(0)->running);
    for (int i = 0; i < 5; i++) {
        server_note_failure(w.live[0]);
        health_note_failures(w.health);
        turn();
    }
    ck_assert(report(0)->running);
    ck_assert_uint_eq(w.fakes[0].accepted, 1);
}
END_TEST

START_TEST(a_check_longer_than_the_interval_does_not_overlap_itself)
{
    w.backend.check.type = CHECK_MQTT;
    w.backend.check.interval_ms = w.backend.check.fast_interval_ms = 5;
    w.backend.check.timeout_ms = 20;
    world_start();
    for (uint64_t n = 0; n < 4; n = report(0)->checks) {
        ck_assert_uint_le(w.fakes[0].accepted, report(0)->checks + 1);
        turn();
    }
}
END_TEST

START_TEST(a_backend_is_down_only_without_its_last_server)
{
    w.backend.check.type = CHECK_MQTT;
    w.backend.n_servers = 2;
    SAY(0, "\x20\x02\x00\x00");
    SAY(1, "\x20\x02\x00\x00");
    world_start();
    AWAIT(state(0) == SERVER_UP && state(1) == SERVER_UP);
    SAY(0, "nonsense");
    AWAIT(state(0) == SERVER_DOWN);
    ck_assert(!logged("backend_down"));
    SAY(1, "nonsense");
    AWAIT(state(1) == SERVER_DOWN);
    ASSERT_LOGGED("event=backend_down");
    ck_assert(health_backend_history(w.health, 0)->down);
    w.lines[0] = '\0';
    SAY(0, "\x20\x02\x00\x00");
    AWAIT(state(0) == SERVER_UP);
    ASSERT_LOGGED("event=backend_up");
    ck_assert(!health_backend_history(w.health, 0)->down);
}
END_TEST

START_TEST(many_servers_are_asked_at_once_and_then_spread_over_the_interval)
{
    w.backend.n_servers = SERVERS_MAX;
    w.backend.check.interval_ms = 2000;
    world_start();
    for (size_t i = 0; i < SERVERS_MAX; i++)
        AWAIT(report(i)->checks == 1);
    ck_assert_uint_eq(report(0)->checks, 1);
    AWAIT(report(0)->checks == 2);
    ck_assert_uint_eq(report(SERVERS_MAX - 1)->checks, 1);
}
END_TEST

static void move_to(const struct addr *at)
{
    const struct addr was = server_address(w.live[0]);
    server_set_location(w.live[0], at, "");
    health_address_changed(w.health, 0, 0, &was, "a test");
}

START_TEST(a_server_that_loses_its_address_is_out_and_begins_anew_when_it_has_one)
{
    static const struct addr nowhere;
    check_once();
    ck_assert_int_eq(state(0), SERVER_UP);
    move_to(&nowhere);
    ck_assert(!server_is_usable(w.live[0]));
    ASSERT_LOGGED("event=server_address backend=broker server=s0 address=- was=127.0.0.1:");
    ASSERT_LOGGED("event=backend_down");
    ck_assert_uint_eq(report(0)->history.downs, 1);
    health_act(w.health, 0, 0, HEALTH_CHECKS_OFF);
    health_act(w.health, 0, 0, HEALTH_CHECKS_ON); /* no reason to check nowhere */
    for (int i = 0; i < 3; i++)
        turn();
    ck_assert_uint_eq(report(0)->checks, 1);
    w.lines[0] = '\0';
    move_to(&w.fakes[0].at);
    ck_assert_int_eq(state(0), SERVER_UNKNOWN);
    ck_assert(server_is_usable(w.live[0]));
    AWAIT(report(0)->checks == 2);
    ck_assert_int_eq(state(0), SERVER_UP);
    ASSERT_LOGGED("event=backend_up");
    ck_assert(!report(0)->history.down);
}
END_TEST

START_TEST(a_server_that_moves_is_what_its_first_check_says)
{
    fake_open(&w.fakes[1], w.loop);
    const struct addr nobody = w.fakes[1].at;
    fake_close(&w.fakes[1]);
    check_once();
    move_to(&nobody);
    ck_assert_int_eq(state(0), SERVER_UP); /* until then it stays what it was */
    AWAIT(report(0)->checks == 2);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    move_to(&w.fakes[0].at);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    AWAIT(report(0)->checks == 3);
    ck_assert_int_eq(state(0), SERVER_UP);
}
END_TEST

TCase *state_tests(void)
{
    TCase *tc = tcase_create("state");
    tcase_add_checked_fixture(tc, world_open, world_close);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, without_checks_a_server_counts_as_up_and_is_left_alone);
    tcase_add_test(tc, it_takes_fall_failures_in_a_row_to_go_down);
    tcase_add_test(tc, each_change_of_a_server_is_told_once);
    tcase_add_test(tc, it_takes_rise_successes_in_a_row_to_come_back);
    tcase_add_test(tc, between_up_and_down_the_checks_come_fast);
    tcase_add_test(tc, failed_sessions_count_as_one_failed_check_until_the_next);
    tcase_add_test(tc, failed_sessions_bring_the_next_check_forward_and_it_may_clear_the_server);
    tcase_add_test(tc, where_one_failure_is_enough_failed_sessions_take_a_server_down);
    tcase_add_test(tc, failed_sessions_make_no_second_check_beside_a_running_one);
    tcase_add_test(tc, a_check_longer_than_the_interval_does_not_overlap_itself);
    tcase_add_test(tc, a_backend_is_down_only_without_its_last_server);
    tcase_add_test(tc, many_servers_are_asked_at_once_and_then_spread_over_the_interval);
    tcase_add_test(tc, a_server_that_loses_its_address_is_out_and_begins_anew_when_it_has_one);
    tcase_add_test(tc, a_server_that_moves_is_what_its_first_check_says);
    return tc;
}
