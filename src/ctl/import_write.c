/* The file that is made. */
#include <string.h>

#include "ctl/import_target.h"

/* The writing of one group: keys that have no value are left out, and so is a group that has no keys. */
struct out {
    struct text *to;
    unsigned     depth;
};

static void indent(struct out *out)
{
    text_add(out->to, "%*s", 2 * (int)out->depth, "");
}

static void put_string(struct out *out, const char *text)
{
    text_puts(out->to, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            text_add(out->to, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            text_add(out->to, "\\x%02x", c);
        else
            text_put(out->to, text, 1);
    }
    text_puts(out->to, "\"");
}

static void put_key(struct out *out, const char *key, const char *value)
{
    if (value == NULL)
        return;
    indent(out);
    text_add(out->to, "%s = ", key);
    put_string(out, value);
    text_puts(out->to, ";\n");
}

/* A number or a boolean. */
static void put_bare(struct out *out, const char *key, const char *value)
{
    if (value == NULL)
        return;
    indent(out);
    text_add(out->to, "%s = %s;\n", key, value);
}

static void put_array(struct out *out, const char *key, const struct strings *values)
{
    if (values->n == 0)
        return;
    indent(out);
    text_add(out->to, "%s = [ ", key);
    for (size_t i = 0; i < values->n; i++) {
        text_puts(out->to, i > 0 ? ", " : "");
        put_string(out, values->at[i]);
    }
    text_puts(out->to, " ];\n");
}

/* What follows is in a group, until group_end() with what this returns. */
static size_t group_begin(struct out *out, const char *key)
{
    size_t at = out->to->len;
    indent(out);
    text_add(out->to, "%s: {\n", key);
    out->depth++;
    return at;
}

static void group_end(struct out *out, size_t at)
{
    size_t len = out->to->len;
    out->depth--;
    if (out->to->failed)
        return;
    if (len >= 4 && memcmp(out->to->at + len - 4, ": {\n", 4) == 0) {
        text_cut(out->to, at);
        return;
    }
    indent(out);
    text_puts(out->to, "};\n");
}

static void element_begin(struct out *out)
{
    indent(out);
    text_puts(out->to, "{\n");
    out->depth++;
}

static void element_end(struct out *out, bool last)
{
    out->depth--;
    indent(out);
    text_puts(out->to, last ? "}\n" : "},\n");
}

static void list_begin(struct out *out, const char *key)
{
    indent(out);
    text_add(out->to, "%s = (\n", key);
    out->depth++;
}

static void list_end(struct out *out)
{
    out->depth--;
    indent(out);
    text_puts(out->to, ");\n");
}

static void put_timeouts(struct out *out, const struct target_timeouts *t)
{
    size_t at = group_begin(out, "timeouts");
    put_key(out, "connect_packet", t->connect_packet);
    put_key(out, "connect", t->connect);
    put_key(out, "queue", t->queue);
    put_key(out, "idle", t->idle);
    put_key(out, "half_closed", t->half_closed);
    put_key(out, "unacked", t->unacked);
    group_end(out, at);
}

static void put_global(struct out *out, const struct target_global *g)
{
    size_t at = group_begin(out, "global");
    put_key(out, "node", g->node);
    put_bare(out, "workers", g->workers);
    put_bare(out, "max_connections", g->max_connections);
    put_key(out, "user", g->user);
    put_key(out, "group", g->group);
    put_key(out, "control_socket", g->control_socket);
    put_key(out, "control_mode", g->control_mode);
    put_key(out, "control_level", g->control_level);
    put_key(out, "pid_file", g->pid_file);
    size_t log = group_begin(out, "log");
    put_array(out, "to", &g->log_to);
    put_key(out, "format", g->log_format);
    put_key(out, "level", g->log_level);
    put_key(out, "access", g->log_access);
    group_end(out, log);
    size_t drain = group_begin(out, "drain");
    put_key(out, "notice", g->drain_notice);
    put_key(out, "deadline", g->drain_deadline);
    group_end(out, drain);
    group_end(out, at);
}

static void put_certificates(struct out *out, const struct target_tls *t)
{
    list_begin(out, "certificates");
    for (size_t i = 0; i < t->chains.n; i++) {
        element_begin(out);
        put_key(out, "chain", t->chains.at[i]);
        put_key(out, "key", t->keys.at[i]);
        element_end(out, i + 1 == t->chains.n);
    }
    list_end(out);
}

static void put_tls(struct out *out, const struct target_tls *t)
{
    if (t == NULL)
        return;
    text_puts(out->to, "\n");
    list_begin(out, "tls");
    for (; t != NULL; t = t->next) {
        element_begin(out);
        put_key(out, "name", t->name);
        put_certificates(out, t);
        put_key(out, "min_version", t->min_version);
        put_key(out, "ciphers", t->ciphers);
        put_key(out, "ciphersuites", t->ciphersuites);
        put_key(out, "groups", t->groups);
        put_array(out, "alpn", &t->alpn);
        put_key(out, "client_ca", t->client_ca);
        put_key(out, "verify", t->verify);
        put_key(out, "crl", t->crl);
        put_bare(out, "session_tickets", t->session_tickets);
        element_end(out, t->next == NULL);
    }
    list_end(out);
}

static void put_tls_clients(struct out *out, const struct target_tls_client *t)
{
    if (t == NULL)
        return;
    text_puts(out->to, "\n");
    list_begin(out, "tls_client");
    for (; t != NULL; t = t->next) {
        element_begin(out);
        put_key(out, "name", t->name);
        put_key(out, "ca", t->ca);
        put_key(out, "verify", t->verify);
        put_key(out, "sni", t->sni);
        put_key(out, "chain", t->chain);
        put_key(out, "key", t->key);
        put_key(out, "min_version", t->min_version);
        element_end(out, t->next == NULL);
    }
    list_end(out);
}

static void put_servers(struct out *out, const struct target_server *s)
{
    list_begin(out, "servers");
    for (; s != NULL; s = s->next) {
        element_begin(out);
        put_key(out, "name", s->name);
        put_key(out, "address", s->address);
        put_key(out, "send_proxy", s->send_proxy);
        put_bare(out, "weight", s->weight);
        put_bare(out, "backup", s->backup);
        put_bare(out, "max_connections", s->max_connections);
        put_key(out, "source", s->source);
        put_key(out, "tls", s->tls);
        element_end(out, s->next == NULL);
    }
    list_end(out);
}

static void put_check(struct out *out, const struct target_check *c)
{
    size_t at = group_begin(out, "check");
    put_key(out, "type", c->type);
    put_key(out, "interval", c->interval);
    put_key(out, "fast_interval", c->fast_interval);
    put_key(out, "timeout", c->timeout);
    put_bare(out, "fall", c->fall);
    put_bare(out, "rise", c->rise);
    put_key(out, "address", c->address);
    size_t http = group_begin(out, "http");
    put_key(out, "path", c->http_path);
    put_bare(out, "expect", c->http_expect);
    group_end(out, http);
    group_end(out, at);
}

static void put_backends(struct out *out, const struct target_backend *b)
{
    text_puts(out->to, "\n");
    list_begin(out, "backends");
    for (; b != NULL; b = b->next) {
        element_begin(out);
        put_key(out, "name", b->name);
        put_key(out, "balance", b->balance);
        put_servers(out, b->servers);
        put_check(out, &b->check);
        put_bare(out, "tries", b->tries);
        element_end(out, b->next == NULL);
    }
    list_end(out);
}

static void put_keepalive(struct out *out, const struct target_listener *l)
{
    size_t at = group_begin(out, "tcp_keepalive");
    put_key(out, "idle", l->keepalive_idle);
    put_key(out, "interval", l->keepalive_interval);
    put_bare(out, "probes", l->keepalive_probes);
    group_end(out, at);
}

static void put_listeners(struct out *out, const struct target_listener *l)
{
    text_puts(out->to, "\n");
    list_begin(out, "listeners");
    for (; l != NULL; l = l->next) {
        element_begin(out);
        put_key(out, "name", l->name);
        if (l->bind.n == 1)
            put_key(out, "bind", l->bind.at[0]);
        else
            put_array(out, "bind", &l->bind);
        put_key(out, "protocol", l->protocol);
        put_key(out, "backend", l->backend);
        put_key(out, "tls", l->tls);
        put_key(out, "proxy_protocol", l->proxy_protocol);
        put_array(out, "proxy_from", &l->proxy_from);
        put_bare(out, "max_connections", l->max_connections);
        put_bare(out, "rate_limit", l->rate_limit);
        put_array(out, "allow", &l->allow);
        put_array(out, "deny", &l->deny);
        put_bare(out, "backlog", l->backlog);
        put_keepalive(out, l);
        put_timeouts(out, &l->timeouts);
        element_end(out, l->next == NULL);
    }
    list_end(out);
}

static void put_admin(struct out *out, const struct target_admin *a)
{
    text_puts(out->to, "\n");
    size_t at = group_begin(out, "admin");
    put_key(out, "bind", a->bind);
    put_key(out, "health_uri", a->health_uri);
    put_key(out, "stats_uri", a->stats_uri);
    put_key(out, "metrics_uri", a->metrics_uri);
    put_array(out, "stats_allow", &a->stats_allow);
    put_array(out, "stats_auth", &a->stats_auth);
    group_end(out, at);
}

static void share(struct target *target, size_t offset)
{
    const struct target_listener *first = target->listeners;
    const char                   *value;
    memcpy(&value, (const char *)&first->timeouts + offset, sizeof value);
    if (value == NULL)
        return;
    for (const struct target_listener *l = first->next; l != NULL; l = l->next) {
        const char *other;
        memcpy(&other, (const char *)&l->timeouts + offset, sizeof other);
        if (other == NULL || strcmp(value, other) != 0)
            return;
    }
    memcpy((char *)&target->timeouts + offset, &value, sizeof value);
    value = NULL;
    for (struct target_listener *l = target->listeners; l != NULL; l = l->next)
        memcpy((char *)&l->timeouts + offset, &value, sizeof value);
}

void target_share_timeouts(struct target *target)
{
    for (size_t i = 0; target->listeners != NULL && i < sizeof(struct target_timeouts) / sizeof(char *); i++)
        share(target, i * sizeof(char *));
}

void target_write(const struct target *target, const char *from, struct text *out)
{
    struct out writer = {.to = out};
    text_puts(out, "# Made by mqgatectl import from ");
    text_put_line_part(out, from);
    text_puts(out, ".\n# What is not written has its default: mqgate.conf(5).\n\n");
    put_global(&writer, &target->global);
    put_timeouts(&writer, &target->timeouts);
    put_listeners(&writer, target->listeners);
    put_tls(&writer, target->tls);
    put_tls_clients(&writer, target->tls_clients);
    put_backends(&writer, target->backends);
    put_admin(&writer, &target->admin);
}
