/* daemon/proxies.h: what HAProxy's log says of its proxies as a whole: one line for each listener and each backend. */
#ifndef MQGATE_DAEMON_PROXIES_H
#define MQGATE_DAEMON_PROXIES_H

#include "base/log.h"
#include "snapshot/snapshot.h"

/* Both write only where the log has HAProxy's texts; in other formats the events "ready" and "stopping" say it. */
void proxies_log_started(struct log *log, const struct snapshot *snap);
/* Once the workers have ended. */
void proxies_log_stopped(struct log *log, const struct snapshot *snap);

#endif
