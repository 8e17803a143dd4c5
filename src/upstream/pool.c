#include "upstream/pool.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <utlist.h>

#include "upstream/balance.h"

/* Those who wait for servers of one backend, whatever configuration they came with. */
struct crowd {
    _Atomic uint32_t refs;
    struct gauge     waiting;
};

struct pool {
    struct server      **servers; /* owned array, servers are the caller's */
    size_t               n_servers;
    struct balance       balance;
    size_t               n_queues; /* of a worker: one, or one for each server where clients wait for their own */
    struct pool_waiter **queues;   /* list heads, n_queues a worker; touched by that worker only */
    size_t               n_workers;
    struct crowd        *crowd; /* one reference */
};

static bool is_sticky(const struct pool *pool)
{
    return pool->balance.how == BALANCE_SOURCE || pool->balance.how == BALANCE_CLIENT_ID;
}

static struct crowd *crowd_of(struct pool *before)
{
    struct crowd *crowd = before != NULL ? before->crowd : calloc(1, sizeof *crowd);
    if (crowd != NULL)
        atomic_fetch_add_explicit(&crowd->refs, 1, memory_order_relaxed);
    return crowd;
}

static void crowd_unref(struct crowd *crowd)
{
    if (crowd != NULL && atomic_fetch_sub_explicit(&crowd->refs, 1, memory_order_acq_rel) == 1)
        free(crowd);
}

struct pool *pool_new(enum conf_balance balance, struct server *const *servers, size_t n, unsigned n_workers,
                      struct pool *before)
{
    assert(n >= 1 && n <= POOL_SERVERS_MAX);
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    bool balanced = balance_init(&pool->balance, balance, servers, n);
    pool->n_servers = n;
    pool->n_queues = is_sticky(pool) ? n : 1;
    pool->servers = calloc(n, sizeof(struct server *));
    pool->n_workers = n_workers;
    pool->queues = calloc(n_workers * pool->n_queues, sizeof(struct pool_waiter *));
    pool->crowd = crowd_of(before);
    if (!balanced || pool->servers == NULL || pool->queues == NULL || pool->crowd == NULL) {
        pool_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        pool->servers[i] = servers[i];
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; pool->queues != NULL && i < pool->n_workers * pool->n_queues; i++)
        assert(pool->queues[i] == NULL);
    crowd_unref(pool->crowd);
    balance_fini(&pool->balance);
    free(pool->servers);
    free((void *)pool->queues);
    free(pool);
}

uint64_t pool_key(const void *bytes, size_t len)
{
    return balance_hash(bytes, len);
}

static struct pool_waiter **queue_at(const struct pool *pool, unsigned worker, size_t queue)
{
    return &pool->queues[worker * pool->n_queues + queue];
}

/* --- picking --- */

/* A bit for each server that may be used: backups only when there is nobody else. */
static uint64_t usable_servers(const struct pool *pool, bool *backups)
{
    uint64_t usable[2] = {0};
    for (size_t i = 0; i < pool->n_servers; i++) {
        if (server_is_usable(pool->servers[i]))
            usable[server_is_backup(pool->servers[i])] |= 1ull << i;
    }
    *backups = usable[false] == 0;
    return usable[*backups];
}

static uint64_t with_room(const struct pool *pool, uint64_t candidates)
{
    uint64_t found = 0;
    for (uint64_t left = candidates; left != 0; left &= left - 1) {
        if (server_has_room(pool->servers[balance_first(left)]))
            found |= left & -left;
    }
    return found;
}

/* A server whose last place goes to another worker between the look and the try has had its turn all the same. */
static enum pick take_place(struct pool *pool, uint64_t candidates, bool in_order, uint64_t key, struct lease *lease)
{
    candidates = with_room(pool, candidates);
    while (candidates != 0) {
        size_t i = in_order ? balance_first(candidates) : balance_choose(&pool->balance, candidates, key);
        if (server_take_place(pool->servers[i])) {
            *lease = (struct lease){.index = (uint8_t)i, .held = true, .pending = true};
            return PICK_OK;
        }
        candidates &= ~(1ull << i);
    }
    return PICK_FULL;
}

/* *queue: whose place that would be, or is. */
static enum pick try_to_pick(struct pool *pool, unsigned worker, const struct pool_waiter *waiter, size_t *queue,
                             struct lease *lease)
{
    bool     backups;
    uint64_t usable = usable_servers(pool, &backups), candidates = usable & ~waiter->tried;
    *queue = 0;
    if (candidates == 0)
        return usable == 0 ? PICK_NONE_UP : PICK_EXHAUSTED;
    if (is_sticky(pool) && !backups) {
        *queue = balance_choose(&pool->balance, candidates, waiter->key);
        candidates = 1ull << *queue;
    }
    const struct pool_waiter *first = *queue_at(pool, worker, *queue);
    if (first != NULL && first != waiter)
        return PICK_FULL;
    return take_place(pool, candidates, backups, waiter->key, lease);
}

static void join(struct pool *pool, unsigned worker, struct pool_waiter *waiter, size_t queue)
{
    waiter->waits = true;
    waiter->queue = (uint8_t)queue;
    DL_APPEND(*queue_at(pool, worker, queue), waiter);
    gauge_add(&pool->crowd->waiting);
}

/* Whoever joins a queue tries once more: a place may have been given back before anybody could see that it waits. */
enum pick pool_pick(struct pool *pool, unsigned worker, struct pool_waiter *waiter, struct lease *lease)
{
    enum pick pick;
    size_t    queue;
    while ((pick = try_to_pick(pool, worker, waiter, &queue, lease)) == PICK_FULL) {
        if (waiter->waits && waiter->queue == queue)
            return PICK_FULL;
        pool_leave(pool, worker, waiter);
        join(pool, worker, waiter, queue);
    }
    pool_leave(pool, worker, waiter);
    return pick;
}

void pool_leave(struct pool *pool, unsigned worker, struct pool_waiter *waiter)
{
    if (!waiter->waits)
        return;
    struct pool_waiter **first = queue_at(pool, worker, waiter->queue);
    struct pool_waiter  *head = *first;
    assert(head != waiter || waiter->prev == waiter || waiter->next != NULL);
    DL_DELETE(head, waiter);
    *first = head;
    waiter->waits = false;
    gauge_sub(&pool->crowd->waiting);
}

/* --- giving back --- */

static bool has_waiters(const struct pool *pool)
{
    return atomic_load(&pool->crowd->waiting.now) != 0;
}

bool pool_answered(struct pool *pool, struct lease *lease)
{
    if (!lease->pending)
        return false;
    lease->pending = false;
    server_answered(pool->servers[lease->index]);
    return server_max_pending(pool->servers[lease->index]) != 0 && has_waiters(pool);
}

void pool_adopt(struct pool *pool, const struct lease *lease)
{
    if (lease->held)
        server_adopt_place(pool->servers[lease->index], lease->pending);
}

bool pool_release(struct pool *pool, struct lease *lease)
{
    if (!lease->held)
        return false;
    server_give_place(pool->servers[lease->index], lease->pending);
    lease->held = lease->pending = false;
    return has_waiters(pool);
}

/* --- queues --- */

size_t pool_n_queues(const struct pool *pool)
{
    return pool->n_queues;
}

struct pool_waiter *pool_first_waiter(const struct pool *pool, unsigned worker, size_t queue)
{
    return *queue_at(pool, worker, queue);
}

uint32_t pool_n_waiting(const struct pool *pool)
{
    return gauge_now(&pool->crowd->waiting);
}

struct gauge *pool_waiting_gauge(struct pool *pool)
{
    return &pool->crowd->waiting;
}

bool pool_is_usable(const struct pool *pool)
{
    for (size_t i = 0; i < pool->n_servers; i++) {
        if (server_is_usable(pool->servers[i]))
            return true;
    }
    return false;
}

bool pool_is_healthy(const struct pool *pool)
{
    for (size_t i = 0; i < pool->n_servers; i++) {
        if (server_is_healthy(pool->servers[i]))
            return true;
    }
    return false;
}
