#include "report/view.h"

const char *const drain_phase_names[] = {[DRAIN_NONE] = "none",
                                         [DRAIN_NOTICE] = "notice",
                                         [DRAIN_SHED] = "shed",
                                         [DRAIN_WAIT] = "wait",
                                         [DRAIN_OVER] = "over"};

const char *const upgrade_phase_names[] = {[UPGRADE_NONE] = "none", [UPGRADE_CHECK] = "check", [UPGRADE_WAIT] = "wait"};

bool view_upgrade_failed(const struct view *view)
{
    return view->upgrade.failed_wall_ms > view->upgrade.wall_ms;
}

uint64_t view_upgrade_wall_ms(const struct view *view)
{
    return view_upgrade_failed(view) ? view->upgrade.failed_wall_ms : view->upgrade.wall_ms;
}

bool view_is_healthy(const struct view *view)
{
    return view->accepting && view->drain.phase == DRAIN_NONE && snapshot_is_healthy(view->snap);
}

static uint64_t remaining_ms(uint64_t until_ms, uint64_t now_ms)
{
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

static uint64_t to_ask_ms(uint32_t left, uint32_t rate)
{
    return rate == 0 ? 0 : (uint64_t)left * 1000 / rate;
}

static void add_drain(const struct view *view, uint64_t now_ms, uint32_t going, struct progress *p)
{
    const struct drain_facts *d = &view->drain;
    uint64_t                  closes_ms = d->closed_ms != 0 ? d->closed_ms : d->begun_ms + d->notice_ms;
    p->is_on = d->phase != DRAIN_OVER;
    p->left = gauge_now(engine_open_sessions(view->engine));
    p->total = d->sessions;
    p->rate = d->rate;
    if (d->phase != DRAIN_NOTICE && d->phase != DRAIN_SHED)
        return;
    p->cut_ms = remaining_ms(closes_ms + d->deadline_ms, now_ms);
    p->to_go_ms = remaining_ms(closes_ms, now_ms) + to_ask_ms(p->left > going ? p->left - going : 0, p->rate);
    p->to_go_ms = p->to_go_ms < p->cut_ms ? p->to_go_ms : p->cut_ms;
}

struct progress view_progress(const struct view *view, uint64_t now_ms)
{
    struct progress p = {.phase = drain_phase_names[view->drain.phase]};
    if (view->engine == NULL)
        return p;
    struct engine_shed_figures f = engine_shed_figures(view->engine, now_ms);
    p.asked_a_second = f.asked_a_second;
    p.left = f.left + f.going;
    p.is_on = p.left > 0;
    p.total = f.n;
    p.rate = f.rate;
    p.to_go_ms = to_ask_ms(f.left, f.rate);
    if (view->drain.phase != DRAIN_NONE)
        add_drain(view, now_ms, f.going, &p);
    p.total = p.total > p.left ? p.total : p.left;
    return p;
}
