/* daemon/process.h: the running daemon. */
#ifndef MQGATE_DAEMON_PROCESS_H
#define MQGATE_DAEMON_PROCESS_H

#include "conf/model.h"

struct carried;
struct start;

/* Takes conf over, and carried, which may be NULL. Runs until a signal asks it to stop; returns the exit status, having
 * said what went wrong. */
int process_run(struct conf *conf, const struct start *start, struct carried *carried);

#endif
