/* Unit tests of room engine/: what a worker waits for. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "support/unit.h"

static struct loop loop;
static int         n_woken;

static void on_wake(struct loop *woken)
{
    ck_assert_ptr_eq(woken, &loop);
    n_woken++;
}

static void open_loop(void)
{
    n_woken = 0;
    ck_assert_int_eq(loop_open(&loop, on_wake), 0);
}

static void close_loop(void)
{
    loop_close(&loop);
}

static void turn(void)
{
    loop_wait(&loop, true);
    loop_serve(&loop);
}

/* One end of a pair, and what it has been told. */
struct end {
    struct loop_io io;
    int            peer;
    int            n;
    uint32_t       events;
    struct end    *victim; /* is ended when this one is told something */
};

static void end_close(struct end *end)
{
    loop_unwatch(&loop, &end->io);
    close(end->io.fd);
    close(end->peer);
}

static void on_event(struct loop_io *io, uint32_t events)
{
    struct end *end = CONTAINER_OF(io, struct end, io);
    end->n++;
    end->events = events;
    if (end->victim != NULL)
        end_close(end->victim);
}

static struct end end_open(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return (struct end){.io = {.fn = on_event, .fd = fds[0]}, .peer = fds[1]};
}

static void say(const struct end *end)
{
    ck_assert_int_eq(write(end->peer, "x", 1), 1);
}

START_TEST(an_edge_is_told_once_and_a_level_until_it_is_gone)
{
    struct end edge = end_open(), level = end_open();
    ck_assert(loop_watch(&loop, &edge.io, EPOLLIN | EPOLLET) && loop_watch(&loop, &level.io, EPOLLIN));
    turn();
    ck_assert_int_eq(edge.n + level.n, 0);
    say(&edge);
    say(&level);
    turn();
    turn();
    ck_assert_int_eq(edge.n, 1);
    ck_assert_int_eq(level.n, 2);
    ck_assert_uint_eq(edge.events, EPOLLIN);
    say(&edge);
    turn();
    ck_assert_int_eq(edge.n, 2);
    end_close(&edge);
    end_close(&level);
}
END_TEST

START_TEST(what_has_come_already_is_told_when_it_is_asked_for)
{
    struct end end = end_open();
    ck_assert(loop_watch(&loop, &end.io, EPOLLIN | EPOLLET));
    turn();
    ck_assert(loop_watch(&loop, &end.io, EPOLLIN | EPOLLOUT | EPOLLET));
    turn();
    ck_assert_int_eq(end.n, 1);
    ck_assert_uint_eq(end.events, EPOLLOUT);
    end_close(&end);
}
END_TEST

START_TEST(who_is_not_watched_any_more_is_told_nothing_in_the_same_turn_neither)
{
    struct end ends[2] = {end_open(), end_open()};
    for (int i = 0; i < 2; i++) {
        ck_assert(loop_watch(&loop, &ends[i].io, EPOLLIN));
        ends[i].victim = &ends[1 - i];
        say(&ends[i]);
    }
    turn();
    ck_assert_int_eq(ends[0].n + ends[1].n, 1);
    ck_assert_uint_eq(ends[ends[0].n].io.events, 0);
    loop_unwatch(&loop, &ends[ends[0].n].io);
    end_close(&ends[ends[0].n == 1 ? 0 : 1]);
}
END_TEST

/* As in a process that has been forked, but not replaced yet. */
START_TEST(a_descriptor_that_is_open_elsewhere_too_is_told_of_no_more)
{
    struct end end = end_open();
    int        elsewhere = fcntl(end.io.fd, F_DUPFD_CLOEXEC, 0);
    ck_assert(elsewhere >= 0 && loop_watch(&loop, &end.io, EPOLLIN));
    loop_unwatch(&loop, &end.io);
    close(end.io.fd);
    say(&end);
    turn();
    ck_assert_int_eq(end.n, 0);
    close(end.peer);
    close(elsewhere);
}
END_TEST

static struct loop_timer timers[3];
static int               order[8], n_due;

static void on_timer(struct loop_timer *timer)
{
    order[n_due++] = (int)(timer - timers);
}

static void on_timer_again(struct loop_timer *timer)
{
    on_timer(timer);
    loop_timer_start(&loop, timer, 0);
}

static void on_timer_stops_all(struct loop_timer *timer)
{
    on_timer(timer);
    for (int i = 0; i < 3; i++)
        loop_timer_stop(&loop, &timers[i]);
}

static void reset_timers(void)
{
    n_due = 0;
    for (int i = 0; i < 3; i++)
        timers[i] = (struct loop_timer){.fn = on_timer};
}

START_TEST(timers_come_in_their_order_and_not_before_their_time)
{
    reset_timers();
    const uint64_t begun_ms = loop.now_ms;
    loop_timer_start(&loop, &timers[0], 30);
    loop_timer_start(&loop, &timers[1], 10);
    loop_timer_start(&loop, &timers[2], 20);
    loop_timer_start(&loop, &timers[1], 40); /* in place of what it was */
    while (n_due < 3) {
        loop_wait(&loop, false);
        loop_serve(&loop);
    }
    ck_assert(order[0] == 2 && order[1] == 0 && order[2] == 1);
    ck_assert_uint_ge(clock_mono_ms() - begun_ms, 40);
    ck_assert_ptr_null(loop.timers);
}
END_TEST

START_TEST(equal_timers_come_as_they_were_started)
{
    reset_timers();
    for (int i = 0; i < 3; i++)
        loop_timer_start(&loop, &timers[2 - i], 0);
    turn();
    ck_assert(n_due == 3 && order[0] == 2 && order[1] == 1 && order[2] == 0);
}
END_TEST

START_TEST(a_timer_that_starts_itself_again_is_of_the_next_turn)
{
    reset_timers();
    timers[0].fn = on_timer_again;
    loop_timer_start(&loop, &timers[0], 0);
    loop_timer_start(&loop, &timers[1], 0);
    turn();
    ck_assert_int_eq(n_due, 2);
    loop_wait(&loop, false); /* at once */
    loop_serve(&loop);
    ck_assert_int_eq(n_due, 3);
    loop_timer_stop(&loop, &timers[0]);
    loop_timer_stop(&loop, &timers[0]);
    turn();
    ck_assert_int_eq(n_due, 3);
}
END_TEST

START_TEST(a_timer_may_stop_those_that_are_due_with_it)
{
    reset_timers();
    timers[0].fn = on_timer_stops_all;
    for (int i = 0; i < 3; i++)
        loop_timer_start(&loop, &timers[i], 0);
    turn();
    ck_assert_int_eq(n_due, 1);
}
END_TEST

static void *wake(void *unused)
{
    (void)unused;
    loop_wake(&loop);
    return NULL;
}

START_TEST(another_thread_ends_the_wait)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, wake, NULL), 0);
    while (n_woken == 0) {
        loop_wait(&loop, false);
        loop_serve(&loop);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    turn();
    ck_assert_int_eq(n_woken, 1); /* nothing has to be read for that */
    loop_wake(&loop);
    turn();
    ck_assert_int_eq(n_woken, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tc = tcase_create("loop");
    tcase_add_checked_fixture(tc, open_loop, close_loop);
    tcase_add_test(tc, an_edge_is_told_once_and_a_level_until_it_is_gone);
    tcase_add_test(tc, what_has_come_already_is_told_when_it_is_asked_for);
    tcase_add_test(tc, who_is_not_watched_any_more_is_told_nothing_in_the_same_turn_neither);
    tcase_add_test(tc, a_descriptor_that_is_open_elsewhere_too_is_told_of_no_more);
    tcase_add_test(tc, timers_come_in_their_order_and_not_before_their_time);
    tcase_add_test(tc, equal_timers_come_as_they_were_started);
    tcase_add_test(tc, a_timer_that_starts_itself_again_is_of_the_next_turn);
    tcase_add_test(tc, a_timer_may_stop_those_that_are_due_with_it);
    tcase_add_test(tc, another_thread_ends_the_wait);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
