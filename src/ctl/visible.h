/* ctl/visible.h: text from elsewhere made fit for a terminal: characters that the locale knows and that fill columns,
 * and nothing that could steer the terminal or turn a line around. What setlocale(3) chose decides. */
#ifndef MQGATE_CTL_VISIBLE_H
#define MQGATE_CTL_VISIBLE_H

#include "base/slice.h"
#include "base/text.h"

/* Appends it, '?' in the place of what is not fit. Returns the columns that it fills. */
size_t visible_put(struct text *out, struct slice text);
/* Bytes of the characters at the beginning of what visible_put() wrote that fill at most max columns; *cols: theirs. */
size_t visible_cut(struct slice visible, size_t max, size_t *cols);

#endif
