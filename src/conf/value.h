/* conf/value.h: one value between its text and its place in the model, as its option says. Private to conf/. */
#ifndef MQGATE_CONF_VALUE_H
#define MQGATE_CONF_VALUE_H

#include <stdio.h>

#include "base/arena.h"
#include "conf/table.h"
#include "conf/words.h"

/* OPTION_ADDRESSES, OPTION_NETWORKS, OPTION_STRINGS. */
bool value_is_array(enum option_type type);
/* Bytes of one element of an array, or of a value that is none. */
size_t value_size(enum option_type type);

/* text is what a file says, without quotes: one element of an array, or the value. Stored at `at` when good; strings go
 * into the arena. An OPTION_REF is stored as the name's string: whoever knows all names puts the pointer there. */
enum value_result value_parse(const struct option *option, const char *text, struct arena *arena, void *at) MUST_CHECK;
/* The default, as if it were written; a vector for arrays. Not for required options, groups and lists. */
enum value_result value_default(const struct option *option, struct arena *arena, void *at) MUST_CHECK;

/* The reverse of value_parse, as a file says it, quotes included and escaped for libconfig. */
void value_print(const struct option *option, const void *at, FILE *to);

/* Adds what the option may be, as a phrase: `a duration from "1ms" to "720h", ...`. */
void value_allowed(const struct option *option, struct words *words);
/* The same of one element of an array or a list. */
void value_element_allowed(const struct option *option, struct words *words);

#endif
