/* control/line.h: lines of HAProxy's runtime protocol, taken apart in place. Pure functions. Private to control/.
 *
 * A line ends with LF, before which a CR is left out; it holds commands with ';' between them; these hold words with
 * blanks and tabs between them. A backslash makes the byte behind it, whichever it is, part of a word. */
#ifndef MQGATE_CONTROL_LINE_H
#define MQGATE_CONTROL_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

/* How far a line that has not ended yet was looked at. All zero: not at all. */
struct line_scan {
    size_t at;
    bool   escaped;
};

/* Where in bytes[0..len) the LF stands that ends the line; len when it is not there yet. The same bytes, and more, are
 * to be given with the same scan. */
size_t line_find_end(const char *bytes, size_t len, struct line_scan *scan);

/* What is left of a whole line. */
struct line {
    char *at;  /* the next command; NULL: none */
    char *end; /* where the LF was */
};

/* len bytes, and the LF behind them, which becomes NUL. */
struct line line_begin(char *bytes, size_t len);
/* The next command, up to the NUL that now ends it; "" where nothing stands. NULL when there are no more. */
char *line_next(struct line *line);
/* Splits a command into words, NULL behind the last. Returns their number, or most + 1 when there are more than most,
 * the size of words being most + 1. */
size_t line_split(char *command, char **words, size_t most);

#endif
