/* daemon/store.h: the service manager's descriptor store (sd_notify(3), FDSTORE=1): what is put there stays open when
 * this process ends, and the next one gets it (sd_listen_fds(3)). Listening sockets are in it all the time, so that
 * they outlive a crash; connections and the image only between the two processes of a restart. */
#ifndef MQGATE_DAEMON_STORE_H
#define MQGATE_DAEMON_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Names in the store: short, as all of them together are one variable of the next process' environment, of at most
 * 128 KiB (execve(2), MAX_ARG_STRLEN). */
#define STORE_LISTENER   "l"
#define STORE_CONNECTION "c"
#define STORE_IMAGE      "i"

enum { STORE_MAX = 60000 }; /* descriptors that such names and the variable allow */

/* The manager has a store for this process, for so many descriptors; 0: it has none. It says so in FDSTORE, older ones
 * than systemd 254 by the unit's own word. */
size_t store_size(void);
/* 0 when they are on their way to the manager, or -1 and *err. The descriptors stay the caller's too. */
int store_put(const char *name, const int *fds, size_t n, struct err *err) MUST_CHECK;
/* Waits until the manager has all that was put; before this process ends. 0, or -1 and *err. */
int store_settle(struct err *err) MUST_CHECK;
/* Whatever has this name is taken out. */
void store_remove(const char *name);

struct stored {
    int  fd;
    char kind; /* the first letter of its name */
};

/* What the manager has passed to this process: *n of them, close-on-exec, the caller's, in memory to be freed. NULL:
 * nothing. */
struct stored *store_take(size_t *n);

#endif
