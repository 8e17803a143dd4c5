/* base/err.h: why a call made at start or at reload failed, in words for the operator.
 * The callee fills it, the caller adds context and logs. At run time an enumerated cause is used instead. */
#ifndef MQGATE_BASE_ERR_H
#define MQGATE_BASE_ERR_H

#include "base/macros.h"

struct err {
    char text[512]; /* "" until filled; cut when longer */
};

/* err may be NULL: then nothing is kept. */
void err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* As err_set(), and ": " and the system's text for errnum behind it. */
void err_system(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before what err holds. */
void err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
