/* stats/counters.h: numbers that only grow: one slot a worker, summed when read.
 * A slot has one writer, its worker; any thread reads. No lock, no shared cache line between workers. */
#ifndef MQGATE_STATS_COUNTERS_H
#define MQGATE_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Of a listener. in = from the client, out = to the client; bytes of payload, without TLS and PROXY headers. */
enum listener_counter {
    LISTENER_CONNECTIONS, /* accepted */
    LISTENER_SESSIONS,    /* past PROXY header and TLS handshake */
    LISTENER_CLOSED,      /* connections over: CONNECTIONS - CLOSED are open now */
    LISTENER_BYTES_IN,
    LISTENER_BYTES_OUT,
    LISTENER_DENIED_ACCESS,      /* by allow and deny */
    LISTENER_DENIED_LIMIT,       /* by the listener's max_connections */
    LISTENER_PROXY_ERRORS,       /* bad, late or untrusted PROXY headers */
    LISTENER_HANDSHAKES,         /* TLS handshakes that succeeded */
    LISTENER_HANDSHAKES_RESUMED, /* of these, from a session ticket */
    LISTENER_HANDSHAKES_FAILED,
    LISTENER_REQUEST_ERRORS, /* sessions that the client ended or let time out before a server was reached */
    LISTENER_NO_SERVER,      /* sessions for which no server could be had */
    LISTENER_COUNTERS
};

enum server_counter {
    SERVER_CONNECTS, /* tries */
    SERVER_CONNECTS_FAILED,
    SERVER_RETRIES,       /* tries after a failed one, of the same session */
    SERVER_SESSIONS,      /* connections made */
    SERVER_CLOSED,        /* of these, over */
    SERVER_BYTES_IN,      /* to the server */
    SERVER_BYTES_OUT,     /* from the server */
    SERVER_CLIENT_ABORTS, /* sessions that the client broke off */
    SERVER_SERVER_ABORTS, /* sessions that the server broke off */
    SERVER_COUNTERS
};

enum worker_counter {
    WORKER_ACCEPT_PAUSES_FDS,   /* accepting paused: out of descriptors */
    WORKER_ACCEPT_PAUSES_LIMIT, /* accepting paused: global max_connections */
    WORKER_OUT_OF_MEMORY,       /* connections closed for want of memory */
    WORKER_COUNTERS
};

/* Keys in JSON and metrics, in the order of the enums. */
extern const char *const listener_counter_names[LISTENER_COUNTERS];
extern const char *const server_counter_names[SERVER_COUNTERS];
extern const char *const worker_counter_names[WORKER_COUNTERS];

struct counters;

typedef _Atomic uint64_t counter;

/* n numbers for each of n_workers. NULL when memory is out. */
struct counters *counters_new(unsigned n_workers, size_t n);
void             counters_free(struct counters *counters); /* NULL is fine */
/* The slot of one worker: n counters. */
counter *counters_slot(struct counters *counters, unsigned worker);
/* Over all workers. */
uint64_t counters_sum(const struct counters *counters, size_t which);

/* Only from the slot's own worker: no locked instruction is needed where nobody else writes. */
static inline void counter_add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif
