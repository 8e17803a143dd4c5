/* report/view.h: what statistics tell of. daemon/ fills it, and may change it between two turns of the main loop: every
 * answer is made from what stands here at that moment. */
#ifndef MQGATE_REPORT_VIEW_H
#define MQGATE_REPORT_VIEW_H

#include "dns/dns.h"
#include "engine/engine.h"
#include "health/checker.h"
#include "snapshot/snapshot.h"

struct history;

struct view {
    struct snapshot *snap;            /* the current one */
    struct health   *health;          /* of snap; NULL: nothing is told of checks */
    struct dns      *dns;             /* of snap; NULL: nothing is told of names */
    struct engine   *engine;          /* NULL before it is there */
    struct history  *history;         /* of the last minutes */
    struct row      *admin;           /* the frontend that HTTP requests of operators are counted in; NULL: none */
    uint32_t         admin_limit;     /* its connections at a time */
    struct log      *log;             /* the main thread's */
    uint64_t         started_mono_ms; /* clock_mono_ms() when the daemon began */
    uint64_t         started_wall_ms;
    uint32_t         boot_ms;         /* from then until it was ready */
    const char      *state;           /* "running" or "stopping" */
    uint32_t         max_connections; /* what the descriptor limit carries of the configured number */
    uint32_t         max_descriptors; /* the limit of open files */
    uint32_t         reloads;         /* that took effect */
    uint32_t         reloads_failed;
    uint64_t         reload_wall_ms; /* when the last one was tried; 0: never */
    bool             reload_failed;  /* and that it came to nothing */
    bool             accepting;      /* the listeners take new clients; health is 503 when they do not */
};

/* What the health endpoint says. */
bool view_is_healthy(const struct view *view);

#endif
