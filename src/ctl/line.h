/* ctl/line.h: a command as the control socket reads it: one line. */
#ifndef MQGATE_CTL_LINE_H
#define MQGATE_CTL_LINE_H

#include "base/err.h"
#include "base/text.h"

enum { LINE_LEN_MAX = 16000 }; /* bytes, the line end not among them: what the socket takes in one piece */

/* Appends the words so that each arrives as one word, whatever is in it. An only word is a whole command already, such
 * as "show stat; show info". False, *err filled: a word is empty, there is a line end in it, or the line is too long.
 */
bool line_join(struct text *line, char **words, int n, struct err *err) MUST_CHECK;

#endif
