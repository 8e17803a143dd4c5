/* health/announce.h: tells the log that a server or a backend went up or down. */
#ifndef MQGATE_HEALTH_ANNOUNCE_H
#define MQGATE_HEALTH_ANNOUNCE_H

#include "base/log.h"
#include "health/probe.h"
#include "snapshot/snapshot.h"

/* server is one of backend's and has its new state already; last is what its state was changed for, NULL: an operator's
 * word. */
void announce_server(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                     const struct probe_result *last);
/* An operator took it out, or put it back; it is so already. Only where the log has HAProxy's texts. */
void announce_admin(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                    enum server_admin was);
/* Its address has changed, or is there, or is gone; was: the one before. by: who did it. */
void announce_address(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                      const struct addr *was, const char *by);
/* As a whole: it has a server that is up, or it has none left. */
void announce_backend(struct log *log, const char *name, bool up);

#endif
