/* Another configuration while the process runs: prepared in the main thread, where everything that can fail is done,
 * and taken up by each worker between two turns of its loop. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "engine/carry.h"
#include "engine/shared.h"
#include "net/listener.h"
#include "net/sock.h"

/* One worker's part. */
struct worker_change {
    struct engine_change *all;
    struct era           *era;
    struct acceptor      *acceptors; /* n_binds of them; fd -1: that of the old acceptor all->from says */
    struct deadlines      deadlines; /* of the listeners' timeouts */
};

struct engine_change {
    struct engine       *engine;
    struct snapshot     *snap; /* one reference */
    size_t               n_binds;
    size_t              *from;      /* the old acceptor of an address that stays; SIZE_MAX: none */
    struct addr         *bound;     /* as engine->bound */
    int                 *listening; /* as engine->listening */
    _Atomic unsigned     n_left;    /* workers that have not gone over yet */
    unsigned             n_workers;
    struct worker_change workers[];
};

static const size_t NEW = SIZE_MAX;

/* ---- eras ---- */

struct era *era_take(struct worker *w)
{
    w->era->n++;
    return w->era;
}

/* What its snapshot holds takes time to free, and is the main thread's affair. */
static void era_end(struct worker *w, struct era *era)
{
    struct engine *e = w->engine;
    DL_DELETE(w->eras, era);
    era->next = atomic_load_explicit(&e->over, memory_order_relaxed);
    while (
        !atomic_compare_exchange_weak_explicit(&e->over, &era->next, era, memory_order_release, memory_order_relaxed))
        continue;
    ev_async_send(e->settings.loop, &e->went_over);
}

void era_give(struct worker *w, struct era *era)
{
    if (--era->n == 0 && era != w->era)
        era_end(w, era);
}

void eras_free(struct era *first)
{
    struct era *era, *next;
    for (era = first; era != NULL; era = next) {
        next = era->next;
        snapshot_unref(era->snap);
        free(era);
    }
}

/* ---- preparing ---- */

static size_t count_binds(const struct snapshot *snap)
{
    size_t n = 0;
    for (size_t i = 0; i < snap->conf->n_listeners; i++)
        n += snap->conf->listeners[i].n_bind;
    return n;
}

/* The at-th address of all listeners. */
static struct snap_bind *bind_at(const struct snapshot *snap, size_t at, const struct addr **address)
{
    struct snap_listener *listener = snap->listeners;
    for (; at >= listener->conf->n_bind; listener++)
        at -= listener->conf->n_bind;
    *address = &listener->conf->bind[at];
    return &listener->binds[at];
}

/* Port 0 is another port for each address that asks for it. */
static bool is_same_place(const struct snap_bind *a, const struct addr *at, const struct snap_bind *b,
                          const struct addr *bt)
{
    if (!addr_same(at, bt))
        return false;
    return addr_port(at) != 0 || (strcmp(a->listener->conf->name, b->listener->conf->name) == 0 &&
                                  a - a->listener->binds == b - b->listener->binds);
}

static size_t find_old(const struct engine_change *c, size_t at)
{
    const struct addr      *wanted, *there;
    const struct snap_bind *bind = bind_at(c->snap, at, &wanted);
    const struct snapshot  *old = c->engine->snap;
    for (size_t i = 0, n = old != NULL ? count_binds(old) : 0; i < n; i++) {
        const struct snap_bind *was = bind_at(old, i, &there);
        if (is_same_place(bind, wanted, was, there))
            return atomic_load(&was->listener->state) != LISTENER_STOPPED ? i : NEW;
    }
    return NEW;
}

static struct sock_options options_of(const struct conf_listener *conf)
{
    return (struct sock_options){.keepalive_idle_s = conf->tcp_keepalive.idle_ms / 1000,
                                 .keepalive_interval_s = conf->tcp_keepalive.interval_ms / 1000,
                                 .keepalive_probes = conf->tcp_keepalive.probes,
                                 .user_timeout_ms = conf->timeouts.unacked_ms};
}

static bool is_beside_old(const struct engine_change *c, const struct addr *address)
{
    const struct engine_settings *settings = &c->engine->settings;
    const struct snapshot        *old = c->engine->snap;
    const struct addr            *there;
    for (size_t i = 0; i < settings->n_sockets; i++) {
        if (settings->sockets[i].fd >= 0 && addr_overlaps(address, &settings->sockets[i].asked))
            return true;
    }
    for (size_t i = 0, n = old != NULL ? count_binds(old) : 0; i < n; i++) {
        (void)bind_at(old, i, &there);
        if (addr_overlaps(address, there))
            return true;
    }
    return false;
}

/* A socket for this address that the process before this one has left. */
static bool is_left_for(const struct engine_socket *socket, const struct snap_bind *bind, const struct addr *address)
{
    if (socket->fd < 0 || !addr_same(&socket->asked, address))
        return false;
    return addr_port(address) != 0 || (strcmp(socket->listener, bind->listener->conf->name) == 0 &&
                                       socket->bind == (uint32_t)(bind - bind->listener->binds));
}

/* Each worker's own. Returns how many workers have one; they are the first. */
static unsigned take_left_sockets(struct engine_change *c, size_t at)
{
    const struct engine_settings *settings = &c->engine->settings;
    const struct addr            *address;
    const struct snap_bind       *bind = bind_at(c->snap, at, &address);
    unsigned                      n = 0;
    for (size_t i = 0; i < settings->n_sockets && n < c->n_workers; i++) {
        struct engine_socket *socket = &settings->sockets[i];
        if (!is_left_for(socket, bind, address))
            continue;
        c->workers[n].acceptors[at].fd = socket->fd;
        c->workers[n].acceptors[at].paused = socket->paused;
        c->bound[at] = sock_local(socket->fd);
        socket->fd = -1;
        n++;
    }
    return n;
}

/* For the workers from `first` on; those before it have sockets, and there is at least one. */
static int open_sockets(struct engine_change *c, size_t at, unsigned first, struct err *err)
{
    const struct addr      *address;
    const struct snap_bind *bind = bind_at(c->snap, at, &address);
    unsigned                n = c->n_workers - first;
    int                    *fds = calloc(n, sizeof *fds);
    if (fds == NULL) {
        err_set(err, "out of memory");
        return -1;
    }
    const struct addr where = first > 0 ? c->bound[at] : *address;
    bool              beside = first > 0 || is_beside_old(c, address);
    int               answer = listener_open(&where, beside, (int)bind->listener->conf->backlog, fds, n, err);
    if (answer == 0)
        c->bound[at] = sock_local(fds[0]);
    for (unsigned w = 0; answer == 0 && w < n; w++)
        c->workers[first + w].acceptors[at].fd = fds[w];
    if (answer != 0)
        err_prefix(err, "listener \"%s\"", bind->listener->conf->name);
    free(fds);
    return answer;
}

/* One address for all workers. */
static int open_address(struct engine_change *c, size_t at, struct err *err)
{
    unsigned n_left = take_left_sockets(c, at);
    return n_left < c->n_workers ? open_sockets(c, at, n_left, err) : 0;
}

/* Its sockets are those of the change, or what they were. */
static void note_sockets(struct engine_change *c, size_t at)
{
    for (unsigned w = 0; w < c->n_workers; w++)
        c->listening[at * c->n_workers + w] =
            c->from[at] == NEW ? c->workers[w].acceptors[at].fd : c->engine->listening[c->from[at] * c->n_workers + w];
}

static int prepare_addresses(struct engine_change *c, struct err *err)
{
    for (size_t at = 0; at < c->n_binds; at++) {
        c->from[at] = find_old(c, at);
        if (c->from[at] != NEW)
            c->bound[at] = c->engine->bound[c->from[at]];
        else if (open_address(c, at, err) != 0)
            return -1;
        note_sockets(c, at);
    }
    return 0;
}

static bool add_timeouts(struct deadlines *all, const struct conf_timeouts *t)
{
    const uint32_t each[] = {t->proxy_header_ms, t->handshake_ms,   t->connect_packet_ms, t->connect_ms,    t->queue_ms,
                             t->idle_ms,         t->half_closed_ms, SESSION_PAUSE_MS,     SESSION_LINGER_MS};
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        if (!deadlines_add(all, each[i]))
            return false;
    }
    return true;
}

static bool make_worker_change(struct engine_change *c, struct worker_change *mine)
{
    mine->all = c;
    deadlines_init(&mine->deadlines);
    mine->acceptors = calloc(c->n_binds, sizeof *mine->acceptors);
    mine->era = calloc(1, sizeof *mine->era);
    if (mine->acceptors == NULL || mine->era == NULL)
        return false;
    mine->era->snap = snapshot_ref(c->snap);
    for (size_t i = 0; i < c->n_binds; i++)
        mine->acceptors[i].fd = -1;
    for (size_t i = 0; i < c->snap->conf->n_listeners; i++) {
        if (!add_timeouts(&mine->deadlines, &c->snap->conf->listeners[i].timeouts))
            return false;
    }
    return true;
}

static bool make_room(struct engine_change *c)
{
    c->from = calloc(c->n_binds, sizeof *c->from);
    c->bound = calloc(c->n_binds, sizeof *c->bound);
    c->listening = calloc(c->n_binds * c->engine->n_workers, sizeof *c->listening);
    if (c->from == NULL || c->bound == NULL || c->listening == NULL)
        return false;
    for (unsigned w = 0; w < c->engine->n_workers; w++, c->n_workers++) {
        if (!make_worker_change(c, &c->workers[w])) {
            c->n_workers++; /* what there is of it is freed too */
            return false;
        }
    }
    return true;
}

struct engine_change *engine_prepare(struct engine *e, struct snapshot *snap, struct err *err)
{
    struct engine_change *c = calloc(1, sizeof *c + e->n_workers * sizeof c->workers[0]);
    err_set(err, "out of memory");
    if (c == NULL)
        return NULL;
    c->engine = e;
    c->snap = snapshot_ref(snap);
    c->n_binds = count_binds(snap);
    if (make_room(c) && prepare_addresses(c, err) == 0)
        return c;
    engine_discard(c);
    return NULL;
}

static void free_worker_change(struct worker_change *mine, size_t n_binds)
{
    for (size_t i = 0; mine->acceptors != NULL && i < n_binds; i++)
        sock_close(mine->acceptors[i].fd);
    free(mine->acceptors);
    deadlines_fini(&mine->deadlines);
    if (mine->era != NULL)
        snapshot_unref(mine->era->snap);
    free(mine->era);
}

void engine_discard(struct engine_change *c)
{
    if (c == NULL)
        return;
    for (unsigned w = 0; w < c->n_workers; w++)
        free_worker_change(&c->workers[w], c->n_binds);
    free(c->from);
    free(c->bound);
    free(c->listening);
    snapshot_unref(c->snap);
    free(c);
}

/* ---- going over ---- */

/* Its descriptor goes to the new one. What the new listener wants of the socket is set; failures leave it as it was. */
static void keep_socket(struct acceptor *a, struct acceptor *old)
{
    const struct conf_listener *conf = a->bind->listener->conf, *was = old->bind->listener->conf;
    const struct sock_options   options = options_of(conf);
    a->fd = old->fd;
    a->paused = old->paused;
    old->fd = -1;
    sock_tune(a->fd, &options);
    if (!a->paused && conf->backlog != was->backlog)
        (void)listen(a->fd, (int)conf->backlog);
}

static void take_acceptors(struct worker *w, struct worker_change *mine)
{
    const struct engine_change *c = mine->all;
    for (size_t i = 0; i < c->n_binds; i++) {
        struct acceptor   *a = &mine->acceptors[i];
        const struct addr *address;
        a->worker = w;
        a->bind = bind_at(c->snap, i, &address);
        if (c->from[i] != NEW) {
            keep_socket(a, &w->acceptors[c->from[i]]);
        } else {
            const struct sock_options own = options_of(a->bind->listener->conf);
            sock_tune(a->fd, &own); /* accepted sockets inherit it */
        }
    }
}

static bool is_kept(const struct engine_change *c, size_t old)
{
    for (size_t i = 0; i < c->n_binds; i++) {
        if (c->from[i] == old)
            return true;
    }
    return false;
}

/* Who waits in the queue of a socket that goes has come in time, and is let in by the old rules. */
static void empty_old_queues(struct worker *w, const struct engine_change *c)
{
    for (size_t i = 0; i < w->n_acceptors; i++) {
        if (!is_kept(c, i))
            acceptor_empty(w, &w->acceptors[i]);
    }
}

static void replace_acceptors(struct worker *w, struct worker_change *mine)
{
    acceptors_stop(w);
    take_acceptors(w, mine);
    for (size_t i = 0; i < w->n_acceptors; i++)
        acceptor_close(w, &w->acceptors[i]);
    free(w->acceptors);
    w->acceptors = mine->acceptors;
    w->n_acceptors = mine->all->n_binds;
    mine->acceptors = NULL;
    acceptors_init(w);
}

static void replace_era(struct worker *w, struct worker_change *mine)
{
    struct era *before = w->era;
    w->era = mine->era;
    DL_APPEND(w->eras, w->era);
    mine->era = NULL;
    if (before != NULL && before->n == 0)
        era_end(w, before);
}

void worker_go_over(struct worker *w, struct worker_change *mine)
{
    struct engine_change *c = mine->all;
    empty_old_queues(w, c);
    deadlines_merge(&w->deadlines, &mine->deadlines);
    replace_acceptors(w, mine);
    replace_era(w, mine);
    acceptors_start(w);
    age_set_timer(w);
    if (atomic_fetch_sub(&c->n_left, 1) == 1)
        ev_async_send(w->engine->settings.loop, &w->engine->went_over);
}

void changes_take(struct engine *e)
{
    struct engine_change *done = e->changing;
    struct era           *over = atomic_exchange(&e->over, NULL);
    eras_free(over);
    if (done != NULL && atomic_load(&done->n_left) == 0) {
        e->changing = NULL;
        engine_discard(done);
        if (e->settings.changed != NULL)
            e->settings.changed(e->settings.user);
    }
    if (e->changing == NULL)
        stats_sweep(e->stats);
}

void engine_commit(struct engine_change *c)
{
    struct engine *e = c->engine;
    free(e->bound);
    e->bound = c->bound;
    c->bound = NULL;
    free(e->listening);
    e->listening = c->listening;
    c->listening = NULL;
    snapshot_unref(e->snap);
    e->snap = snapshot_ref(c->snap);
    e->changing = c;
    atomic_store(&c->n_left, e->n_workers);
    for (unsigned i = 0; i < e->n_workers; i++) {
        if (e->n_running == 0) {
            worker_go_over(&e->workers[i], &c->workers[i]);
        } else {
            atomic_store(&e->workers[i].change, &c->workers[i]);
            worker_tell(&e->workers[i], MAIL_CHANGE);
        }
    }
    if (e->n_running == 0)
        changes_take(e);
}

/* One that an operator has stopped for good is closed. */
size_t engine_listening(const struct engine *e, int *fds, size_t most)
{
    const struct addr *address;
    size_t             n = 0, n_binds = count_binds(e->snap);
    for (size_t at = 0; at < n_binds; at++) {
        if (atomic_load(&bind_at(e->snap, at, &address)->listener->state) == LISTENER_STOPPED)
            continue;
        for (unsigned w = 0; w < e->n_workers; w++, n++) {
            if (n < most)
                fds[n] = e->listening[at * e->n_workers + w];
        }
    }
    return n;
}

bool engine_is_changing(const struct engine *e)
{
    return e->changing != NULL;
}
