/* net/listener.h: bound, listening TCP sockets, and what comes out of them. */
#ifndef MQGATE_NET_LISTENER_H
#define MQGATE_NET_LISTENER_H

#include "base/addr.h"
#include "base/err.h"

/* n sockets that share one address (SO_REUSEPORT), the kernel spreading connections over them. Port 0: the kernel
 * chooses one port for all. An address that anybody else listens on, another mqgate too, is an error. beside: but
 * for this process, which listens already on an address that overlaps. backlog is in connections, for each socket. 0
 * and fds[0..n) filled; or -1, *err filled and nothing left open. */
int listener_open(const struct addr *at, bool beside, int backlog, int *fds, unsigned n, struct err *err) MUST_CHECK;

/* The next connection, non-blocking and close-on-exec, and who it is from. -1 with errno: EAGAIN when none waits;
 * EMFILE, ENFILE, ENOBUFS, ENOMEM when this process or the system has no room; anything else when fd is unfit or
 * the system forbids it. A connection that died in the queue is passed over. */
int listener_accept(int fd, struct addr *peer) MUST_CHECK;

#endif
