/* Slots are an interval apart, and each is taken by one compare-and-swap of the time of the next.
 *
 * Why no second sees more than `rate` begin: a session begins at the time of its slot or at most PACE_SLACK_NS later,
 * so those of the second from T on have their slots from T - spare on and before T + 1 s, where spare is the slack and
 * way_ns. In a span of that length there are at most `rate`, as the interval is that length divided by the rate.
 *
 * A worker that is later than that has lost its slot s and takes another, q. It need not wait for q if that is at most
 * s + spare + 1 s: the session is then paid for with both. It begins at t, with s < t < q. A second that sees it has s
 * in the span above, or else begins after s + spare and so ends after q: one of the two slots is in its span, and
 * nobody else uses either. Without this a worker that is always late would let nobody in, however long it tried. */
#include "upstream/pace.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <utlist.h>

struct pace {
    _Atomic uint32_t refs;
    _Atomic uint64_t next_ns; /* no slot before it is free */
    uint64_t         span_ns; /* a second and the spare time */
    _Atomic uint64_t interval_ns;
    _Atomic uint32_t n_waiting;
    unsigned         n_lanes;
    struct pace_lane lanes[];
};

struct pace *pace_new(uint32_t rate, unsigned n_workers, uint64_t way_ns)
{
    const uint64_t second_ns = 1000000000;
    struct pace   *p = calloc(1, sizeof *p + n_workers * sizeof p->lanes[0]);
    if (p == NULL)
        return NULL;
    p->span_ns = second_ns + PACE_SLACK_NS + way_ns;
    atomic_init(&p->refs, 1);
    pace_set_rate(p, rate);
    p->n_lanes = n_workers;
    for (unsigned i = 0; i < n_workers; i++)
        p->lanes[i].pace = p;
    return p;
}

struct pace *pace_ref(struct pace *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void pace_unref(struct pace *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
        return;
    assert(pace_n_waiting(p) == 0);
    free(p);
}

void pace_set_rate(struct pace *p, uint32_t rate)
{
    assert(rate >= 1 && rate <= PACE_RATE_MAX);
    atomic_store_explicit(&p->interval_ns, (p->span_ns + rate - 1) / rate, memory_order_relaxed);
}

struct pace_lane *pace_lane(struct pace *p, unsigned worker)
{
    assert(worker < p->n_lanes);
    return &p->lanes[worker];
}

uint64_t pace_next_ns(const struct pace *p)
{
    return atomic_load_explicit(&p->next_ns, memory_order_relaxed);
}

/* A slot is used at most the time of a span before it comes: see above. */
void pace_resume(struct pace *p, uint64_t next_ns, uint64_t now_ns)
{
    uint64_t latest_ns = now_ns + p->span_ns + atomic_load_explicit(&p->interval_ns, memory_order_relaxed);
    atomic_store_explicit(&p->next_ns, next_ns < latest_ns ? next_ns : latest_ns, memory_order_relaxed);
}

static uint64_t reserve(struct pace *p, uint64_t now_ns)
{
    uint64_t oldest = now_ns > PACE_SLACK_NS ? now_ns - PACE_SLACK_NS : 0;
    uint64_t interval = atomic_load_explicit(&p->interval_ns, memory_order_relaxed);
    uint64_t next = atomic_load_explicit(&p->next_ns, memory_order_relaxed), slot;
    do {
        slot = next > oldest ? next : oldest;
    } while (!atomic_compare_exchange_weak_explicit(&p->next_ns, &next, slot + interval, memory_order_relaxed,
                                                    memory_order_relaxed));
    return slot;
}

bool pace_take(struct pace_lane *lane, uint64_t now_ns)
{
    uint64_t due_by_ns = now_ns; /* whose slot is at most this begins */
    if (!lane->holds) {
        lane->at_ns = reserve(lane->pace, now_ns);
    } else if (lane->at_ns + PACE_SLACK_NS < now_ns) {
        uint64_t paid_until_ns = lane->at_ns + lane->pace->span_ns;
        lane->at_ns = reserve(lane->pace, now_ns);
        due_by_ns = paid_until_ns > now_ns ? paid_until_ns : now_ns;
    }
    lane->holds = lane->at_ns > due_by_ns;
    return !lane->holds;
}

void pace_wait(struct pace_lane *lane, struct pace_waiter *waiter, bool ahead)
{
    if (ahead)
        DL_PREPEND(lane->first, waiter);
    else
        DL_APPEND(lane->first, waiter);
    atomic_fetch_add_explicit(&lane->pace->n_waiting, 1, memory_order_relaxed);
}

void pace_leave(struct pace_lane *lane, struct pace_waiter *waiter)
{
    DL_DELETE(lane->first, waiter);
    atomic_fetch_sub_explicit(&lane->pace->n_waiting, 1, memory_order_relaxed);
}

uint32_t pace_n_waiting(const struct pace *p)
{
    return atomic_load_explicit(&p->n_waiting, memory_order_relaxed);
}
