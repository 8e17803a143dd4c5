/* Commands that answer later. */
#include <unistd.h>

#include "base/clock.h"
#include "unit/control/suites.h"
#include "unit/control/world.h"

static void setup(void)
{
    world_open();
    struct control_settings settings = world_settings();
    world_start(&settings);
}

static void finish(const char *text)
{
    struct command_call *call = w.later;
    ck_assert_ptr_nonnull(call);
    w.later = NULL;
    command_say(call, SEVERITY_INFO, "%s", text);
    call->finish(call);
}

/* Until somebody calls back; the loop sleeps for it. */
static void await_cancel(void)
{
    uint64_t end = clock_mono_ms() + 5000;
    while (w.n_cancelled == 0 && clock_mono_ms() < end)
        (void)ev_run(w.loop, EVRUN_ONCE);
    ck_assert_uint_eq(w.n_cancelled, 1);
}

START_TEST(what_comes_behind_waits_for_the_answer)
{
    struct peer peer = peer_open();
    peer_say(&peer, "later;count\ncount\n");
    peer_expect_silence(&peer);
    ck_assert_uint_eq(w.n_counted, 0);
    finish("now");
    peer_expect_all(&peer, "now\n\n\n\n");
    ck_assert_uint_eq(w.n_counted, 2);
    peer_close(&peer);
}
END_TEST

START_TEST(others_are_served_meanwhile)
{
    struct peer waits = peer_open(), other = peer_open();
    peer_say(&waits, "prompt;later\n");
    peer_expect(&waits, "\n");
    peer_say(&other, "echo x\n");
    peer_expect_all(&other, "x\n\n");
    finish("now");
    peer_expect(&waits, "now\n\n> ");
    peer_close(&waits);
    peer_close(&other);
    world_turn();
}
END_TEST

START_TEST(whoever_has_only_ended_his_side_gets_the_answer)
{
    struct peer peer = peer_open();
    peer_say(&peer, "later\n");
    peer_shut(&peer);
    for (uint64_t end = clock_mono_ms() + 600; clock_mono_ms() < end;) /* two looks after it */
        (void)ev_run(w.loop, EVRUN_ONCE);
    ck_assert_uint_eq(w.n_cancelled, 0);
    finish("now");
    peer_expect_all(&peer, "now\n\n");
    peer_close(&peer);
}
END_TEST

START_TEST(a_command_is_called_back_when_its_client_goes)
{
    struct peer peer = peer_open();
    peer_say(&peer, "later\n");
    peer_close(&peer);
    await_cancel();
}
END_TEST

START_TEST(a_command_is_called_back_when_its_client_goes_with_lines_unread)
{
    struct peer peer = peer_open();
    peer_say(&peer, "later\n");
    peer_say(&peer, "count\n");
    peer_close(&peer);
    await_cancel();
    ck_assert_uint_eq(w.n_counted, 0);
}
END_TEST

START_TEST(a_command_is_called_back_when_its_client_ends_his_side_and_then_goes)
{
    struct peer peer = peer_open();
    peer_say(&peer, "later\n");
    peer_shut(&peer);
    world_turn();
    ck_assert_uint_eq(w.n_cancelled, 0);
    peer_close(&peer);
    await_cancel();
}
END_TEST

START_TEST(the_end_of_the_socket_calls_back_all_commands)
{
    struct peer a = peer_open(), b = peer_open();
    peer_say(&a, "later\n");
    peer_say(&b, "wait 1h\n");
    control_close(w.control);
    w.control = NULL;
    ck_assert_uint_eq(w.n_cancelled, 1);
    peer_expect_all(&a, "");
    peer_expect_all(&b, "");
    peer_close(&a);
    peer_close(&b);
}
END_TEST

START_TEST(a_pending_command_outlives_the_idle_time)
{
    struct peer peer = peer_open();
    peer_say(&peer, "set timeout cli 1;wait 1200\n");
    uint64_t began = clock_mono_ms();
    peer_expect_all(&peer, "\nDone.\n\n");
    ck_assert_uint_ge(clock_mono_ms() - began, 1100);
    peer_close(&peer);
}
END_TEST

START_TEST(wait_ends_when_its_condition_is_met)
{
    struct peer peer = peer_open();
    peer_say(&peer, "wait 1h ready s1\n");
    peer_expect_silence(&peer);
    w.is_ready = true;
    peer_expect_all(&peer, "Done.\n\n");
    peer_close(&peer);
}
END_TEST

START_TEST(wait_ends_when_its_condition_can_never_be_met)
{
    struct peer peer = peer_open();
    peer_say(&peer, "set severity-output number;wait 1h ready s1\n");
    peer_expect(&peer, "\n");
    w.never = true;
    peer_expect_all(&peer, "[3]: 's1' is not ready.\n\n");
    peer_close(&peer);
}
END_TEST

START_TEST(wait_tells_that_its_condition_was_not_met_in_time)
{
    struct peer peer = peer_open();
    peer_say(&peer, "set severity-output string;wait 20 ready s1\n");
    peer_expect_all(&peer, "\n[err]: Wait delay expired. 's1' is not ready.\n\n");
    peer_close(&peer);
}
END_TEST

TCase *pending_tests(void)
{
    TCase *tc = tcase_create("pending");
    tcase_add_checked_fixture(tc, setup, world_close);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, what_comes_behind_waits_for_the_answer);
    tcase_add_test(tc, others_are_served_meanwhile);
    tcase_add_test(tc, whoever_has_only_ended_his_side_gets_the_answer);
    tcase_add_test(tc, a_command_is_called_back_when_its_client_goes);
    tcase_add_test(tc, a_command_is_called_back_when_its_client_goes_with_lines_unread);
    tcase_add_test(tc, a_command_is_called_back_when_its_client_ends_his_side_and_then_goes);
    tcase_add_test(tc, the_end_of_the_socket_calls_back_all_commands);
    tcase_add_test(tc, a_pending_command_outlives_the_idle_time);
    tcase_add_test(tc, wait_ends_when_its_condition_is_met);
    tcase_add_test(tc, wait_ends_when_its_condition_can_never_be_met);
    tcase_add_test(tc, wait_tells_that_its_condition_was_not_met_in_time);
    return tc;
}
