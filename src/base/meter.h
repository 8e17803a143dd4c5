/* base/meter.h: figures that move once or twice a session, so that all workers may share one word: what is open now,
 * how many a second, how long on average, and the most that each ever was. Values; all zero is a good start. */
#ifndef MQGATE_BASE_METER_H
#define MQGATE_BASE_METER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/image.h"
#include "base/macros.h"

struct peak {
    _Atomic uint32_t most;
};

/* What is there now. */
struct gauge {
    _Atomic uint32_t now;
    struct peak      peak;
};

/* Changes are sequentially consistent, so that a word that was looked at before may be relied on. */
void gauge_add(struct gauge *g);
void gauge_sub(struct gauge *g);
/* One more, unless there are `most` already; 0: any number. */
bool gauge_take(struct gauge *g, uint32_t most) MUST_CHECK;

static inline uint32_t gauge_now(const struct gauge *g)
{
    return atomic_load_explicit(&g->now, memory_order_relaxed);
}

/* Events a second as HAProxy's freq_ctr has it: those of this second of the clock and, by the share of it that is still
 * to come, those of the one before. The peak is the most in one second of the clock. At most 4 million a second. */
struct rate {
    _Atomic uint64_t word; /* second, events in it, events in the one before */
    struct peak      peak;
};

void rate_add(struct rate *r, uint64_t now_ms); /* now_ms is monotonic, in all calls */
/* Events a second now. */
uint32_t rate_read(const struct rate *r, uint64_t now_ms);
/* One more event, unless limit a second are there already; 0: any number. Its idea of "a second" is that of
 * rate_read(), but for one event of the second before, which does not last beyond its share here. */
bool rate_take(struct rate *r, uint32_t limit, uint64_t now_ms) MUST_CHECK;
/* How long until another event stays within limit a second; 0: now. */
uint32_t rate_wait_ms(const struct rate *r, uint32_t limit, uint64_t now_ms);

/* Over the last 1024 values, or all while there are fewer. */
struct average {
    _Atomic uint64_t word; /* number of values, their sum */
    struct peak      peak;
};

void     average_add(struct average *a, uint32_t value);
uint32_t average_read(const struct average *a);

void peak_note(struct peak *p, uint32_t value);

static inline uint32_t peak_read(const struct peak *p)
{
    return atomic_load_explicit(&p->most, memory_order_relaxed);
}

/* They and their peaks as they are, for an upgrade: the form of their words is that of these kinds, and the clock goes
 * on over exec. Of a gauge only the peak is carried. */
extern const struct image_kind rate_kind, average_kind;

/* The peaks begin anew with what is there now; a rate's and an average's with nothing. */
void               gauge_forget_peak(struct gauge *g);
static inline void peak_forget(struct peak *p)
{
    atomic_store_explicit(&p->most, 0, memory_order_relaxed);
}

#endif
