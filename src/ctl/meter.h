/* ctl/meter.h: how fast pairs of counters grow between one reading of all of them and the next. */
#ifndef MQGATE_CTL_METER_H
#define MQGATE_CTL_METER_H

#include <stdint.h>

#include "base/slice.h"

struct meter_entry;

/* All zero: nothing was read yet. */
struct meter {
    struct meter_entry *entries; /* by key; owned */
    uint64_t            turn;
    uint64_t            at_ms, before_ms; /* of this reading and of the last */
};

struct meter_rates {
    uint64_t in, out; /* a second */
};

/* A reading begins. now_ms: monotonic. */
void meter_begin(struct meter *meter, uint64_t now_ms);
/* 0 for a key that the last reading did not have, and for a counter that went back. */
struct meter_rates meter_read(struct meter *meter, struct slice key, uint64_t in, uint64_t out);
/* The reading ends: keys that it did not have are forgotten. */
void meter_end(struct meter *meter);
/* Forgets everything. */
void meter_fini(struct meter *meter);

#endif
