/* snapshot/asked.h: what an operator's command names. */
#ifndef MQGATE_SNAPSHOT_ASKED_H
#define MQGATE_SNAPSHOT_ASKED_H

#include "base/command.h"
#include "snapshot/snapshot.h"

/* The server that the at-th word of the call names as "backend/server", which is split in place, and its backend. NULL:
 * there is none, and the call has the answer. */
struct snap_server *snapshot_asked_server(const struct snapshot *snap, struct command_call *call, size_t at,
                                          struct snap_backend **backend);

#endif
