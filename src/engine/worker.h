/* engine/worker.h: one thread with its loop, its listening sockets and its sessions. Private to engine/. */
#ifndef MQGATE_ENGINE_WORKER_H
#define MQGATE_ENGINE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/slab.h"
#include "engine/deadline.h"
#include "engine/loop.h"
#include "engine/refusals.h"
#include "engine/session.h"
#include "engine/shed.h"
#include "snapshot/snapshot.h"

struct engine;
struct inquiry;
struct visitor;
struct worker_change;

/* What other threads may ask of a worker: bits, so that asking never fails and never queues twice. */
enum mail {
    MAIL_STOP = 1,       /* close everything and end the thread */
    MAIL_PLACE_FREE = 2, /* a server has room: those who are first in a queue look again */
    MAIL_SERVERS = 4,    /* servers have changed: all who wait look again */
    MAIL_ROOM = 8,       /* the process has room: accept again */
    MAIL_LISTENERS = 16, /* the state of a listener has changed */
    MAIL_INQUIRY = 32,   /* the inquiry has not been answered yet */
    MAIL_CHANGE = 64,    /* another snapshot is in force */
    MAIL_SHED = 128,     /* there is an order to shed sessions */
    MAIL_PAUSE = 256     /* end the thread; everything stays as it is */
};

/* A snapshot as one worker holds it: in force, or kept by what began with it. */
struct era {
    struct era      *prev, *next; /* the worker's; once it is over, those that wait for the main thread */
    struct snapshot *snap;        /* one reference */
    uint32_t         n;           /* sessions and visitors that are of it */
};

/* One listening socket. */
struct acceptor {
    struct loop_io    io;
    struct worker    *worker;
    struct snap_bind *bind;
    int               fd;       /* owned; -1: stopped for good */
    bool              paused;   /* bound, but not listening */
    uint32_t          n_filled; /* how often in a row there were as many in its queue as were to be taken */
};

/* Why a worker does not accept for the moment. */
enum { BULK_CAPACITY = 128 * 1024 }; /* bytes */
enum accept_pause { PAUSE_NONE, PAUSE_FDS, PAUSE_LIMIT };

struct worker {
    struct engine   *engine;
    unsigned         index;
    pthread_t        thread;
    struct loop      loop;
    struct log       log;
    struct era      *era;       /* in force: that of new sessions; NULL before the first */
    struct era      *eras;      /* it, and those that sessions are still of; owned */
    struct acceptor *acceptors; /* owned */
    size_t           n_acceptors;
    counter         *counters; /* enum worker_counter, this worker's slot */

    struct slab        slab; /* of sessions, and of what they know of MQTT */
    struct buf_pool    bufs;
    struct buf_pool    bulk; /* larger ones, a few, for streams of which much comes at a time */
    struct tls_worker *tls;  /* of detached streams; owned */
    struct deadlines   deadlines;
    struct session    *sessions; /* live ones */
    struct session    *graveyard;
    struct session    *cursor;     /* the next one that the inquiry looks at */
    struct session    *age_cursor; /* the next one whose age is looked at; NULL: the oldest */
    struct shed        shed;
    struct visitor    *visitors; /* oldest first */
    uint32_t           n_visitors;
    struct refusals    refusals;
    struct session    *again_list; /* those with bytes left when their share of a turn was used up */
    uint32_t           n_again;
    struct pace_lane  *lanes;            /* where sessions wait for their turn */
    uint32_t           n_handshakes;     /* sessions that are in one with their client, */
    uint32_t           most_handshakes;  /* and the most of them since the heap was last trimmed */
    size_t             n_contexts_freed; /* of ciphers, since then */
    uint64_t           now_ms;           /* of this loop turn */
    uint64_t           next_id;
    uint32_t           next_source; /* turns through 127.0.0.0/8 */

    enum accept_pause paused;
    uint64_t          fds_warned_ms; /* when running out of descriptors was last logged; 0: never */
    struct loop_timer timer;         /* for deadlines and turns: never later than the next of them */
    struct loop_timer accept_again;
    struct loop_timer rate_again;
    struct loop_timer aging;
    struct loop_timer shrink; /* runs while there is memory to spare */
    bool              ends;   /* the thread, with this turn */
    _Atomic uint32_t  mail;   /* bits */

    _Atomic(struct worker_change *) change;  /* what it is to go over to; the worker takes it out */
    _Atomic(struct inquiry *)       inquiry; /* what it has been asked; the same */
    bool                            inquiry_begun;
};

/* It has no acceptors and no snapshot yet. 0, or -1 when memory is out. */
int  worker_init(struct worker *w, struct engine *engine, unsigned index, struct stats *stats) MUST_CHECK;
void worker_fini(struct worker *w);
/* The thread's body: runs until MAIL_STOP, or MAIL_PAUSE, after which it may run again. arg is the worker. */
void *worker_run(void *arg);
/* From any thread. */
void worker_tell(struct worker *w, enum mail mail);

/* change.c: another snapshot, and other acceptors with it. In the worker's thread, or before there is one. */
void worker_go_over(struct worker *w, struct worker_change *change);
/* The era in force, for one more; and one less. */
struct era *era_take(struct worker *w);
void        era_give(struct worker *w, struct era *era);

/* Lets s go on in the next loop turn although no event will come for it. */
void worker_run_again(struct worker *w, struct session *s);
/* No longer; s need not be in the list. */
void worker_forget_again(struct worker *w, struct session *s);

/* turn.c: those whose turn it is begin. */
void turns_serve(struct worker *w);
/* When to call it next; UINT64_MAX: nobody waits. */
uint64_t turns_next_ms(const struct worker *w);

enum { AGE_TURN_MS = 100 }; /* between two calls of age_serve() */
/* age.c: sessions past their max_age are asked to reconnect, a few at a time. */
void age_serve(struct worker *w);
/* The timer for it runs while there is a max_age. */
void age_set_timer(struct worker *w);

/* acceptor.c */
void acceptor_init(struct acceptor *a); /* its fd is set */
void acceptors_init(struct worker *w);
/* All watchers that may run now do, once every socket is as its listener's state says. */
void acceptors_start(struct worker *w);
void acceptors_stop(struct worker *w); /* watchers only; the sockets stay open and their queues wait */
void acceptors_close(struct worker *w);
void acceptor_close(struct worker *w, struct acceptor *a); /* fine too when it is closed */
/* Takes what waits in its queue. */
void acceptor_empty(struct worker *w, struct acceptor *a);
void acceptors_resume(struct worker *w, enum accept_pause was);

#endif
