#include "report/commands.h"

#include <string.h>

#include "base/macros.h"
#include "report/certificates.h"
#include "report/info.h"
#include "report/mqtt.h"
#include "report/render.h"

/* The word is among the arguments. */
static bool has_word(const struct command_call *call, const char *word)
{
    for (size_t i = 0; i < call->argc; i++) {
        if (strcmp(call->argv[i], word) == 0)
            return true;
    }
    return false;
}

/* -1 or a number; false, and *out is LINES_ALL, for anything else. */
static bool parse_selector(const char *text, int64_t *out)
{
    uint64_t n = 0;
    *out = LINES_ALL;
    if (strcmp(text, "-1") == 0)
        return true;
    if (!command_number(text, INT32_MAX, &n))
        return false;
    *out = (int64_t)n;
    return true;
}

/* "[{<iid>|<proxy>} <types> <sid>] [typed|json|up|no-maint|desc]". */
static struct line_filter parse_filter(const struct command_call *call)
{
    struct line_filter f = line_filter_all();
    f.legends = call->level >= COMMAND_OPERATOR;
    f.up = has_word(call, "up");
    f.no_maint = has_word(call, "no-maint");
    if (call->argc < 3 || !parse_selector(call->argv[1], &f.types) || !parse_selector(call->argv[2], &f.sid)) {
        f.types = f.sid = LINES_ALL;
        return f;
    }
    if (!parse_selector(call->argv[0], &f.iid))
        f.proxy = call->argv[0];
    return f;
}

static enum command_outcome show_stat(void *owner, struct command_call *call)
{
    const struct view       *view = owner;
    const struct line_filter filter = parse_filter(call);
    bool (*render)(const struct view *, const struct line_filter *, struct text *) = report_csv;
    if (has_word(call, "typed"))
        render = report_typed;
    else if (has_word(call, "json"))
        render = report_json;
    if (!render(view, &filter, &call->out))
        return command_fail(call, "No such proxy.");
    return COMMAND_DONE;
}

static enum command_outcome show_info(void *owner, struct command_call *call)
{
    enum info_form form = INFO_PLAIN;
    if (has_word(call, "typed"))
        form = INFO_TYPED;
    else if (has_word(call, "json"))
        form = INFO_JSON;
    else if (has_word(call, "desc"))
        form = INFO_DESC;
    report_info(owner, form, &call->out);
    return COMMAND_DONE;
}

static enum command_outcome show_schema(void *owner, struct command_call *call)
{
    (void)owner;
    report_json_schema(&call->out);
    return COMMAND_DONE;
}

static void clear_rows(const struct snapshot *snap, bool all)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        row_clear(snap->listeners[i].row, all);
        for (size_t n = 0; n < snap->listeners[i].conf->n_bind; n++)
            row_clear(snap->listeners[i].binds[n].row, all);
    }
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        const struct snap_backend *b = &snap->backends[i];
        row_clear(b->row, all);
        gauge_forget_peak(pool_waiting_gauge(b->pool));
        for (size_t s = 0; s < b->conf->n_servers; s++) {
            row_clear(b->servers[s].row, all);
            server_forget_peak(b->servers[s].live);
        }
    }
}

static void clear_totals(const struct view *view)
{
    struct totals *t = stats_totals(view->snap->stats);
    struct rate *rates[] = {&t->connection_rate, &t->session_rate, &t->handshake_rate, &t->key_rate, &t->resumed_rate};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++)
        peak_forget(&rates[i]->peak);
    gauge_forget_peak(engine_open_sessions(view->engine));
}

static enum command_outcome clear_counters(void *owner, struct command_call *call)
{
    const struct view *view = owner;
    bool               all = strcmp(command_arg(call, 0), "all") == 0;
    if (all && call->level < COMMAND_ADMIN)
        return command_fail(call, "Permission denied");
    clear_rows(view->snap, all);
    if (view->admin != NULL)
        row_clear(view->admin, all);
    clear_totals(view);
    if (all && view->health != NULL)
        health_forget_counts(view->health);
    return COMMAND_DONE;
}

static enum command_outcome show_tls(void *owner, struct command_call *call)
{
    report_tls(owner, &call->out);
    return COMMAND_DONE;
}

static enum command_outcome show_mqtt(void *owner, struct command_call *call)
{
    if (!report_mqtt(owner, call->argc > 0 ? call->argv[0] : NULL, &call->out))
        return command_fail(call, "No such proxy.");
    if (call->out.len == 0)
        return command_fail(call, "It speaks no MQTT.");
    return COMMAND_DONE;
}

const struct command report_commands[] = {
    {"show info", "[typed|json|desc]", "report the process's figures", COMMAND_USER, show_info},
    {"show stat", "[{<iid>|<proxy>} <types> <sid>] [typed|json|up|no-maint]", "report the counters of each proxy",
     COMMAND_USER, show_stat},
    {"show schema json", "", "the schema of what comes as JSON", COMMAND_USER, show_schema},
    {"show mqtt", "[<proxy>]", "packets, versions, codes and refusals of MQTT", COMMAND_USER, show_mqtt},
    {"show tls", "", "certificates, their expiry, handshakes, resumptions, and what carries open sessions",
     COMMAND_USER, show_tls},
    {"clear counters", "[all]", "forget maxima, with all every counter", COMMAND_OPERATOR, clear_counters},
    {0}};
