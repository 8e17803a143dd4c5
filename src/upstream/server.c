#include "upstream/server.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const char *const server_state_names[] = {"UNKNOWN", "UP", "DOWN", "no check"};

struct server {
    char                      *name; /* owned */
    struct server_limits       limits;
    _Atomic(enum server_state) state;
    _Atomic uint32_t           in_flight;
    _Atomic uint32_t           failures; /* connects that failed and that the checker has not heard of */
};

struct server *server_new(const char *name, const struct server_limits *limits, enum server_state state)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->name = strdup(name);
    if (server->name == NULL) {
        free(server);
        return NULL;
    }
    server->limits = *limits;
    atomic_init(&server->state, state);
    return server;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    free(server->name);
    free(server);
}

const char *server_name(const struct server *server)
{
    return server->name;
}

bool server_is_backup(const struct server *server)
{
    return server->limits.backup;
}

enum server_state server_state(const struct server *server)
{
    return atomic_load_explicit(&server->state, memory_order_relaxed);
}

void server_set_state(struct server *server, enum server_state state)
{
    atomic_store_explicit(&server->state, state, memory_order_relaxed);
}

bool server_is_usable(const struct server *server)
{
    return server_state(server) != SERVER_DOWN;
}

bool server_is_healthy(const struct server *server)
{
    enum server_state state = server_state(server);
    return state == SERVER_UP || state == SERVER_UNCHECKED;
}

uint32_t server_in_flight(const struct server *server)
{
    return atomic_load_explicit(&server->in_flight, memory_order_relaxed);
}

/* seq_cst, as in pool_wait() and pool_has_waiters(): a waiter that saw a full server is seen by whoever frees a slot.
 */
bool server_take_slot(struct server *server)
{
    uint32_t most = server->limits.max_connections != 0 ? server->limits.max_connections : UINT32_MAX;
    uint32_t now = atomic_load(&server->in_flight);
    do {
        if (now >= most)
            return false;
    } while (!atomic_compare_exchange_weak(&server->in_flight, &now, now + 1));
    return true;
}

void server_give_slot(struct server *server)
{
    atomic_fetch_sub(&server->in_flight, 1);
}

void server_note_failure(struct server *server)
{
    atomic_fetch_add_explicit(&server->failures, 1, memory_order_relaxed);
}

uint32_t server_take_failures(struct server *server)
{
    return atomic_exchange_explicit(&server->failures, 0, memory_order_relaxed);
}
