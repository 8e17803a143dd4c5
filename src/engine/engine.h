/* engine/engine.h: the workers: threads that accept, relay and close. All calls from the main thread but
 * reading gauges. */
#ifndef MQGATE_ENGINE_ENGINE_H
#define MQGATE_ENGINE_ENGINE_H

#include <ev.h>

#include "base/command.h"
#include "base/err.h"
#include "base/log.h"
#include "snapshot/snapshot.h"

struct engine;
struct engine_change;
struct engine_socket;

/* What the rate limits of the process are for, as `set rate-limit` names them. */
enum engine_rate { ENGINE_CONNECTIONS, ENGINE_SESSIONS, ENGINE_SSL_SESSIONS, ENGINE_RATES };

struct engine_settings {
    struct ev_loop       *loop; /* the main thread's, and its log */
    struct log           *main_log;
    uint32_t              max_connections; /* of clients, all listeners; past it accepting pauses */
    struct log_settings  *log;
    struct log_ring     **log_rings; /* one a worker; the caller's; lines of worker i go to log_rings[i] */
    struct engine_socket *sockets;   /* of the process before this one, engine/carry.h; those that fit are taken */
    size_t                n_sockets;
    /* Called in a worker's thread when a server could not be reached; must only wake somebody up. */
    void (*server_failed)(void *user);
    /* Called in the main thread for each connection that a listener with admin found to be plain HTTP: fd, of which
     * nothing has been read, is taken over. health_only: nothing but health is to be told to it. */
    void (*plain_http)(void *user, int fd, const struct addr *peer, bool health_only);
    /* Called in the main thread when every worker has gone over to what engine_commit() brought. */
    void (*changed)(void *user);
    void *user;
};

/* Opens every listening socket of the snapshot, one for each worker. Nothing is accepted yet. The settings' pointers
 * must outlive the engine. NULL and *err on failure. Takes a reference of snap. */
struct engine *engine_open(struct snapshot *snap, const struct engine_settings *settings, struct err *err);
/* Starts the threads that do not run. 0, or -1 and *err: some may run; it may be called again for the others. */
int engine_start(struct engine *engine, struct err *err) MUST_CHECK;
/* Closes listeners and sessions, ends the threads and waits for them. */
void engine_stop(struct engine *engine);
/* Stopped, or never started. NULL is fine. */
void engine_free(struct engine *engine);

/* Another snapshot, made with the one in force before it: what is to listen is opened, and everything else that may
 * fail is done; nothing changes yet. An address that stays keeps its sockets and those who wait in their queues,
 * whatever listener has it. NULL and *err on failure. */
struct engine_change *engine_prepare(struct engine *engine, struct snapshot *snap, struct err *err);
void                  engine_discard(struct engine_change *change); /* NULL is fine */
/* Cannot fail. New sessions begin with the new snapshot as soon as settings.changed() is called; the others go on with
 * the one that they began with. Sockets that are not needed any more are closed once their queues are empty. */
void engine_commit(struct engine_change *change);
/* settings.changed() has not been called yet: no other change may be committed. */
bool engine_is_changing(const struct engine *engine);

/* A server went up or down: sessions that wait for one look again. */
void engine_servers_changed(struct engine *engine);

/* Client connections now, and their peak. */
struct gauge *engine_open_sessions(struct engine *engine);
/* In force; it may be set to what settings said, and below. */
uint32_t engine_max_connections(const struct engine *engine);
void     engine_set_max_connections(struct engine *engine, uint32_t most);      /* what settings would say now */
uint32_t engine_rate_limit(const struct engine *engine, enum engine_rate rate); /* a second; 0: none */

/* No listener takes clients any more, those in the kernel's queues excepted; or all that an operator left open do
 * again. One with admin goes on with HTTP. */
void engine_close_listeners(struct engine *engine, bool closed);

/* Which sessions are to go, and how fast. */
struct engine_shed {
    bool        drains;           /* all of them, also what still begins; n is UINT32_MAX */
    uint32_t    rate;             /* a second, evenly spread over it; 0: all at once */
    uint32_t    n;                /* at most so many; 0: none */
    const char *backend, *server; /* only those of this server; "": of any */
};

/* Asks sessions to go, in the words of their protocol, idle ones first; in place of what it was asked before. */
void engine_shed(struct engine *engine, const struct engine_shed *what);
/* There is still somebody to be asked, as far as known. */
bool engine_sheds(const struct engine *engine);

/* What is left of what the engine was asked; n is 0 when that is nothing. The texts are the engine's. */
void engine_shed_rest(const struct engine *engine, struct engine_shed *out);

struct engine_shed_figures {
    uint32_t n;     /* at most so many were to be asked */
    uint32_t left;  /* at most so many are still to be asked; UINT32_MAX: all that there are */
    uint32_t going; /* have been asked, and are not over */
    uint32_t rate;  /* a second; 0: all at once */
    uint32_t asked_a_second;
};

struct engine_shed_figures engine_shed_figures(struct engine *engine, uint64_t now_ms);

/* Ends the sessions that a server carries. */
void engine_shutdown_server(struct engine *engine, const char *backend, const char *server);

/* Runtime commands about sessions and listeners; their owner is the engine. */
extern const struct command engine_commands[];
/* Where the n-th address of a listener really listens (port 0 is settled). */
struct addr engine_bound(const struct engine *engine, size_t listener, size_t n);
/* Descriptors that are neither sessions' nor loops': listening sockets, and connections to listeners with admin that
 * are no sessions. Part of the descriptor arithmetic. */
size_t engine_fixed_descriptors(const struct snapshot *snap);

#endif
