/* admin/httpd.h: the admin endpoints over HTTP, served by the main thread's loop: health for load balancers, statistics
 * for operators. Nothing here waits; passwords are checked in a thread of their own. */
#ifndef MQGATE_ADMIN_HTTPD_H
#define MQGATE_ADMIN_HTTPD_H

#include <ev.h>

#include "base/err.h"
#include "base/log.h"
#include "report/view.h"

enum {
    ADMIN_CONNECTIONS_MAX = 128, /* at once; further ones wait in the backlog */
    ADMIN_ADOPTED_MAX = 96,      /* of these, by admin_adopt(): anybody may come that way, and must not fill all */
    ADMIN_REQUEST_MS = 10000,    /* a connection is cut when a request, or the answer to it, takes longer */
    ADMIN_BODY_MAX = 65536       /* bytes of a request; past it the connection is ended */
};

struct admin;

/* Takes over listen_fd, a listening, non-blocking TCP socket; -1: connections come by admin_adopt() alone. loop, view
 * and log must outlive the result. NULL and *err on failure: then listen_fd is still the caller's. */
struct admin *admin_open(struct ev_loop *loop, int listen_fd, const struct view *view, struct log *log,
                         struct err *err);
/* Listens there from now on; the old socket is closed, its connections stay. -1: nowhere. */
void admin_listen(struct admin *admin, int listen_fd);
/* Where it listens; stays the admin's. -1: nowhere. */
int admin_descriptor(const struct admin *admin);
/* Takes over fd, a non-blocking connection that nothing has been read of. When no place is left for it, whoever has
 * been idle, or slow with a request, for longest makes way. health_only: the rest is answered 403. */
void admin_adopt(struct admin *admin, int fd, const struct addr *peer, bool health_only);
/* Cuts all connections and closes the socket. Waits for a password hash that is being worked out. NULL is fine. */
void admin_close(struct admin *admin);

const char *admin_library_version(void); /* of libmicrohttpd */

#endif
