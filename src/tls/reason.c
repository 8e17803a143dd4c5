#include "tls/reason.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

/* libssl's own entry says what went wrong in terms of TLS; those of libcrypto before it say which helper noticed. */
static bool is_better(unsigned long than, unsigned long code)
{
    return than == 0 || (ERR_GET_LIB(than) != ERR_LIB_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL);
}

const char *reason_take(bool *no_memory)
{
    unsigned long best = 0;
    *no_memory = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            *no_memory = true;
        if (is_better(best, code))
            best = code;
    }
    if (*no_memory)
        return "out of memory";
    const char *text = best == 0 ? NULL : ERR_reason_error_string(best);
    return text != NULL ? text : "no reason given";
}

void err_openssl(struct err *err, const char *fmt, ...)
{
    bool        no_memory;
    const char *why = reason_take(&no_memory);
    char        what[sizeof(struct err)];
    va_list     args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    err_set(err, "%s: %s", what, why);
}
