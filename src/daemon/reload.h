/* daemon/reload.h: another configuration without another process. Everything that may fail is done first; then it is in
 * force, and no session has noticed. Main thread. */
#ifndef MQGATE_DAEMON_RELOAD_H
#define MQGATE_DAEMON_RELOAD_H

#include "base/command.h"

struct process;

/* The file is read again. */
void reload_by_signal(struct process *p);
/* Only the files that it names are. */
void reload_files(struct process *p);
/* Every worker has gone over to it. */
void reload_done(struct process *p);
/* The process ends: whoever waits for the answer gets none. */
void reload_abandon(struct process *p);

/* "reload"; the owner is the struct process. */
extern const struct command reload_commands[];

#endif
