/* daemon/child.h: another program run for its verdict: its exit status, and what it says. */
#ifndef MQGATE_DAEMON_CHILD_H
#define MQGATE_DAEMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum { CHILD_SAYS_MAX = 512 };

struct child {
    pid_t pid;
    int   fd;   /* readable once it has ended (pidfd_open(2)); -1: none runs */
    int   says; /* its standard output and error */
};

/* Runs path with argv and envp: signals as they are by default, standard input empty, no descriptor of ours but
 * `image`, which has this number there too; -1: none. 0, or -1 and *err. */
int child_start(struct child *c, const char *path, char *const argv[], char *const envp[], int image,
                struct err *err) MUST_CHECK;
/* Waits until it has ended, at most so long; then it is killed. */
void child_wait(struct child *c, int most_ms);
/* It has ended: true when with status 0, else *err says how. says: the end of what it said, on one line. */
bool child_end(struct child *c, char says[CHILD_SAYS_MAX], struct err *err) MUST_CHECK;
/* It is not wanted any more. */
void child_kill(struct child *c);

#endif
