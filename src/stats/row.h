/* stats/row.h: what is known in numbers of one line of the statistics, HAProxy's four kinds of them, and the registry
 * that keeps rows by name: a configuration that names a proxy, a listener or a server of before goes on counting where
 * the one before left off. */
#ifndef MQGATE_STATS_ROW_H
#define MQGATE_STATS_ROW_H

#include <stdbool.h>

#include "base/macros.h"
#include "base/meter.h"
#include "stats/counters.h"

/* HAProxy's numbers of type. */
enum row_kind { ROW_FRONTEND, ROW_BACKEND, ROW_SERVER, ROW_LISTENER };

struct row {
    enum row_kind    kind;
    uint32_t         iid; /* the proxy's, one for all its rows; unique while the process lives */
    uint32_t         sid; /* of a server or listener inside its proxy, from 1; else 0 */
    const char      *name;
    bool             is_admin;        /* of operators, not of clients: no part of the process's totals */
    struct counters *counters;        /* enum count; a slot for each worker, and the main thread's behind them; owned */
    uint64_t         cleared[COUNTS]; /* what they were when they were last cleared; main thread */
    struct gauge     sessions;        /* open now; servers keep their own (upstream/server.h) */
    struct rate      connection_rate; /* frontend */
    struct rate      session_rate;
    struct average   queue_ms, connect_ms, total_ms; /* backend, server */
    _Atomic uint64_t last_session_ms;                /* monotonic; 0: never. Backend, server */
};

/* Numbers of the whole process. */
struct totals {
    struct rate connection_rate; /* as for rows, over all */
    struct rate session_rate;
    struct rate handshake_rate; /* TLS connections of clients begun */
    struct rate key_rate;       /* of these, handshakes done in full, not resumed */
    struct rate resumed_rate;   /* of these, resumed from a ticket */
};

struct stats;

/* All calls are the main thread's but row_unref() and row_count_session(). NULL when memory is out. */
struct stats  *stats_new(unsigned n_workers);
void           stats_free(struct stats *stats); /* every row is back; NULL is fine */
struct totals *stats_totals(struct stats *stats);
/* enum worker_counter, a slot each. */
struct counters *stats_workers(struct stats *stats);

/* The frontend or backend of this name, made when there is none. NULL when memory is out. Give it back with
 * row_unref(), from any thread; stats_sweep() frees those that nobody holds. */
struct row *stats_proxy(struct stats *stats, enum row_kind kind, const char *name) MUST_CHECK;
/* The same for a listener of a frontend, a server of a backend. */
struct row *stats_child(struct stats *stats, struct row *proxy, const char *name) MUST_CHECK;
void        row_unref(struct row *row); /* NULL is fine */
void        stats_sweep(struct stats *stats);

/* Over all frontends of clients, gone ones included; never cleared. */
uint64_t stats_sum(const struct stats *stats, enum count which);

/* The main thread counts. */
void row_count(const struct stats *stats, struct row *row, enum count which, uint64_t n);
/* A session begins with this backend or server, or is past the handshake with this frontend or listener. */
void row_count_session(struct row *row, uint64_t now_ms);
/* Since the row was made, and since it was cleared. A proxy's numbers are its own and those of its listeners or
 * servers, gone ones included: what happens to a session is counted in one row, the lowest that it concerns. */
uint64_t row_ever(const struct row *row, enum count which);
uint64_t row_sum(const struct row *row, enum count which);
/* How many of what is counted when it begins and when it is over are there now. */
uint64_t row_open(const struct row *row, enum count begun, enum count over);
/* Peaks begin anew, and with `all` every counter too; what is open stays open. Main thread. */
void row_clear(struct row *row, bool all);

#endif
