/* upstream/pace.h: who of those that wait for a listener's rate_limit may begin, and when.
 *
 * One pace a listener, shared by all workers without a lock. In any second, the first one included, it lets at most
 * `rate` in; a worker that comes a few milliseconds late loses nothing. Each worker has a lane of its own and holds at
 * most one slot in advance, so that workers with waiters take turns and none is left out. */
#ifndef MQGATE_UPSTREAM_PACE_H
#define MQGATE_UPSTREAM_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum { PACE_RATE_MAX = 1000000 };
enum { PACE_SLACK_NS = 10 * 1000 * 1000 }; /* how long after its time a slot may be used */
/* A way that ends with a write to a server that reads, and a longer one: that pace then is the slower one, so that
 * nobody has to wait in the other for long. */
enum { PACE_WAY_SHORT_NS = 2 * PACE_SLACK_NS, PACE_WAY_LONG_NS = 4 * PACE_SLACK_NS };

struct pace;

struct pace_waiter {
    struct pace_waiter *prev, *next;
};

/* Of one worker, and touched by it only. */
struct pace_lane {
    struct pace        *pace;
    struct pace_waiter *first; /* who has waited longest; NULL: nobody waits */
    uint64_t            at_ns; /* the slot that it holds */
    bool                holds;
    struct pace_lane   *prev, *next; /* the worker's, for a list of lanes with waiters */
};

/* rate: sessions a second, 1..PACE_RATE_MAX. way_ns: how much longer some take than others from here to where the rate
 * counts; it holds there, too, at the price of somewhat less than the rate. NULL when memory is out. */
struct pace *pace_new(uint32_t rate, unsigned n_workers, uint64_t way_ns); /* with one reference */
struct pace *pace_ref(struct pace *pace);
void         pace_unref(struct pace *pace); /* NULL is fine; with the last one nobody may wait */
/* From the next slot on. */
void              pace_set_rate(struct pace *pace, uint32_t rate);
struct pace_lane *pace_lane(struct pace *pace, unsigned worker);
/* When the next slot is free. For the process after an upgrade, so that a second with both in it is like any other:
 * slots that nobody can have used yet are free again. */
uint64_t pace_next_ns(const struct pace *pace);
void     pace_resume(struct pace *pace, uint64_t next_ns, uint64_t now_ns);

/* One session may begin now. False: the lane holds a slot, ask again at lane->at_ns. Who is alone and finds a free slot
 * need not wait; where others wait, the first of them goes before. A slot that nobody came for is not used later than
 * PACE_SLACK_NS. now_ns is monotonic, one clock for all workers, and read anew for each call. */
bool pace_take(struct pace_lane *lane, uint64_t now_ns) MUST_CHECK;

/* First come, first served; who had a turn before goes ahead of the others. */
void pace_wait(struct pace_lane *lane, struct pace_waiter *waiter, bool ahead);
void pace_leave(struct pace_lane *lane, struct pace_waiter *waiter);
/* Over all lanes. */
uint32_t pace_n_waiting(const struct pace *pace);

#endif
