#include "admin/render_prom.h"

#include <inttypes.h>
#include <string.h>

#include "admin/prom_families.h"
#include "base/macros.h"
#include "config.h"
#include "report/certificates.h"
#include "report/info.h"

/* ---- writing ---- */

struct writer {
    struct text *out;
    bool         open_metrics;
};

/* OpenMetrics names the family of a counter without the _total of its samples. */
static void put_head(const struct writer *w, const char *prefix, const char *name, enum prom_type type,
                     const char *help)
{
    static const char total[] = "_total";
    size_t            len = strlen(name);
    if (w->open_metrics && type == PROM_COUNTER && len > sizeof total - 1)
        len -= sizeof total - 1;
    text_add(w->out, "# HELP %s%.*s %s\n", prefix, (int)len, name, help);
    text_add(w->out, "# TYPE %s%.*s %s\n", prefix, (int)len, name, type == PROM_COUNTER ? "counter" : "gauge");
}

/* A label's value: backslash, quote and line end are escaped. */
static void put_label(struct text *out, const char *name, const char *value)
{
    text_add(out, "%s%s=\"", out->len > 0 && out->at[out->len - 1] == '{' ? "" : ",", name);
    for (const char *p = value; *p != '\0'; p++) {
        const char one[2] = {*p, '\0'};
        if (*p == '\\' || *p == '"')
            text_put(out, "\\", 1);
        text_put(out, *p == '\n' ? " " : one, 1);
    }
    text_puts(out, "\"");
}

static void put_value(struct text *out, const struct value *v, enum prom_unit unit)
{
    if (v->kind == VALUE_NONE || v->kind == VALUE_STR)
        text_puts(out, " NaN\n");
    else if (unit == PROM_MS)
        text_add(out, " %" PRIu64 ".%03u000\n", v->u / 1000, (unsigned)(v->u % 1000));
    else if (v->kind == VALUE_S32)
        text_add(out, " %" PRId64 "\n", v->s);
    else
        text_add(out, " %" PRIu64 "\n", v->u);
}

static void put_sample(const struct writer *w, const char *name, uint64_t value)
{
    text_add(w->out, "%s %" PRIu64 "\n", name, value);
}

/* ---- lines ---- */

static const char *const kind_prefixes[] = {[ROW_FRONTEND] = "haproxy_frontend_",
                                            [ROW_BACKEND] = "haproxy_backend_",
                                            [ROW_SERVER] = "haproxy_server_",
                                            [ROW_LISTENER] = "haproxy_listener_"};

/* proxy, and the listener or server inside it. */
static void put_labels(struct text *out, const struct line *line)
{
    text_puts(out, "{");
    put_label(out, "proxy", line->at[COLUMN_PXNAME].str);
    if (line->kind == ROW_LISTENER)
        put_label(out, "listener", line->at[COLUMN_SVNAME].str);
    else if (line->kind == ROW_SERVER)
        put_label(out, "server", line->at[COLUMN_SVNAME].str);
}

/* A family's samples stand together, but a line is made once: each family of a kind of line collects its own. */
struct collected {
    struct text at[PROM_FAMILIES_MAX], status, check_status;
};

static const char *const        up_or_down[] = {"DOWN", "UP", NULL};
static const char *const        server_states[] = {"DOWN", "UP", "MAINT", "DRAIN", "NOLB", NULL};
static const char *const        listener_states[] = {"WAITING", "OPEN", "FULL", NULL};
static const char *const        check_states[] = {"HANA",   "SOCKERR", "L4OK",     "L4TOUT", "L4CON", "L6OK",
                                                  "L6TOUT", "L6RSP",   "L7TOUT",   "L7RSP",  "L7OK",  "L7OKC",
                                                  "L7STS",  "PROCERR", "PROCTOUT", "PROCOK", NULL};
static const char *const *const kind_states[] = {[ROW_FRONTEND] = up_or_down,
                                                 [ROW_BACKEND] = up_or_down,
                                                 [ROW_SERVER] = server_states,
                                                 [ROW_LISTENER] = listener_states};

/* "* L4OK" and "UP 2/3" are in the state of their word. */
static bool is_in_state(const char *text, const char *state)
{
    if (strncmp(text, "* ", 2) == 0)
        text += 2;
    size_t len = strcspn(text, " ");
    return strlen(state) == len && memcmp(text, state, len) == 0;
}

static void put_states(struct text *out, const struct line *line, const char *family, const char *const *states,
                       const char *text)
{
    for (; *states != NULL; states++) {
        text_add(out, "%s%s", kind_prefixes[line->kind], family);
        put_labels(out, line);
        put_label(out, "state", *states);
        text_add(out, "} %d\n", is_in_state(text, *states));
    }
}

static const char *status_text(const struct line *line)
{
    const char *text = line->at[COLUMN_STATUS].str;
    if (line->kind == ROW_FRONTEND)
        return strcmp(text, "STOP") == 0 ? "DOWN" : "UP";
    return strcmp(text, "no check") == 0 ? "UP" : text;
}

static void collect(void *user, const struct line *line)
{
    struct collected *c = user;
    for (size_t i = 0; prom_families[i].suffix != NULL; i++) {
        const struct prom_family *f = &prom_families[i];
        if ((f->kinds >> line->kind & 1) == 0)
            continue;
        text_add(&c->at[i], "%s%s", kind_prefixes[line->kind], f->suffix);
        put_labels(&c->at[i], line);
        text_puts(&c->at[i], "}");
        put_value(&c->at[i], &line->at[f->column], f->unit);
    }
    put_states(&c->status, line, "status", kind_states[line->kind], status_text(line));
    if (line->kind == ROW_SERVER) {
        const struct value *v = &line->at[COLUMN_CHECK_STATUS];
        put_states(&c->check_status, line, "check_status", check_states, v->kind == VALUE_STR ? v->str : "");
    }
}

/* A family without a sample is left out. */
static void put_collected(const struct writer *w, enum row_kind kind, const char *name, enum prom_type type,
                          const char *help, struct text *samples)
{
    w->out->failed |= samples->failed;
    if (samples->len > 0) {
        put_head(w, kind_prefixes[kind], name, type, help);
        text_put(w->out, samples->at, samples->len);
    }
    text_fini(samples);
}

static void put_kind(const struct view *view, const struct prom_options *o, const struct writer *w, enum row_kind kind)
{
    struct collected   c = {0};
    struct line_filter filter = line_filter_all();
    filter.types = 1 << kind;
    filter.no_maint = o->no_maint;
    (void)lines_each(view, &filter, collect, &c);
    for (size_t i = 0; prom_families[i].suffix != NULL; i++)
        put_collected(w, kind, prom_families[i].suffix, prom_families[i].type, prom_families[i].help, &c.at[i]);
    put_collected(w, kind, "status", PROM_GAUGE, "1 for the state that it is in, 0 for the others.", &c.status);
    put_collected(w, kind, "check_status", PROM_GAUGE, "1 for the verdict of the last check, 0 for the others.",
                  &c.check_status);
}

/* ---- the process ---- */

static void put_figure(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    static const char    prefix[] = "haproxy_process_";
    const struct writer *w = user;
    (void)pos, (void)tags;
    for (const struct prom_figure *f = prom_figures; f->info != NULL; f++) {
        if (strcmp(f->info, name) != 0)
            continue;
        put_head(w, prefix, f->name, f->type, f->help);
        text_add(w->out, "%s%s", prefix, f->name);
        put_value(w->out, value, PROM_PLAIN);
    }
}

static void put_process(const struct view *view, const struct writer *w)
{
    info_each(view, put_figure, (void *)(uintptr_t)w);
    put_head(w, "", "haproxy_process_build_info", PROM_GAUGE, "Always 1; the labels tell.");
    text_puts(w->out, "haproxy_process_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    put_head(w, "", "haproxy_process_node", PROM_GAUGE, "Always 1; the label tells.");
    text_puts(w->out, "haproxy_process_node{");
    put_label(w->out, "node", view->snap->conf->global.node);
    text_puts(w->out, "} 1\n");
}

/* ---- what HAProxy does not have ---- */

/* A counter of each listener. */
static void put_listeners(const struct view *view, const struct writer *w, const char *name, enum count which,
                          const char *help)
{
    put_head(w, "", name, PROM_COUNTER, help);
    for (size_t i = 0; i < view->snap->conf->n_listeners; i++) {
        const struct snap_listener *l = &view->snap->listeners[i];
        text_add(w->out, "%s{", name);
        put_label(w->out, "proxy", l->conf->name);
        text_add(w->out, "} %" PRIu64 "\n", row_sum(l->row, which));
    }
}

static void put_tls_sessions(const struct view *view, const struct writer *w)
{
    static const char name[] = "mqgate_frontend_tls_sessions";
    put_head(w, "", name, PROM_GAUGE, "TLS connections of clients now, by version.");
    for (size_t i = 0; i < view->snap->conf->n_listeners; i++) {
        const struct row *row = view->snap->listeners[i].row;
        uint64_t          all = row_open(row, COUNT_HANDSHAKES, COUNT_TLS_CLOSED);
        uint64_t          tls12 = row_open(row, COUNT_TLS_1_2, COUNT_TLS_1_2_CLOSED);
        const uint64_t    open[] = {tls12, all > tls12 ? all - tls12 : 0};
        for (size_t v = 0; v < ARRAY_LEN(open); v++) {
            text_add(w->out, "%s{", name);
            put_label(w->out, "proxy", row->name);
            put_label(w->out, "version", v == 0 ? "TLSv1.2" : "TLSv1.3");
            text_add(w->out, "} %" PRIu64 "\n", open[v]);
        }
    }
}

static void put_workers(const struct view *view, const struct writer *w)
{
    const struct counters *all = stats_workers(view->snap->stats);
    for (enum worker_counter i = 0; i < WORKER_COUNTERS; i++) {
        text_add(w->out, "# HELP mqgate_worker_%s%s Of each worker thread, see show activity.\n",
                 worker_counter_names[i], w->open_metrics ? "" : "_total");
        text_add(w->out, "# TYPE mqgate_worker_%s%s counter\n", worker_counter_names[i],
                 w->open_metrics ? "" : "_total");
        for (unsigned n = 0; n < view->snap->conf->global.workers; n++)
            text_add(w->out, "mqgate_worker_%s_total{worker=\"%u\"} %" PRIu64 "\n", worker_counter_names[i], n,
                     counters_of(all, n, i));
    }
}

static void put_certificate(void *user, const char *section, const struct tls_certificate_info *c)
{
    struct text *out = user;
    text_puts(out, "mqgate_certificate_not_after_seconds{");
    put_label(out, "tls", section);
    put_label(out, "file", c->path);
    text_add(out, "} %" PRId64 "\n", c->not_after);
}

static void put_own_process(const struct view *view, const struct writer *w)
{
    put_head(w, "", "mqgate_healthy", PROM_GAUGE, "1 while the health endpoint answers 200.");
    put_sample(w, "mqgate_healthy", view_is_healthy(view));
    put_head(w, "", "mqgate_accepting", PROM_GAUGE, "1 while listeners take new clients.");
    put_sample(w, "mqgate_accepting", view->accepting);
    put_workers(view, w);
    put_head(w, "", "mqgate_certificate_not_after_seconds", PROM_GAUGE,
             "When the certificate expires, seconds since 1970.");
    certificates_each(view, put_certificate, w->out);
}

static void put_own_frontends(const struct view *view, const struct writer *w)
{
    put_listeners(view, w, "mqgate_frontend_denied_limit_total", COUNT_DENIED_LIMIT,
                  "Connections refused by the listener's max_connections.");
    put_listeners(view, w, "mqgate_frontend_proxy_errors_total", COUNT_PROXY_ERRORS,
                  "Sessions ended by a bad, late or untrusted PROXY header.");
    put_listeners(view, w, "mqgate_frontend_no_server_total", COUNT_NO_SERVER,
                  "Sessions for which no server could be had.");
    put_listeners(view, w, "mqgate_frontend_tls_handshakes_total", COUNT_HANDSHAKES, "TLS handshakes that succeeded.");
    put_listeners(view, w, "mqgate_frontend_tls_handshakes_resumed_total", COUNT_HANDSHAKES_RESUMED,
                  "TLS handshakes that resumed an earlier session.");
    put_listeners(view, w, "mqgate_frontend_tls_handshakes_failed_total", COUNT_HANDSHAKES_FAILED,
                  "TLS handshakes that failed.");
    put_tls_sessions(view, w);
}

void render_prom(const struct view *view, const struct prom_options *o, struct text *out)
{
    static const struct {
        enum row_kind kind;
        unsigned      scope;
    } kinds[] = {{ROW_FRONTEND, PROM_FRONTEND},
                 {ROW_LISTENER, PROM_LISTENER},
                 {ROW_BACKEND, PROM_BACKEND},
                 {ROW_SERVER, PROM_SERVER}};
    const struct writer w = {.out = out, .open_metrics = o->open_metrics};
    if (o->scopes & PROM_PROCESS)
        put_process(view, &w);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (o->scopes & kinds[i].scope)
            put_kind(view, o, &w, kinds[i].kind);
    }
    if (o->scopes & PROM_PROCESS)
        put_own_process(view, &w);
    if (o->scopes & PROM_FRONTEND)
        put_own_frontends(view, &w);
    if (o->open_metrics)
        text_puts(out, "# EOF\n");
}
