#include "admin/render_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "config.h"

/* Takes value over, also on failure. A NULL value is memory that ran out. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool put_uint(json_t *object, const char *key, uint64_t n)
{
    return put(object, key, json_integer((json_int_t)n));
}

/* Most text is the operator's, but some a server wrote: JSON cannot hold what is not UTF-8. */
static bool put_text(json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text);
    return put(object, key, value != NULL ? value : json_string("(not UTF-8)"));
}

static bool put_bool(json_t *object, const char *key, bool value)
{
    return put(object, key, json_boolean(value));
}

/* A counter and its key here. */
struct named_count {
    const char *key;
    enum count  which;
};

static bool put_counts(json_t *object, const struct row *row, const struct named_count *all, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok = ok && put_uint(object, all[i].key, row_sum(row, all[i].which));
    return ok;
}

static bool put_workers(json_t *object, const struct counters *counters)
{
    bool ok = true;
    for (enum worker_counter i = 0; i < WORKER_COUNTERS; i++)
        ok = ok && put_uint(object, worker_counter_names[i], counters_sum(counters, i));
    return ok;
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
    {"proxy_errors", COUNT_PROXY_ERRORS},
    {"handshakes", COUNT_HANDSHAKES},
    {"handshakes_resumed", COUNT_HANDSHAKES_RESUMED},
    {"handshakes_failed", COUNT_HANDSHAKES_FAILED},
    {"request_errors", COUNT_REQUEST_ERRORS},
    {"no_server", COUNT_NO_SERVER},
    {"internal_errors", COUNT_INTERNAL_ERRORS},
};

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

/* Only what is complete is shown. */
static json_t *whole(json_t *value, bool ok)
{
    if (ok)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *addresses(const struct addr *at, size_t n)
{
    char    text[ADDR_TEXT_MAX];
    json_t *list = json_array();
    bool    ok = true;
    for (size_t i = 0; i < n; i++)
        ok = json_array_append_new(list, json_string(addr_format(&at[i], text))) == 0 && ok;
    return whole(list, ok);
}

static json_t *listener(const struct snap_listener *l)
{
    const struct conf_listener *conf = l->conf;
    json_t                     *o = json_object();
    bool ok = put_text(o, "name", conf->name) && put(o, "bind", addresses(conf->bind, conf->n_bind)) &&
              put_text(o, "protocol", conf_protocol_names[conf->protocol]) &&
              put(o, "tls", conf->tls != NULL ? json_string(conf->tls->name) : json_null()) &&
              put_text(o, "backend", conf->backend->name) && put_uint(o, "open", gauge_now(&l->row->sessions)) &&
              put_uint(o, "max_connections", atomic_load_explicit(&l->max_connections, memory_order_relaxed)) &&
              put_counts(o, l->row, listener_counts, ARRAY_LEN(listener_counts));
    return whole(o, ok);
}

static json_t *listeners(const struct snapshot *snap)
{
    json_t *list = json_array();
    bool    ok = true;
    for (size_t i = 0; i < snap->conf->n_listeners; i++)
        ok = json_array_append_new(list, listener(&snap->listeners[i])) == 0 && ok;
    return whole(list, ok);
}

static json_t *check(const struct health_report *report, uint64_t now_ms)
{
    const struct probe_result *last = &report->last;
    json_t                    *o = json_object();
    bool                       ok = put_text(o, "status", probe_status_names[last->status]) &&
              put_text(o, "text", probe_status_texts[last->status]) && put_text(o, "detail", last->detail) &&
              put(o, "code", last->code >= 0 ? json_integer(last->code) : json_null()) &&
              put_uint(o, "duration_ms", last->duration_ms) && put_bool(o, "running", report->running) &&
              put_uint(o, "passed", report->passed) && put_uint(o, "failed", report->failed) &&
              put_uint(o, "checks", report->checks) && put_uint(o, "failures", report->failures) &&
              put_uint(o, "downs", report->history.downs) &&
              put_uint(o, "changed_s", (now_ms - report->history.last_change_ms) / 1000) &&
              put_uint(o, "down_s", health_down_ms(&report->history, now_ms) / 1000);
    return whole(o, ok);
}

/* report may be NULL: no check is shown. */
static json_t *server(const struct snap_server *s, const struct health_report *report)
{
    json_t *o = json_object();
    bool    ok = put_text(o, "name", s->conf->name) && put_text(o, "address", s->conf->address_text) &&
              put_text(o, "state", server_state_names[server_state(s->live)]) &&
              put_bool(o, "backup", s->conf->backup) && put_uint(o, "in_flight", server_in_flight(s->live)) &&
              put_uint(o, "max_connections", server_max_connections(s->live)) &&
              put_counts(o, s->row, server_counts, ARRAY_LEN(server_counts));
    if (report != NULL)
        ok = ok && put(o, "check", check(report, clock_mono_ms()));
    return whole(o, ok);
}

static json_t *servers(const struct view *view, size_t backend)
{
    const struct snap_backend *b = &view->snap->backends[backend];
    json_t                    *list = json_array();
    bool                       ok = true;
    for (size_t i = 0; i < b->conf->n_servers; i++) {
        const struct health_report *report = view->health != NULL ? health_report(view->health, backend, i) : NULL;
        ok = json_array_append_new(list, server(&b->servers[i], report)) == 0 && ok;
    }
    return whole(list, ok);
}

static json_t *backend(const struct view *view, size_t index)
{
    const struct snap_backend *b = &view->snap->backends[index];
    json_t                    *o = json_object();
    bool ok = put_text(o, "name", b->conf->name) && put_bool(o, "healthy", pool_is_healthy(b->pool)) &&
              put_uint(o, "waiting", pool_n_waiting(b->pool)) && put(o, "servers", servers(view, index));
    return whole(o, ok);
}

static json_t *backends(const struct view *view)
{
    json_t *list = json_array();
    bool    ok = true;
    for (size_t i = 0; i < view->snap->conf->n_backends; i++)
        ok = json_array_append_new(list, backend(view, i)) == 0 && ok;
    return whole(list, ok);
}

static bool put_process(json_t *o, const struct view *view)
{
    const struct conf_global *global = &view->snap->conf->global;
    return put_text(o, "node", global->node) && put_text(o, "version", PACKAGE_VERSION) &&
           put_uint(o, "pid", (uint64_t)getpid()) &&
           put_uint(o, "uptime_s", (clock_mono_ms() - view->started_mono_ms) / 1000) &&
           put_text(o, "state", view->state) && put_bool(o, "accepting", view->accepting) &&
           put_bool(o, "healthy", view_is_healthy(view)) && put_uint(o, "workers", global->workers) &&
           put_uint(o, "max_connections", view->max_connections) && put_workers(o, stats_workers(view->snap->stats));
}

void render_json(const struct view *view, struct text *out)
{
    json_t *o = json_object();
    bool  ok = put_process(o, view) && put(o, "listeners", listeners(view->snap)) && put(o, "backends", backends(view));
    char *text = ok ? json_dumps(o, JSON_INDENT(2)) : NULL;
    json_decref(o);
    if (text == NULL)
        out->failed = true;
    else
        text_puts(out, text);
    free(text);
}
