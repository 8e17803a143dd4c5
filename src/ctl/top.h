/* ctl/top.h: "mqgatectl top". */
#ifndef MQGATE_CTL_TOP_H
#define MQGATE_CTL_TOP_H

#include "ctl/status.h"

/* argv: the words behind the command's own. Returns when the user quits, or, where standard input and output are not a
 * terminal, once it has printed one sample. */
enum ctl_status top_run(const char *socket, int argc, char **argv);

#endif
