#include "engine/inquiry.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "engine/shared.h"

static void hand_to_worker(struct inquiry *q)
{
    struct worker *w = &q->engine->workers[q->worker];
    atomic_store(&w->inquiry, q);
    worker_tell(w, MAIL_INQUIRY);
}

static void start_next(struct engine *e)
{
    if (e->asking == NULL || e->n_running == 0)
        return;
    e->asking->worker = 0;
    hand_to_worker(e->asking);
}

/* Somebody hung up: the question goes its way, and its answer to nobody. */
static void on_cancel(struct command_call *call)
{
    struct inquiry *q = call->state;
    q->call = NULL;
    q->cancelled = true;
}

enum command_outcome inquiry_send(struct engine *engine, const struct inquiry *q, struct command_call *call)
{
    struct inquiry *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return call != NULL ? command_fail(call, "Out of memory.") : COMMAND_DONE;
    bool first = engine->asking == NULL;
    *copy = *q;
    copy->engine = engine;
    copy->call = call;
    if (call != NULL) {
        call->state = copy;
        call->cancel = on_cancel;
    }
    LL_APPEND(engine->asking, copy);
    if (first)
        start_next(engine);
    return COMMAND_PENDING;
}

/* True when all sessions of the worker have been looked at. */
static bool visit_sessions(struct inquiry *q, struct worker *w)
{
    for (int i = 0; i < INQUIRY_SESSIONS_A_TURN && w->cursor != NULL; i++) {
        struct session *s = w->cursor;
        w->cursor = s->next;
        if (!filter_matches(&q->filter, s))
            continue;
        q->n++;
        q->on_session(q, s);
    }
    return w->cursor == NULL;
}

void inquiry_visit(struct worker *w)
{
    struct inquiry *q = atomic_load(&w->inquiry);
    if (q == NULL)
        return;
    if (!w->inquiry_begun) {
        w->inquiry_begun = true;
        w->cursor = q->on_session != NULL ? w->sessions : NULL;
        if (q->on_worker != NULL)
            q->on_worker(q, w);
    }
    if (!visit_sessions(q, w)) {
        worker_tell(w, MAIL_INQUIRY); /* the rest in the next turn */
        return;
    }
    w->inquiry_begun = false;
    atomic_store(&w->inquiry, NULL);
    ev_async_send(w->engine->settings.loop, &w->engine->answered);
}

static void finish(struct inquiry *q)
{
    struct command_call *call = q->call;
    if (call != NULL && q->out.failed)
        (void)command_fail(call, "Out of memory.");
    else if (call != NULL && q->on_answered != NULL)
        q->on_answered(q);
    else if (call != NULL)
        text_put(&call->out, q->out.at, q->out.len);
    text_fini(&q->out);
    free(q);
    if (call != NULL)
        call->finish(call);
}

/* Whoever hears the answer may ask again at once: what waits goes before that. */
void inquiries_answered(struct engine *e)
{
    struct inquiry *q = e->asking;
    if (q == NULL || atomic_load(&e->workers[q->worker].inquiry) != NULL)
        return;
    if (!q->cancelled && q->worker + 1 < e->n_workers) {
        q->worker++;
        hand_to_worker(q);
        return;
    }
    LL_DELETE(e->asking, q);
    start_next(e);
    finish(q);
}

void inquiries_free(struct engine *e)
{
    struct inquiry *q, *next;
    LL_FOREACH_SAFE(e->asking, q, next)
    {
        text_fini(&q->out);
        free(q);
    }
    e->asking = NULL;
}
