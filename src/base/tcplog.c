#include "base/tcplog.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { DATE_MAX = 40 }; /* "06/Feb/2009:12:12:51.443" */

static const char *format_date(char out[DATE_MAX], uint64_t wall_ms)
{
    time_t    sec = (time_t)(wall_ms / 1000);
    struct tm tm;
    size_t    n = 0;
    if (localtime_r(&sec, &tm) != NULL)
        n = strftime(out, DATE_MAX, "%d/%b/%Y:%H:%M:%S", &tm);
    (void)snprintf(out + n, DATE_MAX - n, ".%03u", (unsigned)(wall_ms % 1000));
    return out;
}

static size_t length(int printed)
{
    if (printed < 0)
        return 0;
    return printed < LOG_LINE_MAX ? (size_t)printed : LOG_LINE_MAX - 1;
}

size_t tcplog_session(char out[LOG_LINE_MAX], const struct tcplog *t)
{
    char ip[ADDR_TEXT_MAX], date[DATE_MAX];
    return length(
        snprintf(out, LOG_LINE_MAX,
                 "%s:%u [%s] %s%s %s/%s %" PRId64 "/%" PRId64 "/%" PRIu64 " %" PRIu64 " %s %" PRIu32 "/%" PRIu32
                 "/%" PRIu32 "/%" PRIu32 "/%s%" PRIu32 " 0/%" PRIu32, /* a server has no queue of its own */
                 addr_format_ip(t->client, ip), addr_port(t->client), format_date(date, t->accepted_ms), t->frontend,
                 t->tls ? "~" : "", t->backend, t->server != NULL ? t->server : "<NOSRV>", t->wait_ms, t->connect_ms,
                 t->total_ms, t->bytes, t->termination, t->process_sessions, t->frontend_sessions, t->backend_sessions,
                 t->server_sessions, t->redispatched ? "+" : "", t->retries, t->backend_queue));
}

size_t tcplog_failure(char out[LOG_LINE_MAX], const struct addr *client, uint64_t accepted_ms, const char *frontend,
                      unsigned bind, const char *what)
{
    char ip[ADDR_TEXT_MAX], date[DATE_MAX];
    return length(snprintf(out, LOG_LINE_MAX, "%s:%u [%s] %s/%u: %s", addr_format_ip(client, ip), addr_port(client),
                           format_date(date, accepted_ms), frontend, bind, what));
}

size_t tcplog_connect(char out[LOG_LINE_MAX], const struct addr *client, const struct addr *to, const char *frontend)
{
    char from_ip[ADDR_TEXT_MAX], to_ip[ADDR_TEXT_MAX];
    return length(snprintf(out, LOG_LINE_MAX, "Connect from %s:%u to %s:%u (%s/TCP)", addr_format_ip(client, from_ip),
                           addr_port(client), addr_format_ip(to, to_ip), addr_port(to), frontend));
}

size_t tcplog_started(char out[LOG_LINE_MAX], const char *proxy)
{
    return length(snprintf(out, LOG_LINE_MAX, "Proxy %s started.", proxy));
}

size_t tcplog_stopped(char out[LOG_LINE_MAX], const char *proxy, uint64_t n_frontend, uint64_t n_backend)
{
    return length(snprintf(out, LOG_LINE_MAX, "Proxy %s stopped (cumulated conns: FE: %" PRIu64 ", BE: %" PRIu64 ").",
                           proxy, n_frontend, n_backend));
}

size_t tcplog_paused(char out[LOG_LINE_MAX], const char *frontend)
{
    return length(snprintf(out, LOG_LINE_MAX, "Paused frontend %s.", frontend));
}

size_t tcplog_resumed(char out[LOG_LINE_MAX], const char *frontend)
{
    return length(snprintf(out, LOG_LINE_MAX, "Resumed frontend %s.", frontend));
}

size_t tcplog_no_server(char out[LOG_LINE_MAX], const char *backend)
{
    return length(snprintf(out, LOG_LINE_MAX, "backend %s has no server available!", backend));
}
