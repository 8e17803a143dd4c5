/* engine/engine.h: the workers: threads that accept, relay and close. All calls from the main thread but
 * engine_open_sessions(). */
#ifndef MQGATE_ENGINE_ENGINE_H
#define MQGATE_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/log.h"
#include "snapshot/snapshot.h"

struct engine;

struct engine_settings {
    uint32_t             max_connections; /* of clients, all listeners; past it accepting pauses */
    struct log_settings *log;
    struct log_ring    **log_rings; /* one a worker; the caller's; lines of worker i go to log_rings[i] */
    /* Called in a worker's thread when a server could not be reached; must only wake somebody up. */
    void (*server_failed)(void *user);
    void *user;
};

/* Opens every listening socket of the snapshot, one for each worker. Nothing is accepted yet. The settings' pointers
 * must outlive the engine. NULL and *err on failure. Takes a reference of snap. */
struct engine *engine_open(struct snapshot *snap, const struct engine_settings *settings, struct err *err);
/* Starts the threads. 0, or -1 and *err; then no thread runs. */
int engine_start(struct engine *engine, struct err *err) MUST_CHECK;
/* Closes listeners and sessions, ends the threads and waits for them. */
void engine_stop(struct engine *engine);
/* Stopped, or never started. NULL is fine. */
void engine_free(struct engine *engine);

/* A server went up or down: sessions that wait for one look again. */
void engine_servers_changed(struct engine *engine);

/* Client connections now. */
uint32_t engine_open_sessions(const struct engine *engine);
/* Where the n-th address of a listener really listens (port 0 is settled). */
struct addr engine_bound(const struct engine *engine, size_t listener, size_t n);
/* Sockets that the engine listens on: part of the descriptor arithmetic. */
size_t engine_listening_sockets(const struct snapshot *snap);

#endif
