/* The lines of defaults, listen, frontend and backend. */
#include <stddef.h>
#include <string.h>

#include "ctl/import_translate.h"

/* Proxies share the array of their defaults until they add to it. */
void lines_add(struct arena *arena, struct lines *list, struct line *line)
{
    if (list->n == list->cap) {
        size_t        cap = list->cap > 0 ? 2 * list->cap : list->n + 4;
        struct line **at = import_alloc(arena, cap, sizeof(struct line *));
        if (list->n > 0)
            memcpy(at, list->at, list->n * sizeof(struct line *));
        list->at = at;
        list->cap = cap;
    }
    list->at[list->n++] = line;
}

void keywords_apply(struct import *im, const struct keyword *table, void *at, struct line *line)
{
    while (table->begins != NULL && !line_begins(line, table->begins))
        table++;
    if (table->begins == NULL) {
        line_lose(im->arena, line, "mqgate has nothing like it");
        return;
    }
    switch (table->kind) {
    case KEYWORD_TAKE:
        table->take(im, at, line);
        break;
    case KEYWORD_NOTE:
        line_note(im->arena, line, "%s", table->text);
        break;
    case KEYWORD_LOSE:
        line_lose(im->arena, line, "%s", table->text);
        break;
    case KEYWORD_IGNORE:
        break;
    }
}

static void take_timeout(struct import *im, void *at, struct line *line)
{
    static const char *const names[] = {[TIMEOUT_CONNECT] = "connect",       [TIMEOUT_CLIENT] = "client",
                                        [TIMEOUT_SERVER] = "server",         [TIMEOUT_QUEUE] = "queue",
                                        [TIMEOUT_CLIENT_FIN] = "client-fin", [TIMEOUT_SERVER_FIN] = "server-fin",
                                        [TIMEOUT_TUNNEL] = "tunnel",         [TIMEOUT_CHECK] = "check"};
    struct proxy            *proxy = at;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(line_word(line, 1), names[i]) == 0) {
            proxy->timeouts[i] = (struct given){import_duration(im, line, line_word(line, 2), 1), line};
            return;
        }
    }
    if (strcmp(line_word(line, 1), "client-hs") == 0)
        line_lose(im->arena, line, "write it as timeouts.handshake");
    else
        line_note(im->arena, line, "nothing to carry over: it is for HTTP");
}

/* The third word of "option x VALUE" and the second of "x VALUE" are values. */
static struct given value_of(struct line *line, size_t n)
{
    return (struct given){line_word(line, n), line};
}

static void take_maxconn(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->max_connections = value_of(line, 1);
}

static void take_backlog(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->backlog = value_of(line, 1);
}

static void take_rate_limit(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->rate_limit = value_of(line, 2);
}

static void take_retries(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->tries = value_of(line, 1);
}

static void take_balance(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->balance = value_of(line, 1);
}

static void take_source(struct import *im, void *at, struct line *line)
{
    struct proxy        *proxy = at;
    struct server_params params = {0};
    params_read(im, line, 0, server_table, &params);
    proxy->source = params.source;
}

static void take_default_backend(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->default_backend = value_of(line, 1);
}

static void take_keepalive_idle(struct import *im, void *at, struct line *line)
{
    const char *ms = import_duration(im, line, line_word(line, 1), 1000);
    ((struct proxy *)at)->keepalive_idle = (struct given){ms, line};
}

static void take_keepalive_interval(struct import *im, void *at, struct line *line)
{
    const char *ms = import_duration(im, line, line_word(line, 1), 1000);
    ((struct proxy *)at)->keepalive_interval = (struct given){ms, line};
}

static void take_keepalive_probes(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->keepalive_probes = value_of(line, 1);
}

static void take_default_server(struct import *im, void *at, struct line *line)
{
    params_read(im, line, 1, server_table, &((struct proxy *)at)->default_server);
}

static void take_bind(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->binds, line);
}

static void take_server(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->servers, line);
}

static void take_acl(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->acls, line);
}

static void take_inspect_delay(struct import *im, void *at, struct line *line)
{
    const char *ms = import_duration(im, line, line_word(line, 2), 1);
    ((struct proxy *)at)->inspect_delay = (struct given){ms, line};
}

static void take_tcp_rule(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->tcp_rules, line);
}

static void take_http_rule(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->http_rules, line);
}

static void take_use_backend(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->use_backends, line);
}

static void take_stick(struct import *im, void *at, struct line *line)
{
    struct proxy *proxy = at;
    bool          by_source = strcmp(line_word(line, 2), "src") == 0;
    for (size_t i = 0; i < line->words.n; i++) {
        if (strstr(line->words.at[i], "client_identifier") != NULL)
            proxy->stick_client_id = (struct given){"client-id", line};
    }
    if (by_source && line->words.n == 3)
        proxy->stick_source = (struct given){"source", line};
    else if (proxy->stick_client_id.line != line)
        line_lose(im->arena, line, "mqgate can stick to the client identifier of MQTT, or to the client's address");
}

static void take_stick_table(struct import *im, void *at, struct line *line)
{
    (void)at;
    for (size_t i = 0; i < line->words.n; i++) {
        if (strcmp(line->words.at[i], "store") == 0) {
            line_lose(im->arena, line, "mqgate counts for itself what its limits need; see listeners.per_source");
            return;
        }
    }
}

static void take_tcp_check(struct import *im, void *at, struct line *line)
{
    struct proxy *proxy = at;
    proxy->tcp_check = (struct given){"tcp", line};
    proxy->http_check = (struct given){NULL, NULL};
    (void)im;
}

static void take_tcp_check_step(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->tcp_checks, line);
}

/* "option httpchk", "... URI", "... METHOD URI [VERSION]" */
static void take_httpchk(struct import *im, void *at, struct line *line)
{
    struct proxy *proxy = at;
    const char   *method = line->words.n > 3 ? line_word(line, 2) : "OPTIONS";
    const char   *uri = line->words.n > 3 ? line_word(line, 3) : line_word(line, 2);
    proxy->http_check = (struct given){"http", line};
    proxy->tcp_check = (struct given){NULL, NULL};
    proxy->http_path = (struct given){uri[0] != '\0' ? uri : "/", line};
    if (strcmp(method, "GET") != 0)
        line_note(im->arena, line, "mqgate asks with GET, not with %s", method);
}

static void take_http_check_send(struct import *im, void *at, struct line *line)
{
    struct proxy *proxy = at;
    for (size_t i = 2; i < line->words.n; i += 2) {
        const char *word = line_word(line, i);
        if (strcmp(word, "uri") == 0)
            proxy->http_path = value_of(line, i + 1);
        else if (strcmp(word, "meth") != 0)
            line_lose(im->arena, line, "%s: mqgate asks with GET, and says no more than the path", word);
    }
}

static void take_http_check_expect(struct import *im, void *at, struct line *line)
{
    if (strcmp(line_word(line, 2), "status") == 0 && line->words.n == 4)
        ((struct proxy *)at)->http_expect = value_of(line, 3);
    else
        line_lose(im->arena, line, "mqgate looks at the status alone: check.http.expect, one number");
}

static void take_mode(struct import *im, void *at, struct line *line)
{
    const char *mode = line_word(line, 1);
    ((struct proxy *)at)->http = strcmp(mode, "http") == 0;
    if (strcmp(mode, "tcp") != 0 && strcmp(mode, "http") != 0)
        line_lose(im->arena, line, "mqgate carries TCP, MQTT, and WebSocket for MQTT");
}

static void take_log(struct import *im, void *at, struct line *line)
{
    (void)at;
    if (strcmp(line_word(line, 1), "global") == 0)
        return;
    line_note(im->arena, line, "mqgate's log is one for all listeners");
    import_log(im, line);
}

static void take_tcplog(struct import *im, void *at, struct line *line)
{
    (void)at;
    if (im->target.global.log_format == NULL)
        im->target.global.log_format = import_fit(im, line, "global.log.format", "tcplog");
}

static void take_log_errors_only(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.log_access = import_fit(im, line, "global.log.access", "errors");
    line_note(im->arena, line, "mqgate's log is one for all listeners");
}

static void take_stats(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->stats = value_of(line, 1);
}

static void take_stats_uri(struct import *im, void *at, struct line *line)
{
    take_stats(im, at, line);
    ((struct proxy *)at)->stats_uri = value_of(line, 2);
}

static void take_stats_auth(struct import *im, void *at, struct line *line)
{
    take_stats(im, at, line);
    lines_add(im->arena, &((struct proxy *)at)->stats_auth, line);
}

static void take_monitor_uri(struct import *im, void *at, struct line *line)
{
    (void)im;
    ((struct proxy *)at)->monitor_uri = value_of(line, 1);
}

static void take_monitor_fail(struct import *im, void *at, struct line *line)
{
    lines_add(im->arena, &((struct proxy *)at)->monitor_fail, line);
}

#define FOR_HTTP     "nothing to carry over: it is for HTTP"
#define OTHER_CHECKS "check.type is \"tcp\", \"mqtt\", \"http\" or \"none\""
#define OWN_LINE     "a line of the log says what global.log.format says"
#define RULES        "mqgate has no rules; its options are allow, deny and limits of a listener"

/* Of two that fit the first counts. */
static const struct keyword keywords[] = {
    TAKE("mode", take_mode),
    TAKE("timeout", take_timeout),
    TAKE("bind", take_bind),
    TAKE("server", take_server),
    TAKE("default-server", take_default_server),
    TAKE("default_backend", take_default_backend),
    TAKE("use_backend", take_use_backend),
    TAKE("balance", take_balance),
    TAKE("maxconn", take_maxconn),
    TAKE("backlog", take_backlog),
    TAKE("rate-limit sessions", take_rate_limit),
    TAKE("retries", take_retries),
    TAKE("source", take_source),
    TAKE("acl", take_acl),
    TAKE("clitcpka-idle", take_keepalive_idle),
    TAKE("clitcpka-intvl", take_keepalive_interval),
    TAKE("clitcpka-cnt", take_keepalive_probes),
    TAKE("tcp-request inspect-delay", take_inspect_delay),
    TAKE("tcp-request connection", take_tcp_rule),
    TAKE("tcp-request session", take_tcp_rule),
    TAKE("tcp-request content", take_tcp_rule),
    TAKE("http-request", take_http_rule),
    TAKE("stick on", take_stick),
    TAKE("stick match", take_stick),
    TAKE("stick store-request", take_stick),
    TAKE("stick-table", take_stick_table),
    TAKE("option tcp-check", take_tcp_check),
    TAKE("tcp-check", take_tcp_check_step),
    TAKE("option httpchk", take_httpchk),
    TAKE("http-check send", take_http_check_send),
    TAKE("http-check expect", take_http_check_expect),
    TAKE("log", take_log),
    TAKE("option tcplog", take_tcplog),
    TAKE("option httplog", take_tcplog),
    TAKE("option dontlog-normal", take_log_errors_only),
    TAKE("stats enable", take_stats),
    TAKE("stats uri", take_stats_uri),
    TAKE("stats auth", take_stats_auth),
    TAKE("monitor-uri", take_monitor_uri),
    TAKE("monitor fail", take_monitor_fail),
    SAME("option redispatch"),
    SAME("option tcpka"),
    SAME("option clitcpka"),
    SAME("option srvtcpka"),
    SAME("option contstats"),
    SAME("option socket-stats"),
    SAME("hash-type consistent"),
    SAME("option tcp-smart-accept"),
    SAME("option tcp-smart-connect"),
    SAME("option splice-auto"),
    SAME("option splice-request"),
    SAME("option splice-response"),
    SAME("option log-health-checks"),
    SAME("option http-server-close"),
    SAME("option http-keep-alive"),
    SAME("option httpclose"),
    SAME("option forceclose"),
    SAME("no option"),
    SAME("id"),
    SAME("guid"),
    SAME("enabled"),
    SAME("stats show-node"),
    SAME("stats show-legends"),
    SAME("stats show-desc"),
    SAME("stats show-modules"),
    SAME("stats refresh"),
    NOTE("stats realm", "the realm that a browser shows is mqgate's own"),
    NOTE("stats hide-version", "the statistics of mqgate tell its version to those who may see them"),
    NOTE("option dontlognull",
         "mqgate logs sessions without a byte too; access = \"errors\" leaves out what ended well"),
    NOTE("http-reuse", FOR_HTTP),
    NOTE("errorfile", FOR_HTTP),
    NOTE("errorloc", FOR_HTTP),
    NOTE("errorfiles", FOR_HTTP),
    NOTE("compression", FOR_HTTP),
    NOTE("option http-ignore-probes", FOR_HTTP),
    NOTE("option http-buffer-request", FOR_HTTP),
    NOTE("option http-use-htx", FOR_HTTP),
    NOTE("option prefer-last-server", FOR_HTTP),
    NOTE("option disable-h2-upgrade", FOR_HTTP),
    NOTE("option accept-invalid-http-request", FOR_HTTP),
    NOTE("option accept-invalid-http-response", FOR_HTTP),
    LOSE("option forwardfor", "send_proxy tells the server who the client is"),
    LOSE("option ssl-hello-chk", OTHER_CHECKS "; with a tls section for the server, \"tcp\" shakes hands too"),
    LOSE("option smtpchk", OTHER_CHECKS),
    LOSE("option mysql-check", OTHER_CHECKS),
    LOSE("option pgsql-check", OTHER_CHECKS),
    LOSE("option redis-check", OTHER_CHECKS),
    LOSE("option ldap-check", OTHER_CHECKS),
    LOSE("option spop-check", OTHER_CHECKS),
    LOSE("option external-check", OTHER_CHECKS),
    LOSE("external-check", OTHER_CHECKS),
    LOSE("http-check", "check.http has a path and the status that is expected"),
    LOSE("option nolinger", "mqgate ends connections with FIN, and with RST only where the other side did"),
    LOSE("option logasap", "global.log.access = \"start+end\" tells of a session when it begins, too"),
    LOSE("option log-separate-errors", "global.log.level is one for all targets"),
    LOSE("option transparent", "a server has an address of its own"),
    LOSE("option allbackups", "of the backup servers the first that is up is used"),
    LOSE("option persist", "mqgate sends nobody to a server that is down"),
    LOSE("srvtcpka-idle", "listeners.tcp_keepalive holds for clients"),
    LOSE("srvtcpka-intvl", "listeners.tcp_keepalive holds for clients"),
    LOSE("srvtcpka-cnt", "listeners.tcp_keepalive holds for clients"),
    LOSE("log-format", OWN_LINE),
    LOSE("log-format-sd", OWN_LINE),
    LOSE("error-log-format", OWN_LINE),
    LOSE("log-tag", OWN_LINE),
    LOSE("log-steps", OWN_LINE),
    LOSE("no log", "mqgate's log is one for all listeners; global.log.access says what it has"),
    LOSE("capture", FOR_HTTP),
    LOSE("unique-id-format", "send_proxy = \"v2\" carries a unique id of mqgate's own"),
    LOSE("server-template", "write each server, or one whose address is \"srv:\" and the SRV record's name"),
    LOSE("use-server", "mqgate chooses servers by backends.balance alone"),
    LOSE("dispatch", "write it as a server"),
    LOSE("hash-type", "a server that comes or goes moves only its own share of the clients, as \"consistent\" does"),
    LOSE("hash-balance-factor",
         "a client waits for the server that is its own; max_connections says how full that gets"),
    LOSE("fullconn", "max_connections of a server does not move"),
    LOSE("stick", "mqgate keeps no table of who went where"),
    LOSE("tcp-response", RULES),
    LOSE("tcp-request", RULES),
    LOSE("filter", "mqgate has no filters"),
    LOSE("http-response", "mqgate changes nothing in what it carries"),
    LOSE("http-after-response", "mqgate changes nothing in what it carries"),
    LOSE("redirect", "mqgate answers no HTTP but that of its admin address"),
    LOSE("monitor-net", "let the load balancer ask for admin.health_uri"),
    LOSE("stats admin", "whoever admin.stats_auth lets in may set servers on the page; so may mqgatectl(1)"),
    LOSE("stats scope", "the statistics show all listeners and backends"),
    LOSE("stats http-request", "admin.stats_allow and admin.stats_auth say who may see the statistics"),
    LOSE("stats", "the admin group has no option for it"),
    LOSE("description", "mqgate has no descriptions; write a comment"),
    LOSE("disabled", "what is not wanted is left out of mqgate.conf; this was carried over as if it were enabled"),
    LOSE("email-alert", "mqgate sends no mail; its log and metrics tell of servers that go down"),
    LOSE("load-server-state-from-file", "mqgate has no file of server states"),
    LOSE("server-state-file-name", "mqgate has no file of server states"),
    {NULL, KEYWORD_IGNORE, NULL, NULL}};

void proxy_read(struct import *im, struct proxy *proxy)
{
    if (proxy->is_read)
        return;
    proxy->is_read = true;
    for (size_t i = 0; i < proxy->section->n; i++)
        keywords_apply(im, keywords, proxy, proxy->section->lines[i]);
}

struct proxy *proxy_find(struct import *im, const char *name, bool back)
{
    for (size_t i = 0; i < im->n_proxies; i++) {
        struct proxy *proxy = &im->proxies[i];
        if (strcmp(proxy->section->name, name) == 0 && (back ? proxy->back : proxy->front))
            return proxy;
    }
    return NULL;
}
