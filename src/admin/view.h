/* admin/view.h: what the admin endpoints tell of. daemon/ fills it, and may change it between two turns of the main
 * loop: every answer is made from what stands here at that moment. */
#ifndef MQGATE_ADMIN_VIEW_H
#define MQGATE_ADMIN_VIEW_H

#include "health/checker.h"
#include "snapshot/snapshot.h"

struct admin_view {
    const struct snapshot *snap;            /* the current one */
    const struct health   *health;          /* of snap; NULL: nothing is told of checks */
    uint64_t               started_mono_ms; /* clock_mono_ms() when the daemon began */
    const char            *state;           /* "running" or "stopping" */
    uint32_t               max_connections; /* in force: what the descriptor limit carries of the configured number */
    bool                   accepting;       /* the listeners take new clients; health is 503 when they do not */
};

/* What the health endpoint says. */
bool admin_view_is_healthy(const struct admin_view *view);

#endif
