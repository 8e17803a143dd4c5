#include "admin/render_json.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "config.h"
#include "report/certificates.h"
#include "report/history.h"
#include "report/info.h"
#include "report/lines.h"
#include "report/tally.h"

/* Where the writing is. */
struct writer {
    struct text               *t;
    const struct view         *view;
    uint64_t                   now_ms;
    bool                       in_listener; /* its object is open */
    const struct snap_backend *backend;     /* whose object is open; NULL: none */
};

/* A comma, unless this is the first of an object or a list. No value ends in a bracket that opens. */
static void put_comma(struct text *t)
{
    if (t->len > 0 && t->at[t->len - 1] != '{' && t->at[t->len - 1] != '[')
        text_puts(t, ",");
}

static void put_key(struct text *t, const char *key)
{
    put_comma(t);
    text_put_json(t, key);
    text_puts(t, ":");
}

/* An object of a list, on a line of its own. */
static void begin_item(struct text *t)
{
    put_comma(t);
    text_puts(t, "\n{");
}

static void put_uint(struct text *t, const char *key, uint64_t n)
{
    put_key(t, key);
    text_put_uint(t, n);
}

static void put_text(struct text *t, const char *key, const char *text)
{
    put_key(t, key);
    text_put_json(t, text);
}

static void put_bool(struct text *t, const char *key, bool value)
{
    put_key(t, key);
    text_puts(t, value ? "true" : "false");
}

static void put_null(struct text *t, const char *key)
{
    put_key(t, key);
    text_puts(t, "null");
}

static void put_value(struct text *t, const char *key, const struct value *value)
{
    if (value->kind == VALUE_NONE)
        return;
    put_key(t, key);
    if (value->kind == VALUE_STR)
        text_put_json(t, value->str);
    else if (value->kind == VALUE_S32 && value->s < 0)
        text_add(t, "%lld", (long long)value->s);
    else
        text_put_uint(t, value->u);
}

/* HAProxy's columns by name; what the line has not got is left out. */
static void put_columns(struct text *t, const struct line *line)
{
    for (size_t i = 0; i < COLUMNS_N; i++) {
        if (i != COLUMN_DASH)
            put_value(t, columns[i].name, &line->at[i]);
    }
}

static void put_stat(struct text *t, const struct line *line)
{
    put_key(t, "stat");
    text_puts(t, "{");
    put_columns(t, line);
    text_puts(t, "}");
}

/* ---- the last minutes ---- */

static uint64_t point_sessions(const struct point *p)
{
    return p->sessions;
}

static uint64_t point_session_rate(const struct point *p)
{
    return p->session_rate;
}

static uint64_t point_in_rate(const struct point *p)
{
    return p->in_rate;
}

static uint64_t point_out_rate(const struct point *p)
{
    return p->out_rate;
}

static uint64_t point_packets_in_rate(const struct point *p)
{
    return p->packets_in_rate;
}

static uint64_t point_packets_out_rate(const struct point *p)
{
    return p->packets_out_rate;
}

static void put_points(struct text *t, const char *key, const struct series *series,
                       uint64_t (*get)(const struct point *p))
{
    put_key(t, key);
    text_puts(t, "[");
    for (uint32_t i = 0; series != NULL && i < series->n; i++) {
        put_comma(t);
        text_put_uint(t, get(&series->points[i]));
    }
    text_puts(t, "]");
}

static void put_history(const struct writer *w, const struct row *row, bool is_mqtt)
{
    const struct series *series = history_of(w->view->history, row->iid);
    put_key(w->t, "history");
    text_puts(w->t, "{");
    put_points(w->t, "sessions", series, point_sessions);
    put_points(w->t, "session_rate", series, point_session_rate);
    put_points(w->t, "in_rate", series, point_in_rate);
    put_points(w->t, "out_rate", series, point_out_rate);
    if (is_mqtt) {
        put_points(w->t, "packets_in_rate", series, point_packets_in_rate);
        put_points(w->t, "packets_out_rate", series, point_packets_out_rate);
    }
    text_puts(w->t, "}");
}

/* ---- MQTT ---- */

/* A group as an object: {"in":{"CONNECT":1}} of two labels, {"5":1} of one. */
struct object {
    struct text *t;
    const char  *outer; /* whose object is open; NULL: none */
};

static void put_member(void *user, const struct tally *tally)
{
    struct object *o = user;
    const char    *outer = tally->value[1] != NULL ? tally->value[0] : NULL;
    if (outer != NULL && (o->outer == NULL || strcmp(o->outer, outer) != 0)) {
        text_puts(o->t, o->outer != NULL ? "}" : "");
        put_key(o->t, outer);
        text_puts(o->t, "{");
        o->outer = outer;
    }
    put_uint(o->t, tally->value[outer != NULL], tally->n);
}

static void put_object(struct text *t, const char *key, const struct row *row, enum tally_group group)
{
    struct object o = {.t = t};
    put_key(t, key);
    text_puts(t, "{");
    tally_each(row, group, put_member, &o);
    text_puts(t, o.outer != NULL ? "}}" : "}");
}

/* The first label is what tells a CONNACK of a version from another's, a DISCONNECT of a sender likewise. */
struct codes {
    struct text *t;
    const char  *label;
};

static void put_code(void *user, const struct tally *tally)
{
    const struct codes *c = user;
    if (tally->n == 0)
        return;
    begin_item(c->t);
    put_text(c->t, c->label, tally->value[0]);
    if (tally->code >= 0)
        put_uint(c->t, "code", (uint64_t)tally->code);
    else
        put_null(c->t, "code");
    put_text(c->t, "reason", tally->value[2]);
    put_uint(c->t, "count", tally->n);
    text_puts(c->t, "}");
}

static void put_codes(struct text *t, const char *key, const struct row *row, enum tally_group group)
{
    struct codes c = {.t = t, .label = tally_labels[group][0]};
    put_key(t, key);
    text_puts(t, "[");
    tally_each(row, group, put_code, &c);
    text_puts(t, "]");
}

static void put_mqtt(const struct writer *w, const struct line *line)
{
    struct text *t = w->t;
    if (!tally_is_mqtt(w->view, line)) {
        put_null(t, "mqtt");
        return;
    }
    put_key(t, "mqtt");
    text_puts(t, "{");
    put_object(t, "sessions", line->row, TALLY_SESSIONS);
    put_object(t, "connects", line->row, TALLY_CONNECTS);
    put_object(t, "packets", line->row, TALLY_PACKETS);
    put_object(t, "publishes", line->row, TALLY_PUBLISHES);
    put_codes(t, "connacks", line->row, TALLY_CONNACKS);
    put_codes(t, "disconnects", line->row, TALLY_DISCONNECTS);
    put_uint(t, "broken", row_sum(line->row, COUNT_MQTT_BROKEN));
    put_uint(t, "loose", row_sum(line->row, COUNT_MQTT_LOOSE));
    text_puts(t, "}");
}

/* ---- listeners ---- */

/* A counter and its key here. */
struct named_count {
    const char *key;
    enum count  which;
};

static void put_counts(struct text *t, const struct row *row, const struct named_count *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_uint(t, all[i].key, row_sum(row, all[i].which));
}

static const struct named_count listener_counts[] = {
    {"connections", COUNT_CONNECTIONS},
    {"sessions", COUNT_SESSIONS},
    {"closed", COUNT_CLOSED},
    {"bytes_in", COUNT_REQUEST_IN},
    {"bytes_out", COUNT_RESPONSE_OUT},
    {"denied_connections", COUNT_DENIED_CONNECTIONS},
    {"denied_sessions", COUNT_DENIED_SESSIONS},
    {"denied_limit", COUNT_DENIED_LIMIT},
    {"denied_source_connections", COUNT_DENIED_SOURCE_CONNECTIONS},
    {"denied_source_rate", COUNT_DENIED_SOURCE_RATE},
    {"sources_untracked", COUNT_SOURCES_UNTRACKED},
    {"proxy_errors", COUNT_PROXY_ERRORS},
    {"handshakes", COUNT_HANDSHAKES},
    {"handshakes_resumed", COUNT_HANDSHAKES_RESUMED},
    {"handshakes_failed", COUNT_HANDSHAKES_FAILED},
    {"request_errors", COUNT_REQUEST_ERRORS},
    {"no_server", COUNT_NO_SERVER},
    {"paced", COUNT_PACED},
    {"keep_alive_ended", COUNT_KEEP_ALIVE_ENDED},
    {"max_age_ended", COUNT_MAX_AGE_ENDED},
    {"shed", COUNT_SHED},
    {"internal_errors", COUNT_INTERNAL_ERRORS},
};

static void put_addresses(struct text *t, const char *key, const struct addr *at, size_t n)
{
    char text[ADDR_TEXT_MAX];
    put_key(t, key);
    text_puts(t, "[");
    for (size_t i = 0; i < n; i++) {
        put_comma(t);
        text_put_json(t, addr_format(&at[i], text));
    }
    text_puts(t, "]");
}

static void put_name(struct text *t, const char *key, const struct conf_backend *backend)
{
    if (backend != NULL)
        put_text(t, key, backend->name);
    else
        put_null(t, key);
}

static void put_where_to(struct text *t, const struct conf_listener *conf)
{
    put_name(t, "backend", conf->backend);
    if (conf->backend != NULL)
        return;
    put_key(t, "backends");
    text_puts(t, "{");
    put_name(t, "mqtt", conf->backends.mqtt);
    put_name(t, "ws", conf->backends.ws);
    text_puts(t, "}");
}

static void put_listener_facts(struct text *t, const struct snap_listener *l)
{
    const struct conf_listener *conf = l->conf;
    put_text(t, "name", conf->name);
    put_addresses(t, "bind", conf->bind, conf->n_bind);
    put_text(t, "protocol", conf_protocol_names[conf->protocol]);
    if (conf->tls != NULL)
        put_text(t, "tls", conf->tls->name);
    else
        put_null(t, "tls");
    put_where_to(t, conf);
    put_uint(t, "open", gauge_now(&l->row->sessions));
    put_uint(t, "waiting", snap_listener_waiting(l));
    put_uint(t, "rate_limit", conf->rate_limit);
    put_uint(t, "max_connections", atomic_load_explicit(&l->max_connections, memory_order_relaxed));
    put_counts(t, l->row, listener_counts, ARRAY_LEN(listener_counts));
}

static void begin_listener(struct writer *w, const struct line *line)
{
    begin_item(w->t);
    put_listener_facts(w->t, line->listener);
    put_object(w->t, "refused", line->row, TALLY_REFUSED);
    put_mqtt(w, line);
    put_stat(w->t, line);
    put_history(w, line->row, tally_is_mqtt(w->view, line));
    put_key(w->t, "binds");
    text_puts(w->t, "[");
    w->in_listener = true;
}

static void end_listener(struct writer *w)
{
    if (w->in_listener)
        text_puts(w->t, "]}");
    w->in_listener = false;
}

/* Frontends, each with its addresses behind it; the admin frontend comes last. */
static void on_client_line(void *user, const struct line *line)
{
    struct writer *w = user;
    if (line->kind == ROW_LISTENER) {
        begin_item(w->t);
        put_columns(w->t, line);
        text_puts(w->t, "}");
        return;
    }
    end_listener(w);
    if (line->listener != NULL)
        begin_listener(w, line);
}

static void on_admin_line(void *user, const struct line *line)
{
    struct writer *w = user;
    put_key(w->t, "admin");
    text_puts(w->t, "{");
    put_stat(w->t, line);
    text_puts(w->t, "}");
}

static void put_listeners(struct writer *w)
{
    struct line_filter filter = line_filter_all();
    filter.types = 1 << ROW_FRONTEND | 1 << ROW_LISTENER;
    filter.legends = true;
    put_key(w->t, "listeners");
    text_puts(w->t, "[");
    (void)lines_each(w->view, &filter, on_client_line, w);
    end_listener(w);
    text_puts(w->t, "]");
    if (w->view->admin == NULL)
        return;
    filter.iid = w->view->admin->iid;
    (void)lines_each(w->view, &filter, on_admin_line, w);
}

/* ---- backends ---- */

static const struct named_count server_counts[] = {
    {"connects", COUNT_CONNECTS},
    {"connects_failed", COUNT_CONNECTS_FAILED},
    {"retries", COUNT_RETRIES},
    {"redispatches", COUNT_REDISPATCHES},
    {"sessions", COUNT_CARRIED},
    {"bytes_in", COUNT_REQUEST_OUT},
    {"bytes_out", COUNT_RESPONSE_IN},
    {"client_aborts", COUNT_CLIENT_ABORTS},
    {"server_aborts", COUNT_SERVER_ABORTS},
};

static void put_check(const struct writer *w, const struct health_report *report)
{
    const struct probe_result *last = &report->last;
    put_key(w->t, "check");
    text_puts(w->t, "{");
    put_text(w->t, "status", probe_status_names[last->status]);
    put_text(w->t, "text", probe_status_texts[last->status]);
    put_text(w->t, "detail", last->detail);
    if (last->code >= 0)
        put_uint(w->t, "code", (uint64_t)last->code);
    else
        put_null(w->t, "code");
    put_uint(w->t, "duration_ms", last->duration_ms);
    put_bool(w->t, "running", report->running);
    put_uint(w->t, "passed", report->passed);
    put_uint(w->t, "failed", report->failed);
    put_uint(w->t, "checks", report->checks);
    put_uint(w->t, "failures", report->failures);
    put_uint(w->t, "downs", report->history.downs);
    put_uint(w->t, "changed_s", (w->now_ms - report->history.last_change_ms) / 1000);
    put_uint(w->t, "down_s", health_down_ms(&report->history, w->now_ms) / 1000);
    text_puts(w->t, "}");
}

static void put_server(const struct writer *w, const struct line *line)
{
    const struct snap_server *s = line->server;
    const struct addr         at = server_address(s->live);
    char                      text[ADDR_TEXT_MAX];
    begin_item(w->t);
    put_text(w->t, "name", s->conf->name);
    put_text(w->t, "address", addr_is_set(&at) ? addr_format(&at, text) : s->conf->address_text);
    put_text(w->t, "state", server_state_names[server_state(s->live)]);
    put_bool(w->t, "backup", server_is_backup(s->live));
    put_uint(w->t, "in_flight", server_in_flight(s->live));
    put_uint(w->t, "max_connections", server_max_connections(s->live));
    put_counts(w->t, s->row, server_counts, ARRAY_LEN(server_counts));
    put_mqtt(w, line);
    put_stat(w->t, line);
    if (line->check != NULL)
        put_check(w, line->check);
    text_puts(w->t, "}");
}

static void begin_backend(struct writer *w, const struct snap_backend *b)
{
    if (w->backend == b)
        return;
    begin_item(w->t);
    put_text(w->t, "name", b->conf->name);
    put_bool(w->t, "healthy", pool_is_healthy(b->pool));
    put_uint(w->t, "waiting", pool_n_waiting(b->pool));
    put_key(w->t, "servers");
    text_puts(w->t, "[");
    w->backend = b;
}

/* The servers come before their backend. */
static void on_server_line(void *user, const struct line *line)
{
    struct writer *w = user;
    begin_backend(w, line->backend);
    if (line->kind == ROW_SERVER) {
        put_server(w, line);
        return;
    }
    text_puts(w->t, "]");
    put_stat(w->t, line);
    put_history(w, line->row, false);
    text_puts(w->t, "}");
}

static void put_backends(struct writer *w)
{
    struct line_filter filter = line_filter_all();
    filter.types = 1 << ROW_SERVER | 1 << ROW_BACKEND;
    filter.legends = true;
    put_key(w->t, "backends");
    text_puts(w->t, "[");
    (void)lines_each(w->view, &filter, on_server_line, w);
    text_puts(w->t, "]");
}

/* ---- certificates ---- */

static void put_date(struct text *t, const char *key, int64_t seconds)
{
    char      when[32] = "?";
    time_t    at = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&at, &tm) != NULL)
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    put_text(t, key, when);
}

static void on_certificate(void *user, const char *section, const struct tls_certificate_info *c)
{
    struct text *t = user;
    int64_t      now_s = (int64_t)(clock_wall_ms() / 1000);
    begin_item(t);
    put_text(t, "tls", section);
    put_text(t, "file", c->path);
    put_text(t, "subject", c->subject);
    put_text(t, "issuer", c->issuer);
    put_text(t, "names", c->names);
    put_text(t, "key", c->key);
    put_text(t, "serial", c->serial);
    put_date(t, "not_before", c->not_before);
    put_date(t, "not_after", c->not_after);
    put_key(t, "days_left");
    text_add(t, "%lld", (long long)(c->not_after - now_s) / 86400);
    put_bool(t, "expired", now_s > c->not_after);
    text_puts(t, "}");
}

static void put_certificates(struct writer *w)
{
    put_key(w->t, "certificates");
    text_puts(w->t, "[");
    certificates_each(w->view, on_certificate, w->t);
    text_puts(w->t, "]");
}

/* ---- the process ---- */

static void on_info(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    (void)pos, (void)tags;
    put_value(user, name, value);
}

/* While there is something to tell. */
static void put_drain(struct writer *w)
{
    const struct progress p = view_progress(w->view, w->now_ms);
    if (!p.is_on)
        return;
    put_key(w->t, "drain");
    text_puts(w->t, "{");
    put_text(w->t, "phase", p.phase);
    put_uint(w->t, "total", p.total);
    put_uint(w->t, "done", p.total - p.left);
    put_uint(w->t, "left", p.left);
    put_uint(w->t, "rate", p.rate);
    put_uint(w->t, "asked_a_second", p.asked_a_second);
    put_uint(w->t, "to_go_ms", p.to_go_ms);
    put_uint(w->t, "cut_ms", p.cut_ms);
    text_puts(w->t, "}");
}

static void put_upgrade(struct writer *w)
{
    const struct upgrade_facts *u = &w->view->upgrade;
    if (u->phase == UPGRADE_NONE)
        return;
    put_key(w->t, "upgrade");
    text_puts(w->t, "{");
    put_text(w->t, "phase", upgrade_phase_names[u->phase]);
    put_text(w->t, "by", u->by);
    put_text(w->t, "binary", u->binary);
    put_uint(w->t, "awaited", u->awaited);
    put_uint(w->t, "left_ms", u->until_ms > w->now_ms ? u->until_ms - w->now_ms : 0);
    text_puts(w->t, "}");
}

static void put_last_upgrade(struct writer *w)
{
    const struct upgrade_facts *u = &w->view->upgrade;
    put_uint(w->t, "upgrades", w->view->upgrades);
    put_uint(w->t, "upgrades_failed", w->view->upgrades_failed);
    put_uint(w->t, "upgrade_sessions", u->sessions);
    put_uint(w->t, "upgrade_closed", u->lost);
    put_uint(w->t, "upgrade_pause_us", u->pause_us);
    put_uint(w->t, "upgrade_wall_s", u->wall_ms / 1000);
    put_text(w->t, "upgrade_from", u->last_from);
    put_text(w->t, "upgrade_by", u->last_by);
    put_bool(w->t, "upgrade_failed", view_upgrade_failed(w->view));
    put_uint(w->t, "upgrade_failed_wall_s", u->failed_wall_ms / 1000);
    put_text(w->t, "upgrade_failed_why", u->failed_why);
}

static void put_process(struct writer *w)
{
    const struct view        *view = w->view;
    const struct conf_global *global = &view->snap->conf->global;
    put_text(w->t, "node", global->node);
    put_text(w->t, "version", PACKAGE_VERSION);
    put_uint(w->t, "pid", (uint64_t)getpid());
    put_uint(w->t, "uptime_s", (w->now_ms - view->started_mono_ms) / 1000);
    put_text(w->t, "state", view->state);
    put_bool(w->t, "accepting", view->accepting);
    put_bool(w->t, "healthy", view_is_healthy(view));
    put_drain(w);
    put_upgrade(w);
    put_uint(w->t, "workers", global->workers);
    put_uint(w->t, "max_connections", view->max_connections);
    put_uint(w->t, "reloads", view->reloads);
    put_uint(w->t, "reloads_failed", view->reloads_failed);
    put_uint(w->t, "reload_wall_s", view->reload_wall_ms / 1000);
    put_bool(w->t, "reload_failed", view->reload_failed);
    put_last_upgrade(w);
    for (enum worker_counter i = 0; i < WORKER_COUNTERS; i++)
        put_uint(w->t, worker_counter_names[i], counters_sum(stats_workers(view->snap->stats), i));
    put_key(w->t, "info");
    text_puts(w->t, "{");
    info_each(view, on_info, w->t);
    text_puts(w->t, "}");
    put_uint(w->t, "history_step_s", HISTORY_STEP_S);
}

void render_json(const struct view *view, struct text *out)
{
    struct writer w = {.t = out, .view = view, .now_ms = clock_mono_ms()};
    text_puts(out, "{");
    put_process(&w);
    put_listeners(&w);
    put_backends(&w);
    put_certificates(&w);
    text_puts(out, "}\n");
}
