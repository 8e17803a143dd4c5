/* tests/support/guarded.h: bytes that end at an unreadable page, so that a parser that reads one too many dies. */
#ifndef MQGATE_TESTS_GUARDED_H
#define MQGATE_TESTS_GUARDED_H

#include "base/slice.h"

/* A copy of bytes whose last byte is the last of a page; the next page faults. Free with guarded_free(). */
struct slice guarded_copy(struct slice bytes);
void         guarded_free(struct slice copy);

#endif
