/* ctl/human.h: numbers as people read them, and back. */
#ifndef MQGATE_CTL_HUMAN_H
#define MQGATE_CTL_HUMAN_H

#include "base/macros.h"
#include "base/slice.h"

enum { HUMAN_MAX = 24 }; /* bytes, NUL included */

/* "512", "1.23k", "45.6M", "789G": three digits, cut and not rounded, in powers of 1000; in full below exact_below,
 * which is at least 1000. Returns out. */
const char *human_number(uint64_t n, uint64_t exact_below, char out[HUMAN_MAX]);
/* The two largest units, as HAProxy writes them: "3d5h", "59m59s", "0s". Returns out. */
const char *human_duration(uint64_t seconds, char out[HUMAN_MAX]);

/* Decimal digits and nothing else, within 64 bits. */
bool human_parse_number(struct slice text, uint64_t *out) MUST_CHECK;
/* Any of what human_duration() writes, into seconds. */
bool human_parse_duration(struct slice text, uint64_t *out) MUST_CHECK;

#endif
