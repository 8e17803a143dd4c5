/* tls/reason.h: OpenSSL's error queue as one short text. The queue belongs to the thread, not to a connection: it is
 * emptied here, so that what one call left behind never explains another's failure. */
#ifndef MQGATE_TLS_REASON_H
#define MQGATE_TLS_REASON_H

#include <stdbool.h>

#include "base/err.h"

/* What the queue says, best entry first: static text, never NULL. *no_memory: the cause is an allocation that failed.
 * The queue is empty afterwards. */
const char *reason_take(bool *no_memory);

/* As err_set(), and ": " and reason_take() behind it. */
void err_openssl(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
