#include "engine/worker.h"

#include <malloc.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/inquiry.h"
#include "engine/shared.h"
#include "engine/visitor.h"

static void on_mail(struct loop *loop);
static void on_timer(struct loop_timer *timer);
static void on_accept_again(struct loop_timer *timer);
static void on_rate_again(struct loop_timer *timer);
static void on_aging(struct loop_timer *timer);
static void on_shrink(struct loop_timer *timer);

/* What lives on lies elsewhere, so that a heap is empty after each handshake; free() would give its pages back, and the
 * next handshake fault them in again: 15 us of its 300. */
static void keep_heap(void)
{
    enum { KEPT = 1024 * 1024 }; /* bytes, of an arena */
    (void)mallopt(M_TRIM_THRESHOLD, KEPT);
}

int worker_init(struct worker *w, struct engine *engine, unsigned index, struct stats *stats)
{
    keep_heap();
    *w = (struct worker){.engine = engine,
                         .index = index,
                         .next_id = 1,
                         .timer.fn = on_timer,
                         .accept_again.fn = on_accept_again,
                         .rate_again.fn = on_rate_again,
                         .aging.fn = on_aging,
                         .shrink.fn = on_shrink};
    w->log = (struct log){.settings = engine->settings.log, .ring = engine->settings.log_rings[index]};
    w->counters = counters_slot(stats_workers(stats), index);
    slab_init(&w->slab);
    buf_pool_init(&w->bufs, BUF_CAPACITY, BUF_KEEP);
    buf_pool_init(&w->bulk, BULK_CAPACITY, 1);
    deadlines_init(&w->deadlines);
    shed_init(w);
    w->tls = tls_worker_new();
    if (loop_open(&w->loop, on_mail) == 0 && w->tls != NULL)
        return 0;
    worker_fini(w);
    return -1;
}

void worker_fini(struct worker *w)
{
    acceptors_close(w);
    free(w->acceptors);
    loop_close(&w->loop);
    deadlines_fini(&w->deadlines);
    slab_fini(&w->slab);
    buf_pool_fini(&w->bufs);
    buf_pool_fini(&w->bulk);
    tls_worker_free(w->tls);
    eras_free(w->eras);
}

void worker_tell(struct worker *w, enum mail mail)
{
    if (atomic_fetch_or(&w->mail, mail) == 0) /* else whoever came first wakes it */
        loop_wake(&w->loop);
}

void worker_run_again(struct worker *w, struct session *s)
{
    if (s->again)
        return;
    s->again = true;
    w->n_again++;
    DL_APPEND2(w->again_list, s, again_prev, again_next);
}

void worker_forget_again(struct worker *w, struct session *s)
{
    if (!s->again)
        return;
    s->again = false;
    w->n_again--;
    DL_DELETE2(w->again_list, s, again_prev, again_next);
}

/* Those that are not done after this queue up for the next turn. */
static void serve_again(struct worker *w)
{
    for (uint32_t n = w->n_again; n > 0 && w->again_list != NULL; n--) {
        struct session *s = w->again_list;
        worker_forget_again(w, s);
        session_advance(s);
    }
}

static void bury(struct worker *w)
{
    struct session *s = w->graveyard, *next;
    w->graveyard = NULL;
    for (; s != NULL; s = next) {
        next = s->next;
        session_free(s);
    }
}

static void stop(struct worker *w)
{
    struct session *s, *next;
    acceptors_stop(w);
    acceptors_close(w);
    loop_timer_stop(&w->loop, &w->accept_again);
    loop_timer_stop(&w->loop, &w->rate_again);
    loop_timer_stop(&w->loop, &w->aging);
    loop_timer_stop(&w->loop, &w->shrink);
    shed_stop(w);
    visitors_close(w);
    DL_FOREACH_SAFE (w->sessions, s, next) {
        if (s->state == ST_RELAY)
            shed_ask(s, WHY_SHUTDOWN); /* what can be said at once */
        session_close(s, WHY_SHUTDOWN);
    }
    w->ends = true;
}

static void retry(struct pool_waiter *waiter)
{
    session_retry_queue(CONTAINER_OF(waiter, struct session, waiter));
}

/* Who is first tries, until somebody finds no room. */
static void serve_queue(const struct worker *w, struct pool *pool, size_t queue)
{
    struct pool_waiter *first;
    while ((first = pool_first_waiter(pool, w->index, queue)) != NULL) {
        retry(first);
        if (pool_first_waiter(pool, w->index, queue) == first)
            break;
    }
}

/* All try: another server may be the right one for somebody far behind. */
static void review_queue(const struct worker *w, struct pool *pool, size_t queue)
{
    struct pool_waiter *waiter, *next;
    for (waiter = pool_first_waiter(pool, w->index, queue); waiter != NULL; waiter = next) {
        next = waiter->next;
        retry(waiter);
    }
}

static void each_queue_of(const struct worker *w, const struct snapshot *snap,
                          void (*fn)(const struct worker *, struct pool *, size_t queue))
{
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        struct pool *pool = snap->backends[i].pool;
        for (size_t queue = 0; queue < pool_n_queues(pool); queue++)
            fn(w, pool, queue);
    }
}

/* Who waits for longest came with the oldest. */
static void each_queue(const struct worker *w, void (*fn)(const struct worker *, struct pool *, size_t queue))
{
    const struct era *era;
    DL_FOREACH (w->eras, era)
        each_queue_of(w, era->snap, fn);
}

static void on_mail(struct loop *loop)
{
    struct worker *w = CONTAINER_OF(loop, struct worker, loop);
    uint32_t       mail = atomic_exchange(&w->mail, 0);
    if (mail & MAIL_STOP) {
        stop(w);
        return;
    }
    if (mail & MAIL_PAUSE)
        w->ends = true;
    if (mail & MAIL_CHANGE)
        worker_go_over(w, atomic_exchange(&w->change, NULL));
    if (mail & MAIL_SERVERS)
        each_queue(w, review_queue);
    else if (mail & MAIL_PLACE_FREE)
        each_queue(w, serve_queue);
    if (mail & MAIL_ROOM)
        acceptors_resume(w, PAUSE_LIMIT);
    if (mail & MAIL_LISTENERS)
        acceptors_start(w);
    if (mail & MAIL_INQUIRY)
        inquiry_visit(w);
    if (mail & MAIL_SHED)
        shed_take_order(w);
}

static void on_accept_again(struct loop_timer *timer)
{
    acceptors_resume(CONTAINER_OF(timer, struct worker, accept_again), PAUSE_FDS);
}

static void on_rate_again(struct loop_timer *timer)
{
    acceptors_start(CONTAINER_OF(timer, struct worker, rate_again));
}

static void on_aging(struct loop_timer *timer)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, aging);
    loop_timer_start(&w->loop, timer, AGE_TURN_MS);
    age_serve(w);
}

enum { STORM = 64 };          /* handshakes at once */
enum { MANY_CONTEXTS = 256 }; /* about as many KB */

/* A storm of handshakes, or of TLS traffic, leaves the heap full of what OpenSSL had for them, which malloc() would
 * keep: what lives on lies among it. */
static bool was_stormed(const struct worker *w)
{
    return w->most_handshakes >= STORM;
}

/* Once the storm is over; of contexts, when many have been freed or the last one has. */
static void trim_heap(struct worker *w)
{
    const bool     is_over = was_stormed(w) && w->n_handshakes <= STORM / 8;
    const unsigned enough = tls_worker_has_spare(w->tls) ? MANY_CONTEXTS : 1;
    if (!is_over && w->n_contexts_freed < enough)
        return;
    (void)malloc_trim(0);
    w->n_contexts_freed = 0;
    if (is_over)
        w->most_handshakes = w->n_handshakes;
}

static bool has_spare_memory(const struct worker *w)
{
    return was_stormed(w) || buf_pool_has_spare(&w->bufs) || buf_pool_has_spare(&w->bulk) ||
           tls_worker_has_spare(w->tls);
}

/* Many sessions have been busy, or have begun, at once. */
static void on_shrink(struct loop_timer *timer)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, shrink);
    buf_pool_shrink(&w->bufs);
    buf_pool_shrink(&w->bulk);
    w->n_contexts_freed += tls_worker_shrink(w->tls);
    trim_heap(w);
}

static void on_timer(struct loop_timer *timer)
{
    struct worker   *w = CONTAINER_OF(timer, struct worker, timer);
    struct deadline *due;
    while ((due = deadlines_take_due(&w->deadlines, w->now_ms)) != NULL)
        session_timed_out(CONTAINER_OF(due, struct session, deadline));
    turns_serve(w);
}

/* Deadlines move back all the time; the timer then fires early, finds nothing due, and is set anew. */
static void set_timer(struct worker *w)
{
    uint64_t next = deadlines_next(&w->deadlines), turn = turns_next_ms(w);
    next = turn < next ? turn : next;
    if (next != UINT64_MAX && (w->timer.at_ms == 0 || next < w->timer.at_ms))
        loop_timer_start(&w->loop, &w->timer, next > w->now_ms ? next - w->now_ms : 0);
}

static void before_wait(struct worker *w)
{
    enum { SHRINK_MS = 100 };
    bury(w);
    set_timer(w);
    if (w->shrink.at_ms == 0 && has_spare_memory(w))
        loop_timer_start(&w->loop, &w->shrink, SHRINK_MS);
}

void *worker_run(void *arg)
{
    struct worker *w = arg;
    w->now_ms = w->loop.now_ms = clock_mono_ms();
    for (w->ends = false; !w->ends; serve_again(w)) {
        before_wait(w);
        loop_wait(&w->loop, w->again_list != NULL);
        w->now_ms = w->loop.now_ms;
        counter_add(&w->counters[WORKER_TURNS], 1);
        loop_serve(&w->loop);
    }
    bury(w);
    return NULL;
}
