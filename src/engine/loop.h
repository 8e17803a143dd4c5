/* engine/loop.h: what a worker waits for: descriptors, timers, and other threads that have something for it. A turn is
 * loop_wait() and then loop_serve(). Everything but loop_wake() belongs to the worker's thread. Of its own because
 * libev has no edge-triggered events, which spare the kernel a second look at each socket. Private to engine/. */
#ifndef MQGATE_ENGINE_LOOP_H
#define MQGATE_ENGINE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/macros.h"

enum { LOOP_EVENTS = 128 }; /* a turn; what more there is comes in the next one */

/* A descriptor; the caller's, likewise both functions: set them before it is watched for the first time. */
struct loop_io {
    void (*fn)(struct loop_io *io, uint32_t events); /* what epoll_wait(2) says; may end or free any io */
    int      fd;
    uint32_t events; /* that it is watched for; 0: it is not */
};

/* Set fn. */
struct loop_timer {
    struct loop_timer *prev, *next;
    void (*fn)(struct loop_timer *timer);
    uint64_t at_ms; /* 0: does not run */
};

struct loop {
    int            epoll; /* owned; -1: not open */
    struct loop_io wake;
    void (*woken)(struct loop *loop);
    struct loop_timer *timers; /* soonest first */
    uint64_t           now_ms; /* monotonic, when the last wait ended */
    int                n, at;  /* events of this turn, and the one that is being served */
    struct epoll_event events_of_turn[LOOP_EVENTS];
};

/* woken() is called once or more after loop_wake(). 0, or -1 and errno. */
int  loop_open(struct loop *loop, void (*woken)(struct loop *loop)) MUST_CHECK;
void loop_close(struct loop *loop); /* nothing is watched, no timer runs; not open is fine */

/* For these events from now on, as epoll_ctl(2) has them (EPOLLET, too), whatever it was before; one that has come
 * already is told again. False, and errno, when memory is out, or fs.epoll.max_user_watches reached. */
bool loop_watch(struct loop *loop, struct loop_io *io, uint32_t events) MUST_CHECK;
/* No longer: fn is not called any more, for what has come in this turn neither. Before the descriptor is closed: a
 * process that has been forked may hold it, too, and epoll(7) would go on. Idempotent. */
void loop_unwatch(struct loop *loop, struct loop_io *io);

/* Once, after_ms from the beginning of this turn, or as much later as a turn takes; replaces what was set before. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer); /* idempotent */

/* From any thread: ends the wait. */
void loop_wake(struct loop *loop);

/* Until something has come or a timer is due; at_once: not at all. */
void loop_wait(struct loop *loop, bool at_once);
/* Calls what has come, then the timers that are due. */
void loop_serve(struct loop *loop);

#endif
