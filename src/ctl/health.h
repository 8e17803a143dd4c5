/* ctl/health.h: "mqgatectl check-health". */
#ifndef MQGATE_CTL_HEALTH_H
#define MQGATE_CTL_HEALTH_H

#include "ctl/status.h"

/* argv: the words behind the command's own. */
enum ctl_status health_run(int argc, char **argv);

#endif
