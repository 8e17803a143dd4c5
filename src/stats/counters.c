#include "stats/counters.h"

#include <stdlib.h>

const char *const listener_counter_names[LISTENER_COUNTERS] = {
    [LISTENER_CONNECTIONS] = "connections",
    [LISTENER_SESSIONS] = "sessions",
    [LISTENER_CLOSED] = "closed",
    [LISTENER_BYTES_IN] = "bytes_in",
    [LISTENER_BYTES_OUT] = "bytes_out",
    [LISTENER_DENIED_ACCESS] = "denied_access",
    [LISTENER_DENIED_LIMIT] = "denied_limit",
    [LISTENER_PROXY_ERRORS] = "proxy_errors",
    [LISTENER_HANDSHAKES] = "handshakes",
    [LISTENER_HANDSHAKES_RESUMED] = "handshakes_resumed",
    [LISTENER_HANDSHAKES_FAILED] = "handshakes_failed",
    [LISTENER_REQUEST_ERRORS] = "request_errors",
    [LISTENER_NO_SERVER] = "no_server",
};

const char *const server_counter_names[SERVER_COUNTERS] = {
    [SERVER_CONNECTS] = "connects",
    [SERVER_CONNECTS_FAILED] = "connects_failed",
    [SERVER_RETRIES] = "retries",
    [SERVER_SESSIONS] = "sessions",
    [SERVER_CLOSED] = "closed",
    [SERVER_BYTES_IN] = "bytes_in",
    [SERVER_BYTES_OUT] = "bytes_out",
    [SERVER_CLIENT_ABORTS] = "client_aborts",
    [SERVER_SERVER_ABORTS] = "server_aborts",
};

const char *const worker_counter_names[WORKER_COUNTERS] = {
    [WORKER_ACCEPT_PAUSES_FDS] = "accept_pauses_fds",
    [WORKER_ACCEPT_PAUSES_LIMIT] = "accept_pauses_limit",
    [WORKER_OUT_OF_MEMORY] = "out_of_memory",
};

enum { CACHE_LINE = 64 };

struct counters {
    unsigned n_workers;
    size_t   stride; /* counters between two slots: whole cache lines */
    counter *at;     /* owned */
};

struct counters *counters_new(unsigned n_workers, size_t n)
{
    const size_t     per_line = CACHE_LINE / sizeof(counter);
    struct counters *counters = calloc(1, sizeof *counters);
    if (counters == NULL)
        return NULL;
    counters->n_workers = n_workers;
    counters->stride = (n + per_line - 1) / per_line * per_line;
    size_t total = counters->stride * n_workers;
    counters->at = aligned_alloc(CACHE_LINE, total * sizeof(counter));
    if (counters->at == NULL) {
        free(counters);
        return NULL;
    }
    for (size_t i = 0; i < total; i++)
        atomic_init(&counters->at[i], 0);
    return counters;
}

void counters_free(struct counters *counters)
{
    if (counters == NULL)
        return;
    free(counters->at);
    free(counters);
}

counter *counters_slot(struct counters *counters, unsigned worker)
{
    return counters->at + counters->stride * worker;
}

uint64_t counters_sum(const struct counters *counters, size_t which)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < counters->n_workers; w++)
        sum += atomic_load_explicit(&counters->at[counters->stride * w + which], memory_order_relaxed);
    return sum;
}
