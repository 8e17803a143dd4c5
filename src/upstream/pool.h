/* upstream/pool.h: the servers of one backend, who of them is next, and who waits for one. */
#ifndef MQGATE_UPSTREAM_POOL_H
#define MQGATE_UPSTREAM_POOL_H

#include <stddef.h>

#include "conf/model.h"
#include "upstream/server.h"

enum { POOL_SERVERS_MAX = 64 }; /* a bit each in `tried` */

struct pool;

/* The servers stay the caller's and must outlive the pool. n in 1..POOL_SERVERS_MAX. before: the pool of the same
 * backend in an earlier configuration, with some of these servers, or NULL: whoever gives back a place in one of the
 * two hears of those who wait in either. NULL when memory is out. */
struct pool *pool_new(enum conf_balance balance, struct server *const *servers, size_t n, unsigned n_workers,
                      struct pool *before);
void         pool_free(struct pool *pool); /* NULL is fine; nobody may wait in it */

/* For pool_waiter.key: the same on every node and after every restart. */
uint64_t pool_key(const void *bytes, size_t len);

/* Who wants a place at a server. One thread, its worker's, uses it. Zero at first but for the key. */
struct pool_waiter {
    struct pool_waiter *prev, *next; /* the pool's, while it waits */
    uint64_t            tried;       /* servers that it does not want, a bit each */
    uint64_t            key;   /* the client's: with "source" and "client-id" the same key means the same server */
    uint8_t             queue; /* the pool's */
    bool                waits; /* the pool's */
};

/* A place at a server, the holder's to give back. Zero: none. */
struct lease {
    uint8_t index;   /* of the server; stays when the place is given back */
    bool    held;    /* one of its max_connections */
    bool    pending; /* and one of its max_pending */
};

enum pick {
    PICK_OK,        /* *lease is held: give it back with pool_release() */
    PICK_FULL,      /* it waits: pick again when it is first in its queue and a place may be free */
    PICK_EXHAUSTED, /* all that may be tried have been tried */
    PICK_NONE_UP
};

/* Of the servers that are usable and that the waiter has not tried, those with a place free:
 * "local-first": the first in the order written;
 * "roundrobin": each in turn, as often as its weight says; one that was away does not catch up on turns it has missed;
 * "leastconn": the one with the fewest sessions for its weight, in turn among equals;
 * "source", "client-id": the one that the key and the weights say, and no other. While that is full the client waits
 * for it: a client that comes back finds its session where it left it, and a storm of them, as long as max_pending lets
 * in few at a time, goes home. One that is down or was tried passes its clients on, each to the one that is next for
 * it. Backups only when no other server is usable; whatever the balance, they are used in the order written.
 *
 * Nobody passes by those of the same worker who wait already for the same. Whoever waited and has got another answer
 * does not wait any more. */
enum pick pool_pick(struct pool *pool, unsigned worker, struct pool_waiter *waiter, struct lease *lease) MUST_CHECK;
/* It gives up; fine too when it does not wait. */
void pool_leave(struct pool *pool, unsigned worker, struct pool_waiter *waiter);

/* The broker has answered the session's CONNECT: gives the place among max_pending back, once. pool_release() gives
 * back whatever the lease still has. True: somebody may wait for it, so all workers must look at their queues. */
bool pool_answered(struct pool *pool, struct lease *lease) MUST_CHECK;
bool pool_release(struct pool *pool, struct lease *lease) MUST_CHECK;

/* A lease that another process gave: whatever it says is held is held again. */
void pool_adopt(struct pool *pool, const struct lease *lease);

/* Each worker has queues of its own, so that no lock is needed; first come, first served in each of them. */
size_t              pool_n_queues(const struct pool *pool);
struct pool_waiter *pool_first_waiter(const struct pool *pool, unsigned worker, size_t queue); /* NULL: nobody waits */
/* In all of them, and in those of the pools before it. */
uint32_t      pool_n_waiting(const struct pool *pool);
struct gauge *pool_waiting_gauge(struct pool *pool); /* of them; for its peak */

/* At least one server may be tried. */
bool pool_is_usable(const struct pool *pool);
/* At least one server is up (or unchecked). */
bool pool_is_healthy(const struct pool *pool);

#endif
