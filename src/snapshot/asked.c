#include "snapshot/asked.h"

struct snap_server *snapshot_asked_server(const struct snapshot *snap, struct command_call *call, size_t at,
                                          struct snap_backend **backend)
{
    const char *b, *s;
    if (at >= call->argc || !command_split(call->argv[at], &b, &s)) {
        (void)command_fail(call, "Require 'backend/server'.");
        return NULL;
    }
    *backend = snapshot_find_backend(snap, b);
    if (*backend == NULL) {
        (void)command_fail(call, "No such backend.");
        return NULL;
    }
    struct snap_server *server = snap_backend_find_server(*backend, s);
    if (server == NULL)
        (void)command_fail(call, "No such server.");
    return server;
}
