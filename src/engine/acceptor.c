/* Taking connections off the listening sockets: in small batches, and not while there is no room for them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "engine/count.h"
#include "engine/shared.h"
#include "engine/visitor.h"
#include "net/listener.h"
#include "net/sock.h"

enum { BATCH_DOUBLINGS = 5 };       /* 32 connections a wake-up at most, so that live sessions get their turn */
enum { ACCEPT_AGAIN_MS = 1000 };    /* after running out of descriptors */
enum { WARN_AGAIN_MS = 60 * 1000 }; /* running out of descriptors is told of once, not once a second */

/* A listener with admin goes on, for the sake of HTTP, until descriptors are out. */
static bool may_accept(const struct worker *w, const struct acceptor *a)
{
    return w->paused == PAUSE_NONE || (w->paused == PAUSE_LIMIT && a->bind->listener->conf->admin);
}

static void pause_all(struct worker *w, enum accept_pause why)
{
    if (w->paused == PAUSE_LIMIT)
        atomic_fetch_sub(&w->engine->n_paused, 1);
    w->paused = why;
    for (size_t i = 0; i < w->n_acceptors; i++) {
        if (!may_accept(w, &w->acceptors[i]))
            loop_unwatch(&w->loop, &w->acceptors[i].io);
    }
    if (why == PAUSE_FDS)
        loop_timer_start(&w->loop, &w->accept_again, ACCEPT_AGAIN_MS);
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
}

/* COUNTS, or, when a limit or a rule forbids it, as what that is to be counted. Without a PROXY header to come peer is
 * the client. */
static enum count let_in(struct worker *w, const struct snap_bind *bind, const struct addr *peer, uint32_t *source)
{
    struct snap_listener *listener = bind->listener;
    uint32_t              most = atomic_load_explicit(&listener->max_connections, memory_order_relaxed);
    bool                  is_known = listener->conf->proxy_protocol == PROXY_IN_OFF;
    *source = 0;
    if (is_known && !session_allows(listener->conf, peer))
        return COUNT_DENIED_CONNECTIONS;
    if (!gauge_take(&listener->row->sessions, most))
        return COUNT_DENIED_LIMIT;
    enum count refusal = is_known ? session_take_source(w, bind, peer, source) : COUNTS;
    if (refusal != COUNTS)
        gauge_sub(&listener->row->sessions);
    return refusal;
}

/* A session, or else a reset, so that nothing lingers. Where HTTP is answered it may still be that. */
static void welcome(struct worker *w, struct snap_bind *bind, int fd, const struct addr *peer, bool has_room)
{
    uint32_t source = 0;
    if (has_room)
        engine_enter(w->engine);
    enum count refusal = has_room ? let_in(w, bind, peer, &source) : COUNT_DENIED_LIMIT;
    count_accepted(w, bind);
    if (has_room) {
        rate_add(&bind->listener->row->connection_rate, w->now_ms);
        rate_add(&stats_totals(w->era->snap->stats)->connection_rate, w->now_ms);
    }
    if (refusal == COUNTS) {
        session_begin(w, bind, fd, peer, source);
        return;
    }
    if (has_room)
        engine_leave(w->engine);
    if (bind->listener->conf->admin) {
        visitor_begin(w, bind, fd, peer, refusal);
    } else {
        count_turned_away(w, bind, refusal);
        sock_reset(fd);
    }
}

/* The rate limits of the whole process that an operator may set; who does not fit waits in the kernel's queue, while
 * there is one. */
static bool rate_allows(struct worker *w, struct acceptor *a)
{
    if (atomic_load_explicit(&w->engine->closed, memory_order_relaxed))
        return true;
    uint32_t wait_ms = engine_rate_wait_ms(w->engine, a->bind->listener, w->now_ms);
    if (wait_ms == 0)
        return true;
    counter_add(&w->counters[WORKER_ACCEPT_PAUSES_RATE], 1);
    loop_unwatch(&w->loop, &a->io);
    if (w->rate_again.at_ms == 0)
        loop_timer_start(&w->loop, &w->rate_again, wait_ms);
    return false;
}

/* ROOM_NONE: but for HTTP. ROOM_LATER: accepting is paused. */
enum room { ROOM_TAKEN, ROOM_NONE, ROOM_LATER };

static enum room take_room(struct worker *w, struct acceptor *a)
{
    struct snap_listener *listener = a->bind->listener;
    if (!listener->conf->admin)
        return rate_allows(w, a) && take_room_or_pause(w) ? ROOM_TAKEN : ROOM_LATER;
    if (engine_is_open(w->engine, listener) && engine_rate_wait_ms(w->engine, listener, w->now_ms) == 0 &&
        engine_take_room(w->engine))
        return ROOM_TAKEN;
    return ROOM_NONE;
}

/* False: there are no more, or no room for one. */
static bool accept_one(struct worker *w, struct acceptor *a)
{
    struct addr peer;
    enum room   room = take_room(w, a);
    if (room == ROOM_LATER)
        return false;
    int fd = listener_accept(a->fd, &peer);
    int error = errno;
    if (fd >= 0) {
        welcome(w, a->bind, fd, &peer, room == ROOM_TAKEN);
        return true;
    }
    if (room == ROOM_TAKEN)
        engine_give_room(w->engine);
    if (error != EAGAIN)
        out_of_descriptors(w, error);
    return false;
}

/* False: fewer than that were there, or taken. */
static bool accept_some(struct worker *w, struct acceptor *a, uint32_t most)
{
    while (most > 0 && may_accept(w, a) && accept_one(w, a))
        most--;
    return most == 0;
}

/* Mostly one waits, and a second accept(2) that finds nobody costs half as much again; for those who are left another
 * event comes. Where that goes on, it is twice as many every few times. */
static void on_acceptable(struct loop_io *io, uint32_t events)
{
    enum { FEW = 4 };
    struct acceptor *a = CONTAINER_OF(io, struct acceptor, io);
    const uint32_t   doublings = a->n_filled / FEW < BATCH_DOUBLINGS ? a->n_filled / FEW : BATCH_DOUBLINGS;
    (void)events;
    a->n_filled = accept_some(a->worker, a, 1u << doublings) ? a->n_filled + 1 : 0;
}

/* More than its backlog were not there when this began. */
void acceptor_empty(struct worker *w, struct acceptor *a)
{
    if (a->fd >= 0 && !a->paused)
        (void)accept_some(w, a, a->bind->listener->conf->backlog);
}

void acceptor_init(struct acceptor *a)
{
    a->io = (struct loop_io){.fn = on_acceptable, .fd = a->fd};
}

void acceptors_init(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        acceptor_init(&w->acceptors[i]);
}

/* What an operator says of the listener, and whether the engine is open; one with admin does not stop listening. */
static enum listener_state socket_state(const struct worker *w, const struct acceptor *a)
{
    const struct snap_listener *listener = a->bind->listener;
    if (listener->conf->admin)
        return LISTENER_OPEN;
    enum listener_state state = atomic_load_explicit(&listener->state, memory_order_relaxed);
    return state == LISTENER_OPEN && !engine_is_open(w->engine, listener) ? LISTENER_PAUSED : state;
}

/* SHUT_RD takes a listening socket out of the kernel's tables, its queue is reset, and the address stays ours. Whoever
 * is in the queue believes that he is connected: when the engine closes he is let in before, whatever the pace. */
static void pause_acceptor(struct worker *w, struct acceptor *a)
{
    if (atomic_load_explicit(&w->engine->closed, memory_order_relaxed))
        (void)accept_some(w, a, a->bind->listener->conf->backlog);
    loop_unwatch(&w->loop, &a->io);
    a->paused = true;
    (void)shutdown(a->fd, SHUT_RD);
}

void acceptor_close(struct worker *w, struct acceptor *a)
{
    loop_unwatch(&w->loop, &a->io);
    if (a->fd >= 0)
        (void)shutdown(a->fd, SHUT_RD); /* the service manager's descriptor store may have it open, too */
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
    if (atomic_load_explicit(&w->engine->held, memory_order_relaxed)) {
        acceptors_stop(w);
        return;
    }
    for (size_t i = 0; i < w->n_acceptors; i++) {
        struct acceptor    *a = &w->acceptors[i];
        enum listener_state state = socket_state(w, a);
        if (a->fd < 0)
            continue;
        if (state == LISTENER_STOPPED)
            acceptor_close(w, a);
        else if (state == LISTENER_PAUSED && !a->paused)
            pause_acceptor(w, a);
        else if (state == LISTENER_OPEN && a->paused)
            reopen_acceptor(w, a);
        if (a->fd >= 0 && !a->paused && a->io.events == 0 && may_accept(w, a) && !loop_watch(&w->loop, &a->io, EPOLLIN))
            out_of_descriptors(w, errno);
    }
}

void acceptors_stop(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        loop_unwatch(&w->loop, &w->acceptors[i].io);
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
        loop_timer_stop(&w->loop, &w->accept_again);
    acceptors_start(w);
}
