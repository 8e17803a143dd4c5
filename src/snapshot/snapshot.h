/* snapshot/snapshot.h: a configuration made live: TLS contexts, servers, statistics. Const once built but for the
 * atomic words inside. Sessions begin and end with one snapshot; the last one to let go frees it.
 *
 * What is live keeps its name: a server, a table of sources, a pace, a row of the statistics is the same object in all
 * snapshots that name it, so that sessions of an old configuration and of a new one count against the same limits. */
#ifndef MQGATE_SNAPSHOT_SNAPSHOT_H
#define MQGATE_SNAPSHOT_SNAPSHOT_H

#include "base/err.h"
#include "base/log.h"
#include "conf/model.h"
#include "stats/row.h"
#include "tls/context.h"
#include "tls/ticket.h"
#include "upstream/pace.h"
#include "upstream/pool.h"
#include "upstream/sources.h"

struct snap_server {
    const struct conf_server *conf;
    struct server            *live; /* one reference */
    struct tls_client        *tls;  /* NULL: plain; owned by the snapshot's list */
    struct row               *row;  /* one reference */
};

struct snap_backend {
    const struct conf_backend *conf;
    struct pool               *pool;    /* owned */
    struct snap_server        *servers; /* conf->n_servers of them; owned */
    struct row                *row;     /* one reference */
};

/* Whether a listener takes clients. The numbers last: images have them. */
enum listener_state {
    LISTENER_OPEN,
    LISTENER_PAUSED, /* by an operator, for a while: connections are refused */
    LISTENER_STOPPED /* for good: the sockets are closed */
};

/* One address that a listener listens on. */
struct snap_bind {
    struct snap_listener *listener;
    struct row           *row; /* one reference */
};

struct snap_listener {
    const struct conf_listener  *conf;
    struct snap_backend         *backends[PROTOCOL_AUTO]; /* by what clients speak; NULL: such are not taken */
    struct tls_server           *tls;                     /* NULL: plain; owned by the snapshot's list */
    struct snap_bind            *binds;                   /* conf->n_bind of them; owned */
    struct row                  *row;          /* one reference; its sessions are the connections now, of all workers */
    struct sources              *sources;      /* NULL: no limits on them; one reference */
    struct pace                 *pace;         /* of those that begin; NULL: no rate_limit; one reference */
    struct pace                 *offers;       /* of those that come to their servers; with pace; the same */
    _Atomic uint64_t             next_aged_ns; /* monotonic: when max_age.budget lets the next session go */
    _Atomic uint32_t             max_connections; /* in force; 0: no limit of its own */
    _Atomic(enum listener_state) state;           /* the main thread sets it */
};

/* Sessions that rate_limit lets wait. */
static inline uint32_t snap_listener_waiting(const struct snap_listener *listener)
{
    return listener->pace != NULL ? pace_n_waiting(listener->pace) + pace_n_waiting(listener->offers) : 0;
}

struct snapshot {
    struct conf          *conf;        /* one reference */
    struct stats         *stats;       /* the process's */
    struct snap_listener *listeners;   /* conf->n_listeners */
    struct snap_backend  *backends;    /* conf->n_backends */
    struct tls_server   **tls;         /* conf->n_tls */
    struct tls_client   **tls_clients; /* conf->n_tls_clients */
    _Atomic uint32_t      refs;
};

/* Takes a reference of conf on success; on failure NULL comes back and *err names the section. before: the snapshot in
 * force, whose live things are taken over by name and not changed yet; NULL: there is none. The result has one
 * reference. tickets and stats must outlive it. Certificates that are about to expire are warned of in log. */
struct snapshot *snapshot_build(struct conf *conf, struct snapshot *before, struct stats *stats,
                                struct tls_tickets *tickets, struct log *log, struct err *err);
/* What conf says otherwise than the configuration before is set in all that was taken over; what an operator or DNS has
 * set stays else. moved() is called for each server that has another address now. before is the one given to
 * snapshot_build(). Main thread. */
void             snapshot_commit(struct snapshot *snap, const struct snapshot                                           *before,
                                 void (*moved)(void *user, size_t backend, size_t server, const struct addr *was), void *user);
struct snapshot *snapshot_ref(struct snapshot *snap);
void             snapshot_unref(struct snapshot *snap); /* NULL is fine */

/* What admin.healthy_when asks of the backends that a listener uses. */
bool snapshot_is_healthy(const struct snapshot *snap);

/* The listener takes clients there. */
bool snap_listener_leads_to(const struct snap_listener *listener, const struct snap_backend *backend);

/* By name; NULL when there is none. */
struct snap_listener *snapshot_find_listener(const struct snapshot *snap, const char *name);
struct snap_backend  *snapshot_find_backend(const struct snapshot *snap, const char *name);
struct snap_server   *snap_backend_find_server(const struct snap_backend *backend, const char *name);

#endif
