/* Runtime commands about sessions, listeners and workers. Texts of errors are HAProxy's, which scripts look for. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/tcplog.h"
#include "engine/describe.h"
#include "engine/inquiry.h"
#include "engine/shared.h"
#include "engine/tables.h"
#include "snapshot/asked.h"

/* ---- sessions ---- */

static void on_line(struct inquiry *q, struct session *s)
{
    describe_session(s, &q->out);
}

static void on_whole(struct inquiry *q, struct session *s)
{
    describe_session_whole(s, &q->out);
}

static void say_sessions(struct inquiry *q)
{
    if (q->n == 0 && q->filter.id != 0)
        (void)command_fail(q->call, "Session not found.");
    else
        text_put(&q->call->out, q->out.at, q->out.len);
}

static bool parse_id(const char *text, uint64_t *id)
{
    char *end;
    *id = strtoull(text, &end, 16); /* "0x" may stand in front */
    return *text != '\0' && *text != '-' && *end == '\0' && *id != 0;
}

/* "90", "90s", "5m", "2h", "1d". */
static bool parse_age(const char *text, uint32_t *seconds)
{
    static const struct {
        const char *unit;
        uint32_t    seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char    *end;
    uint64_t n = strtoull(text, &end, 10);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (*text >= '0' && *text <= '9' && strcmp(end, units[i].unit) == 0 && n <= UINT32_MAX / units[i].seconds) {
            *seconds = (uint32_t)n * units[i].seconds;
            return true;
        }
    }
    return false;
}

/* The second word names a server, which must exist. COMMAND_PENDING: it does. */
static enum command_outcome filter_server(struct engine *e, struct command_call *call, struct session_filter *filter)
{
    struct snap_backend      *backend;
    const struct snap_server *server = snapshot_asked_server(e->snap, call, 1, &backend);
    if (server == NULL)
        return COMMAND_DONE;
    filter_take_server(filter, backend->conf->name, server->conf->name);
    return COMMAND_PENDING;
}

static enum command_outcome filter_sessions(struct engine *e, struct command_call *call, struct session_filter *filter)
{
    const char *what = command_arg(call, 0), *which = command_arg(call, 1);
    if (strcmp(what, "older") == 0) {
        if (!parse_age(which, &filter->older_s))
            return command_fail(call, "A minimum age is expected, such as 90s or 2h.");
    } else if (strcmp(what, "server") == 0) {
        return filter_server(e, call, filter);
    } else if (strcmp(what, "backend") == 0) {
        if (snapshot_find_backend(e->snap, which) == NULL)
            return command_fail(call, "No such backend.");
        filter_take_name(filter->backend, which);
    } else if (strcmp(what, "frontend") == 0) {
        if (snapshot_find_listener(e->snap, which) == NULL)
            return command_fail(call, "No such frontend.");
        filter_take_name(filter->frontend, which);
    } else if (!parse_id(what, &filter->id)) {
        return command_fail(call, "Expects a session identifier, 'all', 'older', 'server', 'backend' or 'frontend'.");
    }
    return COMMAND_PENDING;
}

static enum command_outcome show_sess(void *owner, struct command_call *call)
{
    struct inquiry q = {.on_session = on_line, .on_answered = say_sessions};
    if (strcmp(command_arg(call, 0), "all") == 0)
        q.on_session = on_whole;
    else if (call->argc > 0 && filter_sessions(owner, call, &q.filter) != COMMAND_PENDING)
        return COMMAND_DONE;
    if (q.filter.id != 0)
        q.on_session = on_whole;
    return inquiry_send(owner, &q, call);
}

static void on_kill(struct inquiry *q, struct session *s)
{
    (void)q;
    session_close(s, WHY_KILLED);
}

static void say_if_none_killed(struct inquiry *q)
{
    if (q->n == 0 && q->filter.id != 0)
        (void)command_fail(q->call, "No such session (use 'show sess').");
}

static enum command_outcome shutdown_session(void *owner, struct command_call *call)
{
    struct inquiry q = {.on_session = on_kill, .on_answered = say_if_none_killed};
    if (!parse_id(command_arg(call, 0), &q.filter.id))
        return command_fail(call, "Session pointer expected (use 'show sess').");
    return inquiry_send(owner, &q, call);
}

static enum command_outcome shutdown_sessions(void *owner, struct command_call *call)
{
    struct inquiry q = {.on_session = on_kill};
    if (strcmp(command_arg(call, 0), "server") != 0)
        return command_fail(call, "'shutdown sessions' only supports 'server <backend>/<server>'.");
    if (filter_server(owner, call, &q.filter) != COMMAND_PENDING)
        return COMMAND_DONE;
    return inquiry_send(owner, &q, call);
}

void engine_shutdown_server(struct engine *e, const char *backend, const char *server)
{
    struct inquiry q = {.on_session = on_kill};
    filter_take_server(&q.filter, backend, server);
    (void)inquiry_send(e, &q, NULL);
}

/* ---- listeners ---- */

/* NULL when there is none; then that has been said. */
static struct snap_listener *find_frontend(const struct engine *e, struct command_call *call, const char *name)
{
    if (name[0] == '\0') {
        (void)command_fail(call, "A frontend name is expected.");
        return NULL;
    }
    struct snap_listener *listener = snapshot_find_listener(e->snap, name);
    if (listener == NULL)
        (void)command_fail(call, "No such frontend.");
    return listener;
}

static void log_listener_tcplog(struct log *log, const struct snap_listener *listener, enum listener_state state)
{
    char        line[LOG_LINE_MAX];
    size_t      n = 0;
    const char *name = listener->conf->name;
    switch (state) {
    case LISTENER_OPEN:
        n = tcplog_resumed(line, name);
        break;
    case LISTENER_PAUSED:
        n = tcplog_paused(line, name);
        break;
    case LISTENER_STOPPED:
        n = tcplog_stopped(line, name, row_ever(listener->row, COUNT_CONNECTIONS), 0);
        break;
    }
    log_line(log, SYSLOG_WARNING, line, n);
}

static void log_listener(struct log *log, const struct snap_listener *listener, enum listener_state state)
{
    static const char *const names[] = {"open", "paused", "stopped"};
    if (!log_wants(log, LEVEL_WARN))
        return;
    if (log_is_tcplog(log))
        log_listener_tcplog(log, listener, state);
    else
        log_warn(log, "listener_state", LOG_STR("listener", listener->conf->name), LOG_STR("state", names[state]),
                 LOG_STR("by", "operator"));
}

static void set_listener(struct engine *e, struct snap_listener *listener, enum listener_state state)
{
    atomic_store(&listener->state, state);
    log_listener(e->settings.main_log, listener, state);
    engine_tell_all(e, MAIL_LISTENERS);
}

static enum command_outcome enable_frontend(void *owner, struct command_call *call)
{
    struct snap_listener *listener = find_frontend(owner, call, command_arg(call, 0));
    if (listener == NULL)
        return COMMAND_DONE;
    if (listener->state == LISTENER_STOPPED)
        return command_fail(call, "Frontend was previously shut down, cannot enable.");
    if (listener->state == LISTENER_OPEN)
        return command_fail(call, "All sockets are already enabled.");
    set_listener(owner, listener, LISTENER_OPEN);
    return COMMAND_DONE;
}

static enum command_outcome disable_frontend(void *owner, struct command_call *call)
{
    struct snap_listener *listener = find_frontend(owner, call, command_arg(call, 0));
    if (listener == NULL)
        return COMMAND_DONE;
    if (listener->state == LISTENER_STOPPED)
        return command_fail(call, "Frontend was previously shut down, cannot disable.");
    if (listener->state == LISTENER_PAUSED)
        return command_fail(call, "All sockets are already disabled.");
    set_listener(owner, listener, LISTENER_PAUSED);
    return COMMAND_DONE;
}

static enum command_outcome shutdown_frontend(void *owner, struct command_call *call)
{
    struct snap_listener *listener = find_frontend(owner, call, command_arg(call, 0));
    if (listener == NULL)
        return COMMAND_DONE;
    if (listener->state == LISTENER_STOPPED)
        return command_fail(call, "Frontend was already shut down.");
    set_listener(owner, listener, LISTENER_STOPPED);
    return COMMAND_DONE;
}

static enum command_outcome set_maxconn_frontend(void *owner, struct command_call *call)
{
    uint64_t              n;
    struct snap_listener *listener = find_frontend(owner, call, command_arg(call, 0));
    if (listener == NULL)
        return COMMAND_DONE;
    if (!command_number(command_arg(call, 1), INT32_MAX, &n))
        return command_fail(call, "Integer value expected.");
    atomic_store(&listener->max_connections, (uint32_t)n);
    return COMMAND_DONE;
}

static enum command_outcome set_maxconn_global(void *owner, struct command_call *call)
{
    struct engine *e = owner;
    uint64_t       n;
    if (!command_number(command_arg(call, 0), INT32_MAX, &n))
        return command_fail(call, "Expects an integer value.");
    if (n > e->settings.max_connections)
        return command_fail(call, "Value out of range.");
    atomic_store(&e->max_connections, n > 0 ? (uint32_t)n : e->settings.max_connections);
    engine_tell_all(e, MAIL_ROOM);
    return COMMAND_DONE;
}

static enum command_outcome set_rate_limit(void *owner, struct command_call *call)
{
    static const char *const names[ENGINE_RATES] = {"connections", "sessions", "ssl-sessions"};
    struct engine           *e = owner;
    uint64_t                 n;
    for (size_t i = 0; i < ENGINE_RATES; i++) {
        if (strcmp(command_arg(call, 0), names[i]) != 0)
            continue;
        if (strcmp(command_arg(call, 1), "global") != 0)
            return command_fail(call, "'set rate-limit %s' only supports 'global'.", names[i]);
        if (!command_number(command_arg(call, 2), INT32_MAX, &n))
            return command_fail(call, "Expects an integer value.");
        atomic_store(&e->rate_limits[i], (uint32_t)n);
        engine_tell_all(e, MAIL_LISTENERS);
        return COMMAND_DONE;
    }
    return command_fail(call, "'set rate-limit' supports 'connections', 'sessions' and 'ssl-sessions'.");
}

/* ---- workers ---- */

enum { SUM_BUFS_LENT, SUM_BUFS_FREE, SUM_ERRORS };

static void on_worker_pools(struct inquiry *q, struct worker *w)
{
    q->sums[SUM_BUFS_LENT] += w->bufs.n_lent;
    q->sums[SUM_BUFS_FREE] += w->bufs.n_free;
}

static void put_pool(struct text *out, const char *name, size_t size, uint64_t used, uint64_t unused)
{
    uint64_t n = used + unused;
    text_add(out, "  - Pool %s (%zu bytes) : %" PRIu64 " allocated (%" PRIu64 " bytes), %" PRIu64 " used\n", name, size,
             n, n * size, used);
}

static void say_pools(struct inquiry *q)
{
    struct text     *out = &q->call->out;
    struct mallinfo2 m = mallinfo2();
    text_puts(out, "Dumping pools usage.\n");
    put_pool(out, "session", sizeof(struct session), gauge_now(&q->engine->open), 0);
    put_pool(out, "buffer", sizeof(struct buf) + BUF_CAPACITY, q->sums[SUM_BUFS_LENT], q->sums[SUM_BUFS_FREE]);
    text_add(out, "Heap: %zu bytes from the system, %zu in use, %zu free.\n", m.arena + m.hblkhd, m.uordblks + m.hblkhd,
             m.fordblks);
}

static enum command_outcome show_pools(void *owner, struct command_call *call)
{
    const struct inquiry q = {.on_worker = on_worker_pools, .on_answered = say_pools};
    return inquiry_send(owner, &q, call);
}

static enum command_outcome show_activity(void *owner, struct command_call *call)
{
    const struct engine   *e = owner;
    const struct counters *all = stats_workers(e->snap->stats);
    text_add(&call->out, "date_now: %" PRIu64 ".%03u\n", clock_wall_ms() / 1000, (unsigned)(clock_wall_ms() % 1000));
    for (enum worker_counter i = 0; i < WORKER_COUNTERS; i++) {
        text_add(&call->out, "%s: %" PRIu64 " [", worker_counter_names[i], counters_sum(all, i));
        for (unsigned w = 0; w < e->n_workers; w++)
            text_add(&call->out, " %" PRIu64, counters_of(all, w, i));
        text_puts(&call->out, " ]\n");
    }
    return COMMAND_DONE;
}

static void on_worker_errors(struct inquiry *q, struct worker *w)
{
    q->sums[SUM_ERRORS] += w->refusals.n;
    refusals_describe(&w->refusals, &q->out);
}

static void say_errors(struct inquiry *q)
{
    char      when[64] = "";
    uint64_t  now_ms = clock_wall_ms();
    time_t    sec = (time_t)(now_ms / 1000);
    struct tm tm;
    if (localtime_r(&sec, &tm) != NULL)
        (void)strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S", &tm);
    text_add(&q->call->out, "Total events captured on [%s.%03u] : %" PRIu64 "\n \n", when, (unsigned)(now_ms % 1000),
             q->sums[SUM_ERRORS]);
    text_put(&q->call->out, q->out.at, q->out.len);
}

static enum command_outcome show_errors(void *owner, struct command_call *call)
{
    const struct inquiry q = {.on_worker = on_worker_errors, .on_answered = say_errors};
    return inquiry_send(owner, &q, call);
}

static void on_worker_fds(struct inquiry *q, struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++) {
        const struct acceptor *a = &w->acceptors[i];
        if (a->fd >= 0 && (q->fd < 0 || q->fd == a->fd))
            text_add(&q->out, "%7d : worker=%u listener=%s/%s paused=%d\n", a->fd, w->index,
                     a->bind->listener->conf->name, a->bind->row->name, a->paused);
    }
}

static void on_session_fds(struct inquiry *q, struct session *s)
{
    static const char *const names[] = {"client", "server"};
    for (int which = CLIENT; which <= SERVER; which++) {
        int fd = s->side[which].stream.fd;
        if (fd >= 0 && (q->fd < 0 || q->fd == fd))
            text_add(&q->out, "%7d : worker=%u session=0x%016" PRIx64 " side=%s fe=%s state=%s\n", fd, s->worker->index,
                     s->id, names[which], s->listener->conf->name, session_state_names[s->state]);
    }
}

static enum command_outcome show_fd(void *owner, struct command_call *call)
{
    struct inquiry q = {.on_worker = on_worker_fds, .on_session = on_session_fds, .fd = -1};
    uint64_t       n;
    if (call->argc > 0 && !command_number(call->argv[0], INT32_MAX, &n))
        return command_fail(call, "Expects a file descriptor number.");
    if (call->argc > 0)
        q.fd = (int)n;
    return inquiry_send(owner, &q, call);
}

const struct command engine_commands[] = {
    {"show sess", "[<id>|all|older <age>|server <b>/<s>|backend <b>|frontend <f>]", "report the sessions",
     COMMAND_OPERATOR, show_sess},
    {"shutdown session", "<id>", "kill a session", COMMAND_ADMIN, shutdown_session},
    {"shutdown sessions", "server <b>/<s>", "kill the sessions of a server", COMMAND_ADMIN, shutdown_sessions},
    {"enable frontend", "<frontend>", "let it take connections again", COMMAND_ADMIN, enable_frontend},
    {"disable frontend", "<frontend>", "refuse new connections for a while", COMMAND_ADMIN, disable_frontend},
    {"shutdown frontend", "<frontend>", "close its sockets for good", COMMAND_ADMIN, shutdown_frontend},
    {"set maxconn frontend", "<frontend> <n>", "change its limit of connections", COMMAND_ADMIN, set_maxconn_frontend},
    {"set maxconn global", "<n>", "change the process's limit of connections", COMMAND_ADMIN, set_maxconn_global},
    {"set rate-limit", "{connections|sessions|ssl-sessions} global <n>", "limit what is accepted a second",
     COMMAND_ADMIN, set_rate_limit},
    {"show table", "[<table> [data.<type> <op> <value>]* [key <key>]]", "tables of sources, or the entries of one",
     COMMAND_USER, tables_show},
    {"clear table", "<table> [data.<type> <op> <value>]* [key <key>]", "forget sources that have no connections",
     COMMAND_OPERATOR, tables_clear},
    {"show activity", "", "counters of each worker", COMMAND_OPERATOR, show_activity},
    {"show errors", "", "the last clients refused for what they sent", COMMAND_OPERATOR, show_errors},
    {"show fd", "[<fd>]", "descriptors of listeners and sessions", COMMAND_OPERATOR, show_fd},
    {"show pools", "", "memory of sessions and buffers", COMMAND_OPERATOR, show_pools},
    {0}};
