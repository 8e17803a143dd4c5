/* engine/inquiry.h: a question that only the workers can answer, about their sessions. It visits one worker after the
 * other, is answered there in pieces between which the loop turns, and comes back to the main thread. Private to
 * engine/. */
#ifndef MQGATE_ENGINE_INQUIRY_H
#define MQGATE_ENGINE_INQUIRY_H

#include "base/command.h"
#include "engine/filter.h"
#include "engine/worker.h"

enum { INQUIRY_SESSIONS_A_TURN = 256 };

struct inquiry {
    struct inquiry       *next; /* those that wait for their turn */
    struct engine        *engine;
    struct command_call  *call;      /* NULL: nobody waits for the answer */
    bool                  cancelled; /* whoever asked has gone */
    unsigned              worker;    /* who has it, or had it last */
    struct session_filter filter;
    uint32_t              n;       /* sessions that matched */
    int                   fd;      /* the only descriptor that is asked for; -1: all */
    uint64_t              sums[3]; /* what on_worker adds up */
    struct text           out;
    /* In a worker's thread, once for each session that matches; NULL: none is asked for. It may close the session. */
    void (*on_session)(struct inquiry *q, struct session *s);
    /* In a worker's thread, once. NULL: nothing is asked of the worker itself. */
    void (*on_worker)(struct inquiry *q, struct worker *w);
    /* Back in the main thread: puts the answer into call->out. NULL: it is out. */
    void (*on_answered)(struct inquiry *q);
};

/* A copy of q goes its way; call, which may be NULL, is finished when it is back. COMMAND_PENDING, or COMMAND_DONE when
 * memory is out. */
enum command_outcome inquiry_send(struct engine *engine, const struct inquiry *q, struct command_call *call);
/* In the worker's thread: goes on with what it has been asked. */
void inquiry_visit(struct worker *w);
/* In the main thread: takes back what workers are done with. */
void inquiries_answered(struct engine *engine);
/* No thread runs any more; calls are finished or cancelled already. */
void inquiries_free(struct engine *engine);

#endif
