/* daemon/privileges.h: less power than the process was started with. */
#ifndef MQGATE_DAEMON_PRIVILEGES_H
#define MQGATE_DAEMON_PRIVILEGES_H

#include "base/err.h"

/* No core file with key material, no debugger of the same user, no new privileges through exec. Then the user and the
 * group, each "" to stay who we are; a user alone brings its own groups. Call it before any thread runs. 0, or -1 and
 * *err. */
int privileges_drop(const char *user, const char *group, struct err *err) MUST_CHECK;
/* Once keys are wiped: a leak checker may look at what is left. */
void privileges_allow_inspection(void);

#endif
