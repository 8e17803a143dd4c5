#include "engine/visitor.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/macros.h"
#include "engine/count.h"
#include "engine/handover.h"
#include "engine/shared.h"
#include "net/sock.h"

struct visitor {
    struct visitor   *prev, *next; /* the worker's */
    struct loop_io    io;
    struct loop_timer deadline;
    struct worker    *worker;
    struct era       *era; /* one of those that hold it */
    struct snap_bind *bind;
    struct addr       peer;
    enum count        refusal;
    uint32_t          look_at;
};

void count_turned_away(struct worker *w, const struct snap_bind *bind, enum count refusal)
{
    count_in(w, bind->row, COUNT_CLOSED, 1);
    count_in(w, bind->row, refusal, 1);
    if (refusal == COUNT_DENIED_SOURCE_CONNECTIONS || refusal == COUNT_DENIED_SOURCE_RATE)
        count_in(w, bind->row, COUNT_DENIED_CONNECTIONS, 1);
}

/* All but its descriptor, which comes back. */
static int forget(struct worker *w, struct visitor *v)
{
    int fd = v->io.fd;
    loop_unwatch(&w->loop, &v->io);
    loop_timer_stop(&w->loop, &v->deadline);
    DL_DELETE(w->visitors, v);
    w->n_visitors--;
    era_give(w, v->era);
    free(v);
    return fd;
}

static void turn_away(struct worker *w, struct visitor *v)
{
    count_turned_away(w, v->bind, v->refusal);
    sock_reset(forget(w, v));
}

static void hand_over(struct visitor *v)
{
    const struct conf_networks *from = &v->bind->listener->conf->proxy_from;
    struct worker              *w = v->worker;
    struct addr                 peer = v->peer;
    bool                        health_only = networks_have(from->at, from->n, &peer);
    count_in(w, v->bind->row, COUNT_CLOSED, 1);
    handover_send(w->engine, forget(w, v), &peer, health_only);
}

static void on_event(struct loop_io *io, uint32_t events)
{
    struct visitor *v = CONTAINER_OF(io, struct visitor, io);
    enum tell       told = TELL_NOTHING;
    (void)events;
    if (tell_peek(io->fd, v->bind->listener->conf->ws.path, &v->look_at, &told) == IO_WANT_READ)
        return;
    if (told == TELL_HTTP)
        hand_over(v);
    else
        turn_away(v->worker, v);
}

static void on_deadline(struct loop_timer *timer)
{
    struct visitor *v = CONTAINER_OF(timer, struct visitor, deadline);
    turn_away(v->worker, v);
}

void visitor_begin(struct worker *w, struct snap_bind *bind, int fd, const struct addr *peer, enum count refusal)
{
    if (w->n_visitors == VISITORS_MAX)
        turn_away(w, w->visitors);
    struct visitor *v = calloc(1, sizeof *v);
    if (v == NULL) {
        count_turned_away(w, bind, refusal);
        sock_reset(fd);
        return;
    }
    v->worker = w;
    v->era = era_take(w);
    v->bind = bind;
    v->peer = *peer;
    v->refusal = refusal;
    DL_APPEND(w->visitors, v);
    w->n_visitors++;
    v->io = (struct loop_io){.fn = on_event, .fd = fd};
    v->deadline.fn = on_deadline;
    loop_timer_start(&w->loop, &v->deadline, bind->listener->conf->timeouts.connect_packet_ms);
    if (!loop_watch(&w->loop, &v->io, EPOLLIN | EPOLLRDHUP | EPOLLET))
        turn_away(w, v);
}

void visitors_close(struct worker *w)
{
    struct visitor *v, *next;
    DL_FOREACH_SAFE (w->visitors, v, next)
        turn_away(w, v);
}
