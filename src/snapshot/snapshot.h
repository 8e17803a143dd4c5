/* snapshot/snapshot.h: a configuration made live: TLS contexts, servers, counters. Const once built but for the atomic
 * words inside servers and counters. Sessions begin and end with one snapshot; the last one to let go frees it. */
#ifndef MQGATE_SNAPSHOT_SNAPSHOT_H
#define MQGATE_SNAPSHOT_SNAPSHOT_H

#include "base/err.h"
#include "base/log.h"
#include "conf/model.h"
#include "stats/counters.h"
#include "tls/context.h"
#include "tls/ticket.h"
#include "upstream/pool.h"

struct snap_server {
    const struct conf_server *conf;
    struct server            *live;     /* owned */
    struct tls_client        *tls;      /* NULL: plain; owned by the snapshot's list */
    struct counters          *counters; /* enum server_counter; owned */
};

struct snap_backend {
    const struct conf_backend *conf;
    struct pool               *pool;    /* owned */
    struct snap_server        *servers; /* conf->n_servers of them; owned */
};

struct snap_listener {
    const struct conf_listener *conf;
    struct snap_backend        *backend;
    struct tls_server          *tls;      /* NULL: plain; owned by the snapshot's list */
    struct counters            *counters; /* enum listener_counter; owned */
    _Atomic uint32_t            open;     /* connections now, all workers; for max_connections */
};

struct snapshot {
    struct conf          *conf;        /* owned */
    struct snap_listener *listeners;   /* conf->n_listeners */
    struct snap_backend  *backends;    /* conf->n_backends */
    struct tls_server   **tls;         /* conf->n_tls */
    struct tls_client   **tls_clients; /* conf->n_tls_clients */
    struct counters      *workers;     /* enum worker_counter */
    _Atomic uint32_t      refs;
};

/* Takes conf over on success; on failure conf stays the caller's, NULL comes back and *err names the section. The
 * result has one reference. tickets must outlive it. Certificates that are about to expire are warned of in log. */
struct snapshot *snapshot_build(struct conf *conf, struct tls_tickets *tickets, struct log *log, struct err *err);
struct snapshot *snapshot_ref(struct snapshot *snap);
void             snapshot_unref(struct snapshot *snap); /* NULL is fine */

/* What admin.healthy_when asks of the backends that a listener uses. */
bool snapshot_is_healthy(const struct snapshot *snap);

#endif
