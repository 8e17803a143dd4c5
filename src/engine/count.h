/* engine/count.h: what happens to a session is counted in one row, the lowest that it concerns. Private to engine/. */
#ifndef MQGATE_ENGINE_COUNT_H
#define MQGATE_ENGINE_COUNT_H

#include "engine/worker.h"

static inline void count_in(struct worker *w, struct row *row, enum count which, uint64_t n)
{
    counter_add(&counters_slot(row->counters, w->index)[which], n);
}

/* Of the address that the client came to. */
static inline void count_client(struct session *s, enum count which, uint64_t n)
{
    count_in(s->worker, s->bind->row, which, n);
}

/* Of the server that the session has, or of the backend while it has none. */
static inline void count_server(struct session *s, enum count which, uint64_t n)
{
    count_in(s->worker, s->has_server ? session_server(s)->row : s->backend->row, which, n);
}

#endif
