/* base/command.h: a command of the operator's line protocol, as the room that owns the thing offers it. control/ reads
 * lines, finds the command and calls it; what it says and does is its room's business. */
#ifndef MQGATE_BASE_COMMAND_H
#define MQGATE_BASE_COMMAND_H

#include <stdint.h>

#include "base/text.h"

/* HAProxy's: user sees figures; operator also sees who the clients are, and clears counters; admin changes things. */
enum command_level { COMMAND_USER, COMMAND_OPERATOR, COMMAND_ADMIN };

extern const char *const command_level_names[]; /* "user", "operator", "admin" */

/* Of an answer that is a message and not a dump, as syslog numbers them. */
enum command_severity { SEVERITY_NONE = 0, SEVERITY_ERROR = 3, SEVERITY_WARNING = 4, SEVERITY_INFO = 6 };

enum { COMMAND_ARGS_MAX = 64 };

struct command_call {
    char                **argv; /* the words behind the command's own, argc of them; NULL behind the last */
    size_t                argc;
    enum command_level    level; /* of who asks, at least the command's */
    struct text           out;   /* the answer: whole lines, none of them empty; nothing at all means: done */
    enum command_severity severity;
    /* Of a command that answers later: */
    void (*finish)(struct command_call *call); /* to be called once, in the main thread, and call is not touched then */
    void (*cancel)(struct command_call *call); /* set by the command: whoever asked has gone; call ends with it */
    void *state;                               /* the command's own */
};

enum command_outcome {
    COMMAND_DONE,
    COMMAND_PENDING /* call->cancel is set; call->finish() is going to be called */
};

struct command {
    const char        *words; /* "show stat"; NULL ends a table */
    const char        *args;  /* "[<proxy> <type> <sid>] [typed|json]" for help; "" */
    const char        *help;  /* a line that fits behind the two */
    enum command_level level;
    enum command_outcome (*run)(void *owner, struct command_call *call);
};

/* The message as the whole answer. */
void command_say(struct command_call *call, enum command_severity severity, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same as an error; COMMAND_DONE. */
enum command_outcome command_fail(struct command_call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* argv[i], or "" when there are fewer. */
const char *command_arg(const struct command_call *call, size_t i);
/* A whole number in decimal, at most most; false for anything else. */
bool command_number(const char *text, uint64_t most, uint64_t *out) MUST_CHECK;
/* Splits "backend/server" in place at the first slash; false, and nothing done, when there is none. */
bool command_split(char *text, const char **left, const char **right) MUST_CHECK;

#endif
