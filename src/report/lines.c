#include "report/lines.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "report/tally.h"

/* While lines are made. */
struct pass {
    const struct view        *view;
    const struct line_filter *filter;
    uint64_t                  now_ms; /* one clock for all lines */
    void (*fn)(void *user, const struct line *line);
    void *user;
};

static void put_str(struct line *l, enum column at, const char *text)
{
    l->at[at] = (struct value){.kind = VALUE_STR, .str = text};
}

static void put_u32(struct line *l, enum column at, uint32_t n)
{
    l->at[at] = (struct value){.kind = VALUE_U32, .u = n};
}

static void put_u64(struct line *l, enum column at, uint64_t n)
{
    l->at[at] = (struct value){.kind = VALUE_U64, .u = n};
}

static void put_count(struct line *l, enum column at, enum count which)
{
    put_u64(l, at, row_sum(l->row, which));
}

/* Columns of HTTP and of things that a gate of TCP has not got, which HAProxy shows as 0. */
static void put_zeros(struct line *l, const enum column *which, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_u64(l, which[i], 0);
}

/* What every line has. */
static struct line begin(const struct row *row, const char *proxy, const char *name)
{
    struct line l = {.kind = row->kind, .row = row};
    put_str(&l, COLUMN_PXNAME, proxy);
    put_str(&l, COLUMN_SVNAME, name);
    put_str(&l, COLUMN_MODE, "tcp");
    put_str(&l, COLUMN_DASH, "-");
    put_u32(&l, COLUMN_PID, 1);
    put_u32(&l, COLUMN_IID, row->iid);
    put_u32(&l, COLUMN_SID, row->sid);
    put_u32(&l, COLUMN_TYPE, row->kind);
    put_count(&l, COLUMN_BIN, COUNT_REQUEST_IN);
    put_count(&l, COLUMN_BOUT, COUNT_RESPONSE_IN);
    put_count(&l, COLUMN_REQBIN, COUNT_REQUEST_IN);
    put_count(&l, COLUMN_REQBOUT, COUNT_REQUEST_OUT);
    put_count(&l, COLUMN_RESBIN, COUNT_RESPONSE_IN);
    put_count(&l, COLUMN_RESBOUT, COUNT_RESPONSE_OUT);
    put_count(&l, COLUMN_EINT, COUNT_INTERNAL_ERRORS);
    put_u64(&l, COLUMN_DRESP, 0);
    put_u64(&l, COLUMN_WREW, 0);
    return l;
}

static void put_gauge(struct line *l, const struct gauge *g)
{
    put_u32(l, COLUMN_SCUR, gauge_now(g));
    put_u32(l, COLUMN_SMAX, peak_read(&g->peak));
}

static void put_session_rate(struct line *l, uint64_t now_ms)
{
    put_u32(l, COLUMN_RATE, rate_read(&l->row->session_rate, now_ms));
    put_u32(l, COLUMN_RATE_MAX, peak_read(&l->row->session_rate.peak));
}

/* ---- which ---- */

static bool contains_in_any_case(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool wants_proxy(const struct pass *p, const struct row *row)
{
    const struct line_filter *f = p->filter;
    if (f->iid != LINES_ALL && f->iid != row->iid)
        return false;
    if (f->proxy != NULL && strcmp(f->proxy, row->name) != 0)
        return false;
    return f->scope == NULL || contains_in_any_case(row->name, f->scope);
}

static bool wants(const struct pass *p, const struct row *row)
{
    const struct line_filter *f = p->filter;
    if (f->types != LINES_ALL && (f->types >> row->kind & 1) == 0)
        return false;
    return f->sid == LINES_ALL || f->sid == row->sid;
}

/* ---- MQTT ---- */

static void put_sum(struct line *l, enum column at, enum count from, unsigned n)
{
    put_u64(l, at, tally_sum(l->row, from, n));
}

static void put_mqtt(struct line *l)
{
    static const enum column versions[MQTT_VERSIONS] = {COLUMN_MQGATE_MQTT31_CUR, COLUMN_MQGATE_MQTT311_CUR,
                                                        COLUMN_MQGATE_MQTT5_CUR};
    put_sum(l, COLUMN_MQGATE_MQTT_PACKETS_IN, COUNT_MQTT_UP, MQTT_TYPES);
    put_sum(l, COLUMN_MQGATE_MQTT_PACKETS_OUT, COUNT_MQTT_DOWN, MQTT_TYPES);
    put_sum(l, COLUMN_MQGATE_MQTT_PUBLISH_IN, COUNT_MQTT_PUBLISH_UP, MQTT_QOS);
    put_sum(l, COLUMN_MQGATE_MQTT_PUBLISH_OUT, COUNT_MQTT_PUBLISH_DOWN, MQTT_QOS);
    for (unsigned i = 0; i < MQTT_VERSIONS; i++)
        put_u64(l, versions[i], row_open(l->row, COUNT_MQTT_SESSIONS + i, COUNT_MQTT_CLOSED + i));
    put_u64(l, COLUMN_MQGATE_MQTT_CONNACK_ERRORS,
            tally_sum(l->row, COUNT_MQTT_CONNACK_3 + 1, MQTT_RETURNS - 1) +
                tally_sum(l->row, COUNT_MQTT_CONNACK_5 + 1, MQTT_REASONS - 1));
    put_count(l, COLUMN_MQGATE_MQTT_BROKEN, COUNT_MQTT_BROKEN);
    put_count(l, COLUMN_MQGATE_MQTT_LOOSE, COUNT_MQTT_LOOSE);
}

/* ---- frontends ---- */

/* What frontends and listeners share. */
static void put_client_side(struct line *l)
{
    put_gauge(l, &l->row->sessions);
    put_count(l, COLUMN_STOT, l->kind == ROW_LISTENER ? COUNT_CONNECTIONS : COUNT_SESSIONS); /* HAProxy's difference */
    put_count(l, COLUMN_CONN_TOT, COUNT_CONNECTIONS);
    put_u64(l, COLUMN_DREQ, 0);
    put_count(l, COLUMN_EREQ, COUNT_REQUEST_ERRORS);
    put_count(l, COLUMN_DCON, COUNT_DENIED_CONNECTIONS);
    put_count(l, COLUMN_DSES, COUNT_DENIED_SESSIONS);
    put_count(l, COLUMN_SSL_SESS, COUNT_HANDSHAKES);
    put_count(l, COLUMN_SSL_REUSED_SESS, COUNT_HANDSHAKES_RESUMED);
    put_count(l, COLUMN_SSL_FAILED_HANDSHAKE, COUNT_HANDSHAKES_FAILED);
    uint64_t tls = row_open(l->row, COUNT_HANDSHAKES, COUNT_TLS_CLOSED);
    uint64_t tls12 = row_open(l->row, COUNT_TLS_1_2, COUNT_TLS_1_2_CLOSED);
    put_u64(l, COLUMN_MQGATE_SSL_CUR, tls);
    put_u64(l, COLUMN_MQGATE_TLS12_CUR, tls12);
    put_u64(l, COLUMN_MQGATE_TLS13_CUR, tls > tls12 ? tls - tls12 : 0);
    put_count(l, COLUMN_MQGATE_DENIED_LIMIT, COUNT_DENIED_LIMIT);
    put_u64(l, COLUMN_MQGATE_DENIED_SOURCE,
            row_sum(l->row, COUNT_DENIED_SOURCE_CONNECTIONS) + row_sum(l->row, COUNT_DENIED_SOURCE_RATE));
    put_count(l, COLUMN_MQGATE_SOURCES_UNTRACKED, COUNT_SOURCES_UNTRACKED);
    put_count(l, COLUMN_MQGATE_PROXY_ERRORS, COUNT_PROXY_ERRORS);
    put_count(l, COLUMN_MQGATE_NO_SERVER, COUNT_NO_SERVER);
    put_sum(l, COLUMN_MQGATE_REFUSED, COUNT_REFUSED_PACE, COUNT_REFUSED_HTTP + 1 - COUNT_REFUSED_PACE);
    put_count(l, COLUMN_MQGATE_PACED, COUNT_PACED);
    put_count(l, COLUMN_MQGATE_KEEP_ALIVE_ENDED, COUNT_KEEP_ALIVE_ENDED);
    put_count(l, COLUMN_MQGATE_MAX_AGE_ENDED, COUNT_MAX_AGE_ENDED);
    put_count(l, COLUMN_MQGATE_SHED, COUNT_SHED);
    put_mqtt(l);
}

static const char *frontend_status(const struct view *view, const struct snap_listener *listener)
{
    static const char *const names[] = {
        [LISTENER_OPEN] = "OPEN", [LISTENER_PAUSED] = "PAUSED", [LISTENER_STOPPED] = "STOP"};
    if (listener == NULL)
        return "OPEN";
    return names[view->accepting ? listener->state : LISTENER_STOPPED];
}

static uint32_t frontend_limit(const struct view *view, const struct snap_listener *listener)
{
    uint32_t own = atomic_load_explicit(&listener->max_connections, memory_order_relaxed);
    return own != 0 || view->engine == NULL ? own : engine_max_connections(view->engine);
}

static void show_frontend(const struct pass *p, const struct row *row, const struct snap_listener *listener,
                          uint32_t limit)
{
    static const enum column zeros[] = {COLUMN_REQ_TOT,   COLUMN_COMP_IN, COLUMN_COMP_OUT, COLUMN_COMP_BYP,
                                        COLUMN_COMP_RSP,  COLUMN_H1SESS,  COLUMN_H2SESS,   COLUMN_H3SESS,
                                        COLUMN_REQ_OTHER, COLUMN_H1REQ,   COLUMN_H2REQ,    COLUMN_H3REQ};
    if (!wants(p, row))
        return;
    struct line l = begin(row, row->name, "FRONTEND");
    l.listener = listener;
    put_client_side(&l);
    put_session_rate(&l, p->now_ms);
    put_zeros(&l, zeros, ARRAY_LEN(zeros));
    put_u32(&l, COLUMN_REQ_RATE, 0);
    put_u32(&l, COLUMN_REQ_RATE_MAX, 0);
    put_u32(&l, COLUMN_SLIM, limit);
    put_u32(&l, COLUMN_RATE_LIM, listener != NULL ? listener->conf->rate_limit : 0);
    put_u32(&l, COLUMN_MQGATE_WAITING, listener != NULL ? snap_listener_waiting(listener) : 0);
    put_str(&l, COLUMN_STATUS, frontend_status(p->view, listener));
    put_u32(&l, COLUMN_CONN_RATE, rate_read(&row->connection_rate, p->now_ms));
    put_u32(&l, COLUMN_CONN_RATE_MAX, peak_read(&row->connection_rate.peak));
    put_count(&l, COLUMN_SESS_OTHER, COUNT_SESSIONS);
    p->fn(p->user, &l);
}

/* Connections that come are not taken: by the listener's limit, or the whole process's. */
static bool is_full(const struct view *view, const struct snap_listener *listener)
{
    uint32_t limit = atomic_load_explicit(&listener->max_connections, memory_order_relaxed);
    return limit != 0 && gauge_now(&listener->row->sessions) >= limit && view->accepting;
}

static bool is_waiting(const struct view *view)
{
    return view->engine != NULL &&
           gauge_now(engine_open_sessions(view->engine)) >= engine_max_connections(view->engine);
}

static const char *listener_status(const struct view *view, const struct snap_listener *listener)
{
    if (is_full(view, listener))
        return "FULL";
    return listener->state != LISTENER_OPEN || is_waiting(view) || !view->accepting ? "WAITING" : "OPEN";
}

static void show_bind(const struct pass *p, const struct snap_listener *listener, size_t n)
{
    const struct snap_bind *bind = &listener->binds[n];
    if (!wants(p, bind->row))
        return;
    struct line l = begin(bind->row, listener->conf->name, bind->row->name);
    struct addr at = p->view->engine != NULL
                         ? engine_bound(p->view->engine, (size_t)(listener - p->view->snap->listeners), n)
                         : listener->conf->bind[n];
    l.listener = listener;
    put_client_side(&l);
    put_u32(&l, COLUMN_SLIM, 0);
    put_str(&l, COLUMN_STATUS, listener_status(p->view, listener));
    put_str(&l, COLUMN_PROTO, at.sa.sa_family == AF_INET6 ? "tcpv6" : "tcpv4");
    if (p->filter->legends)
        put_str(&l, COLUMN_ADDR, addr_format(&at, l.addr));
    p->fn(p->user, &l);
}

/* ---- backends ---- */

/* What backends and servers share. */
static void put_server_side(struct line *l, uint64_t now_ms)
{
    const struct row *row = l->row;
    uint64_t          last_ms = atomic_load_explicit(&row->last_session_ms, memory_order_relaxed);
    put_count(l, COLUMN_ECON, COUNT_CONNECTS_FAILED);
    put_count(l, COLUMN_ERESP, COUNT_SERVER_ABORTS);
    put_count(l, COLUMN_WRETR, COUNT_RETRIES);
    put_count(l, COLUMN_WREDIS, COUNT_REDISPATCHES);
    put_count(l, COLUMN_LBTOT, COUNT_PICKS);
    put_count(l, COLUMN_CLI_ABRT, COUNT_CLIENT_ABORTS);
    put_count(l, COLUMN_SRV_ABRT, COUNT_SERVER_ABORTS);
    put_count(l, COLUMN_CONNECT, COUNT_CONNECTS);
    put_count(l, COLUMN_MQGATE_CARRIED, COUNT_CARRIED);
    put_mqtt(l);
    put_u64(l, COLUMN_REUSE, 0);
    put_session_rate(l, now_ms);
    l->at[COLUMN_LASTSESS] = (struct value){.kind = VALUE_S32, .s = -1};
    if (last_ms != 0)
        l->at[COLUMN_LASTSESS].s = now_ms > last_ms ? (int64_t)((now_ms - last_ms) / 1000) : 0;
    put_u32(l, COLUMN_QTIME, average_read(&row->queue_ms));
    put_u32(l, COLUMN_CTIME, average_read(&row->connect_ms));
    put_u32(l, COLUMN_RTIME, 0);
    put_u32(l, COLUMN_TTIME, average_read(&row->total_ms));
    put_u32(l, COLUMN_QTIME_MAX, peak_read(&row->queue_ms.peak));
    put_u32(l, COLUMN_CTIME_MAX, peak_read(&row->connect_ms.peak));
    put_u32(l, COLUMN_RTIME_MAX, 0);
    put_u32(l, COLUMN_TTIME_MAX, peak_read(&row->total_ms.peak));
}

static void put_history(struct line *l, const struct health_history *history, uint64_t now_ms)
{
    put_u64(l, COLUMN_CHKDOWN, history->downs);
    put_u32(l, COLUMN_LASTCHG, (uint32_t)((now_ms - history->last_change_ms) / 1000));
    put_u32(l, COLUMN_DOWNTIME, (uint32_t)(health_down_ms(history, now_ms) / 1000));
}

static bool checks_run(const struct line *l)
{
    return l->check != NULL && l->check->checked && !l->check->disabled;
}

/* HAProxy's words; "UP 2/3" is two failures away from going down, "DOWN 1/2" one success short of coming up. */
static void put_server_status(struct line *l)
{
    const struct server     *live = l->server->live;
    const struct conf_check *check = &l->backend->conf->check;
    bool                     drains = server_admin(live) == SERVER_DRAIN || server_weight(live) == 0;
    uint32_t                 level = l->check != NULL ? l->check->level : 0;
    put_str(l, COLUMN_STATUS, l->status);
    if (server_admin(live) == SERVER_MAINT)
        (void)snprintf(l->status, sizeof l->status, "MAINT");
    else if (!server_has_address(live))
        (void)snprintf(l->status, sizeof l->status, "MAINT (resolution)");
    else if (server_state(live) == SERVER_DOWN && level == 0)
        (void)snprintf(l->status, sizeof l->status, "DOWN");
    else if (server_state(live) == SERVER_DOWN)
        (void)snprintf(l->status, sizeof l->status, "DOWN %u/%u", level, check->rise);
    else if (checks_run(l) && level < check->rise + check->fall - 1)
        (void)snprintf(l->status, sizeof l->status, "%s %u/%u", drains ? "DRAIN" : "UP", level - check->rise + 1,
                       check->fall);
    else if (drains)
        (void)snprintf(l->status, sizeof l->status, "DRAIN");
    else
        (void)snprintf(l->status, sizeof l->status, "%s", checks_run(l) ? "UP" : "no check");
}

static void put_check(struct line *l)
{
    const struct health_report *r = l->check;
    const struct conf_check    *check = &l->backend->conf->check;
    (void)snprintf(l->check_status, sizeof l->check_status, "%s%s", r->running ? "* " : "",
                   probe_status_names[r->last.status]);
    put_str(l, COLUMN_CHECK_STATUS, l->check_status);
    if (r->last.code >= 0 && r->last.status >= PROBE_L7OK)
        put_u32(l, COLUMN_CHECK_CODE, (uint32_t)r->last.code);
    if (r->last.status > PROBE_INI)
        put_u64(l, COLUMN_CHECK_DURATION, r->last.duration_ms);
    put_str(l, COLUMN_LAST_CHK, r->last.detail);
    put_str(l, COLUMN_CHECK_DESC, probe_status_texts[r->last.status]);
    put_u32(l, COLUMN_CHECK_RISE, check->rise);
    put_u32(l, COLUMN_CHECK_FALL, check->fall);
    put_u32(l, COLUMN_CHECK_HEALTH, r->level);
}

static bool is_hidden(const struct line_filter *f, const struct server *live)
{
    bool maint = server_is_in_maintenance(live);
    return (f->up && (maint || server_state(live) == SERVER_DOWN)) || (f->no_maint && maint);
}

static void put_server(struct line *l, uint64_t now_ms, bool legends)
{
    struct server *live = l->server->live;
    uint32_t       limit = server_max_connections(live);
    put_server_side(l, now_ms);
    put_u32(l, COLUMN_QCUR, 0); /* who waits, waits for the backend */
    put_u32(l, COLUMN_QMAX, 0);
    put_u32(l, COLUMN_SCUR, server_in_flight(live));
    put_u32(l, COLUMN_SMAX, server_most_in_flight(live));
    put_u32(l, COLUMN_MQGATE_PENDING, server_pending(live));
    if (limit != 0)
        put_u32(l, COLUMN_SLIM, limit);
    put_count(l, COLUMN_STOT, COUNT_CONNECTS_BEGUN);
    put_server_status(l);
    put_u32(l, COLUMN_WEIGHT, server_weight(live));
    put_u32(l, COLUMN_UWEIGHT, server_weight(live));
    put_u32(l, COLUMN_ACT, !server_is_backup(live));
    put_u32(l, COLUMN_BCK, server_is_backup(live));
    put_u32(l, COLUMN_USED_CONN_CUR, server_in_flight(live));
    put_u32(l, COLUMN_NEED_CONN_EST, server_in_flight(live));
    put_u32(l, COLUMN_SRV_ICUR, 0);
    put_u32(l, COLUMN_IDLE_CONN_CUR, 0);
    put_u32(l, COLUMN_SAFE_CONN_CUR, 0);
    put_u32(l, COLUMN_PRIV_IDLE_CUR, 0);
    put_u32(l, COLUMN_SRID, 0);
    if (l->check != NULL)
        put_history(l, &l->check->history, now_ms);
    if (checks_run(l))
        put_u64(l, COLUMN_CHKFAIL, l->check->failed_up);
    if (!checks_run(l))
        l->at[COLUMN_CHKDOWN] = l->at[COLUMN_DOWNTIME] = (struct value){.kind = VALUE_NONE};
    if (checks_run(l) && !server_is_in_maintenance(live))
        put_check(l);
    if (legends) {
        struct addr at = server_address(live);
        if (addr_is_set(&at))
            put_str(l, COLUMN_ADDR, addr_format(&at, l->addr));
    }
}

static void show_server(const struct pass *p, size_t backend, size_t server)
{
    const struct snap_backend *b = &p->view->snap->backends[backend];
    const struct snap_server  *s = &b->servers[server];
    if (!wants(p, s->row) || is_hidden(p->filter, s->live))
        return;
    struct line l = begin(s->row, b->conf->name, s->conf->name);
    l.backend = b;
    l.server = s;
    l.check = p->view->health != NULL ? health_report(p->view->health, backend, server) : NULL;
    put_server(&l, p->now_ms, p->filter->legends);
    p->fn(p->user, &l);
}

/* HAProxy's default of fullconn: a tenth of what the frontends that lead here may have. */
static uint32_t full_load(const struct view *view, const struct snap_backend *backend)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < view->snap->conf->n_listeners; i++) {
        if (snap_listener_leads_to(&view->snap->listeners[i], backend))
            sum += frontend_limit(view, &view->snap->listeners[i]);
    }
    return sum > 0 && sum < 10 ? 1 : (uint32_t)(sum / 10);
}

static void put_backend_servers(struct line *l, bool counted)
{
    uint32_t act = 0, bck = 0, weight = 0, up = 0;
    size_t   n = l->backend->conf->n_servers;
    for (size_t i = 0; i < n; i++) {
        const struct server *live = l->backend->servers[i].live;
        if (!server_is_usable(live))
            continue;
        up++;
        act += !server_is_backup(live);
        bck += server_is_backup(live);
    }
    for (size_t i = 0; i < n; i++) { /* backups count only when there is nobody else, as they are used */
        const struct server *live = l->backend->servers[i].live;
        if (server_is_usable(live) && server_is_backup(live) == (act == 0))
            weight += server_weight(live);
    }
    put_u32(l, COLUMN_ACT, act);
    put_u32(l, COLUMN_BCK, bck);
    put_u32(l, COLUMN_WEIGHT, weight);
    put_u32(l, COLUMN_UWEIGHT, weight);
    put_str(l, COLUMN_STATUS, l->status);
    (void)snprintf(l->status, sizeof l->status, "%s", up > 0 ? "UP" : "DOWN");
    if (counted)
        (void)snprintf(l->status, sizeof l->status, "%s (%u/%zu)", up > 0 ? "UP" : "DOWN", up, n);
}

static void show_backend(const struct pass *p, size_t index)
{
    static const enum column zeros[] = {COLUMN_DREQ, COLUMN_COMP_IN, COLUMN_COMP_OUT, COLUMN_COMP_BYP, COLUMN_COMP_RSP};
    const struct snap_backend *b = &p->view->snap->backends[index];
    const struct gauge        *waiting = pool_waiting_gauge(b->pool);
    if (!wants(p, b->row))
        return;
    struct line l = begin(b->row, b->conf->name, "BACKEND");
    l.backend = b;
    put_server_side(&l, p->now_ms);
    put_zeros(&l, zeros, ARRAY_LEN(zeros));
    put_gauge(&l, &b->row->sessions);
    put_u32(&l, COLUMN_QCUR, gauge_now(waiting));
    put_u32(&l, COLUMN_QMAX, peak_read(&waiting->peak));
    put_u32(&l, COLUMN_SLIM, full_load(p->view, b));
    put_count(&l, COLUMN_STOT, COUNT_SESSIONS);
    put_backend_servers(&l, p->filter->up || p->filter->no_maint);
    put_u32(&l, COLUMN_AGG_SERVER_STATUS, 0);
    put_u32(&l, COLUMN_AGG_SERVER_CHECK_STATUS, 0);
    put_u32(&l, COLUMN_AGG_CHECK_STATUS, 0);
    if (p->view->health != NULL)
        put_history(&l, health_backend_history(p->view->health, index), p->now_ms);
    if (p->filter->legends)
        put_str(&l, COLUMN_ALGO, conf_balance_names[b->conf->balance]);
    p->fn(p->user, &l);
}

static void show_listener(const struct pass *p, const struct snap_listener *listener)
{
    show_frontend(p, listener->row, listener, frontend_limit(p->view, listener));
    for (size_t i = 0; i < listener->conf->n_bind; i++)
        show_bind(p, listener, i);
}

bool lines_each(const struct view *view, const struct line_filter     *filter,
                void (*fn)(void *user, const struct line *line), void *user)
{
    const struct pass      p = {.view = view, .filter = filter, .now_ms = clock_mono_ms(), .fn = fn, .user = user};
    const struct snapshot *snap = view->snap;
    bool                   any = false;
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        if (!wants_proxy(&p, snap->listeners[i].row))
            continue;
        any = true;
        show_listener(&p, &snap->listeners[i]);
    }
    if (view->admin != NULL && wants_proxy(&p, view->admin)) {
        any = true;
        show_frontend(&p, view->admin, NULL, view->admin_limit);
    }
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        if (!wants_proxy(&p, snap->backends[i].row))
            continue;
        any = true;
        for (size_t s = 0; s < snap->backends[i].conf->n_servers; s++)
            show_server(&p, i, s);
        show_backend(&p, i);
    }
    return any || (filter->iid == LINES_ALL && filter->proxy == NULL);
}
