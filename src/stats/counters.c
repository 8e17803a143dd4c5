#include "stats/counters.h"

#include <stdlib.h>

const char *const worker_counter_names[WORKER_COUNTERS] = {
    [WORKER_ACCEPT_PAUSES_FDS] = "accept_pauses_fds",
    [WORKER_ACCEPT_PAUSES_LIMIT] = "accept_pauses_limit",
    [WORKER_ACCEPT_PAUSES_RATE] = "accept_pauses_rate",
    [WORKER_OUT_OF_MEMORY] = "out_of_memory",
    [WORKER_TURNS] = "loop_turns",
    [WORKER_EVENTS] = "session_events",
    [WORKER_ACCEPTED] = "accepted",
};

enum { CACHE_LINE = 64 };

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

uint64_t counters_of(const struct counters *counters, unsigned worker, size_t which)
{
    return atomic_load_explicit(&counters->at[counters->stride * worker + which], memory_order_relaxed);
}

uint64_t counters_sum(const struct counters *counters, size_t which)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < counters->n_workers; w++)
        sum += counters_of(counters, w, which);
    return sum;
}
