/* daemon/upgrade.h: another binary takes this one's place in the same process (execve(2)), with all sessions. */
#ifndef MQGATE_DAEMON_UPGRADE_H
#define MQGATE_DAEMON_UPGRADE_H

#include <limits.h>

#include "daemon/parts.h"

/* How this process was started, for whoever comes after it. */
struct start {
    char **argv;
    char   path[2 * PATH_MAX]; /* absolute, as it was started by: where a link points may change */
};

void start_note(struct start *start, char **argv);

void upgrade_by_signal(struct process *p);
/* The sessions wait in the service manager's store for the process that it starts next, and this one ends. False: there
 * is no such store. */
bool upgrade_to_store(struct process *p) MUST_CHECK;
/* The process ends. */
void upgrade_abandon(struct process *p);
/* The new process runs: whoever waits is answered, and the log has it. */
void upgrade_done(struct process *p, struct carried *carried);

/* Their owner is the process. */
extern const struct command upgrade_commands[];

#endif
