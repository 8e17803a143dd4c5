/* From one process to the next: checks go on where they were. */
#include "snapshot/carry.h"
#include "support/image.h"
#include "unit/health/suites.h"
#include "unit/health/world.h"

static struct image_writer image;

static void carry(void)
{
    image = image_start();
    snapshot_carry_servers(&w.snap, &image);
    health_carry(w.health, &image);
}

/* The process ends; what the world is made of then is as in one that has just begun. */
static void end_process(void)
{
    health_free(w.health);
    for (size_t i = 0; i < w.backend.n_servers; i++) {
        server_set_state(w.live[i], w.backend.check.type == CHECK_NONE ? SERVER_UNCHECKED : SERVER_UNKNOWN);
        server_set_admin(w.live[i], SERVER_READY);
    }
    w.n_changes = 0;
}

static void adopt_all(void)
{
    struct image_reader r = image_reread(&image);
    struct image_record record;
    struct err          err = {0};
    while (image_next(&r, &record)) {
        ck_assert_msg(snapshot_adopt_server(&w.snap, &record, &err), "%s", err.text);
        ck_assert_msg(health_adopt(w.health, &record, &err), "%s", err.text);
    }
    image_drop(&image);
}

static void begin_process(void)
{
    w.health = health_new(w.loop, &w.snap, &w.log, (struct health_listener){.call = NULL});
    ck_assert_ptr_nonnull(w.health);
    adopt_all();
    health_begin(w.health, NULL);
}

static void upgrade(void)
{
    carry();
    end_process();
    begin_process();
}

static void check_rarely(void)
{
    w.backend.check.interval_ms = w.backend.check.fast_interval_ms = 60000;
}

START_TEST(what_checks_have_found_is_known_in_the_next_process)
{
    w.backend.n_servers = 2;
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "nonsense");
    SAY(1, "\x20\x02\x00\x00");
    world_start();
    AWAIT(state(0) == SERVER_DOWN && report(1)->passed == 2);
    check_rarely();
    const struct health_report  was = *report(0), was_up = *report(1);
    const struct health_history backend = *health_backend_history(w.health, 0);
    upgrade();
    ck_assert_int_eq(state(0), SERVER_DOWN);
    ck_assert_int_eq(state(1), SERVER_UP);
    ck_assert_str_eq(status(0), "L7RSP");
    ck_assert_str_eq(report(0)->last.detail, was.last.detail);
    ck_assert_int_eq(report(0)->last.code, was.last.code);
    ck_assert_uint_eq(report(0)->last.duration_ms, was.last.duration_ms);
    ck_assert_uint_eq(report(0)->level, was.level);
    ck_assert_uint_eq(report(0)->failed, was.failed);
    ck_assert_uint_eq(report(0)->checks, was.checks);
    ck_assert_uint_eq(report(0)->failures, was.failures);
    ck_assert_uint_eq(report(0)->failed_up, was.failed_up);
    ck_assert_uint_eq(report(0)->history.down, true);
    ck_assert_uint_eq(report(0)->history.downs, was.history.downs);
    ck_assert_uint_eq(report(0)->history.last_change_ms, was.history.last_change_ms);
    ck_assert_uint_eq(report(0)->history.down_ms, was.history.down_ms);
    ck_assert_uint_eq(report(1)->passed, was_up.passed);
    ck_assert_uint_eq(report(1)->level, was_up.level);
    ck_assert_uint_eq(health_backend_history(w.health, 0)->last_change_ms, backend.last_change_ms);
    ck_assert_uint_eq(health_backend_history(w.health, 0)->down, backend.down);
}
END_TEST

START_TEST(an_upgrade_tells_the_log_of_no_change_where_there_is_none)
{
    check_once();
    ASSERT_LOGGED("event=server_up");
    ASSERT_LOGGED("event=backend_up");
    w.lines[0] = '\0';
    upgrade();
    ck_assert(!logged("event="));
    ck_assert_int_eq(state(0), SERVER_UP);
}
END_TEST

START_TEST(the_next_check_is_due_when_it_was)
{
    check_once();
    const struct fake *fake = &w.fakes[0];
    upgrade();
    turn(); /* nothing is due within half a second */
    ck_assert_uint_eq(fake->accepted, 1);
    w.backend.check.interval_ms = 20;
    upgrade();
    AWAIT(report(0)->checks == 2);
    assert_up("L4OK");
}
END_TEST

START_TEST(a_check_that_was_under_way_begins_anew_and_decides_by_what_was_counted)
{
    w.backend.check.type = CHECK_MQTT;
    w.backend.check.fall = 3;
    SAY(0, "\x20\x02\x00\x00");
    world_start();
    AWAIT(report(0)->passed == 1);
    SAY(0, "nonsense");
    AWAIT(report(0)->failed == 2);
    AWAIT(report(0)->running);
    upgrade();
    ck_assert(!report(0)->running);
    assert_up("L7RSP");
    AWAIT(report(0)->failed == 3);
    ck_assert_int_eq(state(0), SERVER_DOWN);
    ck_assert_uint_eq(report(0)->history.downs, 1);
}
END_TEST

START_TEST(what_an_operator_wanted_of_a_server_is_still_so)
{
    w.backend.n_servers = 3;
    world_start();
    AWAIT(state(0) == SERVER_UP && state(1) == SERVER_UP && state(2) == SERVER_UP);
    health_act(w.health, 0, 0, HEALTH_MAINT);
    health_act(w.health, 0, 1, HEALTH_CHECKS_OFF);
    health_act(w.health, 0, 2, HEALTH_DRAIN);
    const uint64_t since_ms = report(0)->history.last_change_ms, checks[] = {report(0)->checks, report(1)->checks};
    const uint64_t drained = report(2)->checks;
    upgrade();
    ck_assert_int_eq(server_admin(w.live[0]), SERVER_MAINT);
    ck_assert_int_eq(server_admin(w.live[2]), SERVER_DRAIN);
    ck_assert_uint_eq(report(0)->history.last_change_ms, since_ms);
    ck_assert(report(1)->disabled);
    ck_assert_int_eq(state(1), SERVER_UP);
    AWAIT(report(2)->checks > drained + 2); /* others are checked meanwhile */
    ck_assert_uint_eq(report(0)->checks, checks[0]);
    ck_assert_uint_eq(report(1)->checks, checks[1]);
    health_act(w.health, 0, 0, HEALTH_READY);
    AWAIT(report(0)->checks > checks[0]);
}
END_TEST

START_TEST(by_another_rise_and_fall_a_server_is_as_far_up_as_it_was)
{
    check_once();
    carry();
    end_process();
    w.backend.check.rise = 5;
    w.backend.check.fall = 7;
    begin_process();
    ck_assert_int_eq(state(0), SERVER_UP);
    ck_assert_uint_eq(report(0)->level, 11);
    AWAIT(report(0)->checks == 2); /* at once */
}
END_TEST

START_TEST(a_server_that_moved_with_the_upgrade_is_what_its_first_check_says)
{
    check_once();
    fake_open(&w.fakes[1], w.loop);
    const struct addr was = server_address(w.live[0]);
    carry();
    end_process();
    server_set_address(w.live[0], &w.fakes[1].at);
    w.servers[0].address = w.fakes[1].at;
    begin_process();
    ck_assert(!addr_same(&was, &w.fakes[1].at));
    ASSERT_LOGGED("by=upgrade");
    ck_assert_int_eq(state(0), SERVER_UP);
    AWAIT(report(0)->checks == 2);
    ck_assert_uint_eq(w.fakes[1].accepted, 1);
}
END_TEST

START_TEST(a_server_that_the_process_before_did_not_know_is_checked_at_once)
{
    check_once();
    carry();
    end_process();
    w.servers[0].name = "new";
    begin_process();
    ck_assert_int_eq(state(0), SERVER_UNKNOWN);
    ck_assert_uint_eq(report(0)->checks, 0);
    AWAIT(report(0)->checks == 1);
}
END_TEST

/* Each byte of each record in turn is another one: the record is understood or refused, and checks go on. */
START_TEST(no_record_of_checks_that_is_damaged_does_harm)
{
    struct image_record record;
    check_once();
    carry();
    struct image_reader r = image_reread(&image);
    while (image_next(&r, &record)) {
        for (size_t i = 0; i < record.fields.len; i++) {
            uint8_t      *at = image.at + (record.fields.ptr + i - image.at);
            const uint8_t was = *at;
            struct err    err = {0};
            end_process();
            w.health = health_new(w.loop, &w.snap, &w.log, (struct health_listener){.call = NULL});
            *at = (uint8_t)(was + 1 + i % 255);
            if (!health_adopt(w.health, &record, &err))
                ck_assert_str_ne(err.text, "");
            *at = was;
            health_begin(w.health, NULL);
            ck_assert_int_lt(report(0)->last.status, PROBE_STATUSES);
            ck_assert_uint_le(health_report(w.health, 0, 0)->history.last_change_ms, clock_mono_ms());
        }
    }
    image_drop(&image);
    AWAIT(report(0)->checks >= 1);
}
END_TEST

TCase *carry_tests(void)
{
    TCase *tc = tcase_create("carry");
    tcase_add_checked_fixture(tc, world_open, world_close);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, what_checks_have_found_is_known_in_the_next_process);
    tcase_add_test(tc, an_upgrade_tells_the_log_of_no_change_where_there_is_none);
    tcase_add_test(tc, the_next_check_is_due_when_it_was);
    tcase_add_test(tc, a_check_that_was_under_way_begins_anew_and_decides_by_what_was_counted);
    tcase_add_test(tc, what_an_operator_wanted_of_a_server_is_still_so);
    tcase_add_test(tc, by_another_rise_and_fall_a_server_is_as_far_up_as_it_was);
    tcase_add_test(tc, a_server_that_moved_with_the_upgrade_is_what_its_first_check_says);
    tcase_add_test(tc, a_server_that_the_process_before_did_not_know_is_checked_at_once);
    tcase_add_test(tc, no_record_of_checks_that_is_damaged_does_harm);
    return tc;
}
