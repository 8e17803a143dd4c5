/* report/commands.h: runtime commands that only show, and the one that clears. */
#ifndef MQGATE_REPORT_COMMANDS_H
#define MQGATE_REPORT_COMMANDS_H

#include "base/command.h"
#include "report/view.h"

/* Their owner is the struct view. */
extern const struct command report_commands[];

#endif
