/* stats/counters.h: numbers that only grow: one slot a worker, summed when read.
 * A slot has one writer, its worker; any thread reads. No lock, no shared cache line between workers. */
#ifndef MQGATE_STATS_COUNTERS_H
#define MQGATE_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/stream.h"

enum { MQTT_TYPES = 16, MQTT_QOS = 3, MQTT_VERSIONS = 3, MQTT_RETURNS = 7, MQTT_REASONS = 38 };

/* What is counted of a frontend, its listeners, a backend and its servers: one list for all of them, though not each
 * has each. Bytes are payload, without TLS and PROXY headers; they come first because they move with every message. The
 * order is free: an upgrade carries each by the number that carry.c gives it. */
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
    COUNT_TLS_CARRIED,    /* of COUNT_HANDSHAKES, by what carries the session then, + enum tls_carrier */
    COUNT_TLS_CARRIED_CLOSED = COUNT_TLS_CARRIED + TLS_CARRIERS, /* of these, over, the same */
    COUNT_REQUEST_ERRORS =
        COUNT_TLS_CARRIED_CLOSED +
        TLS_CARRIERS,        /* sessions that the client ended or let time out before a server was reached */
    COUNT_NO_SERVER,         /* sessions for which no server could be had */
    COUNT_PACED,             /* sessions that waited for rate_limit to let them begin */
    COUNT_REFUSED_PACE,      /* of these, those that waited longer than timeouts.queue */
    COUNT_REFUSED_NOT_MQTT,  /* what came was no CONNECT at all */
    COUNT_REFUSED_VERSION,   /* a version of MQTT that is unknown, or not in mqtt.versions */
    COUNT_REFUSED_MALFORMED, /* a CONNECT that breaks the specification */
    COUNT_REFUSED_TOO_LARGE, /* a CONNECT longer than mqtt.max_connect_size */
    COUNT_REFUSED_CLIENT_ID, /* a CONNECT without the client identifier that is due */
    COUNT_REFUSED_HTTP,      /* an HTTP head that is no upgrade to MQTT, or frames that are no WebSocket */
    COUNT_KEEP_ALIVE_ENDED,  /* sessions ended because the client was silent for too long */
    COUNT_MAX_AGE_ENDED,     /* sessions asked to reconnect by max_age */
    COUNT_SHED,              /* sessions asked to go as the process is drained, or by shed */
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
    /* MQTT: frontend and server. Each name is the first of several numbers. */
    COUNT_MQTT_UP,                                                          /* packets from clients, + enum mqtt_type */
    COUNT_MQTT_DOWN = COUNT_MQTT_UP + MQTT_TYPES,                           /* packets from servers, the same */
    COUNT_MQTT_PUBLISH_UP = COUNT_MQTT_DOWN + MQTT_TYPES,                   /* of these PUBLISH, + QoS */
    COUNT_MQTT_PUBLISH_DOWN = COUNT_MQTT_PUBLISH_UP + MQTT_QOS,             /* the same */
    COUNT_MQTT_SESSIONS = COUNT_MQTT_PUBLISH_DOWN + MQTT_QOS,               /* CONNECTs let in, + count_version() */
    COUNT_MQTT_CLOSED = COUNT_MQTT_SESSIONS + MQTT_VERSIONS,                /* of these, over, the same */
    COUNT_MQTT_CONNACK_3 = COUNT_MQTT_CLOSED + MQTT_VERSIONS,               /* by servers in 3.x, + count_return() */
    COUNT_MQTT_CONNACK_5 = COUNT_MQTT_CONNACK_3 + MQTT_RETURNS,             /* in 5, + count_reason() */
    COUNT_MQTT_DISCONNECT_UP = COUNT_MQTT_CONNACK_5 + MQTT_REASONS,         /* by clients, + count_reason() */
    COUNT_MQTT_DISCONNECT_DOWN = COUNT_MQTT_DISCONNECT_UP + MQTT_REASONS,   /* by servers, the same */
    COUNT_MQTT_DISCONNECT_GATE = COUNT_MQTT_DISCONNECT_DOWN + MQTT_REASONS, /* by mqgate, the same */
    COUNT_MQTT_BROKEN = COUNT_MQTT_DISCONNECT_GATE + MQTT_REASONS, /* sessions whose stream stopped being MQTT: ended */
    COUNT_MQTT_LOOSE,                                              /* the same with mqtt.strict off: relayed on */
    COUNTS
};

/* Codes of MQTT as they are counted: what has no number of its own shares the last one. */
static inline unsigned count_version(unsigned level) /* the protocol level: 3, 4, 5 */
{
    return level - 3;
}
static inline unsigned count_return(uint8_t code) /* of 3.x */
{
    return code < MQTT_RETURNS - 1 ? code : MQTT_RETURNS - 1;
}
static inline unsigned count_reason(uint8_t code) /* of 5: 0x00, 0x04, 0x80 to 0xA2 */
{
    if (code == 0)
        return 0;
    if (code == 4)
        return 1;
    return code >= 0x80 && code <= 0xA2 ? code - 0x80u + 2 : MQTT_REASONS - 1;
}

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

typedef _Atomic uint64_t counter;

/* A slot of numbers for each worker, in cache lines of its own. */
struct counters {
    unsigned n_workers;
    size_t   stride; /* numbers, from slot to slot */
    counter *at;     /* owned */
};

/* n numbers for each of n_workers. NULL when memory is out. */
struct counters *counters_new(unsigned n_workers, size_t n);
void             counters_free(struct counters *counters); /* NULL is fine */
/* The slot of one worker: n counters. */
static inline counter *counters_slot(struct counters *counters, unsigned worker)
{
    return counters->at + counters->stride * worker;
}
/* One worker's number, and over all workers. */
uint64_t counters_of(const struct counters *counters, unsigned worker, size_t which);
uint64_t counters_sum(const struct counters *counters, size_t which);

/* Only from the slot's own worker: no locked instruction is needed where nobody else writes. */
static inline void counter_add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif
