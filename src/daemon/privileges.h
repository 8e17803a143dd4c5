/* daemon/privileges.h: less power than the process was started with. */
#ifndef MQGATE_DAEMON_PRIVILEGES_H
#define MQGATE_DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Who the process is to become. */
struct privileges {
    const char *user; /* "": none of its own */
    uid_t       uid;
    gid_t       gid;
};

/* The user and the group, each "" to stay who we are; a user alone brings its own group. user stays the caller's. 0, or
 * -1 and *err. */
int privileges_find(struct privileges *privileges, const char *user, const char *group, struct err *err) MUST_CHECK;
/* This process may become that user, or is it. False, and *err. */
bool privileges_allow(const char *user, const char *group, struct err *err) MUST_CHECK;
/* Becomes that user. No core file with key material, no debugger of the same user, no new privileges through exec.
 * Call it before any thread runs. 0, or -1 and *err. */
int privileges_drop(const struct privileges *privileges, struct err *err) MUST_CHECK;
/* Once keys are wiped: a leak checker may look at what is left. */
void privileges_allow_inspection(void);

#endif
