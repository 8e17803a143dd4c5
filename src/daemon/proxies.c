#include "daemon/proxies.h"

#include "base/tcplog.h"

static void log_started(struct log *log, const char *name)
{
    char line[LOG_LINE_MAX];
    log_line(log, SYSLOG_NOTICE, line, tcplog_started(line, name));
}

static void log_stopped(struct log *log, const char *name, uint64_t n_frontend, uint64_t n_backend)
{
    char line[LOG_LINE_MAX];
    log_line(log, SYSLOG_WARNING, line, tcplog_stopped(line, name, n_frontend, n_backend));
}

void proxies_log_started(struct log *log, const struct snapshot *snap)
{
    if (!log_is_tcplog(log) || !log_wants(log, LEVEL_INFO))
        return;
    for (size_t i = 0; i < snap->conf->n_listeners; i++)
        log_started(log, snap->conf->listeners[i].name);
    for (size_t i = 0; i < snap->conf->n_backends; i++)
        log_started(log, snap->conf->backends[i].name);
}

void proxies_log_stopped(struct log *log, const struct snapshot *snap)
{
    if (!log_is_tcplog(log) || !log_wants(log, LEVEL_INFO))
        return;
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        const struct snap_listener *listener = &snap->listeners[i];
        if (atomic_load(&listener->state) != LISTENER_STOPPED) /* or an operator stopped it, and it was told then */
            log_stopped(log, listener->conf->name, row_ever(listener->row, COUNT_CONNECTIONS), 0);
    }
    for (size_t i = 0; i < snap->conf->n_backends; i++)
        log_stopped(log, snap->conf->backends[i].name, 0, row_ever(snap->backends[i].row, COUNT_SESSIONS));
}
