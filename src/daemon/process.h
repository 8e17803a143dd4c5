/* daemon/process.h: the running daemon. */
#ifndef MQGATE_DAEMON_PROCESS_H
#define MQGATE_DAEMON_PROCESS_H

#include "conf/model.h"

/* Takes conf over. Runs until a signal asks it to stop; returns the exit status, having said what went wrong. */
int process_run(struct conf *conf);

#endif
