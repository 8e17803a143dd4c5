/* engine/shed.h: sessions are asked to go at a pace: all of them while the process is drained, or some of them on an
 * operator's word. Private to engine/.
 *
 * There is one order at a time. The main thread writes it down, each worker copies it when it is told, and from then on
 * they share two words: when the next session may go, and how many may. Those go first that miss least by it. */
#ifndef MQGATE_ENGINE_SHED_H
#define MQGATE_ENGINE_SHED_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/meter.h"
#include "engine/filter.h"
#include "engine/loop.h"
#include "engine/why.h"

struct session;
struct worker;

enum { SHED_TURN_MS = 20 }; /* between two looks of a worker whether somebody may go */
/* What a worker is too late for is made up for if it is no more than this, so that a second has at most a tenth more.
 */
enum { SHED_LATE_MS = 100 };

/* Who goes first. */
enum shed_rank {
    SHED_BEGINS, /* it has no server yet */
    SHED_IDLE,   /* no packet is in flight either way */
    SHED_BUSY,
    SHED_RANKS
};

/* All facts, nothing points anywhere. */
struct shed_order {
    uint32_t              number; /* of the order, from 1; 0: there was none yet */
    enum why              why;
    uint32_t              rate;           /* sessions a second; 0: all at once */
    uint64_t              begun_until_ms; /* monotonic; UINT64_MAX: whenever it began */
    struct session_filter filter;
};

/* What the workers share; part of the engine. */
struct shed_shared {
    pthread_mutex_t   lock;
    struct shed_order order;   /* of lock */
    _Atomic uint64_t  next_ns; /* monotonic: the next session may go then */
    _Atomic uint32_t  left;    /* sessions that may go */
    _Atomic uint32_t  going;   /* asked to go, and not over */
    struct rate       asked;
    uint32_t          n; /* of the order, when it was given; main thread */
};

/* What one worker knows. */
struct shed {
    struct loop_timer turn; /* runs while it looks for sessions */
    struct shed_order order;
    struct session   *cursor; /* the next one that is looked at; NULL: the oldest */
    enum shed_rank    saw;    /* the first to go that was seen since cursor was at the oldest; SHED_RANKS: none */
    _Atomic uint32_t  done;   /* the number of the order that there is nothing left to do for */
    _Atomic uint64_t  lowest; /* the number of the order, times SHED_RANKS, and the rank below which it has nobody */
};

/* One may go now, at `interval_ns` from the one before. *next_ns is shared by all who ask. A time that nobody came for
 * within late_ms is lost. */
bool shed_take_turn(_Atomic uint64_t *next_ns, uint64_t interval_ns, uint32_t late_ms, uint64_t now_ns) MUST_CHECK;

/* s is asked to go in the words of its protocol, wherever it is: once it relays, at the end of the packets that are in
 * flight; before that it is refused. Not for one that is ending. */
void shed_ask(struct session *s, enum why why);
/* s is over. */
void shed_forget(struct session *s);

/* Of a worker, in its thread. */
void shed_init(struct worker *w);
void shed_take_order(struct worker *w);
void shed_stop(struct worker *w);

#endif
