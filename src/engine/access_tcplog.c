/* The lines that tell of a session, as HAProxy writes them. */
#include "base/clock.h"
#include "base/tcplog.h"
#include "engine/shared.h"
#include "net/sock.h"

/* What HAProxy says of a connection whose first words did not come or made no sense; NULL: it has the usual line. */
static const char *failure_text(const struct session *s)
{
    bool in_handshake = s->ended_in == ST_HANDSHAKE;
    if (!in_handshake && s->ended_in != ST_PROXY_HEADER)
        return NULL;
    switch (s->why) {
    case WHY_CLIENT_CLOSED:
        return in_handshake ? "Connection closed during SSL handshake"
                            : "Connection closed while waiting for PROXY protocol header";
    case WHY_CLIENT_RESET:
        return in_handshake ? "SSL handshake failure" : "Connection error while waiting for PROXY protocol header";
    case WHY_PROXY_BAD:
        return "Received something which does not look like a PROXY protocol header";
    case WHY_PROXY_TIMEOUT:
        return "Timeout while waiting for PROXY protocol header";
    case WHY_PROXY_UNTRUSTED: /* HAProxy has no such rule */
        return "PROXY protocol header refused, the sender is not in proxy_from";
    case WHY_HANDSHAKE_FAILED:
        return "SSL handshake failure";
    case WHY_HANDSHAKE_TIMEOUT:
        return "Timeout during SSL handshake";
    default:
        return NULL;
    }
}

/* Listener and backend count the session no longer, the process and, unless it lingered, its server still do. */
static void fill_counts(const struct session *s, struct tcplog *t)
{
    t->process_sessions = gauge_now(engine_open_sessions(s->worker->engine));
    t->frontend_sessions = gauge_now(&s->listener->row->sessions) + 1;
    t->backend_sessions = s->backend != NULL ? gauge_now(&s->backend->row->sessions) : 0;
    t->server_sessions = s->has_server ? server_in_flight(session_server(s)->live) - s->lease.held : 0;
}

static void fill_times(const struct session *s, uint64_t now_ms, struct tcplog *t)
{
    t->total_ms = now_ms - s->begun_ms;
    t->wait_ms = t->connect_ms = TCPLOG_NOT_REACHED;
    if (s->ended_in == ST_QUEUE)
        t->wait_ms = (int64_t)t->total_ms;
    else if (s->has_server || s->n_tries > 0)
        t->wait_ms = s->wait_ms;
    if (s->ended_in == ST_RELAY)
        t->connect_ms = s->connect_ms;
}

static void fill_tries(const struct session *s, struct tcplog *t)
{
    bool last_failed = s->why == WHY_CONNECT_FAILED || s->why == WHY_SERVER_HANDSHAKE_FAILED;
    t->retries = s->n_tries - (last_failed ? 1u : 0u);
    t->redispatched = s->redispatched;
}

static unsigned bind_number(const struct session *s)
{
    return (unsigned)(s->bind - s->listener->binds) + 1;
}

static size_t format_end(const struct session *s, uint64_t now_ms, uint64_t accepted_ms, char line[LOG_LINE_MAX])
{
    const char   *frontend = s->listener->conf->name;
    char          code[3];
    bool          has_backend = s->in_backend;
    struct tcplog t = {.client = &s->client,
                       .accepted_ms = accepted_ms,
                       .frontend = frontend,
                       .tls = s->tls != NULL,
                       .backend = has_backend ? s->backend->conf->name : frontend,
                       .server = s->has_server ? session_server(s)->conf->name : NULL,
                       .bytes = s->flow[DOWN].bytes,
                       .termination = termination_code(s, code),
                       .backend_queue = s->queue_place};
    fill_counts(s, &t);
    fill_times(s, now_ms, &t);
    fill_tries(s, &t);
    return tcplog_session(line, &t);
}

void access_tcplog_end(struct session *s)
{
    char        line[LOG_LINE_MAX];
    uint64_t    now_ms = clock_mono_ms();
    uint64_t    accepted_ms = clock_wall_ms() - (now_ms - s->begun_ms);
    const char *failure = failure_text(s);
    size_t      n = failure != NULL
                        ? tcplog_failure(line, &s->client, accepted_ms, s->listener->conf->name, bind_number(s), failure)
                        : format_end(s, now_ms, accepted_ms, line);
    log_line(&s->worker->log, SYSLOG_INFO, line, n);
}

void access_tcplog_start(struct session *s)
{
    char        line[LOG_LINE_MAX];
    struct addr to = s->via != NULL && addr_is_set(&s->via->dst) ? s->via->dst : sock_local(s->side[CLIENT].stream.fd);
    log_line(&s->worker->log, SYSLOG_INFO, line, tcplog_connect(line, &s->client, &to, s->listener->conf->name));
}
