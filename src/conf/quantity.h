/* conf/quantity.h: numbers with their unit as text. */
#ifndef MQGATE_CONF_QUANTITY_H
#define MQGATE_CONF_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum { QUANTITY_TEXT_MAX = 16 }; /* bytes, NUL included */

/* Decimal digits, at least one, of a number of 32 bits; *end is behind them. */
bool digits_parse(const char *text, uint32_t *value, const char **end) MUST_CHECK;
/* "500ms", "30s", "5m", "1h": milliseconds. False: no such thing, or more than 32 bits of them. */
bool        duration_parse(const char *text, uint32_t *ms) MUST_CHECK;
const char *duration_format(uint32_t ms,
                            char     out[QUANTITY_TEXT_MAX]); /* in the greatest unit that is exact; returns out */
/* "512B", "16KiB", "1MiB", "1GiB": bytes. */
bool        size_parse(const char *text, uint32_t *bytes) MUST_CHECK;
const char *size_format(uint32_t bytes, char out[QUANTITY_TEXT_MAX]);

#endif
