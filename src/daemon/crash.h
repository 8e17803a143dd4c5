/* daemon/crash.h: what is said when the process dies of a fault of its own. */
#ifndef MQGATE_DAEMON_CRASH_H
#define MQGATE_DAEMON_CRASH_H

#include "base/events.h"

/* From here on a fatal signal in any thread is told on standard error before it takes its course: in which thread,
 * where, and the last events before it. A sanitizer that waits for such signals goes on to get them. NULL: there are no
 * events (any more). */
void crash_watch(const struct events *events);

#endif
