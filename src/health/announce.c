#include "health/announce.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/tcplog.h"
#include "upstream/pool.h"
#include "upstream/server.h"

static bool is_down(const struct snap_server *server)
{
    return server_state(server->live) == SERVER_DOWN;
}

static void write_fields(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                         const struct probe_result *last)
{
    static const struct probe_result no_check;
    bool                             down = is_down(server), by_operator = last == NULL;
    if (by_operator)
        last = &no_check;
    LOG_AT(log, down ? LEVEL_WARN : LEVEL_INFO, down ? "server_down" : "server_up",
           LOG_STR("backend", backend->conf->name), LOG_STR("server", server->conf->name),
           LOG_STR("reason", by_operator ? "an operator's word" : probe_status_texts[last->status]),
           LOG_STR("detail", last->detail[0] != '\0' ? last->detail : NULL),
           LOG_STR("check", probe_status_names[last->status]), LOG_UINT("dur_ms", last->duration_ms));
}

struct line {
    char   at[LOG_LINE_MAX];
    size_t len;
};

PRINTF_LIKE(2, 3) static void add(struct line *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(l->at + l->len, sizeof l->at - l->len, fmt, args);
    va_end(args);
    if (n > 0)
        l->len += (size_t)n < sizeof l->at - l->len ? (size_t)n : sizeof l->at - l->len - 1;
}

static void add_name(struct line *l, const struct snap_backend *backend, const struct snap_server *server)
{
    add(l, "%sServer %s/%s", server_is_backup(server->live) ? "Backup " : "", backend->conf->name, server->conf->name);
}

/* HAProxy has a code where the server gave a whole answer. */
static void add_cause(struct line *l, const struct probe_result *last)
{
    if (last == NULL) {
        add(l, ", changed from CLI");
        return;
    }
    add(l, ", reason: %s", probe_status_texts[last->status]);
    if ((last->status == PROBE_L7OK || last->status == PROBE_L7STS) && last->code >= 0)
        add(l, ", code: %d", last->code);
    if (last->detail[0] != '\0')
        add(l, ", info: \"%s\"", last->detail);
    add(l, ", check duration: %ums", last->duration_ms);
}

static unsigned count_usable(const struct snap_backend *backend, bool backups)
{
    unsigned n = 0;
    for (size_t i = 0; i < backend->conf->n_servers; i++) {
        const struct server *server = backend->servers[i].live;
        n += server_is_backup(server) == backups && server_is_usable(server);
    }
    return n;
}

/* Nobody is requeued here: sessions stay with the server that they have. */
static void add_left(struct line *l, const struct snap_backend *backend, const struct snap_server *server, bool lost)
{
    unsigned active = count_usable(backend, false), backups = count_usable(backend, true);
    unsigned waiting = pool_n_waiting(backend->pool);
    add(l, ". %u active and %u backup servers %s.%s ", active, backups, lost ? "left" : "online",
        active == 0 && backups > 0 ? " Running on backup." : "");
    if (lost)
        add(l, "%u sessions active, 0 requeued, %u remaining in queue.", server_in_flight(server->live), waiting);
    else
        add(l, "0 sessions requeued, %u total in queue.", waiting);
}

static void write_text(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                       const struct probe_result *last)
{
    struct line l = {.len = 0};
    bool        down = is_down(server);
    add_name(&l, backend, server);
    add(&l, " is %s", down ? "DOWN" : "UP");
    add_cause(&l, last);
    add_left(&l, backend, server, down);
    log_line(log, down ? SYSLOG_ALERT : SYSLOG_NOTICE, l.at, l.len);
}

void announce_server(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                     const struct probe_result *last)
{
    if (!log_wants(log, is_down(server) ? LEVEL_WARN : LEVEL_INFO))
        return;
    if (log_is_tcplog(log))
        write_text(log, backend, server, last);
    else
        write_fields(log, backend, server, last);
}

void announce_admin(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                    enum server_admin was)
{
    struct line       l = {.len = 0};
    enum server_admin now = server_admin(server->live);
    if (!log_is_tcplog(log) || !log_wants(log, LEVEL_WARN))
        return;
    add_name(&l, backend, server);
    if (now == SERVER_MAINT) {
        add(&l, " is going DOWN for maintenance");
        add_left(&l, backend, server, true);
    } else if (was == SERVER_MAINT) {
        add(&l, " is UP/%s (leaving forced maintenance).", now == SERVER_DRAIN ? "DRAIN" : "READY");
    } else if (now == SERVER_DRAIN) {
        add(&l, " enters drain state");
        add_left(&l, backend, server, false);
    } else {
        add(&l, " is %s (leaving forced drain).", is_down(server) ? "DOWN" : "UP");
    }
    log_line(log, now == SERVER_MAINT && was == SERVER_READY ? SYSLOG_ALERT : SYSLOG_NOTICE, l.at, l.len);
}

static const char *ip_or_none(const struct addr *at, char text[ADDR_TEXT_MAX])
{
    return addr_is_set(at) ? addr_format_ip(at, text) : "(none)";
}

/* HAProxy tells of the address, and then of the server that it brings back. */
static void write_address(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                          const struct addr *was, const char *by)
{
    struct line       l = {.len = 0};
    char              from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], host[SERVER_HOST_MAX];
    const struct addr is = server_address(server->live);
    if (addr_is_set(&is)) {
        add(&l, "%s/%s changed its IP from %s to %s by %s.", backend->conf->name, server->conf->name,
            ip_or_none(was, from), ip_or_none(&is, to), by);
        log_line(log, SYSLOG_NOTICE, l.at, l.len);
    }
    if (addr_is_set(was) && addr_is_set(&is))
        return;
    l.len = 0;
    add_name(&l, backend, server);
    if (addr_is_set(&is)) {
        add(&l, " ('%s') is UP/READY (resolves again).", server_host(server->live, host));
    } else if (is_down(server)) {
        add(&l, " was DOWN and now enters maintenance (DNS NX status).");
    } else {
        add(&l, " is going DOWN for maintenance (DNS NX status)");
        add_left(&l, backend, server, true);
    }
    log_line(log, SYSLOG_NOTICE, l.at, l.len);
}

void announce_address(struct log *log, const struct snap_backend *backend, const struct snap_server *server,
                      const struct addr *was, const char *by)
{
    const struct addr is = server_address(server->live);
    char              host[SERVER_HOST_MAX], from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
    enum log_level    level = addr_is_set(&is) ? LEVEL_INFO : LEVEL_WARN;
    if (!log_wants(log, level))
        return;
    if (log_is_tcplog(log))
        write_address(log, backend, server, was, by);
    else
        LOG_AT(log, level, "server_address", LOG_STR("backend", backend->conf->name),
               LOG_STR("server", server->conf->name), LOG_STR("address", addr_format(&is, to)),
               LOG_STR("was", addr_format(was, from)),
               LOG_STR("host", server_host(server->live, host)[0] != '\0' ? host : NULL), LOG_STR("by", by));
}

void announce_backend(struct log *log, const char *name, bool up)
{
    char line[LOG_LINE_MAX];
    if (up)
        log_info(log, "backend_up", LOG_STR("backend", name));
    else if (log_is_tcplog(log)) /* no level leaves errors out */
        log_line(log, SYSLOG_EMERG, line, tcplog_no_server(line, name));
    else
        log_error(log, "backend_down", LOG_STR("backend", name),
                  LOG_STR("reason", "no server is left to send sessions to"));
}
