/* report/history.h: how it went in the last minutes, for charts; and the figures that need two looks. Main thread. */
#ifndef MQGATE_REPORT_HISTORY_H
#define MQGATE_REPORT_HISTORY_H

#include <stdint.h>

#include "snapshot/snapshot.h"

enum { HISTORY_POINTS = 60, HISTORY_STEP_S = 5, HISTORY_TICK_MS = 1000 };

struct point {
    uint32_t sessions;                          /* open at its end */
    uint32_t session_rate;                      /* a second, on average over the step; so are the two below */
    uint64_t in_rate;                           /* bytes from clients (servers, for a backend: what they received) */
    uint64_t out_rate;                          /* bytes to clients (from servers) */
    uint32_t packets_in_rate, packets_out_rate; /* of MQTT */
};

/* Of one frontend or backend; the oldest point first. */
struct series {
    uint32_t     iid;
    uint32_t     n; /* points there are */
    struct point points[HISTORY_POINTS];
};

struct history;

/* NULL when memory is out. */
struct history *history_new(void);
void            history_free(struct history *history); /* NULL is fine */
/* To be called every HISTORY_TICK_MS. What memory does not suffice for is not kept. */
void history_tick(struct history *history, const struct snapshot *snap);

/* NULL when nothing is known of the proxy yet. Valid until the next tick. */
const struct series *history_of(const struct history *history, uint32_t iid);

/* Of the last tick. history may be NULL: 100 and 0. */
uint32_t history_idle_pct(const struct history *history);
uint64_t history_bytes_out_rate(const struct history *history); /* a second */

#endif
