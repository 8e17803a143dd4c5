/* upstream/pool.h: the servers of one backend, who of them is next, and who waits for one. */
#ifndef MQGATE_UPSTREAM_POOL_H
#define MQGATE_UPSTREAM_POOL_H

#include <stddef.h>

#include "upstream/server.h"

enum { POOL_SERVERS_MAX = 64 }; /* a bit each in `tried` */

struct pool;

/* The servers stay the caller's and must outlive the pool. n in 1..POOL_SERVERS_MAX. NULL when memory is out. */
struct pool *pool_new(struct server *const *servers, size_t n, unsigned n_workers);
void         pool_free(struct pool *pool); /* NULL is fine; nobody may wait */

enum pick {
    PICK_OK,        /* *index is leased: give it back with pool_release() */
    PICK_FULL,      /* all that may be tried are at max_connections */
    PICK_EXHAUSTED, /* all that may be tried have been tried */
    PICK_NONE_UP
};

/* "local-first": the first in the order written that is usable, has room, and whose bit in tried is not set; backups
 * only when no other server is usable. */
enum pick pool_pick(struct pool *pool, uint64_t tried, size_t *index) MUST_CHECK;
void      pool_release(struct pool *pool, size_t index);

/* A queue for each worker, so that no lock is needed; first come, first served within a worker.
 * Whoever releases a slot and sees pool_has_waiters() tells all workers to look again. */
struct pool_waiter {
    struct pool_waiter *prev, *next;
};
/* After joining the queue try pool_pick() once more: a slot may have been given back in between. */
void                pool_wait(struct pool *pool, unsigned worker, struct pool_waiter *waiter);
void                pool_leave(struct pool *pool, unsigned worker, struct pool_waiter *waiter);
struct pool_waiter *pool_first_waiter(const struct pool *pool, unsigned worker);
bool                pool_has_waiters(const struct pool *pool);
uint32_t            pool_n_waiting(const struct pool *pool);
struct gauge       *pool_waiting_gauge(struct pool *pool); /* of them; for its peak */

/* At least one server may be tried. */
bool pool_is_usable(const struct pool *pool);
/* At least one server is up (or unchecked). */
bool pool_is_healthy(const struct pool *pool);

#endif
