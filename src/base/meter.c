#include "base/meter.h"

void peak_note(struct peak *p, uint32_t value)
{
    uint32_t most = peak_read(p);
    while (value > most &&
           !atomic_compare_exchange_weak_explicit(&p->most, &most, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

void gauge_add(struct gauge *g)
{
    peak_note(&g->peak, atomic_fetch_add(&g->now, 1) + 1);
}

void gauge_sub(struct gauge *g)
{
    atomic_fetch_sub(&g->now, 1);
}

bool gauge_take(struct gauge *g, uint32_t most)
{
    uint32_t now = atomic_load(&g->now);
    do {
        if (most != 0 && now >= most)
            return false;
    } while (!atomic_compare_exchange_weak(&g->now, &now, now + 1));
    peak_note(&g->peak, now + 1);
    return true;
}

void gauge_forget_peak(struct gauge *g)
{
    atomic_store_explicit(&g->peak.most, gauge_now(g), memory_order_relaxed);
}

/* The word of a rate. A second that comes round again after 12 days without an event shows what was there then, for
 * that second. */
enum { SECOND_BITS = 20, EVENTS_BITS = 22 };
static const uint32_t SECOND_MASK = (1u << SECOND_BITS) - 1, EVENTS_MASK = (1u << EVENTS_BITS) - 1;

struct period {
    uint32_t second, events, before;
};

static struct period unpack(uint64_t word)
{
    return (struct period){(uint32_t)(word >> 2 * EVENTS_BITS), (uint32_t)(word >> EVENTS_BITS) & EVENTS_MASK,
                           (uint32_t)word & EVENTS_MASK};
}

static uint64_t pack(struct period p)
{
    return (uint64_t)p.second << 2 * EVENTS_BITS | (uint64_t)p.events << EVENTS_BITS | p.before;
}

/* The period as it stands in the second of now_ms. A worker whose clock is a turn behind counts with those ahead. */
static struct period period_at(uint64_t word, uint64_t now_ms)
{
    struct period p = unpack(word);
    uint32_t      second = (uint32_t)(now_ms / 1000) & SECOND_MASK;
    uint32_t      passed = (second - p.second) & SECOND_MASK;
    if (passed == 0 || passed == SECOND_MASK)
        return p;
    return (struct period){.second = second, .before = passed == 1 ? p.events : 0};
}

static uint32_t period_rate(const struct period *p, uint64_t now_ms)
{
    return p->events + (uint32_t)((uint64_t)p->before * (1000 - now_ms % 1000) / 1000);
}

bool rate_take(struct rate *r, uint32_t limit, uint64_t now_ms)
{
    uint64_t      was = atomic_load_explicit(&r->word, memory_order_relaxed);
    struct period p;
    do {
        p = period_at(was, now_ms);
        if (limit != 0 && period_rate(&p, now_ms) >= limit)
            return false;
        if (p.events < EVENTS_MASK)
            p.events++;
    } while (
        !atomic_compare_exchange_weak_explicit(&r->word, &was, pack(p), memory_order_relaxed, memory_order_relaxed));
    peak_note(&r->peak, p.events);
    return true;
}

void rate_add(struct rate *r, uint64_t now_ms)
{
    bool taken = rate_take(r, 0, now_ms);
    (void)taken;
}

uint32_t rate_read(const struct rate *r, uint64_t now_ms)
{
    struct period p = period_at(atomic_load_explicit(&r->word, memory_order_relaxed), now_ms);
    if (p.events == 0 && p.before <= 1) /* as HAProxy: a very low rate does not flap */
        return p.before;
    return period_rate(&p, now_ms);
}

uint32_t rate_wait_ms(const struct rate *r, uint32_t limit, uint64_t now_ms)
{
    if (rate_read(r, now_ms) < limit)
        return 0;
    uint32_t to_next_second = (uint32_t)(1000 - now_ms % 1000), share = 1000 / (limit > 0 ? limit : 1);
    return share < 1 ? 1 : share < to_next_second ? share : to_next_second;
}

enum { VALUES = 1024, SUM_BITS = 53 };
static const uint64_t SUM_MASK = (1ull << SUM_BITS) - 1;

void average_add(struct average *a, uint32_t value)
{
    uint64_t was = atomic_load_explicit(&a->word, memory_order_relaxed), n, sum;
    do {
        n = was >> SUM_BITS;
        sum = was & SUM_MASK;
        if (n < VALUES)
            n++;
        else
            sum -= sum / VALUES;
        sum += value;
    } while (!atomic_compare_exchange_weak_explicit(&a->word, &was, n << SUM_BITS | sum, memory_order_relaxed,
                                                    memory_order_relaxed));
    peak_note(&a->peak, value);
}

uint32_t average_read(const struct average *a)
{
    uint64_t word = atomic_load_explicit(&a->word, memory_order_relaxed), n = word >> SUM_BITS;
    return n == 0 ? 0 : (uint32_t)(((word & SUM_MASK) + n / 2) / n);
}

static const struct image_field rate_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct rate, word),
    IMAGE_FIELD(2, IMAGE_UINT, struct rate, peak.most),
};
const struct image_kind rate_kind = {"rate", 0, rate_fields, ARRAY_LEN(rate_fields)};

static const struct image_field average_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct average, word),
    IMAGE_FIELD(2, IMAGE_UINT, struct average, peak.most),
};
const struct image_kind average_kind = {"average", 0, average_fields, ARRAY_LEN(average_fields)};
