/* upstream/server.h: what is known of one broker while the process lives: words that every thread may read.
 * Workers take and give places and tell of failures; the health checker sets the state, operators set the rest. No I/O
 * here. */
#ifndef MQGATE_UPSTREAM_SERVER_H
#define MQGATE_UPSTREAM_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/macros.h"
#include "base/meter.h"

/* The numbers of these two last: images have them. */
enum server_state {
    SERVER_UNKNOWN, /* no check has answered yet: may be tried, but is not called healthy */
    SERVER_UP,
    SERVER_DOWN,
    SERVER_UNCHECKED /* checks are off: may be tried, and counts as up */
};

extern const char *const server_state_names[]; /* "UNKNOWN", "UP", "DOWN", "no check" */

/* What an operator wants, beside what the checks say. */
enum server_admin {
    SERVER_READY,
    SERVER_DRAIN, /* no new sessions; those that are there go on */
    SERVER_MAINT  /* the same, and it is not checked */
};

enum { SERVER_WEIGHT_MAX = 256 };

enum { SERVER_HOST_MAX = 256 }; /* bytes of a host's name, NUL included */

struct server;

struct server_settings {
    const char *name;            /* copied */
    struct addr address;         /* where it listens; not set: not known yet */
    const char *host;            /* the name that has that address; NULL or "": it has none; copied */
    uint32_t    max_connections; /* 0: no limit */
    uint32_t    max_pending;     /* the same; of connections that the broker has not answered */
    uint32_t    weight;          /* 0..SERVER_WEIGHT_MAX; 0: as SERVER_DRAIN */
    bool        backup;          /* used only when no other server of its pool is usable */
};

/* With one reference; give it back once no pool of yours holds it. NULL when memory is out. */
struct server *server_new(const struct server_settings *settings, enum server_state state);
struct server *server_ref(struct server *server);
void           server_unref(struct server *server); /* NULL is fine */
/* A later configuration of the same server: what it says otherwise than `was` did is set, in whatever an operator or
 * DNS had set; the rest stays. True: it has another address now, or none until DNS knows. One thread, that which sets
 * addresses. */
bool server_configure(struct server *server, const struct server_settings *was, const struct server_settings *now);

const char       *server_name(const struct server *server);
bool              server_is_backup(const struct server *server);
void              server_set_backup(struct server *server, bool backup);
enum server_state server_state(const struct server *server);
void              server_set_state(struct server *server, enum server_state state);
enum server_admin server_admin(const struct server *server);
void              server_set_admin(struct server *server, enum server_admin admin);
uint32_t          server_weight(const struct server *server);
uint32_t          server_initial_weight(const struct server *server); /* as it was made */
void              server_set_weight(struct server *server, uint32_t weight);
uint32_t          server_max_connections(const struct server *server);
void              server_set_max_connections(struct server *server, uint32_t most);

/* Where new connections go. An address that is not set means that nobody knows one: then the server is not usable. One
 * thread sets, at any time and as often as it likes: it takes no memory, and readers do not wait. Who reads address and
 * name one after the other may get the name that came with a later address. */
struct addr server_address(const struct server *server);
bool        server_has_address(const struct server *server);
const char *server_host(const struct server *server, char out[SERVER_HOST_MAX]); /* out; "" where it has no name */
void        server_set_location(struct server *server, const struct addr *address, const char *host);
void        server_set_address(struct server *server, const struct addr *address); /* the name stays */

/* What it is for those who draw lots: the hash of its name, until it is given another text. */
uint64_t server_identity(const struct server *server);
void     server_set_identity(struct server *server, const char *text);

/* By an operator's word, or because it has no address: no new sessions, no checks. */
static inline bool server_is_in_maintenance(const struct server *server)
{
    return server_admin(server) == SERVER_MAINT || !server_has_address(server);
}

bool server_is_usable(const struct server *server);  /* may be tried: it has an address, too */
bool server_is_healthy(const struct server *server); /* may be tried, and is UP or UNCHECKED */

/* Sessions that hold or are getting a connection, and those of them that the broker has not answered yet. */
uint32_t server_in_flight(const struct server *server);
uint32_t server_pending(const struct server *server);
uint32_t server_max_pending(const struct server *server);
uint32_t server_most_in_flight(const struct server *server);               /* the peak */
void     server_forget_peak(struct server *server);                        /* it begins anew with what is there now */
void     server_note_most_in_flight(struct server *server, uint32_t most); /* the process before knows of so many */

/* One more in flight and pending, or false: the server is full of either. Then the broker answers, or never does. */
bool server_take_place(struct server *server) MUST_CHECK;
void server_adopt_place(struct server *server, bool pending); /* whatever the limits say: it has it already */
void server_answered(struct server *server);
void server_give_place(struct server *server, bool pending);
bool server_has_room(const struct server *server); /* server_take_place() would not have been in vain */

/* A session could not connect. The health checker asks for the number since it last asked. */
void     server_note_failure(struct server *server);
uint32_t server_take_failures(struct server *server);

#endif
