/* daemon/version.h: what mqgate -v and -vv say, and the command "show version". */
#ifndef MQGATE_DAEMON_VERSION_H
#define MQGATE_DAEMON_VERSION_H

#include <stdbool.h>

#include "base/text.h"

/* To standard output. */
void version_print(bool with_libraries);
/* A line for each library. */
void version_put_libraries(struct text *out);

#endif
