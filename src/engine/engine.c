#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/macros.h"
#include "engine/handover.h"
#include "engine/inquiry.h"
#include "engine/shared.h"
#include "engine/thread.h"
#include "engine/visitor.h"
#include "net/sock.h"

static size_t count_binds(const struct conf *conf)
{
    size_t n = 0;
    for (size_t i = 0; i < conf->n_listeners; i++)
        n += conf->listeners[i].n_bind;
    return n;
}

static bool is_for_http(const struct conf *conf)
{
    for (size_t i = 0; i < conf->n_listeners; i++) {
        if (conf->listeners[i].admin)
            return true;
    }
    return false;
}

size_t engine_fixed_descriptors(const struct snapshot *snap)
{
    size_t a_worker = count_binds(snap->conf) + (is_for_http(snap->conf) ? VISITORS_MAX : 0);
    return a_worker * snap->conf->global.workers + (is_for_http(snap->conf) ? HANDOVERS_MAX : 0);
}

static void on_answered(struct ev_loop *loop, ev_async *watcher, int revents)
{
    (void)loop;
    (void)revents;
    inquiries_answered(watcher->data);
}

static void on_handed_over(struct ev_loop *loop, ev_async *watcher, int revents)
{
    (void)loop;
    (void)revents;
    handovers_take(watcher->data);
}

static void on_went_over(struct ev_loop *loop, ev_async *watcher, int revents)
{
    (void)loop;
    (void)revents;
    changes_take(watcher->data);
}

/* The first snapshot comes as every later one. */
static bool take_first_snapshot(struct engine *e, struct snapshot *snap, struct err *err)
{
    struct engine_change *first = engine_prepare(e, snap, err);
    if (first != NULL)
        engine_commit(first);
    return first != NULL;
}

struct engine *engine_open(struct snapshot *snap, const struct engine_settings *settings, struct err *err)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL)
        goto no_memory;
    e->settings = *settings;
    (void)pthread_mutex_init(&e->shed.lock, NULL); /* with default attributes it cannot fail */
    atomic_init(&e->max_connections, settings->max_connections);
    ev_async_init(&e->answered, on_answered);
    e->answered.data = e;
    ev_async_start(settings->loop, &e->answered);
    ev_async_init(&e->handed_over, on_handed_over);
    e->handed_over.data = e;
    ev_async_start(settings->loop, &e->handed_over);
    ev_async_init(&e->went_over, on_went_over);
    e->went_over.data = e;
    ev_async_start(settings->loop, &e->went_over);
    e->stats = snap->stats;
    e->workers = calloc(snap->conf->global.workers, sizeof *e->workers);
    if (e->workers == NULL)
        goto no_memory;
    if (getrandom(&e->boot_id, sizeof e->boot_id, 0) != sizeof e->boot_id) {
        err_system(err, errno, "getrandom");
        goto failed;
    }
    for (; e->n_workers < snap->conf->global.workers; e->n_workers++) {
        if (worker_init(&e->workers[e->n_workers], e, e->n_workers, snap->stats) != 0)
            goto no_memory;
    }
    if (take_first_snapshot(e, snap, err))
        return e;
    goto failed;
no_memory:
    err_set(err, "out of memory");
failed:
    engine_free(e);
    return NULL;
}

int engine_start(struct engine *e, struct err *err)
{
    int why = 0;
    for (; e->n_running < e->n_workers; e->n_running++) {
        struct worker *w = &e->workers[e->n_running];
        char           name[THREAD_NAME_MAX];
        (void)snprintf(name, sizeof name, "worker-%u", w->index);
        why = thread_start(&w->thread, name, worker_run, w);
        if (why != 0)
            break;
    }
    if (why == 0)
        return 0;
    err_system(err, why, "start worker %u", e->n_running);
    return -1;
}

/* A worker that has no thread has this one's for its end. */
void engine_stop(struct engine *e)
{
    unsigned n = e->n_running;
    engine_tell_all(e, MAIL_STOP);
    engine_join(e);
    for (; n < e->n_workers; n++)
        (void)worker_run(&e->workers[n]);
}

void engine_join(struct engine *e)
{
    while (e->n_running > 0)
        (void)pthread_join(e->workers[--e->n_running].thread, NULL);
}

void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    while (e->n_workers > 0)
        worker_fini(&e->workers[--e->n_workers]);
    inquiries_free(e);
    handovers_close(e);
    ev_async_stop(e->settings.loop, &e->answered);
    ev_async_stop(e->settings.loop, &e->handed_over);
    ev_async_stop(e->settings.loop, &e->went_over);
    engine_discard(e->changing);
    eras_free(atomic_load(&e->over));
    (void)pthread_mutex_destroy(&e->shed.lock);
    free(e->workers);
    free(e->bound);
    free(e->listening);
    snapshot_unref(e->snap);
    free(e);
}

void engine_close_listeners(struct engine *e, bool closed)
{
    atomic_store(&e->closed, closed);
    engine_tell_all(e, MAIL_LISTENERS);
}

bool engine_is_open(const struct engine *e, const struct snap_listener *listener)
{
    return !atomic_load_explicit(&e->closed, memory_order_relaxed) &&
           atomic_load_explicit(&listener->state, memory_order_relaxed) == LISTENER_OPEN;
}

void engine_servers_changed(struct engine *e)
{
    engine_tell_all(e, MAIL_SERVERS);
}

struct gauge *engine_open_sessions(struct engine *e)
{
    return &e->open;
}

uint32_t engine_max_connections(const struct engine *e)
{
    return atomic_load_explicit(&e->max_connections, memory_order_relaxed);
}

uint32_t engine_rate_limit(const struct engine *e, enum engine_rate rate)
{
    return atomic_load_explicit(&e->rate_limits[rate], memory_order_relaxed);
}

uint32_t engine_rate_wait_ms(const struct engine *e, const struct snap_listener *listener, uint64_t now_ms)
{
    const struct totals *totals = stats_totals(e->stats);
    const struct rate   *rates[ENGINE_RATES] = {[ENGINE_CONNECTIONS] = &totals->connection_rate,
                                                [ENGINE_SESSIONS] = &totals->session_rate,
                                                [ENGINE_SSL_SESSIONS] = &totals->handshake_rate};
    uint32_t             longest = 0;
    for (enum engine_rate i = 0; i < ENGINE_RATES; i++) {
        uint32_t limit = engine_rate_limit(e, i);
        if (limit == 0 || (i == ENGINE_SSL_SESSIONS && listener->tls == NULL))
            continue;
        uint32_t wait_ms = rate_wait_ms(rates[i], limit, now_ms);
        longest = wait_ms > longest ? wait_ms : longest;
    }
    return longest;
}

struct addr engine_bound(const struct engine *e, size_t listener, size_t n)
{
    size_t at = n;
    for (size_t i = 0; i < listener; i++)
        at += e->snap->conf->listeners[i].n_bind;
    return e->bound[at];
}

void engine_tell_all(struct engine *e, enum mail mail)
{
    for (unsigned i = 0; i < e->n_workers; i++)
        worker_tell(&e->workers[i], mail);
}

void engine_set_max_connections(struct engine *e, uint32_t most)
{
    e->settings.max_connections = most;
    atomic_store(&e->max_connections, most);
    engine_tell_all(e, MAIL_ROOM);
}

bool engine_take_room(struct engine *e)
{
    /* A worker that is about to pause counts itself before it looks (acceptor.c), so that whoever gives room back
     * between its look and its pause tells it: both words are sequentially consistent. */
    const uint32_t most = engine_max_connections(e);
    uint32_t       n = atomic_load(&e->n_rooms);
    do {
        if (n >= (most > 0 ? most : 1))
            return false;
    } while (!atomic_compare_exchange_weak(&e->n_rooms, &n, n + 1));
    return true;
}

void engine_give_room(struct engine *e)
{
    atomic_fetch_sub(&e->n_rooms, 1);
    if (atomic_load(&e->n_paused) != 0)
        engine_tell_all(e, MAIL_ROOM);
}

void engine_enter(struct engine *e)
{
    gauge_add(&e->open);
}

void engine_leave(struct engine *e)
{
    gauge_sub(&e->open);
    engine_give_room(e);
}
