/* base/tcplog.h: lines as HAProxy writes them, byte for byte: option tcplog, and what stands in its place for
 * connections that became no session. Pure.
 *
 * Each call writes a line without line end and returns its length in bytes, at most LOG_LINE_MAX - 1. Times of day are
 * milliseconds since 1970 UTC, shown in local time. Addresses are shown without brackets, as HAProxy does. */
#ifndef MQGATE_BASE_TCPLOG_H
#define MQGATE_BASE_TCPLOG_H

#include "base/log.h"

enum { TCPLOG_NOT_REACHED = -1 };

struct tcplog {
    const struct addr *client;
    uint64_t           accepted_ms; /* time of day */
    const char        *frontend;
    bool               tls; /* with the client */
    const char        *backend;
    const char        *server;      /* NULL: none */
    int64_t            wait_ms;     /* until a server was chosen, or the wait for one ended; or not reached */
    int64_t            connect_ms;  /* then, until it was connected; or not reached */
    uint64_t           total_ms;    /* from accept to the end */
    uint64_t           bytes;       /* from the server to the client */
    const char        *termination; /* two letters */
    /* Now. HAProxy counts the session itself in the first two, and no longer in the others. */
    uint32_t process_sessions, frontend_sessions, backend_sessions, server_sessions;
    uint32_t retries;
    bool     redispatched;  /* a retry went to another server */
    uint32_t backend_queue; /* its place in the queue when it joined, from 1; 0: it never waited */
};

size_t tcplog_session(char out[LOG_LINE_MAX], const struct tcplog *t);
/* A connection that failed before it was a session. bind: which of the frontend's addresses, from 1. */
size_t tcplog_failure(char out[LOG_LINE_MAX], const struct addr *client, uint64_t accepted_ms, const char *frontend,
                      unsigned bind, const char *what);
/* A session that begins: HAProxy's line where no option tcplog is set. */
size_t tcplog_connect(char out[LOG_LINE_MAX], const struct addr *client, const struct addr *to, const char *frontend);

/* Of a frontend or backend as a whole. n: connections while it lived, as a frontend and as a backend. */
size_t tcplog_started(char out[LOG_LINE_MAX], const char *proxy);
size_t tcplog_stopped(char out[LOG_LINE_MAX], const char *proxy, uint64_t n_frontend, uint64_t n_backend);
/* By an operator, for a while. */
size_t tcplog_paused(char out[LOG_LINE_MAX], const char *frontend);
size_t tcplog_resumed(char out[LOG_LINE_MAX], const char *frontend);
size_t tcplog_no_server(char out[LOG_LINE_MAX], const char *backend);

#endif
