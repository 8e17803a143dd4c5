/* ctl/import_words.h: one line of an HAProxy configuration as words. Pure.
 *
 * Words come out as mqgate writes strings: a variable of the environment is ${NAME} or ${NAME:-default}, and a ${ that
 * is just that is $${. */
#ifndef MQGATE_CTL_IMPORT_WORDS_H
#define MQGATE_CTL_IMPORT_WORDS_H

#include "ctl/import_memory.h"

/* line ends with NUL and has no newline. NULL, or what is wrong with it; then there are no words. A comment alone, and
 * an empty line, have no words either. */
const char *import_words(struct arena *arena, const char *line, struct strings *words);
/* HAProxy looks for variables in addresses outside of quotes too: the same word with $${NAME} and $NAME taken for
 * variables. */
const char *import_address_word(struct arena *arena, const char *word);
bool        import_has_variable(const char *word);

#endif
