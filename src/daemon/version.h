/* daemon/version.h: what mqgate -v and -vv say. */
#ifndef MQGATE_DAEMON_VERSION_H
#define MQGATE_DAEMON_VERSION_H

#include <stdbool.h>

/* To standard output. */
void version_print(bool with_libraries);

#endif
