#include "admin/render_prom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/prom_families.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/utf8.h"
#include "config.h"
#include "report/certificates.h"
#include "report/info.h"

enum { NAME_LEN = 96 }; /* bytes of the longest name of a metric, and more */

/* ---- writing ---- */

struct writer {
    struct text               *out;
    const struct prom_options *options;
};

/* False when the family is not asked for. OpenMetrics names that of a counter without the _total of its samples. */
static bool put_head(const struct writer *w, const char *prefix, const char *suffix, enum prom_type type,
                     const char *help)
{
    static const char total[] = "_total";
    char              name[NAME_LEN];
    (void)snprintf(name, sizeof name, "%s%s", prefix, suffix);
    if (!prom_wants(w->options, name))
        return false;
    if (w->options->open_metrics && type == PROM_COUNTER)
        name[strlen(name) - strlen(total)] = '\0';
    text_add(w->out, "# HELP %s %s\n", name, help);
    text_add(w->out, "# TYPE %s %s\n", name, type == PROM_COUNTER ? "counter" : "gauge");
    return true;
}

/* A label's value: what is no character of one line becomes '?', backslash and quote are escaped. */
static void put_label(struct text *out, const char *name, const char *value)
{
    text_add(out, "%s%s=\"", out->len > 0 && out->at[out->len - 1] == '{' ? "" : ",", name);
    for (struct slice s = slice_str(value); s.len > 0;) {
        size_t n = utf8_char_len(s);
        if (n == 0 || utf8_is_control(s)) {
            text_puts(out, "?");
        } else {
            if (*s.ptr == '\\' || *s.ptr == '"')
                text_puts(out, "\\");
            text_put(out, (const char *)s.ptr, n);
        }
        s = slice_skip(s, n > 0 ? n : 1);
    }
    text_puts(out, "\"");
}

static void put_value(struct text *out, const struct value *v, enum prom_unit unit)
{
    if (v->kind == VALUE_NONE && unit == PROM_CODE)
        text_puts(out, " 0\n");
    else if (v->kind == VALUE_NONE || v->kind == VALUE_STR)
        text_puts(out, " NaN\n");
    else if (unit == PROM_MS)
        text_add(out, " %" PRIu64 ".%03u000\n", v->u / 1000, (unsigned)(v->u % 1000));
    else if (v->kind == VALUE_S32)
        text_add(out, " %" PRId64 "\n", v->s);
    else
        text_add(out, " %" PRIu64 "\n", v->u);
}

/* A gauge without labels. */
static void put_gauge(const struct writer *w, const char *name, uint64_t value, const char *help)
{
    if (put_head(w, "", name, PROM_GAUGE, help))
        text_add(w->out, "%s %" PRIu64 "\n", name, value);
}

/* ---- lines ---- */

static const char *const kind_names[] = {
    [ROW_FRONTEND] = "frontend", [ROW_BACKEND] = "backend", [ROW_SERVER] = "server", [ROW_LISTENER] = "listener"};

/* The name, and the labels proxy and that of the listener or server inside it; "}" is yet to come. */
static void begin_sample(struct text *out, const struct line *line, const char *vendor, const char *suffix)
{
    text_add(out, "%s_%s_%s{", vendor, kind_names[line->kind], suffix);
    put_label(out, "proxy", line->at[COLUMN_PXNAME].str);
    if (line->kind == ROW_LISTENER || line->kind == ROW_SERVER)
        put_label(out, kind_names[line->kind], line->at[COLUMN_SVNAME].str);
}

/* Families of states: one sample a state. */
enum { STATUS, CHECK_STATUS, AGG_SERVER_STATUS, AGG_SERVER_CHECK_STATUS, AGG_CHECK_STATUS, STATE_FAMILIES };

static const struct {
    const char *suffix, *help;
} state_families[] = {
    [STATUS] = {"status", "1 for the state that it is in, 0 for the others."},
    [CHECK_STATUS] = {"check_status", "1 for the verdict of the last check, 0 for the others."},
    [AGG_SERVER_STATUS] = {"agg_server_status", "Servers in each state."},
    [AGG_SERVER_CHECK_STATUS] = {"agg_server_check_status", "As agg_server_status, by an older name."},
    [AGG_CHECK_STATUS] = {"agg_check_status", "Servers by the verdict of their last check."},
};

/* A family's samples stand together, but a line is made once: each family of a kind of line collects its own. */
struct collected {
    const struct view *view;
    bool               open_metrics;
    struct text        at[PROM_FAMILIES_MAX], own[PROM_OWN_MAX], tallies[PROM_TALLIES_MAX], states[STATE_FAMILIES];
};

static const char *const up_or_down[] = {"DOWN", "UP", NULL};
static const char *const listener_states[] = {"WAITING", "OPEN", "FULL", NULL};
static const char *const server_states[] = {"DOWN", "UP", "MAINT", "DRAIN", "NOLB", NULL};
static const char *const check_states[] = {"HANA",   "SOCKERR", "L4OK",     "L4TOUT", "L4CON", "L6OK",
                                           "L6TOUT", "L6RSP",   "L7TOUT",   "L7RSP",  "L7OK",  "L7OKC",
                                           "L7STS",  "PROCERR", "PROCTOUT", "PROCOK", NULL};

static void put_state(struct collected *c, const struct line *line, size_t family, const char *state, uint64_t value)
{
    struct text *out = &c->states[family];
    begin_sample(out, line, "haproxy", state_families[family].suffix);
    put_label(out, "state", state);
    text_add(out, "} %" PRIu64 "\n", value);
}

static void put_states(struct collected *c, const struct line *line, size_t family, const char *const *states,
                       const char *now)
{
    for (; *states != NULL; states++)
        put_state(c, line, family, *states, strcmp(*states, now) == 0);
}

/* As HAProxy's exporter has it: a weight of 0 is no draining. */
static const char *server_status(const struct server *server)
{
    if (server_is_in_maintenance(server))
        return "MAINT";
    if (server_state(server) == SERVER_DOWN)
        return "DOWN";
    return server_admin(server) == SERVER_DRAIN ? "DRAIN" : "UP";
}

static bool is_checked(const struct line *line)
{
    return line->at[COLUMN_CHECK_STATUS].kind == VALUE_STR;
}

static bool is_down(const struct line *line)
{
    return strncmp(line->at[COLUMN_STATUS].str, line->kind == ROW_FRONTEND ? "STOP" : "DOWN", 4) == 0;
}

/* How many servers of the backend are in each state. */
static void collect_servers(struct collected *c, const struct line *line)
{
    const struct snap_backend *b = line->backend;
    for (size_t i = 0; server_states[i] != NULL; i++) {
        uint64_t n = 0;
        for (size_t at = 0; at < b->conf->n_servers; at++)
            n += strcmp(server_states[i], server_status(b->servers[at].live)) == 0;
        put_state(c, line, AGG_SERVER_STATUS, server_states[i], n);
        put_state(c, line, AGG_SERVER_CHECK_STATUS, server_states[i], n);
    }
}

/* The verdict of the last check, or "" where none is made. */
static const char *check_verdict(const struct collected *c, const struct snap_backend *b, size_t server)
{
    const struct health        *health = c->view->health;
    const struct health_report *r =
        health != NULL ? health_report(health, (size_t)(b - c->view->snap->backends), server) : NULL;
    bool runs = r != NULL && r->checked && !r->disabled && !server_is_in_maintenance(b->servers[server].live);
    return runs ? probe_status_names[r->last.status] : "";
}

static void collect_checks(struct collected *c, const struct line *line)
{
    for (size_t i = 0; check_states[i] != NULL; i++) {
        uint64_t n = 0;
        for (size_t at = 0; at < line->backend->conf->n_servers; at++)
            n += strcmp(check_states[i], check_verdict(c, line->backend, at)) == 0;
        put_state(c, line, AGG_CHECK_STATUS, check_states[i], n);
    }
}

static void collect_states(struct collected *c, const struct line *line)
{
    switch (line->kind) {
    case ROW_LISTENER:
        put_states(c, line, STATUS, listener_states, line->at[COLUMN_STATUS].str);
        break;
    case ROW_SERVER:
        put_states(c, line, STATUS, server_states, server_status(line->server->live));
        if (is_checked(line))
            put_states(c, line, CHECK_STATUS, check_states, probe_status_names[line->check->last.status]);
        break;
    case ROW_BACKEND:
        collect_servers(c, line);
        collect_checks(c, line);
        put_states(c, line, STATUS, up_or_down, up_or_down[!is_down(line)]);
        break;
    case ROW_FRONTEND:
        put_states(c, line, STATUS, up_or_down, up_or_down[!is_down(line)]);
        break;
    }
}

/* OpenMetrics allows no counter to be NaN. */
static bool has_sample(const struct collected *c, const struct prom_family *f, const struct line *line)
{
    bool none = line->at[f->column].kind == VALUE_NONE;
    if ((f->kinds >> line->kind & 1) == 0 || (none && f->type == PROM_COUNTER && c->open_metrics))
        return false;
    return (f->kinds & PROM_IF_CHECKED) == 0 || (is_checked(line) && (!none || f->unit == PROM_CODE));
}

/* Not of the frontend of operators. */
static bool has_own(const struct collected *c, unsigned kinds, enum prom_of of, const struct line *line)
{
    if ((kinds >> line->kind & 1) == 0 || (line->kind == ROW_FRONTEND && line->listener == NULL))
        return false;
    switch (of) {
    case PROM_OF_TLS:
        return line->listener != NULL && line->listener->tls != NULL;
    case PROM_OF_MQTT:
        return tally_is_mqtt(c->view, line);
    case PROM_OF_ANY:
        break;
    }
    return true;
}

static void collect_own(struct collected *c, const struct line *line)
{
    for (size_t i = 0; prom_own[i].suffix != NULL; i++) {
        const struct prom_own *f = &prom_own[i];
        if (!has_own(c, f->kinds, f->of, line))
            continue;
        begin_sample(&c->own[i], line, "mqgate", f->suffix);
        if (f->label != NULL)
            put_label(&c->own[i], f->label, f->value);
        text_puts(&c->own[i], "}");
        put_value(&c->own[i], &line->at[f->column], PROM_PLAIN);
    }
}

/* Where the numbers of a group go. */
struct group {
    struct text             *out;
    const struct prom_tally *family;
    const struct line       *line;
};

static void put_tally(void *user, const struct tally *tally)
{
    const struct group *g = user;
    if (!tally->is_kept)
        return;
    begin_sample(g->out, g->line, "mqgate", g->family->suffix);
    for (size_t i = 0; i < TALLY_LABELS && tally->value[i] != NULL; i++)
        put_label(g->out, tally_labels[g->family->group][i], tally->value[i]);
    text_add(g->out, "} %" PRIu64 "\n", tally->n);
}

static void collect_tallies(struct collected *c, const struct line *line)
{
    for (size_t i = 0; prom_tallies[i].suffix != NULL; i++) {
        const struct prom_tally *f = &prom_tallies[i];
        struct group             group = {.out = &c->tallies[i], .family = f, .line = line};
        if (has_own(c, f->kinds, f->of, line))
            tally_each(line->row, f->group, put_tally, &group);
    }
}

static void collect(void *user, const struct line *line)
{
    struct collected *c = user;
    for (size_t i = 0; prom_families[i].suffix != NULL; i++) {
        const struct prom_family *f = &prom_families[i];
        if (!has_sample(c, f, line))
            continue;
        begin_sample(&c->at[i], line, "haproxy", f->suffix);
        text_puts(&c->at[i], "}");
        put_value(&c->at[i], &line->at[f->column], f->unit);
    }
    collect_own(c, line);
    collect_tallies(c, line);
    collect_states(c, line);
}

/* Samples under the head that was put; wanted tells whether it was. */
static void put_samples(const struct writer *w, bool wanted, struct text *samples)
{
    w->out->failed |= samples->failed;
    if (wanted)
        text_put(w->out, samples->at, samples->len);
    text_fini(samples);
}

/* A family without a sample is left out. */
static void put_collected(const struct writer *w, const char *prefix, const char *suffix, enum prom_type type,
                          const char *help, struct text *samples)
{
    put_samples(w, samples->len > 0 && put_head(w, prefix, suffix, type, help), samples);
}

static void put_own(const struct writer *w, const char *prefix, struct collected *c)
{
    bool wanted = false;
    for (size_t i = 0; prom_own[i].suffix != NULL; i++) {
        const struct prom_own *f = &prom_own[i];
        if (f->help != NULL)
            wanted = c->own[i].len > 0 && put_head(w, prefix, f->suffix, f->type, f->help);
        put_samples(w, wanted, &c->own[i]);
    }
}

static void put_kind(const struct view *view, const struct writer *w, enum row_kind kind)
{
    struct collected   c = {.view = view, .open_metrics = w->options->open_metrics};
    struct line_filter filter = line_filter_all();
    char               prefix[NAME_LEN];
    filter.types = 1 << kind;
    filter.no_maint = w->options->no_maint;
    (void)lines_each(view, &filter, collect, &c);
    (void)snprintf(prefix, sizeof prefix, "haproxy_%s_", kind_names[kind]);
    for (size_t i = 0; prom_families[i].suffix != NULL; i++)
        put_collected(w, prefix, prom_families[i].suffix, prom_families[i].type, prom_families[i].help, &c.at[i]);
    for (size_t i = 0; i < STATE_FAMILIES; i++)
        put_collected(w, prefix, state_families[i].suffix, PROM_GAUGE, state_families[i].help, &c.states[i]);
    (void)snprintf(prefix, sizeof prefix, "mqgate_%s_", kind_names[kind]);
    put_own(w, prefix, &c);
    for (size_t i = 0; prom_tallies[i].suffix != NULL; i++)
        put_collected(w, prefix, prom_tallies[i].suffix, prom_tallies[i].type, prom_tallies[i].help, &c.tallies[i]);
}

/* ---- the process ---- */

static void put_figure(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    static const char    prefix[] = "haproxy_process_";
    const struct writer *w = user;
    (void)pos, (void)tags;
    for (const struct prom_figure *f = prom_figures; f->info != NULL; f++) {
        if (strcmp(f->info, name) != 0 || !put_head(w, prefix, f->name, f->type, f->help))
            continue;
        text_add(w->out, "%s%s", prefix, f->name);
        put_value(w->out, value, PROM_PLAIN);
    }
}

/* A metric that is always 1 and says something by its labels; tls: what TLS is made with, or NULL. */
static void put_said(const struct writer *w, const char *name, const char *label, const char *value, const char *tls)
{
    if (!put_head(w, "", name, PROM_GAUGE, "Always 1; the labels tell."))
        return;
    text_add(w->out, "%s{", name);
    put_label(w->out, label, value);
    if (tls != NULL)
        put_label(w->out, "tls_library", tls);
    text_puts(w->out, "} 1\n");
}

static void put_process(const struct view *view, const struct writer *w)
{
    info_each(view, put_figure, (void *)(uintptr_t)w);
    put_said(w, "haproxy_process_build_info", "version", PACKAGE_VERSION, NULL);
    put_said(w, "haproxy_process_node", "node", view->snap->conf->global.node, NULL);
}

/* ---- of the process, and not in HAProxy ---- */

static void put_worker_counter(const struct view *view, const struct writer *w, enum worker_counter which)
{
    const struct counters *all = stats_workers(view->snap->stats);
    char                   name[NAME_LEN];
    (void)snprintf(name, sizeof name, "mqgate_worker_%s_total", worker_counter_names[which]);
    if (!put_head(w, "", name, PROM_COUNTER, prom_worker_helps[which]))
        return;
    for (unsigned n = 0; n < view->snap->conf->global.workers; n++)
        text_add(w->out, "%s{worker=\"%u\"} %" PRIu64 "\n", name, n, counters_of(all, n, which));
}

static void begin_certificate(struct text *out, const char *section, const char *path)
{
    text_puts(out, "mqgate_certificate_not_after_seconds{");
    put_label(out, "tls", section);
    put_label(out, "file", path);
    text_puts(out, "}");
}

/* A section may name a file twice; of samples with the same labels there may be but one. */
static void put_certificate(void *user, const char *section, const struct tls_certificate_info *c)
{
    struct text *out = user;
    struct text  sample = {0};
    begin_certificate(&sample, section, c->path);
    out->failed |= sample.failed;
    if (!sample.failed && (out->at == NULL || strstr(out->at, sample.at) == NULL))
        text_add(out, "%s %" PRId64 "\n", sample.at, c->not_after);
    text_fini(&sample);
}

static void put_counter(const struct writer *w, const char *name, uint64_t n, const char *help)
{
    if (put_head(w, "", name, PROM_COUNTER, help))
        text_add(w->out, "%s %" PRIu64 "\n", name, n);
}

static void put_dns(const struct view *view, const struct writer *w)
{
    const struct dns_figures f = view->dns != NULL ? dns_figures(view->dns) : (struct dns_figures){0};
    put_gauge(w, "mqgate_dns_names", f.names, "Names of servers that are looked up.");
    put_gauge(w, "mqgate_dns_names_failing", f.failing, "Of these, without a good answer to the last question.");
    put_counter(w, "mqgate_dns_questions_total", f.counts.asked, "Questions to name servers.");
    put_counter(w, "mqgate_dns_nothing_total", f.counts.none, "Answers that there is no such name.");
    put_counter(w, "mqgate_dns_failures_total", f.counts.failed, "Questions without an answer, or with an error.");
}

static void put_reloads(const struct view *view, const struct writer *w)
{
    put_counter(w, "mqgate_reloads_total", view->reloads, "Configurations that took the place of another.");
    put_counter(w, "mqgate_reloads_failed_total", view->reloads_failed,
                "Those that were no good: nothing has changed.");
    put_gauge(w, "mqgate_reload_last_failed", view->reload_failed, "1 when the last one was no good.");
    put_gauge(w, "mqgate_reload_last_seconds", view->reload_wall_ms / 1000,
              "When the last one was tried, seconds since 1970; 0: never.");
}

static void put_upgrades(const struct view *view, const struct writer *w)
{
    put_counter(w, "mqgate_upgrades_total", view->upgrades,
                "Binaries that took the place of another, with all sessions.");
    put_counter(w, "mqgate_upgrades_failed_total", view->upgrades_failed,
                "Those that would not do: nothing has changed.");
    put_gauge(w, "mqgate_upgrade_last_failed", view_upgrade_failed(view), "1 when the last one would not do.");
    put_gauge(w, "mqgate_upgrade_last_seconds", view_upgrade_wall_ms(view) / 1000,
              "When the last one was tried, seconds since 1970; 0: never.");
    put_gauge(w, "mqgate_upgrade_sessions", view->upgrade.sessions,
              "Sessions that the last one that took effect carried over.");
    put_gauge(w, "mqgate_upgrade_closed", view->upgrade.lost, "Sessions that it could not.");
    if (put_head(w, "mqgate_", "upgrade_pause_seconds", PROM_GAUGE, "Time that no byte moved meanwhile."))
        text_add(w->out, "mqgate_upgrade_pause_seconds %" PRIu64 ".%06u\n", view->upgrade.pause_us / 1000000,
                 (unsigned)(view->upgrade.pause_us % 1000000));
}

static void put_drain(const struct view *view, const struct writer *w)
{
    const struct progress p = view_progress(view, clock_mono_ms());
    put_gauge(w, "mqgate_draining", view->drain.phase != DRAIN_NONE, "1 while the process is on its way to its end.");
    put_gauge(w, "mqgate_drain_left", p.left, "Sessions that a drain, or shed, is to end.");
    put_gauge(w, "mqgate_drain_rate", p.rate, "Sessions that it asks to go a second, 0 for all at once.");
    put_gauge(w, "mqgate_drain_to_go_seconds", (p.to_go_ms + 999) / 1000, "Until the last is asked or cut.");
}

static void put_own_process(const struct view *view, const struct writer *w)
{
    struct text certificates = {0};
    put_said(w, "mqgate_build_info", "version", PACKAGE_VERSION, tls_library_version());
    put_gauge(w, "mqgate_healthy", view_is_healthy(view), "1 while the health endpoint answers 200.");
    put_gauge(w, "mqgate_accepting", view->accepting, "1 while listeners take new clients.");
    put_drain(view, w);
    for (enum worker_counter i = 0; i < WORKER_COUNTERS; i++)
        put_worker_counter(view, w, i);
    put_dns(view, w);
    put_reloads(view, w);
    put_upgrades(view, w);
    certificates_each(view, put_certificate, &certificates);
    put_collected(w, "mqgate_", "certificate_not_after_seconds", PROM_GAUGE,
                  "When the certificate expires, seconds since 1970.", &certificates);
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
    const struct writer w = {.out = out, .options = o};
    if (o->scopes & PROM_PROCESS) {
        put_process(view, &w);
        put_own_process(view, &w);
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (o->scopes & kinds[i].scope)
            put_kind(view, &w, kinds[i].kind);
    }
    text_puts(out, o->open_metrics ? "# EOF\n" : ""); /* nothing that was asked for is an empty answer */
}
