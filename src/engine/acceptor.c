/* Taking connections off the listening sockets: in small batches, and not while there is no room for them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "engine/count.h"
#include "engine/shared.h"
#include "net/listener.h"
#include "net/sock.h"

enum { ACCEPT_BATCH = 32 };         /* connections a wake-up, so that live sessions get their turn */
enum { WARN_AGAIN_MS = 60 * 1000 }; /* running out of descriptors is told of once, not once a second */

static void pause_all(struct worker *w, enum accept_pause why)
{
    w->paused = why;
    acceptors_stop(w);
    if (why == PAUSE_FDS)
        ev_timer_again(w->loop, &w->accept_again);
}

static void out_of_descriptors(struct worker *w, int error)
{
    counter_add(&w->counters[WORKER_ACCEPT_PAUSES_FDS], 1);
    if (w->fds_warned_ms == 0 || w->now_ms - w->fds_warned_ms > WARN_AGAIN_MS) {
        w->fds_warned_ms = w->now_ms;
        log_error(&w->log, "accept_paused", LOG_UINT("worker", w->index), LOG_STR("why", strerror(error)),
                  LOG_STR("hint", "raise the limit of open files, or lower global.max_connections"));
    }
    pause_all(w, PAUSE_FDS);
}

/* Counting itself before the second look closes the gap in which another worker could give the last room back and
 * see nobody waiting. */
static bool take_room_or_pause(struct worker *w)
{
    struct engine *e = w->engine;
    if (engine_take_room(e))
        return true;
    atomic_fetch_add(&e->n_paused, 1);
    if (engine_take_room(e)) {
        atomic_fetch_sub(&e->n_paused, 1);
        return true;
    }
    counter_add(&w->counters[WORKER_ACCEPT_PAUSES_LIMIT], 1);
    pause_all(w, PAUSE_LIMIT);
    return false;
}

static void count_accepted(struct worker *w, const struct snap_bind *bind)
{
    counter_add(&w->counters[WORKER_ACCEPTED], 1);
    count_in(w, bind->row, COUNT_CONNECTIONS, 1);
    rate_add(&bind->listener->row->connection_rate, w->now_ms);
    rate_add(&stats_totals(w->snap->stats)->connection_rate, w->now_ms);
}

/* False, and counted, when a limit or a rule forbids it. Without a PROXY header to come peer is the client. */
static bool let_in(struct worker *w, const struct snap_bind *bind, const struct addr *peer, uint32_t *source)
{
    struct snap_listener *listener = bind->listener;
    uint32_t              most = atomic_load_explicit(&listener->max_connections, memory_order_relaxed);
    bool                  is_known = listener->conf->proxy_protocol == PROXY_IN_OFF;
    *source = 0;
    if (is_known && !session_allows(listener->conf, peer)) {
        count_in(w, bind->row, COUNT_DENIED_CONNECTIONS, 1);
        return false;
    }
    if (!gauge_take(&listener->row->sessions, most)) {
        count_in(w, bind->row, COUNT_DENIED_LIMIT, 1);
        return false;
    }
    if (is_known && !session_take_source(w, bind, peer, source)) {
        count_in(w, bind->row, COUNT_DENIED_CONNECTIONS, 1);
        gauge_sub(&listener->row->sessions);
        return false;
    }
    return true;
}

/* A session, or else a reset, so that nothing lingers, and false. */
static bool welcome(struct worker *w, struct snap_bind *bind, int fd, const struct addr *peer)
{
    uint32_t source;
    count_accepted(w, bind);
    if (!let_in(w, bind, peer, &source)) {
        count_in(w, bind->row, COUNT_CLOSED, 1);
        sock_reset(fd);
        return false;
    }
    session_begin(w, bind, fd, peer, source);
    return true;
}

/* The rate limits of the whole process that an operator may set; who does not fit waits in the kernel's queue. */
static bool rate_allows(struct worker *w, struct acceptor *a)
{
    uint32_t wait_ms = engine_rate_wait_ms(w->engine, a->bind->listener, w->now_ms);
    if (wait_ms == 0)
        return true;
    counter_add(&w->counters[WORKER_ACCEPT_PAUSES_RATE], 1);
    ev_io_stop(w->loop, &a->io);
    if (!ev_is_active(&w->rate_again)) {
        ev_timer_set(&w->rate_again, wait_ms / 1e3, 0.);
        ev_timer_start(w->loop, &w->rate_again);
    }
    return false;
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct acceptor *a = CONTAINER_OF(watcher, struct acceptor, io);
    struct worker   *w = a->worker;
    (void)loop;
    (void)revents;
    for (int i = 0; i < ACCEPT_BATCH && w->paused == PAUSE_NONE; i++) {
        struct addr peer;
        if (!rate_allows(w, a) || !take_room_or_pause(w))
            return;
        int fd = listener_accept(a->fd, &peer);
        int error = errno;
        if (fd >= 0 && welcome(w, a->bind, fd, &peer))
            continue;
        engine_give_room(w->engine);
        if (fd < 0 && error != EAGAIN)
            out_of_descriptors(w, error);
        if (fd < 0)
            return;
    }
}

void acceptors_init(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        ev_io_init(&w->acceptors[i].io, on_acceptable, w->acceptors[i].fd, EV_READ);
}

/* SHUT_RD takes a listening socket out of the kernel's tables, its queue is reset, and the address stays ours. */
static void pause_acceptor(struct worker *w, struct acceptor *a)
{
    ev_io_stop(w->loop, &a->io);
    a->paused = true;
    (void)shutdown(a->fd, SHUT_RD);
}

static void close_acceptor(struct worker *w, struct acceptor *a)
{
    ev_io_stop(w->loop, &a->io);
    sock_close(a->fd);
    a->fd = -1;
}

static void reopen_acceptor(struct worker *w, struct acceptor *a)
{
    if (listen(a->fd, (int)a->bind->listener->conf->backlog) == 0)
        a->paused = false;
    else
        log_error(&w->log, "listen_failed", LOG_STR("listener", a->bind->listener->conf->name),
                  LOG_STR("err", strerror(errno)));
}

void acceptors_start(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++) {
        struct acceptor    *a = &w->acceptors[i];
        enum listener_state state = atomic_load_explicit(&a->bind->listener->state, memory_order_relaxed);
        if (a->fd < 0)
            continue;
        if (state == LISTENER_STOPPED)
            close_acceptor(w, a);
        else if (state == LISTENER_PAUSED && !a->paused)
            pause_acceptor(w, a);
        else if (state == LISTENER_OPEN && a->paused)
            reopen_acceptor(w, a);
        if (a->fd >= 0 && !a->paused && w->paused == PAUSE_NONE)
            ev_io_start(w->loop, &a->io);
    }
}

void acceptors_stop(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        ev_io_stop(w->loop, &w->acceptors[i].io);
}

void acceptors_close(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        sock_close(w->acceptors[i].fd);
    w->n_acceptors = 0;
}

void acceptors_resume(struct worker *w, enum accept_pause was)
{
    if (w->paused != was)
        return;
    w->paused = PAUSE_NONE;
    if (was == PAUSE_LIMIT)
        atomic_fetch_sub(&w->engine->n_paused, 1);
    else
        ev_timer_stop(w->loop, &w->accept_again);
    acceptors_start(w);
}
