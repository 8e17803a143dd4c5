/* conf/words.h: a sentence put together in a buffer of fixed size; what does not fit is cut. */
#ifndef MQGATE_CONF_WORDS_H
#define MQGATE_CONF_WORDS_H

#include <stddef.h>

#include "base/macros.h"

enum { WORDS_MAX = 1024 }; /* bytes, NUL included */

struct words {
    size_t len;
    char   text[WORDS_MAX]; /* always ends with NUL */
};

void words_add(struct words *words, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* text in double quotes, with what a terminal must not see escaped, and cut to a length that a line bears. */
void words_quote(struct words *words, const char *text);

/* How many letters must be put in, taken out or changed to make one word of the other; all above WORDS_NEAR is the
 * same, and so is what would leave little of a short word. */
enum { WORDS_NEAR = 2 };
unsigned words_distance(const char *a, const char *b);

#endif
