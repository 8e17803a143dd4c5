#include "health/checker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "health/announce.h"
#include "health/checked.h"
#include "upstream/pool.h"
#include "upstream/server.h"

static void history_change(struct health_history *history, bool down, bool was_up)
{
    uint64_t now_ms = clock_mono_ms();
    history->down_ms = health_down_ms(history, now_ms);
    history->downs += down && was_up;
    history->down = down;
    history->last_change_ms = now_ms;
}

static bool any_is_usable(const struct checked_backend *b)
{
    for (size_t i = 0; i < b->conf->n_servers; i++) {
        if (server_is_usable(b->servers[i].live))
            return true;
    }
    return false;
}

/* Up with a server that is up, down when none may even be tried; between the two it stays what it was. */
static void backend_review(struct checked_backend *b, struct log *log)
{
    bool up = pool_is_healthy(b->pool);
    if ((!up && any_is_usable(b)) || (b->is_known && up == b->is_up))
        return;
    history_change(&b->history, !up, b->is_known && b->is_up);
    b->is_up = up;
    b->is_known = true;
    announce_backend(log, b->conf->name, up);
}

static const struct snap_backend *snap_backend_of(const struct checked_server *s)
{
    return &s->health->snap->backends[s->backend - s->health->backends];
}

static const struct snap_server *snap_server_of(const struct checked_server *s)
{
    return &snap_backend_of(s)->servers[s - s->backend->servers];
}

/* cause: the check that made it so; NULL: an operator. */
static void server_change(struct checked_server *s, enum server_state to, const struct probe_result *cause)
{
    history_change(&s->report.history, to == SERVER_DOWN, server_state(s->live) == SERVER_UP);
    server_set_state(s->live, to);
    announce_server(s->health->log, snap_backend_of(s), snap_server_of(s), cause);
    backend_review(s->backend, s->health->log);
    if (s->health->listener.call != NULL)
        s->health->listener.call(s->health->listener.user);
}

/* HAProxy's one counter for both ways: up from rise on. One success of a server that is up, one failure of one that is
 * down, forgets what came before. It begins at rise, so that the first check alone decides. */
static void level_move(uint32_t *level, bool passed, const struct conf_check *check)
{
    if (!passed)
        *level = *level > check->rise ? *level - 1 : 0;
    else if (++*level >= check->rise)
        *level = check->rise + check->fall - 1;
}

static bool is_checked(const struct checked_server *s)
{
    return s->probe != NULL && !s->report.disabled && server_admin(s->live) != SERVER_MAINT &&
           server_has_address(s->live);
}

static bool is_settled(const struct checked_server *s)
{
    const struct conf_check *check = &s->backend->conf->check;
    return s->report.level == 0 || s->report.level == check->rise + check->fall - 1;
}

static void take_result(struct checked_server *s, const struct probe_result *result)
{
    struct health_report *r = &s->report;
    bool                  passed = probe_status_passed(result->status);
    r->last = *result;
    r->checks++;
    r->passed = passed ? r->passed + 1 : 0;
    r->failed = passed ? 0 : r->failed + 1;
    r->failures += !passed;
    r->failed_up += !passed && server_state(s->live) != SERVER_DOWN;
    level_move(&r->level, passed, &s->backend->conf->check);
    log_debug(s->health->log, "check", LOG_STR("backend", s->backend->conf->name), LOG_STR("server", s->conf->name),
              LOG_STR("check", probe_status_names[result->status]), LOG_STR("detail", result->detail),
              LOG_UINT("level", r->level), LOG_UINT("dur_ms", result->duration_ms));
    enum server_state state = r->level >= s->backend->conf->check.rise ? SERVER_UP : SERVER_DOWN;
    if (state != server_state(s->live))
        server_change(s, state, &r->last);
}

static void schedule(struct checked_server *s, uint64_t due_ms)
{
    uint64_t now_ms = clock_mono_ms();
    s->due_ms = due_ms > now_ms ? due_ms : now_ms;
    ev_timer_stop(s->health->loop, &s->next);
    ev_timer_set(&s->next, (double)(s->due_ms - now_ms) / 1000.0, 0);
    ev_timer_start(s->health->loop, &s->next);
}

/* Intervals are from begin to begin. All servers are asked at once at first; the second round is spread over the
 * interval, and from then on the checks stay apart. */
static void schedule_next(struct checked_server *s)
{
    const struct conf_check *check = &s->backend->conf->check;
    double                   wait_ms = is_settled(s) ? check->interval_ms * s->first_wait : check->fast_interval_ms;
    s->first_wait = 1;
    schedule(s, s->started_ms + (uint64_t)wait_ms);
}

static void on_done(void *user, const struct probe_result *result)
{
    struct checked_server *s = user;
    s->report.running = false;
    s->doubted = false;
    if (!is_checked(s))
        return;
    take_result(s, result);
    schedule_next(s);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct checked_server *s = CONTAINER_OF(timer, struct checked_server, next);
    (void)loop;
    (void)revents;
    s->started_ms = clock_mono_ms();
    s->report.running = true;
    probe_start(s->probe);
}

static void note_failures(struct checked_server *s)
{
    uint32_t            n = server_take_failures(s->live);
    struct probe_result result = {.duration_ms = 0};
    if (n == 0 || !is_checked(s) || s->doubted)
        return;
    s->doubted = true;
    probe_result_set(&result, PROBE_HANA, "sessions could not connect: %u", n);
    take_result(s, &result);
    if (s->report.running)
        return;
    uint64_t soon_ms = s->started_ms + s->backend->conf->check.fast_interval_ms;
    if (soon_ms < s->due_ms)
        schedule(s, soon_ms);
}

void health_note_failures(struct health *h)
{
    for (size_t i = 0; i < h->n_servers; i++)
        note_failures(&h->servers[i]);
}

/* Elsewhere than at the server's own port neither PROXY header nor TLS is expected, and no source is asked for. */
static struct probe_target target_of(struct checked_server *s, const struct snap_server *snap)
{
    const struct conf_check *check = &s->backend->conf->check;
    struct probe_target      target = {.to = check->address,
                                       .check = check,
                                       .node = s->health->snap->conf->global.node,
                                       .backend = s->backend->conf->name,
                                       .server = s->conf->name};
    if (addr_is_set(&check->address))
        return target;
    target.to = server_address(snap->live);
    if (!s->conf->source_auto)
        target.from = s->conf->source;
    target.send_proxy = s->conf->send_proxy;
    target.tls = snap->tls;
    if (s->conf->tls != NULL)
        target.tls_name = s->conf->tls->sni[0] != '\0' ? s->conf->tls->sni : server_host(snap->live, s->host);
    return target;
}

static bool server_init(struct checked_server *s, const struct snap_server *snap)
{
    struct health           *h = s->health;
    const struct conf_check *check = &s->backend->conf->check;
    s->live = snap->live;
    s->conf = snap->conf;
    s->report.history.last_change_ms = clock_mono_ms();
    s->report.history.down = !server_has_address(s->live);
    ev_init(&s->next, on_next);
    if (check->type == CHECK_NONE) {
        probe_result_set(&s->report.last, PROBE_UNK, "%s", "");
        return true;
    }
    probe_result_set(&s->report.last, PROBE_INI, "%s", "");
    s->report.checked = true;
    s->report.level = check->rise;
    s->first_wait = (double)(size_t)(s - h->servers + 1) / (double)h->n_servers;
    struct probe_target target = target_of(s, snap);
    s->probe = probe_new(h->loop, &target, on_done, s);
    return s->probe != NULL;
}

static bool backend_init(struct health *h, struct checked_backend *b, const struct snap_backend *snap,
                         struct checked_server *servers)
{
    b->conf = snap->conf;
    b->pool = snap->pool;
    b->servers = servers;
    for (size_t i = 0; i < b->conf->n_servers; i++) {
        servers[i].health = h;
        servers[i].backend = b;
        if (!server_init(&servers[i], &snap->servers[i]))
            return false;
    }
    b->history.last_change_ms = clock_mono_ms();
    b->is_known = b->is_up = b->conf->check.type == CHECK_NONE && pool_is_healthy(b->pool);
    return true;
}

static size_t count_servers(const struct conf *conf)
{
    size_t n = 0;
    for (size_t i = 0; i < conf->n_backends; i++)
        n += conf->backends[i].n_servers;
    return n;
}

static bool init_all(struct health *h)
{
    struct checked_server *servers = h->servers;
    for (size_t i = 0; i < h->n_backends; i++) {
        if (!backend_init(h, &h->backends[i], &h->snap->backends[i], servers))
            return false;
        servers += h->backends[i].conf->n_servers;
    }
    return true;
}

static struct checked_server *server_at(const struct health *h, size_t backend, size_t server)
{
    return &h->backends[backend].servers[server];
}

static struct checked_server *find_same(const struct health *h, const struct server *live)
{
    for (size_t i = 0; h != NULL && i < h->n_servers; i++) {
        if (h->servers[i].live == live)
            return &h->servers[i];
    }
    return NULL;
}

/* As far up as it was, by what rise and fall are now. */
static uint32_t level_now(const struct checked_server *s)
{
    const struct conf_check *check = &s->backend->conf->check;
    switch (server_state(s->live)) {
    case SERVER_UP:
        return check->rise + check->fall - 1;
    case SERVER_DOWN:
        return 0;
    default:
        return check->rise;
    }
}

static bool asked_the_same(const struct checked_server *s, const struct check_past *was)
{
    const struct conf_check *now = &s->backend->conf->check;
    return now->type == was->type && now->rise == was->rise && now->fall == was->fall &&
           addr_same(&now->address, &was->address) && was->report.level < now->rise + now->fall;
}

struct check_past checked_past(const struct checked_server *s)
{
    const struct conf_check *check = &s->backend->conf->check;
    return (struct check_past){.report = s->report,
                               .started_ms = s->started_ms,
                               .due_ms = s->due_ms,
                               .is_spread = s->first_wait >= 1,
                               .doubted = s->doubted,
                               .at = server_address(s->live),
                               .type = check->type,
                               .rise = check->rise,
                               .fall = check->fall,
                               .address = check->address};
}

/* A check that was under way begins anew; one that was due is not put off by a configuration that comes often. */
static void server_go_on(struct checked_server *s, const struct check_past *was)
{
    struct probe_result none = s->report.last;
    bool                same = asked_the_same(s, was), checked = s->report.checked;
    s->report = was->report;
    s->report.running = false;
    s->report.checked = checked;
    s->started_ms = was->started_ms;
    s->first_wait = was->is_spread ? 1 : s->first_wait;
    s->doubted = was->doubted;
    if (checked != was->report.checked)
        s->report.last = none;
    if (!same)
        s->report.level = level_now(s);
    if (!is_checked(s))
        return;
    uint64_t due_ms = s->started_ms + s->backend->conf->check.interval_ms; /* it may be shorter than it was */
    due_ms = was->due_ms < due_ms ? was->due_ms : due_ms;
    schedule(s, same && !was->report.running ? due_ms : 0);
}

static void backend_go_on(struct checked_backend *b, const struct health *before)
{
    for (size_t i = 0; before != NULL && i < before->n_backends; i++) {
        const struct checked_backend *was = &before->backends[i];
        if (strcmp(was->conf->name, b->conf->name) != 0)
            continue;
        b->history = was->history;
        b->is_up = was->is_up;
        b->is_known = was->is_known;
    }
}

static void server_begin(struct checked_server *s, const struct health *before)
{
    const struct checked_server *was = find_same(before, s->live);
    if (was != NULL) {
        const struct check_past past = checked_past(was);
        server_go_on(s, &past);
    } else if (s->past != NULL) {
        server_go_on(s, s->past);
    } else if (is_checked(s)) {
        schedule(s, 0);
    }
}

/* Where it is now, the configuration of this process says. */
static void forget_past(struct checked_server *s)
{
    if (s->past == NULL)
        return;
    const struct addr was = s->past->at, is = server_address(s->live);
    free(s->past);
    s->past = NULL;
    if (!addr_same(&was, &is))
        health_address_changed(s->health, (size_t)(s->backend - s->health->backends), (size_t)(s - s->backend->servers),
                               &was, "upgrade");
}

void health_begin(struct health *h, struct health *before)
{
    for (size_t i = 0; i < h->n_servers; i++)
        server_begin(&h->servers[i], before);
    for (size_t i = 0; i < h->n_backends; i++) {
        backend_go_on(&h->backends[i], before);
        if (before != NULL || h->is_adopted) /* servers may have come or gone */
            backend_review(&h->backends[i], h->log);
    }
    for (size_t i = 0; i < h->n_servers; i++)
        forget_past(&h->servers[i]);
}

struct health *health_new(struct ev_loop *loop, struct snapshot *snap, struct log *log, struct health_listener listener)
{
    struct health *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->loop = loop;
    h->log = log;
    h->listener = listener;
    h->snap = snapshot_ref(snap);
    h->n_backends = snap->conf->n_backends;
    h->backends = calloc(h->n_backends, sizeof *h->backends);
    h->servers = calloc(count_servers(snap->conf), sizeof *h->servers);
    if (h->servers != NULL)
        h->n_servers = count_servers(snap->conf);
    if (h->backends != NULL && h->servers != NULL && init_all(h))
        return h;
    health_free(h);
    return NULL;
}

void health_free(struct health *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->n_servers; i++) {
        ev_timer_stop(h->loop, &h->servers[i].next);
        probe_free(h->servers[i].probe);
        free(h->servers[i].past);
    }
    free(h->servers);
    free(h->backends);
    snapshot_unref(h->snap);
    free(h);
}

/* A check under way is given up. False when memory is out: then all is as it was. */
static bool renew_probe(struct checked_server *s)
{
    const struct snap_backend *backend = &s->health->snap->backends[s->backend - s->health->backends];
    struct probe_target        target = target_of(s, &backend->servers[s - s->backend->servers]);
    struct probe              *probe = probe_new(s->health->loop, &target, on_done, s);
    if (probe == NULL)
        return false;
    probe_free(s->probe);
    s->probe = probe;
    s->report.running = false;
    return true;
}

static void stop_checks(struct checked_server *s)
{
    if (s->probe == NULL)
        return;
    ev_timer_stop(s->health->loop, &s->next);
    if (s->report.running)
        (void)renew_probe(s); /* without memory the verdict still comes, and is not heard: see on_done() */
}

static void resume_checks(struct checked_server *s)
{
    if (is_checked(s) && !s->report.running)
        schedule(s, 0);
}

/* Nothing is known of it, and its first check decides. */
static void begin_anew(struct checked_server *s)
{
    s->report.level = s->backend->conf->check.rise;
    server_set_state(s->live, s->probe != NULL ? SERVER_UNKNOWN : SERVER_UNCHECKED);
    resume_checks(s);
}

static void set_admin(struct checked_server *s, enum server_admin admin)
{
    enum server_admin was = server_admin(s->live);
    server_set_admin(s->live, admin);
    if (admin == was)
        return;
    if (admin == SERVER_MAINT)
        stop_checks(s);
    else if (was == SERVER_MAINT)
        begin_anew(s);
    history_change(&s->report.history, admin == SERVER_MAINT || !server_has_address(s->live), false);
    announce_admin(s->health->log, snap_backend_of(s), snap_server_of(s), was);
}

/* As a check would, but by an operator's word. */
static void force(struct checked_server *s, bool up)
{
    const struct conf_check *check = &s->backend->conf->check;
    enum server_state        state = !up ? SERVER_DOWN : s->probe != NULL ? SERVER_UP : SERVER_UNCHECKED;
    s->report.level = up ? check->rise + check->fall - 1 : 0;
    if (state != server_state(s->live))
        server_change(s, state, NULL);
}

static const char *const action_names[] = {[HEALTH_READY] = "ready",
                                           [HEALTH_DRAIN] = "drain",
                                           [HEALTH_MAINT] = "maint",
                                           [HEALTH_CHECKS_ON] = "checks_on",
                                           [HEALTH_CHECKS_OFF] = "checks_off",
                                           [HEALTH_UP] = "up",
                                           [HEALTH_DOWN] = "down"};

void health_act(struct health *h, size_t backend, size_t server, enum health_action action)
{
    static const enum server_admin admins[] = {
        [HEALTH_READY] = SERVER_READY, [HEALTH_DRAIN] = SERVER_DRAIN, [HEALTH_MAINT] = SERVER_MAINT};
    struct checked_server *s = server_at(h, backend, server);
    bool                   checks_only = action == HEALTH_CHECKS_ON || action == HEALTH_CHECKS_OFF;
    if (checks_only || !log_is_tcplog(h->log)) /* HAProxy has a text for the rest, where the state changes */
        log_warn(h->log, "server_admin", LOG_STR("backend", s->backend->conf->name), LOG_STR("server", s->conf->name),
                 LOG_STR("action", action_names[action]), LOG_STR("by", "operator"));
    switch (action) {
    case HEALTH_READY:
    case HEALTH_DRAIN:
    case HEALTH_MAINT:
        set_admin(s, admins[action]);
        break;
    case HEALTH_CHECKS_ON:
        s->report.disabled = false;
        resume_checks(s);
        break;
    case HEALTH_CHECKS_OFF:
        s->report.disabled = true;
        stop_checks(s);
        break;
    case HEALTH_UP:
    case HEALTH_DOWN:
        force(s, action == HEALTH_UP);
        break;
    }
    health_server_changed(h, backend, server);
}

/* It is another server under an old name: it stays what it was until its first check, which decides alone. */
static void check_elsewhere(struct checked_server *s)
{
    const struct conf_check *check = &s->backend->conf->check;
    if (s->probe == NULL || !renew_probe(s))
        return;
    if (server_state(s->live) != SERVER_UNKNOWN)
        s->report.level = server_state(s->live) == SERVER_DOWN ? check->rise - 1 : check->rise;
    resume_checks(s);
}

void health_address_changed(struct health *h, size_t backend, size_t server, const struct addr *was, const char *by)
{
    struct checked_server *s = server_at(h, backend, server);
    bool                   had = addr_is_set(was), has = server_has_address(s->live);
    if (had && has) {
        check_elsewhere(s);
    } else if (has) {
        if (s->probe != NULL)
            (void)renew_probe(s); /* without memory it asks where the server was before, and goes on failing */
        begin_anew(s);
    } else {
        stop_checks(s);
    }
    if (had != has)
        history_change(&s->report.history, !has || server_admin(s->live) == SERVER_MAINT,
                       had && server_state(s->live) == SERVER_UP);
    announce_address(h->log, snap_backend_of(s), snap_server_of(s), was, by);
    health_server_changed(h, backend, server);
}

void health_set_address(struct health *h, size_t backend, size_t server, const struct addr *address)
{
    struct server *live = server_at(h, backend, server)->live;
    struct addr    was = server_address(live);
    server_set_address(live, address);
    health_address_changed(h, backend, server, &was, "operator");
}

void health_server_changed(struct health *h, size_t backend, size_t server)
{
    (void)server;
    backend_review(&h->backends[backend], h->log);
    if (h->listener.call != NULL)
        h->listener.call(h->listener.user);
}

static void forget(struct health_history *history)
{
    history->downs = 0;
    history->down_ms = 0;
}

void health_forget_counts(struct health *h)
{
    for (size_t i = 0; i < h->n_backends; i++)
        forget(&h->backends[i].history);
    for (size_t i = 0; i < h->n_servers; i++) {
        struct health_report *r = &h->servers[i].report;
        forget(&r->history);
        r->checks = r->failures = r->failed_up = 0;
    }
}

struct snapshot *health_snapshot(const struct health *h)
{
    return h->snap;
}

const struct health_report *health_report(const struct health *h, size_t backend, size_t server)
{
    return &h->backends[backend].servers[server].report;
}

const struct health_history *health_backend_history(const struct health *h, size_t backend)
{
    return &h->backends[backend].history;
}
