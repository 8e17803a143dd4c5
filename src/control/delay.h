/* control/delay.h: times as HAProxy's commands write them. Private to control/. */
#ifndef MQGATE_CONTROL_DELAY_H
#define MQGATE_CONTROL_DELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

/* A whole number and "us", "ms", "s", "m", "h" or "d" or nothing, which means unit_ms; in milliseconds, microseconds
 * rounded up. False for anything else, and for more than 2^31-1 seconds. */
bool delay_parse(const char *text, uint32_t unit_ms, uint64_t *ms) MUST_CHECK;

#endif
