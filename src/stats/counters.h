/* stats/counters.h: numbers that only grow: one slot a worker, summed when read.
 * A slot has one writer, its worker; any thread reads. No lock, no shared cache line between workers. */
#ifndef MQGATE_STATS_COUNTERS_H
#define MQGATE_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted of a frontend, its listeners, a backend and its servers: one list for all of them, though not each
 * has each. Bytes are payload, without TLS and PROXY headers; they come first because they move with every message. */
enum count {
    COUNT_REQUEST_IN,   /* bytes received from clients */
    COUNT_REQUEST_OUT,  /* bytes delivered to servers */
    COUNT_RESPONSE_IN,  /* bytes received from servers */
    COUNT_RESPONSE_OUT, /* bytes delivered to clients */
    COUNT_CONNECTIONS,  /* frontend: accepted. Backend: tries to reach a server */
    COUNT_SESSIONS,     /* frontend: past PROXY header and TLS handshake. Backend: came here. Server: tries under way */
    COUNT_CLOSED, /* frontend: of COUNT_CONNECTIONS, over. Backend: of COUNT_SESSIONS. Server: of those it carried */
    COUNT_INTERNAL_ERRORS, /* ended for want of memory */
    /* frontend */
    COUNT_DENIED_CONNECTIONS,        /* by allow, deny and per_source, at accept */
    COUNT_DENIED_SESSIONS,           /* by the same, once the PROXY header told who it is */
    COUNT_DENIED_LIMIT,              /* by the listener's max_connections */
    COUNT_DENIED_SOURCE_CONNECTIONS, /* of these two, by per_source.max_connections */
    COUNT_DENIED_SOURCE_RATE,        /* and by per_source.rate_limit */
    COUNT_SOURCES_UNTRACKED,         /* let in, with no place in the table of sources */
    COUNT_PROXY_ERRORS,              /* bad, late or untrusted PROXY headers */
    COUNT_HANDSHAKES,                /* TLS handshakes that succeeded */
    COUNT_HANDSHAKES_RESUMED,        /* of these, from a session ticket */
    COUNT_HANDSHAKES_FAILED,
    COUNT_TLS_1_2,        /* of COUNT_HANDSHAKES, by version; TLS 1.3 is the rest */
    COUNT_TLS_CLOSED,     /* connections over, of those that shook hands */
    COUNT_TLS_1_2_CLOSED, /* of these, TLS 1.2 */
    COUNT_REQUEST_ERRORS, /* sessions that the client ended or let time out before a server was reached */
    COUNT_NO_SERVER,      /* sessions for which no server could be had */
    /* backend and server */
    COUNT_PICKS,           /* times chosen by balance */
    COUNT_CONNECTS,        /* tries to reach a server */
    COUNT_CONNECTS_BEGUN,  /* of these, that this side could begin: HAProxy's stot of a server */
    COUNT_CONNECTS_FAILED, /* of all tries; and a backend's sessions that got no server to try */
    COUNT_RETRIES,         /* tries after a failed one, of the same session */
    COUNT_REDISPATCHES,    /* of these, on another server */
    COUNT_CARRIED,         /* sessions that reached a server */
    COUNT_CLIENT_ABORTS,   /* of these, broken off by the client */
    COUNT_SERVER_ABORTS,   /* of these, broken off by the server */
    COUNTS
};

enum worker_counter {
    WORKER_ACCEPT_PAUSES_FDS,   /* accepting paused: out of descriptors */
    WORKER_ACCEPT_PAUSES_LIMIT, /* accepting paused: global max_connections */
    WORKER_ACCEPT_PAUSES_RATE,  /* accepting paused: a global rate limit */
    WORKER_OUT_OF_MEMORY,       /* connections closed for want of memory */
    WORKER_TURNS,               /* of its event loop */
    WORKER_EVENTS,              /* events of sessions that it handled */
    WORKER_ACCEPTED,
    WORKER_COUNTERS
};

/* Keys in JSON and metrics, in the order of the enum. */
extern const char *const worker_counter_names[WORKER_COUNTERS];

struct counters;

typedef _Atomic uint64_t counter;

/* n numbers for each of n_workers. NULL when memory is out. */
struct counters *counters_new(unsigned n_workers, size_t n);
void             counters_free(struct counters *counters); /* NULL is fine */
/* The slot of one worker: n counters. */
counter *counters_slot(struct counters *counters, unsigned worker);
/* One worker's number, and over all workers. */
uint64_t counters_of(const struct counters *counters, unsigned worker, size_t which);
uint64_t counters_sum(const struct counters *counters, size_t which);

/* Only from the slot's own worker: no locked instruction is needed where nobody else writes. */
static inline void counter_add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif
