#include "report/info.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "config.h"
#include "report/history.h"
#include "report/render.h"

/* The numbers that HAProxy's fields show, and where they stand there. */
struct figures {
    const struct view *view;
    uint64_t           now_ms;
    struct totals     *totals;
    struct stats      *stats;
    uint64_t           tls_now, handshakes, resumed;
    uint64_t           heap, heap_used; /* bytes */
    uint32_t           listeners;
    struct progress    progress;
    char               uptime[40];
};

struct field {
    const char *name, *tags, *desc;
    struct value (*get)(const struct figures *f);
};

static struct value str(const char *text)
{
    return (struct value){.kind = VALUE_STR, .str = text};
}

static struct value u32(uint64_t n)
{
    return (struct value){.kind = VALUE_U32, .u = n};
}

static struct value u64(uint64_t n)
{
    return (struct value){.kind = VALUE_U64, .u = n};
}

/* A field by the expression that is its value; f is there to be asked. */
#define FIELD(id, expression)                                                                                          \
    static struct value get_##id(const struct figures *f)                                                              \
    {                                                                                                                  \
        (void)f;                                                                                                       \
        return expression;                                                                                             \
    }

static uint32_t rate_limit(const struct figures *f, enum engine_rate which)
{
    return f->view->engine != NULL ? engine_rate_limit(f->view->engine, which) : 0;
}

FIELD(name, str("mqgate"))
FIELD(version, str(PACKAGE_VERSION))
FIELD(release_date, str(RELEASE_DATE))
FIELD(nbthread, u32(f->view->snap->conf->global.workers))
FIELD(one, u32(1))
FIELD(zero, u32(0))
FIELD(zero64, u64(0))
FIELD(pid, u32((uint64_t)getpid()))
FIELD(uptime, str(f->uptime))
FIELD(uptime_sec, u32((f->now_ms - f->view->started_mono_ms) / 1000))
FIELD(heap_mb, u32(f->heap >> 20))
FIELD(heap_used_mb, u32(f->heap_used >> 20))
FIELD(heap_bytes, u64(f->heap))
FIELD(heap_used_bytes, u64(f->heap_used))
FIELD(ulimit, u32(f->view->max_descriptors))
FIELD(maxconn, u32(f->view->engine != NULL ? engine_max_connections(f->view->engine) : 0))
FIELD(hard_maxconn, u32(f->view->max_connections))
FIELD(curr_conns, u32(f->view->engine != NULL ? gauge_now(engine_open_sessions(f->view->engine)) : 0))
FIELD(cum_conns, u64(stats_sum(f->stats, COUNT_CONNECTIONS)))
FIELD(cum_req, u64(stats_sum(f->stats, COUNT_SESSIONS)))
FIELD(curr_ssl, u32(f->tls_now))
FIELD(cum_ssl, u64(f->handshakes))
FIELD(conn_rate, u32(rate_read(&f->totals->connection_rate, f->now_ms)))
FIELD(conn_rate_limit, u32(rate_limit(f, ENGINE_CONNECTIONS)))
FIELD(max_conn_rate, u32(peak_read(&f->totals->connection_rate.peak)))
FIELD(sess_rate, u32(rate_read(&f->totals->session_rate, f->now_ms)))
FIELD(sess_rate_limit, u32(rate_limit(f, ENGINE_SESSIONS)))
FIELD(max_sess_rate, u32(peak_read(&f->totals->session_rate.peak)))
FIELD(ssl_rate, u32(rate_read(&f->totals->handshake_rate, f->now_ms)))
FIELD(ssl_rate_limit, u32(rate_limit(f, ENGINE_SSL_SESSIONS)))
FIELD(max_ssl_rate, u32(peak_read(&f->totals->handshake_rate.peak)))
FIELD(key_rate, u32(rate_read(&f->totals->key_rate, f->now_ms)))
FIELD(max_key_rate, u32(peak_read(&f->totals->key_rate.peak)))
FIELD(reuse_pct, u32(f->handshakes > 0 ? f->resumed * 100 / f->handshakes : 0))
FIELD(cache_lookups, u64(f->handshakes))
FIELD(cache_misses, u64(f->handshakes - f->resumed))
FIELD(tasks, u32(f->view->snap->conf->global.workers + 1))
FIELD(idle_pct, u32(history_idle_pct(f->view->history)))
FIELD(node, str(f->view->snap->conf->global.node))
FIELD(stopping, u32(f->view->drain.phase != DRAIN_NONE || !f->view->accepting))
FIELD(jobs, u32(f->listeners + (f->view->engine != NULL ? gauge_now(engine_open_sessions(f->view->engine)) : 0)))
FIELD(listeners, u32(f->listeners))
FIELD(total_bytes_out, u64(stats_sum(f->stats, COUNT_RESPONSE_OUT)))
FIELD(bytes_out_rate, u64(history_bytes_out_rate(f->view->history)))
FIELD(build_info, str(PACKAGE_VERSION))
FIELD(start_time, u32(f->view->started_wall_ms / 1000))
FIELD(tainted, str("0"))
FIELD(boot_ms, u32(f->view->boot_ms))
FIELD(state, str(f->view->state))
FIELD(reloads, u32(f->view->reloads))
FIELD(failed_reloads, u32(f->view->reloads_failed))
FIELD(last_reload, str(f->view->reload_wall_ms == 0 ? "never" : f->view->reload_failed ? "failed" : "ok"))
FIELD(last_reload_sec, u32(f->view->reload_wall_ms / 1000))
FIELD(upgrades, u32(f->view->upgrades))
FIELD(failed_upgrades, u32(f->view->upgrades_failed))
FIELD(last_upgrade, str(view_upgrade_wall_ms(f->view) == 0 ? "never" : view_upgrade_failed(f->view) ? "failed" : "ok"))
FIELD(last_upgrade_sec, u32(view_upgrade_wall_ms(f->view) / 1000))
FIELD(upgrade_sessions, u32(f->view->upgrade.sessions))
FIELD(upgrade_closed, u32(f->view->upgrade.lost))
FIELD(upgrade_pause_us, u32((uint32_t)f->view->upgrade.pause_us))
FIELD(drain, str(f->progress.phase))
FIELD(drain_left, u32(f->progress.left))
FIELD(drain_rate, u32(f->progress.rate))
FIELD(drain_to_go_sec, u32((f->progress.to_go_ms + 999) / 1000))
FIELD(dropped_logs, u32(f->view->log != NULL ? atomic_load(&f->view->log->settings->dropped) : 0))
FIELD(failed_resolutions, u32(f->view->dns != NULL ? dns_figures(f->view->dns).counts.failed : 0))
FIELD(maxconn_reached, u32(counters_sum(stats_workers(f->stats), WORKER_ACCEPT_PAUSES_LIMIT)))

/* In HAProxy's order; positions are counted, as there. */
static const struct field fields[] = {
    {"Name", "POS", "Product name", get_name},
    {"Version", "POS", "Product version", get_version},
    {"Release_date", "POS", "Date of latest source code update", get_release_date},
    {"Nbthread", "CGS", "Number of worker threads", get_nbthread},
    {"Nbproc", "CGS", "Number of processes, always 1", get_one},
    {"Process_num", "KGP", "Relative process number, always 1", get_one},
    {"Pid", "SGP", "Process id", get_pid},
    {"Uptime", "MDP", "How long ago this process was started (days+hours+minutes+seconds)", get_uptime},
    {"Uptime_sec", "MDP", "How long ago this process was started (seconds)", get_uptime_sec},
    {"Memmax_MB", "CLP", "Limit on memory, 0 for none", get_zero},
    {"PoolAlloc_MB", "MGP", "Heap taken from the system in megabytes", get_heap_mb},
    {"PoolUsed_MB", "MGP", "Heap in use in megabytes", get_heap_used_mb},
    {"PoolFailed", "MCP", "Allocations that failed, always 0", get_zero},
    {"Ulimit-n", "CLP", "Limit of open files", get_ulimit},
    {"Maxsock", "CLP", "Limit of open files", get_ulimit},
    {"Maxconn", "CLP", "Client connections at a time, in force", get_maxconn},
    {"Hard_maxconn", "CLP", "What Maxconn may be set to", get_hard_maxconn},
    {"CurrConns", "MGP", "Client connections now", get_curr_conns},
    {"CumConns", "MCP", "Client connections since the start", get_cum_conns},
    {"CumReq", "MCP", "Sessions since the start", get_cum_req},
    {"MaxSslConns", "MMP", "Limit of TLS connections, 0 for none", get_zero},
    {"CurrSslConns", "MGP", "TLS connections of clients now", get_curr_ssl},
    {"CumSslConns", "MCP", "TLS connections of clients since the start", get_cum_ssl},
    {"Maxpipes", "CLP", "Limit of pipes; none are used", get_zero},
    {"PipesUsed", "MGP", "Pipes in use", get_zero},
    {"PipesFree", "MGP", "Pipes kept", get_zero},
    {"ConnRate", "MRP", "Connections accepted in the last second", get_conn_rate},
    {"ConnRateLimit", "CLP", "Limit of ConnRate, 0 for none", get_conn_rate_limit},
    {"MaxConnRate", "MMP", "Highest ConnRate", get_max_conn_rate},
    {"SessRate", "MRP", "Sessions begun in the last second", get_sess_rate},
    {"SessRateLimit", "CLP", "Limit of SessRate, 0 for none", get_sess_rate_limit},
    {"MaxSessRate", "MMP", "Highest SessRate", get_max_sess_rate},
    {"SslRate", "MRP", "TLS connections of clients begun in the last second", get_ssl_rate},
    {"SslRateLimit", "CLP", "Limit of SslRate, 0 for none", get_ssl_rate_limit},
    {"MaxSslRate", "MMP", "Highest SslRate", get_max_ssl_rate},
    {"SslFrontendKeyRate", "MRP", "Full TLS handshakes of clients in the last second", get_key_rate},
    {"SslFrontendMaxKeyRate", "MMP", "Highest SslFrontendKeyRate", get_max_key_rate},
    {"SslFrontendSessionReuse_pct", "MGP", "Share of TLS connections that were resumed", get_reuse_pct},
    {"SslBackendKeyRate", "MRP", "Not counted", get_zero},
    {"SslBackendMaxKeyRate", "MMP", "Not counted", get_zero},
    {"SslCacheLookups", "MCP", "TLS handshakes, each of which may resume from a ticket", get_cache_lookups},
    {"SslCacheMisses", "MCP", "Of these, done in full", get_cache_misses},
    {"CompressBpsIn", "MRP", "Nothing is compressed", get_zero},
    {"CompressBpsOut", "MRP", "Nothing is compressed", get_zero},
    {"CompressBpsRateLim", "CLP", "Nothing is compressed", get_zero},
    {"ZlibMemUsage", "MGP", "Nothing is compressed", get_zero},
    {"MaxZlibMemUsage", "CLP", "Nothing is compressed", get_zero},
    {"Tasks", "MGP", "Event loops", get_tasks},
    {"Run_queue", "MGP", "Loops keep no queue of tasks", get_zero},
    {"Idle_pct", "MaP", "Share of the last seconds that workers slept", get_idle_pct},
    {"node", "COS", "Node name (global.node)", get_node},
    {"Stopping", "MGP", "1 while the process stops", get_stopping},
    {"Jobs", "MGP", "Listening sockets and client connections", get_jobs},
    {"Unstoppable Jobs", "MGP", "None", get_zero},
    {"Listeners", "MGP", "Listening addresses", get_listeners},
    {"ActivePeers", "MGP", "There are no peers", get_zero},
    {"ConnectedPeers", "MGP", "There are no peers", get_zero},
    {"DroppedLogs", "MCP", "Log lines dropped because a target did not keep up", get_dropped_logs},
    {"BusyPolling", "MGP", "Never", get_zero},
    {"FailedResolutions", "MCP", "Questions to name servers that failed", get_failed_resolutions},
    {"TotalBytesOut", "MCP", "Bytes delivered to clients", get_total_bytes_out},
    {"TotalSplicedBytesOut", "MCP", "None are spliced", get_zero64},
    {"BytesOutRate", "MRP", "Bytes delivered to clients a second", get_bytes_out_rate},
    {"DebugCommandsIssued", "MCP", "There are no such commands", get_zero},
    {"CumRecvLogs", "MCP", "No logs are received", get_zero},
    {"Build info", "POS", "Product version", get_build_info},
    {"Memmax_bytes", "CLP", "Limit on memory, 0 for none", get_zero},
    {"PoolAlloc_bytes", "MGP", "Heap taken from the system", get_heap_bytes},
    {"PoolUsed_bytes", "MGP", "Heap in use", get_heap_used_bytes},
    {"Start_time_sec", "MDP", "When the process was started, seconds since 1970", get_start_time},
    {"Tainted", "SGP", "Nothing unusual is possible", get_tainted},
    {"TotalWarnings", "MCP", "Not counted", get_zero},
    {"MaxconnReached", "MCP", "Times that accepting paused at Maxconn", get_maxconn_reached},
    {"BootTime_ms", "MDP", "From the start until all listeners accepted", get_boot_ms},
    {"Niced_tasks", "MGP", "None", get_zero},
    {"CurrStreams", "MGP", "Client connections now", get_curr_conns},
    {"CumStreams", "MCP", "Sessions since the start", get_cum_req},
    {"BlockedTrafficWarnings", "MCP", "Not counted", get_zero},
    {"PatternsAdded", "MCP", "There are no patterns", get_zero},
    {"PatternsFreed", "MCP", "There are no patterns", get_zero},
    {"NbThreadGroups", "CGS", "Always 1", get_one},
    {"State", "SOP", "running, draining or stopping", get_state},
    {"Reloads", "MCP", "Reloads since the start that took effect", get_reloads},
    {"FailedReloads", "MCP", "Reloads that changed nothing, because something was wrong", get_failed_reloads},
    {"LastReload", "SOP", "How the last one went: never, ok or failed", get_last_reload},
    {"LastReload_sec", "MDP", "When that was, seconds since 1970, 0 for never", get_last_reload_sec},
    {"Upgrades", "MCP", "Upgrades of the binary since the start", get_upgrades},
    {"FailedUpgrades", "MCP", "Upgrades that changed nothing, because something was wrong", get_failed_upgrades},
    {"LastUpgrade", "SOP", "How the last one went: never, ok or failed", get_last_upgrade},
    {"LastUpgrade_sec", "MDP", "When that was, seconds since 1970, 0 for never", get_last_upgrade_sec},
    {"UpgradeSessions", "MGP", "Sessions that the last one that took effect carried over", get_upgrade_sessions},
    {"UpgradeClosed", "MGP", "Sessions that it could not", get_upgrade_closed},
    {"UpgradePause_us", "MDP", "Time that no byte moved meanwhile", get_upgrade_pause_us},
    {"Drain", "SOP", "How far a drain is: none, notice, shed, wait or over", get_drain},
    {"DrainLeft", "MGP", "Sessions that a drain, or shed, is to end", get_drain_left},
    {"DrainRate", "CLP", "Sessions that it asks to go a second, 0 for all at once", get_drain_rate},
    {"DrainToGo_sec", "MDP", "Seconds until the last is asked or cut", get_drain_to_go_sec},
};

static struct figures look(const struct view *view)
{
    struct mallinfo2 m = mallinfo2();
    struct figures   f = {.view = view, .now_ms = clock_mono_ms(), .stats = view->snap->stats};
    uint64_t         up_s = (f.now_ms - view->started_mono_ms) / 1000;
    f.totals = stats_totals(f.stats);
    uint64_t tls_ended = stats_sum(f.stats, COUNT_TLS_CLOSED); /* before their begins, as in row_open() */
    f.handshakes = stats_sum(f.stats, COUNT_HANDSHAKES);
    f.resumed = stats_sum(f.stats, COUNT_HANDSHAKES_RESUMED);
    f.tls_now = f.handshakes > tls_ended ? f.handshakes - tls_ended : 0;
    f.progress = view_progress(view, f.now_ms);
    f.heap = m.arena + m.hblkhd;
    f.heap_used = m.uordblks + m.hblkhd;
    for (size_t i = 0; i < view->snap->conf->n_listeners; i++)
        f.listeners += (uint32_t)view->snap->listeners[i].conf->n_bind;
    (void)snprintf(f.uptime, sizeof f.uptime, "%ud %uh%02um%02us", (unsigned)(up_s / 86400),
                   (unsigned)(up_s / 3600 % 24), (unsigned)(up_s / 60 % 60), (unsigned)(up_s % 60));
    return f;
}

void info_each(const struct view *view,
               void (*fn)(void *user, size_t pos, const char *name, const char *tags, const struct value *value),
               void *user)
{
    const struct figures f = look(view);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct value value = fields[i].get(&f);
        fn(user, i, fields[i].name, fields[i].tags, &value);
    }
}

static void put_plain(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    struct text *out = user;
    (void)pos, (void)tags;
    text_add(out, "%s: ", name);
    if (value->kind == VALUE_STR)
        text_put_line_part(out, value->str);
    else
        text_add(out, "%" PRIu64, value->u);
    text_puts(out, "\n");
}

static void put_desc(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    struct text *out = user;
    put_plain(user, pos, name, tags, value);
    text_cut(out, out->len > 0 ? out->len - 1 : 0);
    text_add(out, ":\"%s\"\n", fields[pos].desc);
}

static void put_typed(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    text_add(user, "%zu.%s.1", pos, name);
    report_typed_value(tags, value, user);
}

static void put_json(void *user, size_t pos, const char *name, const char *tags, const struct value *value)
{
    text_puts(user, pos > 0 ? ",{" : "{");
    report_json_value(pos, name, tags, value, user);
}

void report_info(const struct view *view, enum info_form form, struct text *out)
{
    if (form == INFO_JSON)
        text_puts(out, "[");
    info_each(view,
              form == INFO_JSON    ? put_json
              : form == INFO_TYPED ? put_typed
              : form == INFO_DESC  ? put_desc
                                   : put_plain,
              out);
    if (form == INFO_JSON)
        text_puts(out, "]\n");
}
