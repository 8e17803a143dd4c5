/* engine/shared.h: the few words that workers share. Private to engine/. */
#ifndef MQGATE_ENGINE_SHARED_H
#define MQGATE_ENGINE_SHARED_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/worker.h"

struct engine {
    struct engine_settings settings;
    struct snapshot       *snap;    /* one reference */
    struct worker         *workers; /* snap->conf->global.workers of them */
    unsigned               n_workers;
    unsigned               n_running; /* threads */
    uint16_t               boot_id;   /* random: session ids of two runs differ */
    _Atomic uint32_t       open;      /* client connections */
    _Atomic uint32_t       n_paused;  /* workers that do not accept because of max_connections */
};

/* Tells every worker. */
void engine_tell_all(struct engine *engine, enum mail mail);
/* A client connection more; false when max_connections is reached. */
bool engine_take_room(struct engine *engine) MUST_CHECK;
/* One less; workers that wait for room are told. */
void engine_give_room(struct engine *engine);

#endif
