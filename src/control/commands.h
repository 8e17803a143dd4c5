/* control/commands.h: the tables of commands that rooms have registered: finding one, and telling of them. Private to
 * control/. */
#ifndef MQGATE_CONTROL_COMMANDS_H
#define MQGATE_CONTROL_COMMANDS_H

#include "base/command.h"

enum { COMMAND_TABLES_MAX = 16 };

struct commands {
    struct {
        const struct command *table;
        void                 *owner;
    } tables[COMMAND_TABLES_MAX];
    size_t n;
};

/* A table that is there already gets another owner. */
void commands_add(struct commands *commands, const struct command *table, void *owner);

/* The command whose words are the most of the first of words, which end with NULL; *n is how many, *owner whose. NULL
 * when there is none. */
const struct command *commands_find(const struct commands *commands, char *const *words, size_t *n, void **owner);

/* "help": those of the level that words, which may be none, could mean. */
void commands_help(const struct commands *commands, enum command_level level, char *const *words, struct text *out);
/* What is said to words that are no command; none at all are answered with everything there is. */
void commands_unknown(const struct commands *commands, enum command_level level, char *const *words, struct text *out);

#endif
