/* conf/servers.h: from the servers of a backend as they are written to those that it has: an SRV record stands for
 * several. Private to conf/. */
#ifndef MQGATE_CONF_SERVERS_H
#define MQGATE_CONF_SERVERS_H

#include "base/arena.h"
#include "base/macros.h"
#include "conf/model.h"

#define SERVERS_SRV_PREFIX "srv:"

/* Rules of a backend whose own options are good. */
bool servers_fit(const void *backend);        /* with all slots they are at most CONF_SERVERS_MAX */
bool servers_have_names(const void *backend); /* no slot has the name of another server, or too long a one */

/* Fills servers from written. False when memory is out. */
bool servers_expand(struct conf_backend *backend, struct arena *arena) MUST_CHECK;

#endif
