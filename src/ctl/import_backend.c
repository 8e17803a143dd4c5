/* Servers and their checks. */
#include <string.h>
#include <utlist.h>

#include "ctl/import_translate.h"

/* Of a backend that is being made: what its servers say of checks, which mqgate says once for all of them. */
struct checks {
    struct server_params first; /* of the servers that are checked */
    const char          *address;
    size_t               n, n_unchecked;
    bool                 addresses_differ;
};

/* --- balance --- */

static const char *balance_of(const struct proxy *proxy, struct given *from)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"roundrobin", "roundrobin"}, {"static-rr", "roundrobin"}, {"random", "leastconn"},
                 {"leastconn", "leastconn"},   {"first", "local-first"},    {"source", "source"}};
    *from = proxy->stick_client_id.text != NULL ? proxy->stick_client_id
            : proxy->stick_source.text != NULL  ? proxy->stick_source
                                                : proxy->balance;
    if (from->line == NULL)
        return "roundrobin"; /* HAProxy's default */
    if (from->line != proxy->balance.line)
        return from->text;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i].theirs);
        if (strncmp(from->text, words[i].theirs, len) == 0 && (from->text[len] == '\0' || from->text[len] == '('))
            return words[i].ours;
    }
    return NULL;
}

static void set_balance(struct import *im, struct proxy *proxy, struct target_backend *backend)
{
    struct given                from;
    const char                 *balance = balance_of(proxy, &from);
    const struct target_server *s;
    size_t                      n = 0;
    LL_FOREACH (backend->servers, s)
        n += s->backup == NULL;
    if (n < 2) /* there is nothing to choose */
        return;
    if (balance == NULL)
        line_lose(im->arena, from.line, "\"%s\" is not among what backends.balance may be", from.text);
    else if (from.line != NULL)
        backend->balance = import_fit(im, from.line, "backends.balance", balance);
    else if (import_can("backends.balance", balance))
        backend->balance = balance;
    if (backend->balance == NULL)
        line_note(im->arena, proxy->section->head,
                  "sessions go to the first server that is up and has room, in the order written");
}

/* --- checks --- */

static bool has_text(const struct line *line, const char *text)
{
    for (size_t i = 1; i < line->words.n; i++) {
        if (strcasestr(line->words.at[i], text) != NULL)
            return true;
    }
    return false;
}

/* "MQTT" or "MQIsdp", as send-binary writes it. */
bool import_checks_mqtt(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->tcp_checks.n; i++) {
        const struct line *line = proxy->tcp_checks.at[i];
        if (line_begins(line, "tcp-check send-binary") &&
            (has_text(line, "4d515454") || has_text(line, "4d5149736470")))
            return true;
    }
    return false;
}

static void lose_tcp_steps(struct import *im, const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->tcp_checks.n; i++) {
        struct line *line = proxy->tcp_checks.at[i];
        if (line->words.n == 2 && line_begins(line, "tcp-check connect"))
            continue;
        if (!line_begins(line, "tcp-check comment"))
            line_lose(im->arena, line,
                      "check.type is \"tcp\", which connects, \"mqtt\", which wants a CONNACK, or "
                      "\"http\"");
    }
}

/* "tcp-check connect port 1883 ssl": what only the first step can say. */
static void lose_connect_options(struct import *im, const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->tcp_checks.n; i++) {
        struct line *line = proxy->tcp_checks.at[i];
        if (line->words.n > 2 && line_begins(line, "tcp-check connect") && !line_has(line, 2, "default"))
            line_lose(im->arena, line, "a check goes to the server as its sessions do; check.address says where else");
    }
}

static void set_check_type(struct import *im, const struct proxy *proxy, struct target_check *check)
{
    if (proxy->http_check.text != NULL) {
        check->type = "http";
        check->http_path = import_fit(im, proxy->http_path.line, "backends.check.http.path", proxy->http_path.text);
        if (proxy->http_expect.line != NULL)
            check->http_expect =
                import_number(im, proxy->http_expect.line, "backends.check.http.expect", proxy->http_expect.text);
        else
            line_note(im->arena, proxy->http_check.line,
                      "mqgate wants status 200, where HAProxy takes any 2xx and 3xx");
    } else if (proxy->tcp_check.text != NULL && import_checks_mqtt(proxy)) {
        check->type = "mqtt";
        lose_connect_options(im, proxy);
    } else {
        check->type = "tcp";
        if (proxy->tcp_check.text != NULL)
            lose_tcp_steps(im, proxy);
    }
}

static const char *ms_of(struct import *im, const struct given *given, const char *path)
{
    const char *ms = given->text != NULL ? import_duration(im, given->line, given->text, 1) : NULL;
    return ms != NULL ? import_ms(im, given->line, path, ms) : NULL;
}

static void set_check_times(struct import *im, const struct proxy *proxy, const struct server_params *s,
                            struct target_check *check)
{
    const struct given *timeout = &proxy->timeouts[TIMEOUT_CHECK];
    check->interval = ms_of(im, &s->interval, "backends.check.interval");
    /* HAProxy has no faster interval unless one is written. */
    check->fast_interval = s->fast_interval.text != NULL ? ms_of(im, &s->fast_interval, "backends.check.fast_interval")
                           : check->interval != NULL     ? check->interval
                                                         : "2s";
    if (s->rise.text != NULL)
        check->rise = import_number(im, s->rise.line, "backends.check.rise", s->rise.text);
    if (s->fall.text != NULL)
        check->fall = import_number(im, s->fall.line, "backends.check.fall", s->fall.text);
    if (timeout->text != NULL)
        check->timeout = import_ms(im, timeout->line, "backends.check.timeout", timeout->text);
}

/* The line that says that a server is checked elsewhere. */
static struct line *address_line(const struct server_params *s)
{
    return s->check_port.line != NULL ? s->check_port.line : s->check_address.line;
}

static void set_check(struct import *im, const struct proxy *proxy, const struct checks *checks,
                      struct target_check *check)
{
    if (checks->n == 0) {
        check->type = "none";
        return;
    }
    set_check_type(im, proxy, check);
    set_check_times(im, proxy, &checks->first, check);
    if (checks->n_unchecked > 0)
        line_note(im->arena, proxy->section->head, "mqgate checks all servers of a backend, or none");
    if (checks->address != NULL && !checks->addresses_differ)
        check->address = import_fit(im, address_line(&checks->first), "backends.check.address", checks->address);
}

/* Where HAProxy checks this server, when not where it is. NULL: there. */
static const char *check_address(struct import *im, const struct server_params *s, const char *address)
{
    const char *where = address;
    if (s->check_address.text != NULL) {
        const char *ip = import_ip(im, s->check_address.line, s->check_address.text);
        if (ip == NULL)
            return NULL;
        where = import_format(im->arena, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip, import_port(address));
    }
    if (s->check_port.text != NULL)
        where = import_with_port(im, where, s->check_port.text);
    return where == address ? NULL : where;
}

static bool same(const struct given *a, const struct given *b)
{
    return a->text == b->text || (a->text != NULL && b->text != NULL && strcmp(a->text, b->text) == 0);
}

static void checks_add(struct import *im, struct checks *checks, const struct server_params *s, struct line *line,
                       const char *address)
{
    if (s->check.text == NULL) {
        checks->n_unchecked++;
        return;
    }
    const char *where = check_address(im, s, address);
    if (checks->n++ == 0) {
        checks->first = *s;
        checks->address = where;
        return;
    }
    const struct server_params *f = &checks->first;
    if ((where == NULL) != (checks->address == NULL) || (where != NULL && strcmp(where, checks->address) != 0)) {
        checks->addresses_differ = true;
        line_lose(im->arena, address_line(where != NULL ? s : f),
                  "mqgate checks each server at its own address, or all at one, check.address");
    }
    if (!same(&f->interval, &s->interval) || !same(&f->fast_interval, &s->fast_interval) || !same(&f->rise, &s->rise) ||
        !same(&f->fall, &s->fall))
        line_lose(im->arena, line,
                  "inter, fastinter, rise, fall: a backend has one check, and the first server said how");
}

/* --- servers --- */

static void set_source(struct import *im, const struct proxy *proxy, const struct server_params *s,
                       struct target_server *server)
{
    const struct given *source = s->source.text != NULL ? &s->source : &proxy->source;
    if (source->text == NULL)
        return;
    const char *ip = import_ip(im, source->line, source->text);
    if (ip != NULL && strcmp(ip, "0.0.0.0") != 0 && strcmp(ip, "::") != 0)
        server->source = import_fit(im, source->line, "backends.servers.source", ip);
}

/* False: a server in the clear would not be the same. */
static bool set_tls(struct import *im, struct line *line, const struct server_params *s, const char *name,
                    struct target_server *server)
{
    if (s->ssl.text == NULL)
        return true;
    server->tls = import_tls_client(im, line, s, name);
    if (server->tls == NULL)
        line_lose(im->arena, line, "its TLS could not be carried over, and it is left out");
    return server->tls != NULL;
}

/* NULL: it cannot be made, and its line is lost. name: of its backend. */
static struct target_server *server_make(struct import *im, const struct proxy *proxy, struct line *line,
                                         struct checks *checks)
{
    struct server_params s = proxy->default_server;
    if (line->words.n < 3) {
        line_lose(im->arena, line, "a server has a name and an address");
        return NULL;
    }
    params_read(im, line, 3, server_table, &s);
    if (s.disabled.text != NULL) {
        line_lose(im->arena, line, "disabled: no server of mqgate's begins like that, and it is left out");
        return NULL;
    }
    struct target_server *server = import_alloc(im->arena, 1, sizeof *server);
    server->address = import_server_address(im, line, line_word(line, 2));
    if (server->address == NULL || !set_tls(im, line, &s, proxy->section->name, server))
        return NULL;
    server->send_proxy = s.send_proxy.text;
    server->backup = s.backup.text;
    if (s.weight.text != NULL && proxy->servers.n > 1)
        server->weight = import_number(im, s.weight.line, "backends.servers.weight", s.weight.text);
    if (s.max_connections.text != NULL)
        server->max_connections =
            import_number(im, s.max_connections.line, "backends.servers.max_connections", s.max_connections.text);
    set_source(im, proxy, &s, server);
    checks_add(im, checks, &s, line, server->address);
    return server;
}

static void add_servers(struct import *im, const struct proxy *proxy, struct target_backend *backend,
                        struct checks *checks)
{
    struct strings names = {0};
    for (size_t i = 0; i < proxy->servers.n; i++) {
        struct line *line = proxy->servers.at[i];
        if (!import_has_room(im, line, "backends.servers", names.n))
            continue;
        struct target_server *server = server_make(im, proxy, line, checks);
        if (server == NULL)
            continue;
        server->name = import_name(im, &names, line_word(line, 1));
        LL_APPEND(backend->servers, server);
    }
}

/* HAProxy's retries are what comes behind the first try. */
static void set_tries(struct import *im, const struct proxy *proxy, struct target_backend *backend)
{
    const struct given *tries = &proxy->tries;
    size_t              len = tries->text != NULL ? strspn(tries->text, "0123456789") : 0;
    unsigned            n = 0;
    if (tries->text == NULL)
        return;
    if (len == 0 || len > 4 || tries->text[len] != '\0') {
        line_lose(im->arena, tries->line, "\"%s\" is no number that backends.tries may be", tries->text);
        return;
    }
    for (size_t i = 0; i < len; i++)
        n = 10 * n + (unsigned)(tries->text[i] - '0');
    backend->tries = import_fit(im, tries->line, "backends.tries", import_format(im->arena, "%u", n + 1));
}

static struct target_backend *backend_make(struct import *im, struct proxy *proxy, const char **why)
{
    struct target_backend *backend = import_alloc(im->arena, 1, sizeof *backend);
    struct checks          checks = {0};
    add_servers(im, proxy, backend, &checks);
    if (backend->servers == NULL) {
        *why = "none of its servers could be carried over";
        return NULL;
    }
    if (!import_has_room(im, proxy->section->head, "backends", im->backend_names.n)) {
        *why = "there are too many backends";
        return NULL;
    }
    backend->name = import_name(im, &im->backend_names, proxy->section->name);
    set_balance(im, proxy, backend);
    set_check(im, proxy, &checks, &backend->check);
    set_tries(im, proxy, backend);
    LL_APPEND(im->target.backends, backend);
    return backend;
}

/* Rules that a backend has beside those of its frontends; what defaults say is the frontend's to deal with. */
static void lose_rules(struct import *im, struct proxy *proxy)
{
    const struct lines *lists[] = {&proxy->tcp_rules, &proxy->http_rules, &proxy->use_backends};
    if (proxy->front)
        return;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (size_t j = 0; j < lists[i]->n; j++) {
            struct line *line = lists[i]->at[j];
            if (line->number > proxy->section->head->number)
                line_lose(im->arena, line, "a backend has no rules; a listener has allow and deny");
        }
    }
    acls_unused(im, proxy);
}

struct target_backend *import_backend(struct import *im, struct proxy *proxy, const char **why)
{
    *why = "none of its servers could be carried over";
    if (!proxy->tried) {
        proxy->tried = true;
        proxy_read(im, proxy);
        proxy->made = backend_make(im, proxy, why);
        lose_rules(im, proxy);
    }
    return proxy->made;
}
