#include "upstream/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

struct pool {
    struct server      **servers; /* owned array, servers are the caller's */
    size_t               n_servers;
    struct pool_waiter **queues; /* one list head a worker; a queue is touched by its worker only */
    struct gauge         waiting;
};

struct pool *pool_new(struct server *const *servers, size_t n, unsigned n_workers)
{
    assert(n >= 1 && n <= POOL_SERVERS_MAX);
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->servers = calloc(n, sizeof(struct server *));
    pool->queues = calloc(n_workers, sizeof(struct pool_waiter *));
    if (pool->servers == NULL || pool->queues == NULL) {
        pool_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        pool->servers[i] = servers[i];
    pool->n_servers = n;
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool_n_waiting(pool) == 0);
    free(pool->servers);
    free((void *)pool->queues);
    free(pool);
}

static bool any_usable(const struct pool *pool, bool backup)
{
    for (size_t i = 0; i < pool->n_servers; i++) {
        if (server_is_backup(pool->servers[i]) == backup && server_is_usable(pool->servers[i]))
            return true;
    }
    return false;
}

enum pick pool_pick(struct pool *pool, uint64_t tried, size_t *index)
{
    bool backups = !any_usable(pool, false);
    if (backups && !any_usable(pool, true))
        return PICK_NONE_UP;
    enum pick answer = PICK_EXHAUSTED;
    for (size_t i = 0; i < pool->n_servers; i++) {
        struct server *server = pool->servers[i];
        if (server_is_backup(server) != backups || !server_is_usable(server) || (tried >> i & 1) != 0)
            continue;
        if (server_take_slot(server)) {
            *index = i;
            return PICK_OK;
        }
        answer = PICK_FULL;
    }
    return answer;
}

void pool_release(struct pool *pool, size_t index)
{
    server_give_slot(pool->servers[index]);
}

void pool_wait(struct pool *pool, unsigned worker, struct pool_waiter *waiter)
{
    DL_APPEND(pool->queues[worker], waiter);
    gauge_add(&pool->waiting);
}

void pool_leave(struct pool *pool, unsigned worker, struct pool_waiter *waiter)
{
    DL_DELETE(pool->queues[worker], waiter);
    gauge_sub(&pool->waiting);
}

struct pool_waiter *pool_first_waiter(const struct pool *pool, unsigned worker)
{
    return pool->queues[worker];
}

bool pool_has_waiters(const struct pool *pool)
{
    return atomic_load(&pool->waiting.now) != 0;
}

uint32_t pool_n_waiting(const struct pool *pool)
{
    return gauge_now(&pool->waiting);
}

struct gauge *pool_waiting_gauge(struct pool *pool)
{
    return &pool->waiting;
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
