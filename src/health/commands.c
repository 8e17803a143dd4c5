/* Runtime commands about servers and backends. Texts of errors are HAProxy's, which scripts look for. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "health/checker.h"
#include "snapshot/asked.h"

/* What a command names. */
struct target {
    struct health       *health;
    size_t               backend, server; /* indices */
    struct snap_backend *in;
    struct snap_server  *at;
};

/* False when there is no such server; then that has been said. */
static bool find_target(struct health *h, struct command_call *call, struct target *t)
{
    struct snapshot *snap = health_snapshot(h);
    *t = (struct target){.health = h};
    t->at = snapshot_asked_server(snap, call, 0, &t->in);
    if (t->at == NULL)
        return false;
    t->backend = (size_t)(t->in - snap->backends);
    t->server = (size_t)(t->at - t->in->servers);
    return true;
}

static void act(const struct target *t, enum health_action action)
{
    health_act(t->health, t->backend, t->server, action);
}

static enum command_outcome act_on(void *owner, struct command_call *call, enum health_action action)
{
    struct target t;
    if (find_target(owner, call, &t))
        act(&t, action);
    return COMMAND_DONE;
}

static enum command_outcome enable_server(void *owner, struct command_call *call)
{
    return act_on(owner, call, HEALTH_READY);
}

static enum command_outcome disable_server(void *owner, struct command_call *call)
{
    return act_on(owner, call, HEALTH_MAINT);
}

static enum command_outcome enable_health(void *owner, struct command_call *call)
{
    struct target t;
    if (!find_target(owner, call, &t))
        return COMMAND_DONE;
    if (t.in->conf->check.type == CHECK_NONE)
        return command_fail(call, "Health check was not configured on this server, cannot enable.");
    act(&t, HEALTH_CHECKS_ON);
    return COMMAND_DONE;
}

static enum command_outcome disable_health(void *owner, struct command_call *call)
{
    return act_on(owner, call, HEALTH_CHECKS_OFF);
}

static enum command_outcome set_weight_of(const struct target *t, struct command_call *call, const char *text)
{
    char        digits[16];
    uint64_t    n;
    size_t      len = strlen(text);
    bool        relative = len > 0 && text[len - 1] == '%';
    const char *end = relative ? text + len - 1 : text + len;
    if (len == 0)
        return command_fail(call, "Require <weight> or <weight%%>.");
    if ((size_t)(end - text) >= sizeof digits)
        return command_fail(call, "Absolute weight can only be between 0 and 256 inclusive.");
    memcpy(digits, text, (size_t)(end - text));
    digits[end - text] = '\0';
    if (!command_number(digits, UINT32_MAX, &n))
        return command_fail(call, "Empty weight string empty or preceded by garbage");
    if (relative)
        n = n * server_initial_weight(t->at->live) / 100;
    if (n > SERVER_WEIGHT_MAX)
        return command_fail(call, "Absolute weight can only be between 0 and 256 inclusive.");
    server_set_weight(t->at->live, (uint32_t)n);
    health_server_changed(t->health, t->backend, t->server);
    return COMMAND_DONE;
}

static enum command_outcome set_weight(void *owner, struct command_call *call)
{
    struct target t;
    return find_target(owner, call, &t) ? set_weight_of(&t, call, command_arg(call, 1)) : COMMAND_DONE;
}

static enum command_outcome get_weight(void *owner, struct command_call *call)
{
    struct target t;
    if (find_target(owner, call, &t))
        text_add(&call->out, "%u (initial %u)\n", server_weight(t.at->live), server_initial_weight(t.at->live));
    return COMMAND_DONE;
}

static enum command_outcome set_maxconn_server(void *owner, struct command_call *call)
{
    struct target t;
    uint64_t      n;
    if (!find_target(owner, call, &t))
        return COMMAND_DONE;
    if (!command_number(command_arg(call, 1), INT32_MAX, &n))
        return command_fail(call, "maxconn string empty or preceded by garbage");
    server_set_max_connections(t.at->live, (uint32_t)n);
    health_server_changed(t.health, t.backend, t.server);
    return COMMAND_DONE;
}

/* One of words does as the action in the same place says. */
struct word_action {
    const char        *word;
    enum health_action action;
};

static bool act_by_word(const struct target *t, const char *word, const struct word_action *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, all[i].word) == 0) {
            act(t, all[i].action);
            return true;
        }
    }
    return false;
}

static enum command_outcome set_state(const struct target *t, struct command_call *call)
{
    static const struct word_action words[] = {
        {"ready", HEALTH_READY}, {"drain", HEALTH_DRAIN}, {"maint", HEALTH_MAINT}};
    if (!act_by_word(t, command_arg(call, 2), words, ARRAY_LEN(words)))
        return command_fail(call, "'set server <srv> state' expects 'ready', 'drain' and 'maint'.");
    return COMMAND_DONE;
}

static enum command_outcome set_health(const struct target *t, struct command_call *call)
{
    static const struct word_action words[] = {{"up", HEALTH_UP}, {"stopping", HEALTH_DRAIN}, {"down", HEALTH_DOWN}};
    if (!act_by_word(t, command_arg(call, 2), words, ARRAY_LEN(words)))
        return command_fail(call, "'set server <srv> health' expects 'up', 'stopping', or 'down'.");
    return COMMAND_DONE;
}

/* A host's is known before its address is. */
static unsigned port_of(const struct snap_server *s, const struct addr *at)
{
    return addr_is_set(at) ? addr_port(at) : s->conf->port;
}

/* "addr <ip> [port <port>]". */
static enum command_outcome set_addr(const struct target *t, struct command_call *call)
{
    const struct addr was = server_address(t->at->live);
    struct addr       is;
    char              from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
    const unsigned    was_port = port_of(t->at, &was);
    uint64_t          port = was_port;
    if (call->argc < 3)
        return command_fail(call, "set server <b>/<s> addr requires an address and optionally a port.");
    if (!addr_parse_ip(call->argv[2], &is))
        return command_fail(call, "Invalid addr '%s' by 'stats socket command'", call->argv[2]);
    if (call->argc > 3 &&
        (strcmp(call->argv[3], "port") != 0 || !command_number(command_arg(call, 4), UINT16_MAX, &port) || port == 0))
        return command_fail(call, "Invalid port '%s' by 'stats socket command'", command_arg(call, 4));
    if (port == 0) /* of an SRV record nobody knows it yet */
        return command_fail(call, "Invalid port '0' by 'stats socket command'");
    addr_set_port(&is, (uint16_t)port);
    if (addr_same_ip(&is, &was) && port == was_port) {
        command_say(call, SEVERITY_INFO,
                    "no need to change the addr, no need to change the port by 'stats socket command'");
        return COMMAND_DONE;
    }
    health_set_address(t->health, t->backend, t->server, &is);
    if (port == was_port)
        command_say(call, SEVERITY_INFO, "IP changed from '%s' to '%s' by 'stats socket command'",
                    addr_format_ip(&was, from), addr_format_ip(&is, to));
    else
        command_say(call, SEVERITY_INFO,
                    "IP changed from '%s' to '%s', port changed from '%u' to '%u' by 'stats socket command'",
                    addr_format_ip(&was, from), addr_format_ip(&is, to), was_port, addr_port(&is));
    return COMMAND_DONE;
}

static enum command_outcome set_server(void *owner, struct command_call *call)
{
    struct target t;
    const char   *what = command_arg(call, 1);
    if (!find_target(owner, call, &t))
        return COMMAND_DONE;
    if (strcmp(what, "weight") == 0)
        return set_weight_of(&t, call, command_arg(call, 2));
    if (strcmp(what, "state") == 0)
        return set_state(&t, call);
    if (strcmp(what, "health") == 0)
        return set_health(&t, call);
    if (strcmp(what, "addr") == 0)
        return set_addr(&t, call);
    if (strcmp(what, "agent") == 0)
        return command_fail(call, "agent checks are not enabled on this server.");
    return command_fail(call, "usage: set server <backend>/<server> addr | health | state | weight");
}

/* ---- dumps ---- */

/* HAProxy's numbers: 0 down, 1 starting, 2 running. */
static int op_state(const struct snap_server *s)
{
    return server_state(s->live) == SERVER_DOWN || !server_has_address(s->live) ? 0 : 2;
}

static int admin_state(const struct snap_server *s)
{
    enum { NO_ADDRESS = 32 };
    static const int numbers[] = {[SERVER_READY] = 0, [SERVER_MAINT] = 1, [SERVER_DRAIN] = 8};
    return numbers[server_admin(s->live)] | (server_has_address(s->live) ? 0 : NO_ADDRESS);
}

/* enum healthcheck_status of HAProxy. */
static int check_status(const struct health_report *r)
{
    static const int numbers[PROBE_STATUSES] = {
        [PROBE_UNK] = 0,     [PROBE_INI] = 1,    [PROBE_HANA] = 4,  [PROBE_SOCKERR] = 5, [PROBE_L4OK] = 6,
        [PROBE_L4TOUT] = 7,  [PROBE_L4CON] = 8,  [PROBE_L6OK] = 9,  [PROBE_L6TOUT] = 10, [PROBE_L6RSP] = 11,
        [PROBE_L7TOUT] = 12, [PROBE_L7RSP] = 13, [PROBE_L7OK] = 14, [PROBE_L7STS] = 16};
    return numbers[r->last.status];
}

/* 0 unknown, 2 failed, 3 passed. */
static int check_result(const struct health_report *r)
{
    if (r->last.status <= PROBE_INI)
        return 0;
    return probe_status_passed(r->last.status) ? 3 : 2;
}

static const char *srv_record(const struct conf_server *conf)
{
    return conf->host != NULL && conf->port == 0 ? conf->host : "-";
}

static void put_state_line(struct health *h, size_t backend, size_t server, struct text *out)
{
    enum { CONFIGURED = 2, ENABLED = 4, IN_PROGRESS = 1 };
    const struct snap_backend  *b = &health_snapshot(h)->backends[backend];
    const struct snap_server   *s = &b->servers[server];
    const struct health_report *r = health_report(h, backend, server);
    const struct addr           at = server_address(s->live);
    char                        ip[ADDR_TEXT_MAX], host[SERVER_HOST_MAX];
    int state = r->checked ? CONFIGURED | (r->disabled ? 0 : ENABLED) | (r->running ? IN_PROGRESS : 0) : 0;
    text_add(out, "%u %s %u %s %s %d %d %u %u", b->row->iid, b->conf->name, s->row->sid, s->conf->name,
             addr_format_ip(&at, ip), op_state(s), admin_state(s), server_weight(s->live),
             server_initial_weight(s->live));
    text_add(out, " %" PRIu64 " %d %d %u %d 0 0 0 %s %u %s %d 0 - - 0\n",
             (clock_mono_ms() - r->history.last_change_ms) / 1000, check_status(r), check_result(r), r->level, state,
             server_host(s->live, host)[0] != '\0' ? host : "-", port_of(s, &at), srv_record(s->conf), s->tls != NULL);
}

/* Calls put for every server of the backend that is named, or of all. */
static enum command_outcome each_server(struct health *h, struct command_call *call,
                                        void (*put)(struct health *, size_t, size_t, struct text *))
{
    const struct snapshot *snap = health_snapshot(h);
    const char            *name = command_arg(call, 0);
    if (name[0] != '\0' && snapshot_find_backend(snap, name) == NULL)
        return command_fail(call, "Can't find backend.");
    for (size_t b = 0; b < snap->conf->n_backends; b++) {
        if (name[0] != '\0' && strcmp(snap->backends[b].conf->name, name) != 0)
            continue;
        for (size_t s = 0; s < snap->backends[b].conf->n_servers; s++)
            put(h, b, s, &call->out);
    }
    return COMMAND_DONE;
}

static enum command_outcome show_servers_state(void *owner, struct command_call *call)
{
    text_puts(&call->out,
              "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
              "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
              "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port "
              "srv_check_addr srv_agent_addr srv_agent_port\n");
    return each_server(owner, call, put_state_line);
}

static void put_conn_line(struct health *h, size_t backend, size_t server, struct text *out)
{
    const struct snap_backend *b = &health_snapshot(h)->backends[backend];
    const struct snap_server  *s = &b->servers[server];
    const struct addr          at = server_address(s->live);
    uint32_t                   now = server_in_flight(s->live), peak = server_most_in_flight(s->live);
    char                       ip[ADDR_TEXT_MAX];
    text_add(out, "%s/%s %u/%u %s %u - 0 %u %u %u 0 0 0 0 0\n", b->conf->name, s->conf->name, b->row->iid, s->row->sid,
             addr_format_ip(&at, ip), port_of(s, &at), now, peak, now);
}

/* No connection is kept for later: each session has its own. */
static enum command_outcome show_servers_conn(void *owner, struct command_call *call)
{
    text_puts(&call->out, "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb "
                          "safe_nb idle_lim idle_cur idle_per_thr[1]\n");
    return each_server(owner, call, put_conn_line);
}

static enum command_outcome show_backend(void *owner, struct command_call *call)
{
    const struct conf *conf = health_snapshot(owner)->conf;
    text_puts(&call->out, "# name\n");
    for (size_t i = 0; i < conf->n_backends; i++)
        text_add(&call->out, "%s\n", conf->backends[i].name);
    return COMMAND_DONE;
}

const struct command health_commands[] = {
    {"show backend", "", "list the backends", COMMAND_USER, show_backend},
    {"show servers state", "[<backend>]", "states of servers, as a state file has them", COMMAND_USER,
     show_servers_state},
    {"show servers conn", "[<backend>]", "connections of servers", COMMAND_USER, show_servers_conn},
    {"get weight", "<b>/<s>", "a server's weight", COMMAND_USER, get_weight},
    {"set weight", "<b>/<s> <weight>[%]", "change a server's weight", COMMAND_ADMIN, set_weight},
    {"set server", "<b>/<s> {state|weight|addr|health} ...", "change a server", COMMAND_ADMIN, set_server},
    {"set maxconn server", "<b>/<s> <n>", "change a server's limit of connections", COMMAND_ADMIN, set_maxconn_server},
    {"enable server", "<b>/<s>", "let it take sessions again", COMMAND_ADMIN, enable_server},
    {"disable server", "<b>/<s>", "give it no sessions, and do not check it", COMMAND_ADMIN, disable_server},
    {"enable health", "<b>/<s>", "go on checking it", COMMAND_ADMIN, enable_health},
    {"disable health", "<b>/<s>", "stop checking it", COMMAND_ADMIN, disable_health},
    {0}};
