#include "ctl/import_convert.h"

#include <string.h>
#include <utlist.h>

#include "ctl/import_translate.h"

enum { TESTS_MAX = 100000 };

/* Why sections of these kinds stay behind. */
static const struct {
    const char *kind, *why;
} left_behind[] = {{"peers", "mqgate shares no tables with other nodes"},
                   {"mailers", "mqgate sends no mail; its log and metrics tell of servers that go down"},
                   {"resolvers", "mqgate asks the system's name servers; write others into resolver.servers"},
                   {"userlist", "users who may see the statistics are in admin.stats_auth"},
                   {"cache", "mqgate keeps no answers"},
                   {"program", "let systemd, or another supervisor, start it"},
                   {"http-errors", "mqgate answers no HTTP but that of its admin address"},
                   {"ring", "a log line goes to global.log.to, and is dropped and counted where a target is stuck"},
                   {"fcgi-app", "mqgate speaks no FastCGI"},
                   {"log-forward", "mqgate takes in no logs"},
                   {"crt-store", "certificates are in tls.certificates"},
                   {"log-profile", "a line of the log says what global.log.format says"},
                   {"acme", "mqgate fetches no certificates; let an ACME client write the files"},
                   {"traces", "global.log.level = \"debug\" shows every step of every session"}};

static bool is_kind(const struct section_lines *section, const char *kind)
{
    return strcmp(section->kind, kind) == 0;
}

static bool is_proxy(const struct section_lines *section)
{
    return is_kind(section, "listen") || is_kind(section, "frontend") || is_kind(section, "backend");
}

static void lose_section(struct import *im, const struct section_lines *section)
{
    for (size_t i = 0; i < ARRAY_LEN(left_behind); i++) {
        if (is_kind(section, left_behind[i].kind))
            line_lose(im->arena, section->head, "%s", left_behind[i].why);
    }
}

/* The lines of a proxy are read on top of what its defaults say. */
static struct proxy proxy_on(const struct proxy *defaults, struct section_lines *section)
{
    struct proxy proxy = *defaults;
    proxy.section = section;
    proxy.is_read = false;
    proxy.front = is_kind(section, "listen") || is_kind(section, "frontend");
    proxy.back = is_kind(section, "listen") || is_kind(section, "backend");
    struct lines *lists[] = {&proxy.binds,        &proxy.servers,    &proxy.acls,
                             &proxy.tcp_rules,    &proxy.http_rules, &proxy.tcp_checks,
                             &proxy.use_backends, &proxy.stats_auth, &proxy.monitor_fail};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        lists[i]->cap = lists[i]->n; /* the array belongs to the defaults */
    for (size_t i = 0; i < section->n; i++) {
        if (line_begins(section->lines[i], "mode"))
            proxy.http = strcmp(line_word(section->lines[i], 1), "http") == 0;
    }
    return proxy;
}

/* Those named, or the last ones above that have no name. */
static const struct proxy *defaults_of(struct import *im, const struct section_lines *section,
                                       const struct proxy *above, const struct proxy *named, size_t n)
{
    if (section->from[0] == '\0')
        return above;
    for (size_t i = n; i-- > 0;) {
        if (strcmp(named[i].section->name, section->from) == 0)
            return &named[i];
    }
    line_lose(im->arena, section->head, "there are no defaults \"%s\" above it", section->from);
    return above;
}

/* Global sections first: what they say of TLS holds for all. Then defaults are read where they stand. */
static void read_sections(struct import *im)
{
    struct proxy        none = {.default_server = im->server_defaults};
    const struct proxy *above = &none;
    struct proxy       *defaults = import_alloc(im->arena, im->file.n_sections, sizeof *defaults);
    size_t              n = 0;
    im->proxies = import_alloc(im->arena, im->file.n_sections, sizeof *im->proxies);
    for (size_t i = 0; i < im->file.n_sections; i++) {
        struct section_lines *section = &im->file.sections[i];
        if (is_kind(section, "defaults")) {
            defaults[n] = proxy_on(defaults_of(im, section, &none, defaults, n), section);
            proxy_read(im, &defaults[n]);
            above = &defaults[n++];
        } else if (is_proxy(section)) {
            im->proxies[im->n_proxies++] = proxy_on(defaults_of(im, section, above, defaults, n), section);
        } else if (!is_kind(section, "global")) {
            lose_section(im, section);
        }
    }
}

static bool has_line(const struct section_lines *section, const char *words)
{
    for (size_t i = 0; i < section->n; i++) {
        if (line_begins(section->lines[i], words))
            return true;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);
    return len >= n && strcmp(text + len - n, end) == 0;
}

/* Servers at a WebSocket port of a broker, or the path of MQTT over WebSocket. */
static bool looks_like_websocket(const struct section_lines *section)
{
    for (size_t i = 0; i < section->n; i++) {
        const struct line *line = section->lines[i];
        const char        *address = line_word(line, 2);
        if (line_begins(line, "server") && (ends_with(address, ":8083") || ends_with(address, ":8084")))
            return true;
        for (size_t j = 1; j < line->words.n; j++) {
            if (strcmp(line_word(line, j), "/mqtt") == 0)
                return true;
        }
    }
    return import_names_websocket(section->name);
}

static bool carries_websocket(struct import *im, const struct proxy *proxy)
{
    if (looks_like_websocket(proxy->section))
        return true;
    for (size_t i = 0; i < proxy->section->n; i++) {
        const struct line  *line = proxy->section->lines[i];
        const struct proxy *back = NULL;
        if (line_begins(line, "default_backend") || line_begins(line, "use_backend"))
            back = proxy_find(im, line_word(line, 1), true);
        if (back != NULL && looks_like_websocket(back->section))
            return true;
    }
    return false;
}

static void front(struct import *im, struct proxy *proxy)
{
    if (import_is_admin(proxy))
        import_admin(im, proxy);
    else if (proxy->http && !carries_websocket(im, proxy))
        line_lose(im->arena, proxy->section->head,
                  "mode http: mqgate carries TCP, MQTT, and WebSocket for MQTT; of HTTP it does nothing else");
    else if (proxy->binds.n > 0 || has_line(proxy->section, "bind"))
        import_frontend(im, proxy);
    else
        line_lose(im->arena, proxy->section->head, "it has no bind line");
}

/* A backend whose frontends had no address that could be carried over would only make the node unhealthy. */
static void drop_unused(struct import *im, struct proxy *proxy)
{
    const struct target_listener *l;
    if (proxy->made == NULL)
        return;
    LL_FOREACH (im->target.listeners, l) {
        if (strcmp(l->backend, proxy->made->name) == 0)
            return;
    }
    LL_DELETE(im->target.backends, proxy->made);
    line_lose(im->arena, proxy->section->head, "nothing that was carried over leads to it");
}

static void back_unused(struct import *im, const struct proxy *proxy)
{
    if (!proxy->tried && !proxy->front)
        line_lose(im->arena, proxy->section->head,
                  proxy->http ? "mode http, and no WebSocket for MQTT leads to it"
                              : "nothing that was carried over leads to it");
    else if (proxy->tried && proxy->made == NULL && !proxy->front)
        line_lose(im->arena, proxy->section->head, "none of its servers could be carried over");
}

static void translate(struct import *im)
{
    for (size_t i = 0; i < im->file.n_sections; i++) {
        if (is_kind(&im->file.sections[i], "global"))
            import_global(im, &im->file.sections[i]);
    }
    read_sections(im);
    for (size_t i = 0; i < im->n_proxies; i++) {
        struct proxy *proxy = &im->proxies[i];
        if (has_line(proxy->section, "disabled")) {
            line_lose(im->arena, proxy->section->head, "it is disabled; mqgate.conf has what is wanted");
            proxy->front = proxy->back = false;
            proxy->tried = true;
        }
    }
    for (size_t i = 0; i < im->n_proxies; i++) {
        if (im->proxies[i].front)
            front(im, &im->proxies[i]);
    }
    for (size_t i = 0; i < im->n_proxies; i++) {
        drop_unused(im, &im->proxies[i]);
        if (im->proxies[i].back)
            back_unused(im, &im->proxies[i]);
    }
    import_admin_default(im);
    target_share_timeouts(&im->target);
}

bool import_convert(const char *name, const char *text, const struct import_ops *ops, struct text *conf,
                    struct text *remarks, size_t *lost, struct err *err)
{
    struct import im = {.arena = arena_new(), .ops = ops, .tests_left = TESTS_MAX};
    bool          good = false;
    *lost = 0;
    if (im.arena == NULL)
        import_out_of_memory();
    if (import_file_parse(&im.file, im.arena, text, err)) {
        translate(&im);
        *lost = import_file_remarks(&im.file, name, remarks);
        good = im.target.listeners != NULL;
        if (good)
            target_write(&im.target, name, conf);
        else
            err_set(err, "it has no frontend and no listen section that mqgate can take over");
    }
    arena_free(im.arena);
    if (conf->failed || remarks->failed)
        import_out_of_memory();
    return good;
}
