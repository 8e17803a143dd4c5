/* ctl/answer.h: what comes back for "set severity-output number; COMMAND": an empty line for the first, then the
 * answers, each with an empty line behind it. A message begins with "[N]: ", N as syslog numbers severities. */
#ifndef MQGATE_CTL_ANSWER_H
#define MQGATE_CTL_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { ANSWER_HEAD_MAX = 20 }; /* bytes: "[3]: Unknown command" */

struct answer {
    FILE    *out, *errors; /* messages that tell of a failure go to errors, everything else to out; borrowed */
    FILE    *to;           /* where the present answer goes; NULL until its head is there */
    char     head[ANSWER_HEAD_MAX];
    size_t   n_head;
    uint64_t blank_lines; /* read and not yet written: those at the very end never are */
    bool     began;       /* the empty answer to "set severity-output" has been read */
    bool     line_begins; /* the next byte is the first of a line */
    bool     printed, failed;
};

void answer_init(struct answer *answer, FILE *out, FILE *errors);
/* Writes what can be told already. */
void answer_feed(struct answer *answer, const char *bytes, size_t len);
/* The rest. True when no command failed. */
bool answer_end(struct answer *answer);

#endif
