/* engine/shared.h: the few words that workers share. Private to engine/. */
#ifndef MQGATE_ENGINE_SHARED_H
#define MQGATE_ENGINE_SHARED_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/shed.h"
#include "engine/worker.h"

struct handover;

struct engine {
    struct engine_settings     settings;
    struct snapshot           *snap;      /* in force; one reference; the main thread's */
    struct stats              *stats;     /* the process's */
    struct worker             *workers;   /* snap->conf->global.workers of them */
    struct addr               *bound;     /* where each address that listeners bind really is; owned; main thread */
    int                       *listening; /* the sockets of each address, n_workers of them; owned; main thread */
    unsigned                   n_workers;
    unsigned                   n_running; /* threads */
    uint16_t                   boot_id;   /* random: session ids of two runs differ */
    struct gauge               open;      /* client connections */
    _Atomic uint32_t           n_rooms;   /* taken: for these, and for some that may be in a listening socket's queue */
    _Atomic uint32_t           max_connections;
    _Atomic uint32_t           rate_limits[ENGINE_RATES]; /* a second; 0: none */
    _Atomic uint32_t           n_paused;                  /* workers that do not accept because of max_connections */
    _Atomic bool               closed;                    /* to clients: no listener takes any */
    _Atomic bool               held;                      /* nobody is accepted for the moment, not even for HTTP */
    struct shed_shared         shed;
    struct inquiry            *asking;    /* the first is under way; main thread */
    struct ev_async            answered;  /* in the main loop */
    _Atomic(struct handover *) handovers; /* on their way to the main thread, newest first */
    _Atomic uint32_t           n_handovers;
    struct ev_async            handed_over; /* in the main loop */
    struct engine_change      *changing;    /* workers go over to it; NULL: no change is under way */
    _Atomic(struct era *)      over;        /* eras that no worker needs any more, newest first */
    struct ev_async            went_over;   /* in the main loop: a change is done, or an era over */
};

/* change.c: what workers left to the main thread. */
void changes_take(struct engine *engine);
void eras_free(struct era *first);

/* Waits for the threads, which have been told to end. */
void engine_join(struct engine *engine);
/* Tells every worker. */
void engine_tell_all(struct engine *engine, enum mail mail);
/* Clients that come there are taken. */
bool engine_is_open(const struct engine *engine, const struct snap_listener *listener);
/* Room for a client connection more; false when max_connections is reached. */
bool engine_take_room(struct engine *engine) MUST_CHECK;
/* One less; workers that wait for room are told. */
void engine_give_room(struct engine *engine);
/* A client connection for which room was taken; and one less, its room with it. */
void engine_enter(struct engine *engine);
void engine_leave(struct engine *engine);
/* How long accepting for this listener has to wait to stay within the rate limits of the process; 0: not at all. */
uint32_t engine_rate_wait_ms(const struct engine *engine, const struct snap_listener *listener, uint64_t now_ms);

#endif
