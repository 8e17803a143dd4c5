/* base/clock.h: the two clocks, each with its unit in the name. */
#ifndef MQGATE_BASE_CLOCK_H
#define MQGATE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void); /* nanoseconds, the same clock as the next; where milliseconds are too coarse */
uint64_t clock_mono_ms(void); /* milliseconds, never goes back; for deadlines and durations */
uint64_t clock_wall_ms(void); /* milliseconds since 1970 UTC; for people and logs only */

#endif
