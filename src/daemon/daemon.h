/* daemon/daemon.h: the process: from a configuration file to running workers, and back to nothing. */
#ifndef MQGATE_DAEMON_DAEMON_H
#define MQGATE_DAEMON_DAEMON_H

/* Exit statuses of mqgate(8). */
enum { EXIT_OK = 0, EXIT_BAD_CONFIG = 1, EXIT_BAD_USAGE = 2, EXIT_NOT_STARTED = 3 };

/* argc, argv as main() got them; the exit status. */
int daemon_run(int argc, char **argv);

#endif
