#include "admin/render_text.h"

#include <stdio.h>

static struct reply page(unsigned status, const char *body)
{
    return (struct reply){.status = status, .type = "text/html", .body = body};
}

static struct reply page_with_header(unsigned status, const char *name, const char *value, const char *body)
{
    struct reply reply = page(status, body);
    reply.headers[0] = (struct reply_header){name, value};
    return reply;
}

struct reply reply_health(bool healthy)
{
    if (healthy)
        return page(200, "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n");
    return page(503, "<html><body><h1>503 Service Unavailable</h1>\n"
                     "No server is available to handle this request.\n</body></html>\n");
}

struct reply reply_unauthorized(void)
{
    return page_with_header(401, "www-authenticate", "Basic realm=\"mqgate\"",
                            "<html><body><h1>401 Unauthorized</h1>\n"
                            "A user and a password of admin.stats_auth are needed here.\n</body></html>\n");
}

struct reply reply_forbidden(void)
{
    return page(403, "<html><body><h1>403 Forbidden</h1>\n"
                     "Your address is not in admin.stats_allow.\n</body></html>\n");
}

struct reply reply_health_only(void)
{
    return page(403, "<html><body><h1>403 Forbidden</h1>\n"
                     "Your address is in proxy_from of this listener: only health is told to it.\n</body></html>\n");
}

struct reply reply_bad_method(void)
{
    return page_with_header(405, "allow", "GET, HEAD, POST",
                            "<html><body><h1>405 Method Not Allowed</h1>\n"
                            "Only GET, HEAD and POST are answered here.\n</body></html>\n");
}

struct reply reply_out_of_memory(void)
{
    return page(500, "<html><body><h1>500 Internal Server Error</h1>\nOut of memory.\n</body></html>\n");
}

struct reply reply_too_many_logins(void)
{
    return page_with_header(503, "retry-after", "1",
                            "<html><body><h1>503 Service Unavailable</h1>\n"
                            "Too many passwords are being checked.\n</body></html>\n");
}

struct reply reply_not_found(const struct conf_admin *admin)
{
    struct text text = {0};
    text_add(&text, "Nothing is here. What there is:\n%s\n%s\n%s;csv\n%s;json\n%s\n", admin->health_uri,
             admin->stats_uri, admin->stats_uri, admin->stats_uri, admin->metrics_uri);
    struct reply reply = reply_text("text/plain", &text);
    if (reply.status == 200)
        reply.status = 404;
    return reply;
}

struct reply reply_text(const char *type, struct text *text)
{
    size_t len = text->len;
    char  *owned = text_take(text);
    if (owned == NULL)
        return reply_out_of_memory();
    return (struct reply){.status = 200, .type = type, .body = owned, .owned = owned, .len = len};
}

struct reply reply_see_stats(const struct conf_admin *admin, const struct asked *asked, const char *code)
{
    struct reply reply = {.status = 303, .type = "text/plain", .body = ""};
    (void)snprintf(reply.location, sizeof reply.location, "%s;st=%s%s%s%s%s%s", admin->stats_uri, code,
                   asked->up ? ";up" : "", asked->no_maint ? ";no-maint" : "", asked->norefresh ? ";norefresh" : "",
                   asked->scope[0] != '\0' ? "?scope=" : "", asked->scope);
    return reply;
}
