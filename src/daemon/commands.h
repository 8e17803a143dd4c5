/* daemon/commands.h: what the control socket offers that is about the process and no room's own. */
#ifndef MQGATE_DAEMON_COMMANDS_H
#define MQGATE_DAEMON_COMMANDS_H

#include "base/command.h"
#include "control/control.h"

extern const struct command   daemon_commands[];
extern const struct command   daemon_log_commands[]; /* the owner is the main struct log, which keeps events */
extern const struct condition daemon_conditions[];   /* the owner is a struct snapshot **: the current one */

#endif
