#include "engine/loop.h"

#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"

static void on_wake(struct loop_io *io, uint32_t events)
{
    struct loop *loop = CONTAINER_OF(io, struct loop, wake);
    (void)events;
    loop->woken(loop);
}

int loop_open(struct loop *loop, void (*woken)(struct loop *loop))
{
    *loop = (struct loop){.woken = woken, .now_ms = clock_mono_ms()};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = (struct loop_io){.fn = on_wake, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    /* Edge-triggered, each write(2) is an event of its own and nothing has to be read. */
    if (loop->epoll >= 0 && loop->wake.fd >= 0 && loop_watch(loop, &loop->wake, EPOLLIN | EPOLLET))
        return 0;
    loop_close(loop);
    return -1;
}

void loop_close(struct loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    loop->epoll = loop->wake.fd = -1;
}

bool loop_watch(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = io};
    if (epoll_ctl(loop->epoll, io->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, io->fd, &event) != 0)
        return false;
    io->events = events;
    return true;
}

void loop_unwatch(struct loop *loop, struct loop_io *io)
{
    if (io->events == 0)
        return;
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, io->fd, NULL);
    io->events = 0;
    for (int i = loop->at + 1; i < loop->n; i++) {
        if (loop->events_of_turn[i].data.ptr == io)
            loop->events_of_turn[i].data.ptr = NULL;
    }
}

/* The later ones are behind: those that last equally long are started in the order in which they are due. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_ms)
{
    loop_timer_stop(loop, timer);
    timer->at_ms = loop->now_ms + after_ms;
    struct loop_timer *before = loop->timers != NULL ? loop->timers->prev : NULL; /* the last one */
    while (before != NULL && before->at_ms > timer->at_ms)
        before = before == loop->timers ? NULL : before->prev;
    if (before == NULL)
        DL_PREPEND(loop->timers, timer);
    else
        DL_APPEND_ELEM(loop->timers, before, timer);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    if (timer->at_ms == 0)
        return;
    DL_DELETE(loop->timers, timer); /* NOLINT(clang-analyzer-core.NullDereference): the only one is its own prev */
    timer->at_ms = 0;
}

void loop_wake(struct loop *loop)
{
    const uint64_t once = 1;
    ssize_t        n = write(loop->wake.fd, &once, sizeof once);
    (void)n; /* full is fine: it has been woken 2^64 - 2 times */
}

static int timeout_ms(const struct loop *loop, bool at_once)
{
    if (at_once)
        return 0;
    if (loop->timers == NULL)
        return -1;
    uint64_t at_ms = loop->timers->at_ms, left_ms = at_ms > loop->now_ms ? at_ms - loop->now_ms : 0;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

void loop_wait(struct loop *loop, bool at_once)
{
    int n = epoll_wait(loop->epoll, loop->events_of_turn, LOOP_EVENTS, timeout_ms(loop, at_once));
    loop->n = n > 0 ? n : 0; /* EINTR */
    loop->now_ms = clock_mono_ms();
}

/* Those that are started again meanwhile are of a later turn. */
static void serve_timers(struct loop *loop)
{
    struct loop_timer *timer;
    size_t             n = 0;
    for (timer = loop->timers; timer != NULL && timer->at_ms <= loop->now_ms; timer = timer->next)
        n++;
    for (; n > 0 && loop->timers != NULL && loop->timers->at_ms <= loop->now_ms; n--) {
        timer = loop->timers;
        loop_timer_stop(loop, timer);
        timer->fn(timer);
    }
}

void loop_serve(struct loop *loop)
{
    for (loop->at = 0; loop->at < loop->n; loop->at++) {
        const struct epoll_event *event = &loop->events_of_turn[loop->at];
        struct loop_io           *io = event->data.ptr;
        if (io != NULL)
            io->fn(io, event->events);
    }
    loop->n = 0;
    serve_timers(loop);
}
