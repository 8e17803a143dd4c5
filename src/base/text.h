/* base/text.h: text that grows as it is written, for answers whose length nobody knows beforehand. */
#ifndef MQGATE_BASE_TEXT_H
#define MQGATE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/* All zero: empty. Out of memory is noted and then every call does nothing, so that a writer looks once, at the end. */
struct text {
    char  *at; /* ends with NUL once anything was written; owned */
    size_t len, cap;
    bool   failed;
};

void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_put(struct text *t, const char *bytes, size_t len);
void text_puts(struct text *t, const char *string);
void text_put_uint(struct text *t, uint64_t n); /* decimal */
/* Free text made fit to be part of a line: a control character or a byte that is no UTF-8 becomes '?'. */
void text_put_line_part(struct text *t, const char *string);
/* A JSON string, quotes included; a byte that is no UTF-8 becomes U+FFFD. */
void text_put_json(struct text *t, const char *string);
/* A span of time as HAProxy writes it: the two largest units, "2h3m", "0s". */
void text_put_age(struct text *t, uint64_t seconds);
/* Cuts it back to len bytes, at most what it has. */
void text_cut(struct text *t, size_t len);
/* The string, which free() takes, or NULL when memory ran out; t is empty after that. */
char *text_take(struct text *t) MUST_CHECK;
void  text_fini(struct text *t);

#endif
