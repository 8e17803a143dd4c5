/* Old sessions are asked to reconnect: the ones past max_age, as fast as its budget lets them. */
#include <utlist.h>

#include "base/clock.h"
#include "engine/count.h"
#include "engine/shared.h"
#include "engine/shed.h"

enum { LOOKED_AT_A_TURN = 1024 }; /* sessions */

/* A session's own limit: after, give or take up to jitter, the same whenever it is asked. */
static uint64_t limit_ms(const struct session *s)
{
    enum { FRACTION = 1024 };
    const struct conf_max_age *conf = &s->listener->conf->max_age;
    uint64_t                   spread = (uint64_t)conf->after_ms * conf->jitter_percent / 100;
    uint64_t                   lot = (s->id * UINT64_C(0x9E3779B97F4A7C15)) >> 54; /* 0..1023, multiplicative hashing */
    return conf->after_ms - spread + 2 * spread * lot / FRACTION;
}

static bool is_old(const struct session *s)
{
    return s->listener->conf->max_age.after_ms != 0 && s->state == ST_RELAY && !s->ends &&
           s->worker->now_ms - s->begun_ms >= limit_ms(s);
}

/* One of the listener's sessions may go now. Workers share its minute. */
static bool take_budget(struct snap_listener *listener)
{
    const uint64_t minute_ns = UINT64_C(60) * 1000 * 1000 * 1000;
    return shed_take_turn(&listener->next_aged_ns, minute_ns / listener->conf->max_age.budget, AGE_TURN_MS,
                          clock_mono_ns());
}

/* Sessions stand in the order in which they began; those looked at in vain are looked at again in the next round. */
void age_serve(struct worker *w)
{
    struct session *s = w->age_cursor != NULL ? w->age_cursor : w->sessions;
    for (int n = 0; n < LOOKED_AT_A_TURN && s != NULL; n++) {
        w->age_cursor = s->next;
        if (is_old(s) && take_budget(s->listener)) {
            count_client(s, COUNT_MAX_AGE_ENDED, 1);
            shed_ask(s, WHY_MAX_AGE);
        }
        s = w->age_cursor;
    }
}

static bool is_limited(const struct snapshot *snap)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        if (snap->conf->listeners[i].max_age.after_ms != 0)
            return true;
    }
    return false;
}

void age_set_timer(struct worker *w)
{
    const struct era *era;
    bool              any = false;
    DL_FOREACH (w->eras, era)
        any |= is_limited(era->snap);
    if (any && w->aging.at_ms == 0)
        loop_timer_start(&w->loop, &w->aging, AGE_TURN_MS);
    else if (!any)
        loop_timer_stop(&w->loop, &w->aging);
}
