/* Taking connections off the listening sockets: in small batches, and not while there is no room for them. */
#include <errno.h>

#include "base/macros.h"
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

static bool listener_has_room(struct snap_listener *listener)
{
    uint32_t most = listener->conf->max_connections;
    uint32_t before = atomic_fetch_add_explicit(&listener->open, 1, memory_order_relaxed);
    if (most == 0 || before < most)
        return true;
    atomic_fetch_sub_explicit(&listener->open, 1, memory_order_relaxed);
    return false;
}

/* Refused before there is a session: with a reset, so that nothing lingers, and a count. */
static bool refuse(struct worker *w, struct snap_listener *listener, int fd, const struct addr *peer)
{
    counter *counts = counters_slot(listener->counters, w->index);
    counter_add(&counts[LISTENER_CONNECTIONS], 1);
    enum listener_counter why;
    if (listener->conf->proxy_protocol == PROXY_IN_OFF && !session_allows(listener->conf, peer))
        why = LISTENER_DENIED_ACCESS;
    else if (!listener_has_room(listener))
        why = LISTENER_DENIED_LIMIT;
    else
        return false;
    counter_add(&counts[why], 1);
    counter_add(&counts[LISTENER_CLOSED], 1);
    sock_reset(fd);
    return true;
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct acceptor *a = CONTAINER_OF(watcher, struct acceptor, io);
    struct worker   *w = a->worker;
    (void)loop;
    (void)revents;
    for (int i = 0; i < ACCEPT_BATCH && w->paused == PAUSE_NONE; i++) {
        struct addr peer;
        if (!take_room_or_pause(w))
            return;
        int fd = listener_accept(a->fd, &peer);
        int error = errno;
        if (fd >= 0 && !refuse(w, a->listener, fd, &peer)) {
            session_begin(w, a->listener, fd, &peer);
            continue;
        }
        engine_give_room(w->engine);
        if (fd < 0 && error != EAGAIN)
            out_of_descriptors(w, error);
        if (fd < 0)
            return;
    }
}

void acceptors_start(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++) {
        ev_io_init(&w->acceptors[i].io, on_acceptable, w->acceptors[i].fd, EV_READ);
        ev_io_start(w->loop, &w->acceptors[i].io);
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
