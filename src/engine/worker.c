#include "engine/worker.h"

#include <malloc.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/inquiry.h"
#include "engine/shared.h"
#include "engine/visitor.h"

static void on_mail(struct ev_loop *loop, ev_async *watcher, int revents);
static void on_before_wait(struct ev_loop *loop, ev_prepare *watcher, int revents);
static void on_after_wait(struct ev_loop *loop, ev_check *watcher, int revents);
static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents);
static void on_accept_again(struct ev_loop *loop, ev_timer *watcher, int revents);
static void on_rate_again(struct ev_loop *loop, ev_timer *watcher, int revents);
static void on_aging(struct ev_loop *loop, ev_timer *watcher, int revents);
static void on_shrink(struct ev_loop *loop, ev_timer *watcher, int revents);
static void on_again(struct ev_loop *loop, ev_idle *watcher, int revents);

static void init_watchers(struct worker *w)
{
    enum { RETRY_ACCEPT_S = 1, SHRINK_MS = 100 };
    ev_async_init(&w->mail, on_mail);
    ev_prepare_init(&w->before_wait, on_before_wait);
    ev_check_init(&w->after_wait, on_after_wait);
    ev_timer_init(&w->timer, on_timer, 0., 0.);
    ev_timer_init(&w->accept_again, on_accept_again, 0., RETRY_ACCEPT_S);
    ev_timer_init(&w->rate_again, on_rate_again, 0., 0.);
    ev_timer_init(&w->aging, on_aging, AGE_TURN_MS / 1e3, AGE_TURN_MS / 1e3);
    ev_timer_init(&w->shrink, on_shrink, 0., SHRINK_MS / 1e3);
    ev_idle_init(&w->again, on_again);
    ev_set_priority(&w->after_wait, EV_MAXPRI); /* the clock first */
    ev_set_priority(&w->again, EV_MAXPRI);      /* idle watchers of lower priority would wait for a quiet loop */
    w->mail.data = w->before_wait.data = w->after_wait.data = w->timer.data = w->accept_again.data = w;
    w->rate_again.data = w->aging.data = w->shrink.data = w->again.data = w;
    shed_init(w);
}

int worker_init(struct worker *w, struct engine *engine, unsigned index, struct stats *stats)
{
    *w = (struct worker){
        .engine = engine, .index = index, .timer_at_ms = UINT64_MAX, .next_id = 1, .peeks = {.epoll = -1}};
    w->log = (struct log){.settings = engine->settings.log, .ring = engine->settings.log_rings[index]};
    w->counters = counters_slot(stats_workers(stats), index);
    buf_pool_init(&w->bufs, BUF_CAPACITY, BUF_KEEP);
    buf_pool_init(&w->bulk, BULK_CAPACITY, 1);
    deadlines_init(&w->deadlines);
    init_watchers(w);
    w->tls = tls_worker_new();
    w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (w->tls == NULL || w->loop == NULL || peeks_open(&w->peeks, w->loop) != 0) {
        worker_fini(w);
        return -1;
    }
    ev_async_start(w->loop, &w->mail); /* now, so that mail sent before the thread runs is not lost */
    return 0;
}

void worker_fini(struct worker *w)
{
    acceptors_close(w);
    free(w->acceptors);
    peeks_close(&w->peeks);
    if (w->loop != NULL) {
        ev_async_stop(w->loop, &w->mail);
        ev_loop_destroy(w->loop);
    }
    deadlines_fini(&w->deadlines);
    buf_pool_fini(&w->bufs);
    buf_pool_fini(&w->bulk);
    tls_worker_free(w->tls);
    eras_free(w->eras);
}

void worker_tell(struct worker *w, enum mail mail)
{
    atomic_fetch_or(&w->mail_bits, mail);
    ev_async_send(w->loop, &w->mail);
}

void worker_run_again(struct worker *w, struct session *s)
{
    if (s->again)
        return;
    s->again = true;
    w->n_again++;
    DL_APPEND2(w->again_list, s, again_prev, again_next);
    ev_idle_start(w->loop, &w->again);
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
static void on_again(struct ev_loop *loop, ev_idle *watcher, int revents)
{
    struct worker *w = watcher->data;
    (void)revents;
    for (uint32_t n = w->n_again; n > 0 && w->again_list != NULL; n--) {
        struct session *s = w->again_list;
        worker_forget_again(w, s);
        session_advance(s);
    }
    if (w->again_list == NULL)
        ev_idle_stop(loop, watcher);
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
    ev_timer_stop(w->loop, &w->accept_again);
    ev_timer_stop(w->loop, &w->rate_again);
    ev_timer_stop(w->loop, &w->aging);
    ev_timer_stop(w->loop, &w->shrink);
    shed_stop(w);
    visitors_close(w);
    DL_FOREACH_SAFE (w->sessions, s, next) {
        if (s->state == ST_RELAY)
            shed_ask(s, WHY_SHUTDOWN); /* what can be said at once */
        session_close(s, WHY_SHUTDOWN);
    }
    ev_break(w->loop, EVBREAK_ALL);
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

static void on_mail(struct ev_loop *loop, ev_async *watcher, int revents)
{
    struct worker *w = watcher->data;
    uint32_t       mail = atomic_exchange(&w->mail_bits, 0);
    (void)loop;
    (void)revents;
    if (mail & MAIL_STOP) {
        stop(w);
        return;
    }
    if (mail & MAIL_PAUSE)
        ev_break(w->loop, EVBREAK_ALL);
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

static void on_accept_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    acceptors_resume(watcher->data, PAUSE_FDS);
}

static void on_rate_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    acceptors_start(watcher->data);
}

static void on_aging(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    age_serve(watcher->data);
}

enum { STORM = 64 }; /* handshakes at once */

/* A storm of handshakes leaves the heap full of what OpenSSL had for them, which malloc() would keep: what lives on
 * lies among it. */
static bool was_stormed(const struct worker *w)
{
    return w->most_handshakes >= STORM;
}

/* Once the storm is over. */
static void trim_heap(struct worker *w)
{
    if (!was_stormed(w) || w->n_handshakes > STORM / 8)
        return;
    (void)malloc_trim(0);
    w->most_handshakes = w->n_handshakes;
}

static bool has_spare_memory(const struct worker *w)
{
    return was_stormed(w) || buf_pool_has_spare(&w->bufs) || buf_pool_has_spare(&w->bulk) ||
           tls_worker_has_spare(w->tls);
}

/* Many sessions have been busy, or have begun, at once. */
static void on_shrink(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct worker *w = watcher->data;
    (void)revents;
    buf_pool_shrink(&w->bufs);
    buf_pool_shrink(&w->bulk);
    tls_worker_shrink(w->tls);
    trim_heap(w);
    if (!has_spare_memory(w))
        ev_timer_stop(loop, watcher);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct worker   *w = watcher->data;
    struct deadline *due;
    (void)loop;
    (void)revents;
    w->timer_at_ms = UINT64_MAX;
    while ((due = deadlines_take_due(&w->deadlines, w->now_ms)) != NULL)
        session_timed_out(CONTAINER_OF(due, struct session, deadline));
    turns_serve(w);
}

/* Deadlines move back all the time; the timer then fires early, finds nothing due, and is set anew. */
static void set_timer(struct worker *w)
{
    uint64_t next = deadlines_next(&w->deadlines), turn = turns_next_ms(w);
    next = turn < next ? turn : next;
    if (next >= w->timer_at_ms)
        return;
    ev_timer_stop(w->loop, &w->timer);
    double after_s = next > w->now_ms ? (double)(next - w->now_ms) / 1e3 : 0.;
    ev_timer_set(&w->timer, after_s, 0.);
    ev_timer_start(w->loop, &w->timer);
    w->timer_at_ms = next;
}

static void on_before_wait(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    struct worker *w = watcher->data;
    (void)loop;
    (void)revents;
    bury(w);
    set_timer(w);
    if (has_spare_memory(w) && !ev_is_active(&w->shrink))
        ev_timer_again(w->loop, &w->shrink);
}

static void on_after_wait(struct ev_loop *loop, ev_check *watcher, int revents)
{
    struct worker *w = watcher->data;
    (void)loop;
    (void)revents;
    w->now_ms = clock_mono_ms();
    counter_add(&w->counters[WORKER_TURNS], 1);
}

void *worker_run(void *arg)
{
    struct worker *w = arg;
    w->now_ms = clock_mono_ms();
    w->timer_at_ms = UINT64_MAX;
    if (w->again_list != NULL)
        ev_idle_start(w->loop, &w->again);
    ev_prepare_start(w->loop, &w->before_wait);
    ev_check_start(w->loop, &w->after_wait);
    ev_run(w->loop, 0);
    bury(w);
    ev_timer_stop(w->loop, &w->timer);
    ev_prepare_stop(w->loop, &w->before_wait);
    ev_check_stop(w->loop, &w->after_wait);
    ev_idle_stop(w->loop, &w->again);
    return NULL;
}
