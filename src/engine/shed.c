/* Who goes, when, and in which words: drain, shed, and the words of max_age. */
#include "engine/shed.h"

#include "base/clock.h"
#include "base/macros.h"
#include "engine/count.h"
#include "engine/mqtt.h"
#include "engine/shared.h"

enum { LOOKED_AT_A_TURN = 4096 }; /* sessions, for one of the rank whose turn it is */

static const uint64_t second_ns = 1000000000, ms_ns = 1000000;

bool shed_take_turn(_Atomic uint64_t *next_ns, uint64_t interval_ns, uint32_t late_ms, uint64_t now_ns)
{
    const uint64_t oldest_ns = now_ns - late_ms * ms_ns;
    uint64_t       seen_ns = atomic_load_explicit(next_ns, memory_order_relaxed), at_ns;
    do {
        at_ns = seen_ns > oldest_ns ? seen_ns : oldest_ns;
        if (at_ns > now_ns)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(next_ns, &seen_ns, at_ns + interval_ns, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* ---- one session ---- */

static enum step ask(struct session *s, enum why why)
{
    switch (s->state) {
    case ST_RELAY:
        relay_shed(s, why);
        return STEP_NEXT;
    case ST_TURN:
    case ST_TURN_AGAIN:
        return turn_refuse(s, why);
    case ST_UPGRADE:
        return upgrade_refuse(s, why);
    case ST_CONNECT_PACKET:
        return s->ws != NULL ? session_refuse(s, why, 0) : intake_refuse(s, why);
    case ST_TELL:
    case ST_PROXY_HEADER:
    case ST_HANDSHAKE:
    case ST_ANSWER:
        return session_step_fail(s, why);
    default:
        return session_step_no_server(s, why);
    }
}

void shed_ask(struct session *s, enum why why)
{
    if (ask(s, why) == STEP_NEXT)
        session_advance(s);
}

static bool is_ending(const struct session *s)
{
    return s->ends || s->state == ST_LINGER;
}

static enum shed_rank rank_of(const struct session *s)
{
    if (s->state != ST_RELAY)
        return SHED_BEGINS;
    bool idle = s->flow[UP].buf == NULL && s->flow[DOWN].buf == NULL && follow_to_boundary(s, UP) == 0 &&
                follow_to_boundary(s, DOWN) == 0;
    return idle ? SHED_IDLE : SHED_BUSY;
}

void shed_forget(struct session *s)
{
    struct shed *shed = &s->worker->shed;
    if (s->shed)
        atomic_fetch_sub_explicit(&s->worker->engine->shed.going, 1, memory_order_relaxed);
    s->shed = false;
    if (shed->cursor == s)
        shed->cursor = s->next;
}

/* ---- one worker ---- */

static bool is_meant(const struct session *s, const struct shed_order *order)
{
    return !is_ending(s) && s->begun_ms <= order->begun_until_ms && filter_matches(&order->filter, s);
}

static bool take_one(struct shed_shared *all)
{
    uint32_t left = atomic_load_explicit(&all->left, memory_order_relaxed);
    while (left != 0 && left != UINT32_MAX) {
        if (atomic_compare_exchange_weak_explicit(&all->left, &left, left - 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return left != 0;
}

static bool may_go(struct worker *w)
{
    struct shed_shared *all = &w->engine->shed;
    uint32_t            rate = w->shed.order.rate;
    if (rate != 0 && !shed_take_turn(&all->next_ns, second_ns / rate, SHED_LATE_MS, clock_mono_ns()))
        return false;
    return take_one(all);
}

static void send_away(struct worker *w, struct session *s)
{
    struct shed_shared *all = &w->engine->shed;
    atomic_fetch_add_explicit(&all->going, 1, memory_order_relaxed);
    rate_add(&all->asked, w->now_ms);
    count_client(s, COUNT_SHED, 1);
    s->shed = true;
    shed_ask(s, w->shed.order.why);
}

/* Whose turn it is: as long as any worker has one of a rank, those of higher ones stay. */
static unsigned rank_in_turn(const struct worker *w)
{
    const struct engine *e = w->engine;
    uint64_t             lowest = UINT64_MAX, base = (uint64_t)w->shed.order.number * SHED_RANKS;
    for (unsigned i = 0; i < e->n_workers; i++) {
        uint64_t his = atomic_load_explicit(&e->workers[i].shed.lowest, memory_order_relaxed);
        lowest = his < lowest ? his : lowest;
    }
    return lowest > base ? (unsigned)(lowest - base) : SHED_BEGINS;
}

static void order_ends(struct worker *w)
{
    atomic_store_explicit(&w->shed.done, w->shed.order.number, memory_order_relaxed);
    loop_timer_stop(&w->loop, &w->shed.turn);
}

/* All sessions have been looked at. */
static void round_ends(struct worker *w)
{
    struct shed *shed = &w->shed;
    bool         drains = shed->order.begun_until_ms == UINT64_MAX; /* others may still come */
    atomic_store_explicit(&shed->lowest, (uint64_t)shed->order.number * SHED_RANKS + shed->saw, memory_order_relaxed);
    if (shed->saw == SHED_RANKS && !drains)
        order_ends(w);
    shed->saw = SHED_RANKS;
}

/* True: the next one may be looked at. */
static bool look_at(struct worker *w, struct session *s, unsigned most)
{
    struct shed *shed = &w->shed;
    if (!is_meant(s, &shed->order))
        return true;
    enum shed_rank rank = rank_of(s);
    shed->saw = rank < shed->saw ? rank : shed->saw;
    if (rank > most)
        return true;
    if (!may_go(w)) {
        shed->cursor = s;
        return false;
    }
    send_away(w, s);
    return true;
}

/* Sessions stand in the order in which they began. Where so many in a row are of higher rank that a turn does not get
 * past them, the pace matters more. */
static void serve(struct worker *w)
{
    struct shed    *shed = &w->shed;
    unsigned        rank = rank_in_turn(w);
    struct session *s = shed->cursor != NULL ? shed->cursor : w->sessions;
    if (atomic_load_explicit(&w->engine->shed.left, memory_order_relaxed) == 0) {
        order_ends(w);
        return;
    }
    for (unsigned n = 0; s != NULL; n++) {
        if (n == SHED_RANKS * LOOKED_AT_A_TURN)
            return;
        shed->cursor = s->next;
        if (!look_at(w, s, rank + n / LOOKED_AT_A_TURN))
            return;
        s = shed->cursor;
    }
    round_ends(w);
}

static void on_turn(struct loop_timer *timer)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, shed.turn);
    loop_timer_start(&w->loop, timer, SHED_TURN_MS);
    serve(w);
}

void shed_init(struct worker *w)
{
    w->shed.turn.fn = on_turn;
}

void shed_take_order(struct worker *w)
{
    struct shed_shared *all = &w->engine->shed;
    (void)pthread_mutex_lock(&all->lock);
    w->shed.order = all->order;
    (void)pthread_mutex_unlock(&all->lock);
    w->shed.cursor = NULL;
    w->shed.saw = SHED_RANKS;
    loop_timer_start(&w->loop, &w->shed.turn, SHED_TURN_MS);
    serve(w);
}

void shed_stop(struct worker *w)
{
    loop_timer_stop(&w->loop, &w->shed.turn);
}

/* ---- the engine, in the main thread ---- */

void engine_shed(struct engine *e, const struct engine_shed *what)
{
    struct shed_shared *all = &e->shed;
    struct shed_order   order = {.why = what->drains ? WHY_DRAIN : WHY_SHED,
                                 .rate = what->rate,
                                 .begun_until_ms = what->drains ? UINT64_MAX : clock_mono_ms()};
    filter_take_server(&order.filter, what->backend, what->server);
    (void)pthread_mutex_lock(&all->lock);
    order.number = all->order.number + 1;
    all->order = order;
    (void)pthread_mutex_unlock(&all->lock);
    atomic_store_explicit(&all->next_ns, clock_mono_ns(), memory_order_relaxed);
    atomic_store_explicit(&all->left, what->n, memory_order_relaxed);
    all->n = what->n;
    engine_tell_all(e, MAIL_SHED);
}

/* order is written by this thread only. */
bool engine_sheds(const struct engine *e)
{
    const struct shed_shared *all = &e->shed;
    if (atomic_load_explicit(&all->left, memory_order_relaxed) == 0)
        return false;
    for (unsigned i = 0; i < e->n_workers; i++) {
        if (atomic_load_explicit(&e->workers[i].shed.done, memory_order_relaxed) != all->order.number)
            return true;
    }
    return false;
}

/* order is written by this thread only. */
void engine_shed_rest(const struct engine *e, struct engine_shed *out)
{
    const struct shed_order *order = &e->shed.order;
    *out = (struct engine_shed){.n = engine_sheds(e) ? atomic_load_explicit(&e->shed.left, memory_order_relaxed) : 0,
                                .rate = order->rate,
                                .backend = order->filter.backend,
                                .server = order->filter.server};
}

struct engine_shed_figures engine_shed_figures(struct engine *e, uint64_t now_ms)
{
    return (struct engine_shed_figures){
        .n = e->shed.n,
        .left = engine_sheds(e) ? atomic_load_explicit(&e->shed.left, memory_order_relaxed) : 0,
        .going = atomic_load_explicit(&e->shed.going, memory_order_relaxed),
        .rate = e->shed.order.rate,
        .asked_a_second = rate_read(&e->shed.asked, now_ms)};
}
