/* upstream/server.h: what is known of one broker while the process lives: words that every thread may read.
 * Workers take and give slots and tell of failures; the health checker sets the state. No I/O here. */
#ifndef MQGATE_UPSTREAM_SERVER_H
#define MQGATE_UPSTREAM_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum server_state {
    SERVER_UNKNOWN, /* no check has answered yet: may be tried, but is not called healthy */
    SERVER_UP,
    SERVER_DOWN,
    SERVER_UNCHECKED /* checks are off: may be tried, and counts as up */
};

extern const char *const server_state_names[]; /* "UNKNOWN", "UP", "DOWN", "no check" */

struct server;

struct server_limits {
    uint32_t max_connections; /* 0: no limit */
    bool     backup;          /* used only when no other server of its pool is usable */
};

/* name is copied. NULL when memory is out. Free with server_free() once no pool holds it. */
struct server *server_new(const char *name, const struct server_limits *limits, enum server_state state);
void           server_free(struct server *server); /* NULL is fine */

const char       *server_name(const struct server *server);
bool              server_is_backup(const struct server *server);
enum server_state server_state(const struct server *server);
void              server_set_state(struct server *server, enum server_state state);
bool              server_is_usable(const struct server *server);  /* may be tried: not DOWN */
bool              server_is_healthy(const struct server *server); /* UP or UNCHECKED */

/* Sessions that hold or are getting a connection. */
uint32_t server_in_flight(const struct server *server);
/* In-flight +1, unless the server is full: then false. */
bool server_take_slot(struct server *server) MUST_CHECK;
void server_give_slot(struct server *server);

/* A session could not connect. The health checker asks for the number since it last asked. */
void     server_note_failure(struct server *server);
uint32_t server_take_failures(struct server *server);

#endif
