/* frontend and listen become listeners. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

#include "ctl/import_translate.h"

/* Of a frontend that is being made. */
struct front {
    struct proxy          *proxy, *back;
    struct target_backend *backend;
    struct target_listener all;         /* what its listeners have in common */
    struct strings         proxy_from;  /* networks that "tcp-request connection" lets in, with accept-proxy */
    struct line           *maybe_proxy; /* "expect-proxy" */
    bool                   mqtt;        /* a rule wants it */
    bool                   named;       /* a listener has the name of the frontend */
};

/* --- which backend --- */

static struct given unconditional(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->use_backends.n; i++) {
        struct line *line = proxy->use_backends.at[i];
        if (line->words.n == 2)
            return (struct given){line_word(line, 1), line};
    }
    return proxy->default_backend;
}

/* A condition is carried over when it leads where everybody goes anyway. */
static void lose_choices(struct import *im, const struct proxy *proxy, const char *chosen)
{
    for (size_t i = 0; i < proxy->use_backends.n; i++) {
        struct line     *line = proxy->use_backends.at[i];
        struct condition c = condition_read(im, proxy, line, 2);
        if (strcmp(line_word(line, 1), chosen) != 0)
            line_lose(im->arena, line,
                      "a listener has one backend; write a listener, on an address of its own, for each");
        else
            condition_used(&c);
    }
}

static struct proxy *back_of(struct import *im, struct proxy *proxy)
{
    struct given  given = unconditional(proxy);
    struct proxy *back = given.text != NULL ? proxy_find(im, given.text, true) : proxy->back ? proxy : NULL;
    if (given.text == NULL && proxy->servers.n == 0 && proxy->use_backends.n > 0) {
        given = (struct given){line_word(proxy->use_backends.at[0], 1), proxy->use_backends.at[0]};
        back = proxy_find(im, given.text, true);
        line_note(im->arena, given.line, "taken as the backend of all, for there is no default_backend");
    }
    if (back == NULL && given.text != NULL)
        line_lose(im->arena, given.line, "there is no backend \"%s\"", given.text);
    if (back != NULL)
        lose_choices(im, proxy, back->section->name);
    for (size_t i = 0; back != proxy && i < proxy->servers.n; i++)
        line_lose(im->arena, proxy->servers.at[i], "sessions go to default_backend, and not to this server");
    return back;
}

/* --- rules --- */

struct access {
    struct strings allow, accepted;
    struct lines   accepts;
    bool           has_allow;
};

static bool is_refusal(const char *action)
{
    return strcmp(action, "reject") == 0 || strcmp(action, "silent-drop") == 0 || strcmp(action, "deny") == 0;
}

static void add_all(struct import *im, struct strings *to, const struct strings *from)
{
    for (size_t i = 0; i < from->n; i++)
        strings_add(im->arena, to, from->at[i]);
}

static void lose_rule(struct import *im, struct line *line)
{
    line_lose(im->arena, line,
              "mqgate has no rules; a listener has deny and allow, lists of networks, and deny is looked at first");
}

/* A rule that asks for the client's address alone. False: it has no place in allow and deny. */
static bool access_rule(struct import *im, struct access *a, struct strings *deny, struct line *line, bool refuses,
                        const struct condition *c)
{
    bool always = c->kind == CONDITION_ALWAYS && !c->not, by_source = c->kind == CONDITION_SOURCE;
    if (refuses && by_source && !c->not &&a->accepted.n == 0) {
        add_all(im, deny, &c->networks);
    } else if (refuses && by_source && c->not &&!a->has_allow && a->accepted.n == 0) {
        a->has_allow = true;
        add_all(im, &a->allow, &c->networks);
    } else if (!refuses && by_source && !c->not &&!a->has_allow) {
        add_all(im, &a->accepted, &c->networks);
        lines_add(im->arena, &a->accepts, line);
    } else if (refuses && always && a->accepted.n > 0 && !a->has_allow) {
        a->has_allow = true;
        add_all(im, &a->allow, &a->accepted);
        a->accepted.n = 0;
    } else if (refuses || !always) {
        return false;
    }
    condition_used(c);
    return true;
}

/* "tcp-request connection expect-proxy layer4 if { src ... }" */
static void expect_proxy(struct import *im, struct front *f, struct line *line)
{
    struct condition c = condition_read(im, f->proxy, line, 4);
    if (c.kind == CONDITION_ALWAYS) {
        strings_add(im->arena, &f->proxy_from, "0.0.0.0/0");
        strings_add(im->arena, &f->proxy_from, "::/0");
    } else if (c.kind == CONDITION_SOURCE && !c.not ) {
        add_all(im, &f->proxy_from, &c.networks);
        condition_used(&c);
    } else {
        line_lose(im->arena, line,
                  "proxy_protocol is \"accept\", with proxy_from, the networks that a header may come from");
        return;
    }
    f->maybe_proxy = line;
}

static void tcp_rule(struct import *im, struct front *f, struct access *a, struct line *line)
{
    const char      *action = line_word(line, 2);
    bool             refuses = is_refusal(action), accepts = strcmp(action, "accept") == 0;
    struct condition c = condition_read(im, f->proxy, line, 3);
    if (strcmp(action, "expect-proxy") == 0) {
        expect_proxy(im, f, line);
    } else if (c.kind == CONDITION_MQTT && ((refuses && c.not ) || (accepts && !c.not ))) {
        f->mqtt = true;
        condition_used(&c);
    } else if ((!refuses && !accepts) || !access_rule(im, a, &f->all.deny, line, refuses, &c)) {
        lose_rule(im, line);
    }
}

static bool all_binds_take_proxy(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->binds.n; i++) {
        if (!line_has(proxy->binds.at[i], 2, "accept-proxy"))
            return false;
    }
    return proxy->binds.n > 0;
}

/* Before the PROXY header has come, the address is that of who sends it. */
static void connection_rules(struct import *im, struct front *f)
{
    struct access a = {0};
    bool          of_proxies = all_binds_take_proxy(f->proxy), mixed = false;
    for (size_t i = 0; i < f->proxy->binds.n; i++)
        mixed = mixed || (!of_proxies && line_has(f->proxy->binds.at[i], 2, "accept-proxy"));
    for (size_t i = 0; i < f->proxy->tcp_rules.n; i++) {
        struct line *line = f->proxy->tcp_rules.at[i];
        if (!line_begins(line, "tcp-request connection"))
            continue;
        if (mixed) {
            lose_rule(im, line);
            continue;
        }
        size_t denied = f->all.deny.n;
        tcp_rule(im, f, &a, line);
        if (of_proxies && f->all.deny.n > denied) {
            f->all.deny.n = denied;
            line_lose(im->arena, line, "write in proxy_from who may send a PROXY header; nobody else can");
        }
    }
    add_all(im, of_proxies ? &f->proxy_from : &f->all.allow, &a.allow);
}

static void later_rules(struct import *im, struct front *f)
{
    struct access a = {0};
    a.has_allow = f->all.allow.n > 0;
    for (size_t i = 0; i < f->proxy->tcp_rules.n; i++) {
        if (!line_begins(f->proxy->tcp_rules.at[i], "tcp-request connection"))
            tcp_rule(im, f, &a, f->proxy->tcp_rules.at[i]);
    }
    add_all(im, &f->all.allow, &a.allow);
}

/* More networks than a list may have: all of them must be there, or none. */
static void check_room(struct import *im, struct front *f)
{
    struct line *head = f->proxy->section->head;
    if (f->all.allow.n > 0 && !import_has_room(im, head, "listeners.allow", f->all.allow.n - 1))
        f->all.allow.n = 0;
    if (f->all.deny.n > 0 && !import_has_room(im, head, "listeners.deny", f->all.deny.n - 1))
        f->all.deny.n = 0;
    if (f->proxy_from.n > 0 && !import_has_room(im, head, "listeners.proxy_from", f->proxy_from.n - 1))
        f->proxy_from.n = 0;
}

static void http_rules(struct import *im, const struct front *f)
{
    for (size_t i = 0; i < f->proxy->http_rules.n; i++)
        line_lose(im->arena, f->proxy->http_rules.at[i],
                  f->proxy->http ? "mqgate passes the head of a request on as it is"
                                 : "it is for HTTP, and this section is not in mode http");
    struct line *admin = f->proxy->monitor_uri.line != NULL ? f->proxy->monitor_uri.line : f->proxy->stats.line;
    if (admin != NULL && f->proxy->http)
        line_lose(im->arena, admin, "health and statistics are asked for at the address of the admin group");
}

/* --- limits and timeouts --- */

static void limits(struct import *im, struct front *f)
{
    const struct proxy *p = f->proxy;
    if (p->max_connections.text != NULL) {
        f->all.max_connections =
            import_number(im, p->max_connections.line, "listeners.max_connections", p->max_connections.text);
        line_note(im->arena, p->max_connections.line,
                  "past max_connections of a listener clients are refused, where HAProxy lets them wait");
    }
    if (p->rate_limit.text != NULL) {
        f->all.rate_limit = import_number(im, p->rate_limit.line, "listeners.rate_limit", p->rate_limit.text);
        line_note(im->arena, p->rate_limit.line,
                  "who waits for rate_limit for longer than timeouts.queue is refused, where HAProxy lets them wait");
    }
    if (p->backlog.text != NULL)
        f->all.backlog = import_number(im, p->backlog.line, "listeners.backlog", p->backlog.text);
    if (p->keepalive_idle.text != NULL)
        f->all.keepalive_idle =
            import_ms(im, p->keepalive_idle.line, "listeners.tcp_keepalive.idle", p->keepalive_idle.text);
    if (p->keepalive_interval.text != NULL)
        f->all.keepalive_interval =
            import_ms(im, p->keepalive_interval.line, "listeners.tcp_keepalive.interval", p->keepalive_interval.text);
    if (p->keepalive_probes.text != NULL)
        f->all.keepalive_probes =
            import_number(im, p->keepalive_probes.line, "listeners.tcp_keepalive.probes", p->keepalive_probes.text);
}

/* The smaller of two that are one in mqgate. */
static const char *smaller(struct import *im, const struct given *client, const struct given *server, const char *path)
{
    const struct given *least = client->text == NULL ? server : client, *other = server;
    if (client->text != NULL && server->text != NULL && strcmp(client->text, server->text) != 0) {
        bool server_less = strtoull(server->text, NULL, 10) < strtoull(client->text, NULL, 10);
        least = server_less ? server : client;
        other = server_less ? client : server;
        line_note(im->arena, other->line, "%s is one for both sides, and the smaller was taken", path);
    }
    return least->text != NULL ? import_ms(im, least->line, path, least->text) : NULL;
}

static void timeouts(struct import *im, struct front *f)
{
    const struct given *front = f->proxy->timeouts, *back = f->back->timeouts, *tunnel = &back[TIMEOUT_TUNNEL];
    f->all.timeouts.connect = import_ms(im, back[TIMEOUT_CONNECT].line, "timeouts.connect", back[TIMEOUT_CONNECT].text);
    f->all.timeouts.queue = import_ms(im, back[TIMEOUT_QUEUE].line, "timeouts.queue", back[TIMEOUT_QUEUE].text);
    f->all.timeouts.half_closed =
        smaller(im, &front[TIMEOUT_CLIENT_FIN], &back[TIMEOUT_SERVER_FIN], "timeouts.half_closed");
    if (tunnel->text != NULL)
        f->all.timeouts.idle = import_ms(im, tunnel->line, "timeouts.idle", tunnel->text);
    else
        f->all.timeouts.idle = smaller(im, &front[TIMEOUT_CLIENT], &back[TIMEOUT_SERVER], "timeouts.idle");
}

/* --- what is spoken --- */

/* Whether a word of the name is this one: "mqtt-ws" has "ws", "news" has not. */
static bool name_has(const char *name, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = name; *p != '\0'; p++) {
        bool begins = p == name || !isalnum((unsigned char)p[-1]);
        if (begins && strncasecmp(p, word, len) == 0 && !isalpha((unsigned char)p[len]))
            return true;
    }
    return false;
}

static bool contains(const char *text, const char *what)
{
    return strcasestr(text, what) != NULL;
}

static bool servers_have_port(const struct target_backend *backend, unsigned port, bool plain_only)
{
    const struct target_server *s;
    LL_FOREACH (backend->servers, s) {
        if (import_port(s->address) == port && !(plain_only && s->tls != NULL))
            return true;
    }
    return false;
}

bool import_names_websocket(const char *name)
{
    return name_has(name, "ws") || name_has(name, "wss") || name_has(name, "websocket") || name_has(name, "websockets");
}

static bool is_websocket(const struct front *f, unsigned port)
{
    return import_names_websocket(f->proxy->section->name) || import_names_websocket(f->back->section->name) ||
           port == 8083 || port == 8084 || servers_have_port(f->backend, 8083, false) ||
           servers_have_port(f->backend, 8084, false);
}

/* TLS that ends at the server: nobody can read MQTT in it. */
static bool is_passed_through(const struct front *f, unsigned port, bool tls)
{
    return !tls && (port == 8883 || port == 8084 || servers_have_port(f->backend, 8883, true) ||
                    servers_have_port(f->backend, 8084, true));
}

/* A port of MQTT among those of the frontend; with TLS that ends here, or none. */
static bool binds_mqtt_port(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->binds.n; i++) {
        const struct line *line = proxy->binds.at[i];
        unsigned           port = import_port(line_word(line, 1)); /* of the last address of the line */
        if (port == 1883 || (port == 8883 && line_has(line, 2, "ssl")))
            return true;
    }
    return false;
}

static const char *protocol_of(const struct front *f, unsigned port, bool tls)
{
    if (f->proxy->http)
        return "ws";
    if (f->mqtt)
        return "mqtt";
    if (is_passed_through(f, port, tls) || is_websocket(f, port))
        return "tcp";
    bool mqtt = f->back->stick_client_id.text != NULL || import_checks_mqtt(f->back) || binds_mqtt_port(f->proxy) ||
                servers_have_port(f->backend, 1883, false) || servers_have_port(f->backend, 8883, false) ||
                contains(f->proxy->section->name, "mqtt") || contains(f->back->section->name, "mqtt");
    return mqtt ? "mqtt" : "tcp";
}

/* --- listeners --- */

static const char *least_number(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    return strtoull(a, NULL, 10) < strtoull(b, NULL, 10) ? a : b;
}

static void set_proxy_protocol(struct import *im, const struct front *f, const struct bind_params *bind,
                               struct target_listener *l)
{
    if (bind->accept_proxy.text == NULL && f->maybe_proxy == NULL)
        return;
    l->proxy_protocol = bind->accept_proxy.text != NULL ? "required" : "accept";
    l->proxy_from = f->proxy_from;
    if (l->proxy_from.n > 0)
        return;
    strings_add(im->arena, &l->proxy_from, "0.0.0.0/0");
    strings_add(im->arena, &l->proxy_from, "::/0");
    line_note(im->arena, bind->accept_proxy.line != NULL ? bind->accept_proxy.line : f->maybe_proxy,
              "HAProxy takes a PROXY header from everybody: narrow proxy_from to your load balancers");
}

/* What the words of a bind line make of a listener; false: there is none. */
static bool set_bind_params(struct import *im, const struct front *f, struct line *line, const struct bind_params *bind,
                            struct target_listener *l)
{
    if (bind->ssl.text != NULL) {
        l->tls = import_tls(im, line, bind, f->proxy->section->name);
        if (l->tls == NULL)
            return false;
    }
    if (bind->max_connections.text != NULL)
        l->max_connections = least_number(
            l->max_connections, import_number(im, line, "listeners.max_connections", bind->max_connections.text));
    if (bind->backlog.text != NULL)
        l->backlog = import_number(im, line, "listeners.backlog", bind->backlog.text);
    if (bind->unacked.text != NULL)
        l->timeouts.unacked = import_ms(im, line, "timeouts.unacked", import_duration(im, line, bind->unacked.text, 1));
    set_proxy_protocol(im, f, bind, l);
    return true;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether two bind lines of a frontend can be one listener. */
static bool alike(const struct target_listener *a, const struct target_listener *b)
{
    return same(a->tls, b->tls) && same(a->protocol, b->protocol) && same(a->proxy_protocol, b->proxy_protocol) &&
           same(a->max_connections, b->max_connections) && same(a->backlog, b->backlog) &&
           same(a->timeouts.unacked, b->timeouts.unacked);
}

/* Joins the listener of an earlier line, or is one of its own. before: the last listener of other frontends. */
static void place_listener(struct import *im, struct front *f, struct line *line, const struct target_listener *made,
                           const struct target_listener *before, const char *name)
{
    struct target_listener *l = before != NULL ? before->next : im->target.listeners;
    for (; l != NULL; l = l->next) {
        if (alike(l, made))
            break;
    }
    if (l == NULL) {
        if (!import_has_room(im, line, "listeners", im->listener_names.n))
            return;
        l = import_alloc(im->arena, 1, sizeof *l);
        *l = *made;
        l->bind = (struct strings){0};
        /* The statistics have a frontend "admin" of their own. */
        l->name = import_name(im, &im->listener_names, strcmp(name, "admin") == 0 ? "admin-tcp" : name);
        LL_APPEND(im->target.listeners, l);
        f->named = true;
    }
    for (size_t i = 0; i < made->bind.n; i++) {
        if (import_has_room(im, line, "listeners.bind", l->bind.n))
            strings_add(im->arena, &l->bind, made->bind.at[i]);
    }
}

static void add_address(struct import *im, struct line *line, const char *address, struct strings *to)
{
    if (import_bind(im, address))
        strings_add(im->arena, to, address);
    else
        line_lose(im->arena, line, "%s: something else of this file listens there already", address);
}

/* "::" takes the clients of IPv4 too, unless it says otherwise; in mqgate each family has its own. */
static void add_addresses(struct import *im, struct line *line, const struct bind_params *bind, struct strings *to)
{
    for (const char *p = line_word(line, 1); *p != '\0'; p += *p == ',') {
        size_t      len = strcspn(p, ",");
        bool        any;
        const char *address = import_bind_address(im, line, import_copy(im->arena, p, len), &any);
        p += len;
        if (address == NULL)
            continue;
        add_address(im, line, address, to);
        const char *other = import_format(im->arena, "0.0.0.0:%s", import_port_text(address));
        if (any && bind->one_family.text == NULL && import_bind(im, other))
            strings_add(im->arena, to, other);
    }
}

/* The first has the name of the frontend; the others say what they are for. */
static const char *listener_name(struct import *im, const struct front *f, const struct bind_params *bind,
                                 const struct target_listener *made)
{
    const char *name = f->proxy->section->name;
    if (!f->named)
        return name;
    if (bind->name.text != NULL)
        return import_format(im->arena, "%s-%s", name, bind->name.text);
    return import_format(im->arena, "%s-%s", name, import_port_text(made->bind.at[0]));
}

static void bind_line(struct import *im, struct front *f, struct line *line, const struct target_listener *before)
{
    struct bind_params     bind = im->bind_defaults;
    struct target_listener made = f->all;
    params_read(im, line, 2, bind_table, &bind);
    if (!set_bind_params(im, f, line, &bind, &made))
        return;
    add_addresses(im, line, &bind, &made.bind);
    if (made.bind.n == 0)
        return;
    made.protocol = protocol_of(f, import_port(made.bind.at[0]), made.tls != NULL);
    const struct given *delay = &f->proxy->inspect_delay;
    if (delay->text != NULL && strcmp(made.protocol, "tcp") != 0)
        made.timeouts.connect_packet = import_ms(im, delay->line, "timeouts.connect_packet", delay->text);
    place_listener(im, f, line, &made, before, listener_name(im, f, &bind, &made));
}

void import_frontend(struct import *im, struct proxy *proxy)
{
    struct front            f = {.proxy = proxy};
    struct target_listener *before = im->target.listeners;
    const char             *why = "it has no backend";
    proxy_read(im, proxy);
    while (before != NULL && before->next != NULL)
        before = before->next;
    f.back = back_of(im, proxy);
    f.backend = f.back != NULL ? import_backend(im, f.back, &why) : NULL;
    if (f.backend == NULL) {
        line_lose(im->arena, proxy->section->head, "%s", why);
        return;
    }
    f.all.backend = f.backend->name;
    connection_rules(im, &f);
    later_rules(im, &f);
    check_room(im, &f);
    http_rules(im, &f);
    limits(im, &f);
    timeouts(im, &f);
    acls_unused(im, proxy);
    for (size_t i = 0; i < proxy->binds.n; i++)
        bind_line(im, &f, proxy->binds.at[i], before);
    if (!f.named)
        line_lose(im->arena, proxy->section->head, "none of its addresses could be carried over");
}
