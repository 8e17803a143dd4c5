/* The sections that answer a load balancer, a browser or Prometheus become the admin group. */
#include <string.h>

#include "ctl/import_translate.h"

static bool is_statistics(const struct line *line)
{
    return line_begins(line, "stats enable") || line_begins(line, "stats uri") || line_begins(line, "stats auth") ||
           line_begins(line, "stats refresh") || line_begins(line, "stats admin") || line_begins(line, "monitor-uri") ||
           line_has(line, 1, "prometheus-exporter") || line_begins(line, "http-request return status 200");
}

static bool leads_elsewhere(const struct line *line)
{
    return line_begins(line, "server") || line_begins(line, "default_backend") || line_begins(line, "use_backend") ||
           line_begins(line, "server-template");
}

bool import_is_admin(const struct proxy *proxy)
{
    bool statistics = false;
    for (size_t i = 0; i < proxy->section->n; i++) {
        statistics = statistics || is_statistics(proxy->section->lines[i]);
        if (leads_elsewhere(proxy->section->lines[i]))
            return false;
    }
    return statistics && proxy->front && proxy->http;
}

/* --- its address --- */

static void set_bind(struct import *im, struct line *line)
{
    bool        any;
    const char *address = import_bind_address(im, line, line_word(line, 1), &any);
    if (line_has(line, 2, "ssl"))
        line_lose(im->arena, line, "ssl: the admin address speaks HTTP without TLS");
    for (size_t i = 2; i < line->words.n; i++) {
        if (strcmp(line_word(line, i), "accept-proxy") == 0)
            line_lose(im->arena, line, "accept-proxy: the admin address takes no PROXY header");
    }
    if (address == NULL || import_fit(im, line, "admin.bind", address) == NULL)
        return;
    if (!import_bind(im, address)) {
        line_lose(im->arena, line, "%s: something else of this file listens there already", address);
        return;
    }
    im->target.admin.bind = address;
    im->admin = (struct given){address, line};
}

static void set_address(struct import *im, const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->binds.n; i++) {
        struct line *line = proxy->binds.at[i];
        if (im->admin.text == NULL && strchr(line_word(line, 1), ',') == NULL)
            set_bind(im, line);
        else
            line_lose(im->arena, line, "mqgate answers health, statistics and metrics at one address, admin.bind%s%s",
                      im->admin.text != NULL ? ", here " : "", im->admin.text != NULL ? im->admin.text : "");
    }
}

/* --- its paths --- */

/* The paths are all different, and the first that was said stays. */
static const char *path_of(struct import *im, struct line *line, const char *path, const char *before, const char *uri)
{
    const struct target_admin *a = &im->target.admin;
    const char *const          taken[] = {a->health_uri != NULL ? a->health_uri : "/haproxy_health",
                                 a->stats_uri != NULL ? a->stats_uri : "/haproxy_stats",
                                 a->metrics_uri != NULL ? a->metrics_uri : "/metrics"};
    static const char *const keys[] = {"admin.health_uri", "admin.stats_uri", "admin.metrics_uri"};
    if (before != NULL && strcmp(before, uri) != 0)
        line_lose(im->arena, line, "%s is \"%s\" already", path, before);
    if (before != NULL)
        return before;
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        if (strcmp(keys[i], path) != 0 && strcmp(taken[i], uri) == 0) {
            line_lose(im->arena, line, "\"%s\" is %s; each needs a path of its own", uri, keys[i]);
            return NULL;
        }
    }
    return import_fit(im, line, path, uri);
}

static void set_stats(struct import *im, const struct proxy *proxy)
{
    struct target_admin *a = &im->target.admin;
    if (proxy->stats.line == NULL)
        return;
    if (proxy->stats_uri.text != NULL)
        a->stats_uri = path_of(im, proxy->stats_uri.line, "admin.stats_uri", a->stats_uri, proxy->stats_uri.text);
    else
        line_note(im->arena, proxy->stats.line,
                  "where HAProxy has its statistics at /haproxy?stats, mqgate has them at "
                  "/haproxy_stats; admin.stats_uri says where");
}

static void set_health(struct import *im, struct line *line, const char *path)
{
    struct target_admin *a = &im->target.admin;
    a->health_uri = path_of(im, line, "admin.health_uri", a->health_uri, path);
}

static void set_monitor(struct import *im, struct proxy *proxy)
{
    if (proxy->monitor_uri.text != NULL) {
        set_health(im, proxy->monitor_uri.line, proxy->monitor_uri.text);
        if (proxy->monitor_fail.n == 0)
            line_note(im->arena, proxy->monitor_uri.line,
                      "mqgate answers 503 there while a backend has no server up; admin.healthy_when says when");
    }
    for (size_t i = 0; i < proxy->monitor_fail.n; i++) {
        struct line     *line = proxy->monitor_fail.at[i];
        struct condition c = condition_read(im, proxy, line, 2);
        if (c.kind == CONDITION_SERVERS && !c.not )
            condition_used(&c); /* admin.healthy_when is "all" */
        else
            line_lose(im->arena, line, "health is that of the servers: admin.healthy_when");
    }
}

static void set_metrics(struct import *im, const struct proxy *proxy, struct line *line, size_t n)
{
    struct target_admin *a = &im->target.admin;
    struct condition     c = condition_read(im, proxy, line, n);
    if (c.kind == CONDITION_PATH && !c.not )
        a->metrics_uri = path_of(im, line, "admin.metrics_uri", a->metrics_uri, c.path);
    else if (c.kind == CONDITION_ALWAYS)
        a->metrics_uri = path_of(im, line, "admin.metrics_uri", a->metrics_uri, "/metrics");
    else
        line_lose(im->arena, line, "metrics have a path, admin.metrics_uri");
    condition_used(&c);
}

/* "http-request return status 200 [content-type X string Y] if { path /health }" */
static void set_returned(struct import *im, const struct proxy *proxy, struct line *line)
{
    size_t n = 4;
    while (n < line->words.n && strcmp(line_word(line, n), "if") != 0)
        n++;
    struct condition c = condition_read(im, proxy, line, n);
    if (c.kind == CONDITION_PATH && !c.not ) {
        set_health(im, line, c.path);
        condition_used(&c);
    } else {
        line_lose(im->arena, line, "of answers of its own mqgate has health, at a path: admin.health_uri");
    }
}

/* --- who may --- */

static bool is_for_all(const struct strings *networks)
{
    return networks->n == 0;
}

/* "http-request deny unless { src ... }": false when the rule is another. */
static bool set_allowed(struct import *im, const struct proxy *proxy, struct line *line, struct strings *allow)
{
    bool             denies = line_begins(line, "http-request deny") || line_begins(line, "http-request reject");
    size_t           n = strcmp(line_word(line, 2), "deny_status") == 0 ? 4 : 2;
    struct condition c = condition_read(im, proxy, line, n);
    if (!denies || c.kind != CONDITION_SOURCE || !c.not || !is_for_all(allow))
        return false;
    for (size_t i = 0; i < c.networks.n && import_has_room(im, line, "admin.stats_allow", i); i++)
        strings_add(im->arena, allow, c.networks.at[i]);
    condition_used(&c);
    return true;
}

/* False: a rule was lost, and nobody can tell whom it kept away. */
static bool http_rules(struct import *im, const struct proxy *proxy, struct strings *allow)
{
    bool all = true;
    for (size_t i = 0; i < proxy->http_rules.n; i++) {
        struct line *line = proxy->http_rules.at[i];
        if (line_begins(line, "http-request use-service prometheus-exporter"))
            set_metrics(im, proxy, line, 3);
        else if (line_begins(line, "http-request return status 200"))
            set_returned(im, proxy, line);
        else if (!set_allowed(im, proxy, line, allow)) {
            line_lose(im->arena, line, "who may see the statistics is said by admin.stats_allow and admin.stats_auth");
            all = false;
        }
    }
    for (size_t i = 0; i < proxy->tcp_rules.n; i++) {
        line_lose(im->arena, proxy->tcp_rules.at[i], "who may see the statistics is said by admin.stats_allow");
        all = false;
    }
    return all;
}

static void set_auth(struct import *im, struct line *line)
{
    struct target_admin *a = &im->target.admin;
    char                 hash[IMPORT_HASH_MAX];
    const char          *user = line_word(line, 2), *colon = strchr(user, ':');
    if (colon == NULL || strstr(user, "${") != NULL) {
        line_lose(im->arena, line, "write \"user:hash\" into admin.stats_auth; mkpasswd(1) makes the hash");
        return;
    }
    if (!import_has_room(im, line, "admin.stats_auth", a->stats_auth.n))
        return;
    if (!im->ops->hash(colon + 1, hash)) {
        line_lose(im->arena, line, "no hash could be made of the password; mkpasswd(1) makes one for admin.stats_auth");
        return;
    }
    const char *entry = import_format(im->arena, "%.*s:%s", (int)(colon - user), user, hash);
    if (import_can("admin.stats_auth", entry))
        strings_add(im->arena, &a->stats_auth, entry);
    else
        line_lose(im->arena, line, "mqgate takes no such name of a user");
}

/* HAProxy shows statistics to everybody unless told otherwise. for_all: it was not. */
static void set_access(struct import *im, const struct proxy *proxy, const struct strings *allow, bool for_all)
{
    struct target_admin *a = &im->target.admin;
    size_t               n_users = a->stats_auth.n;
    for (size_t i = 0; i < proxy->stats_auth.n; i++)
        set_auth(im, proxy->stats_auth.at[i]);
    if (proxy->stats.line == NULL || a->stats_allow.n > 0)
        return;
    if (!is_for_all(allow)) {
        a->stats_allow = *allow;
        return;
    }
    if (!for_all || a->stats_auth.n < n_users + proxy->stats_auth.n)
        return; /* mqgate's own choice is narrower */
    strings_add(im->arena, &a->stats_allow, "0.0.0.0/0");
    strings_add(im->arena, &a->stats_allow, "::/0");
    line_note(im->arena, proxy->stats.line, "HAProxy shows its statistics to everybody: narrow admin.stats_allow");
}

static void lose_the_rest(struct import *im, const struct proxy *proxy)
{
    if (proxy->max_connections.line != NULL && proxy->max_connections.line->number > proxy->section->head->number)
        line_lose(im->arena, proxy->max_connections.line, "the admin address has limits of its own");
}

void import_admin(struct import *im, struct proxy *proxy)
{
    struct strings allow = {0};
    proxy_read(im, proxy);
    set_address(im, proxy);
    set_stats(im, proxy);
    set_monitor(im, proxy);
    bool for_all = http_rules(im, proxy, &allow);
    set_access(im, proxy, &allow, for_all);
    acls_unused(im, proxy);
    lose_the_rest(im, proxy);
}

/* mqgatectl(1) asks there; nobody from elsewhere can. */
void import_admin_default(struct import *im)
{
    if (im->target.admin.bind == NULL)
        im->target.admin.bind = import_bind(im, "127.0.0.1:8080") ? "127.0.0.1:8080" : "";
}
