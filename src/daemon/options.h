/* daemon/options.h: the command line of mqgate(8). */
#ifndef MQGATE_DAEMON_OPTIONS_H
#define MQGATE_DAEMON_OPTIONS_H

#include <stdio.h>

enum action {
    ACTION_RUN,
    ACTION_CHECK,        /* -c */
    ACTION_PRINT_CONFIG, /* --print-config */
    ACTION_VERSION,      /* -v */
    ACTION_LIBRARIES,    /* -vv */
    ACTION_HELP,
    ACTION_BAD_USAGE /* said on standard error what is wrong */
};

struct options {
    enum action action;
    const char *file; /* from argv, or the default */
};

struct options options_parse(int argc, char **argv);
void           options_usage(FILE *to);

#endif
