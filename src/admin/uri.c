#include "admin/uri.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"

/* RFC 9112 section 3.2.2: a server must accept the absolute form, too. */
static const char *without_authority(const char *uri)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(uri, schemes[i], len) == 0) {
            const char *path = uri + len + strcspn(uri + len, "/?");
            return *path == '\0' ? "/" : path;
        }
    }
    return uri;
}

static bool starts_with(const char *text, const char *prefix)
{
    return *prefix != '\0' && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The text behind name, as far as it is made of letters that stop does not have, cut to cap - 1 bytes. */
static void copy_option(const char *options, const char *name, const char *stop, char *out, size_t cap)
{
    const char *at = strstr(options, name);
    size_t      n = at != NULL ? strcspn(at + strlen(name), stop) : 0;
    n = n < cap ? n : cap - 1;
    if (n > 0)
        memcpy(out, at + strlen(name), n);
    out[n] = '\0';
}

/* What is left may stand in a header and in a page. */
static bool is_scope(const char *text)
{
    while (isalnum((unsigned char)*text) || (*text != '\0' && strchr("_.:-", *text) != NULL))
        text++;
    return *text == '\0';
}

static bool is_status(const char *text)
{
    return strlen(text) == STATUS_LEN && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == STATUS_LEN;
}

static enum stats_form form_of(const char *options)
{
    static const struct {
        const char     *option;
        enum stats_form form;
    } forms[] = {{";csv", STATS_CSV}, {";typed", STATS_TYPED}, {";json", STATS_JSON}, {";json-schema", STATS_SCHEMA}};
    enum stats_form form = STATS_PAGE;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (strstr(options, forms[i].option) != NULL)
            form = forms[i].form;
    }
    return form == STATS_JSON && strstr(options, ";mqgate") != NULL ? STATS_PLAIN_JSON : form;
}

/* Nothing, unless path is this one, with or without a query. */
static struct asked metrics_asked(const char *path, const char *metrics_uri)
{
    struct asked asked = {.endpoint = ENDPOINT_NONE};
    const char  *behind = starts_with(path, metrics_uri) ? path + strlen(metrics_uri) : "/";
    if (*behind != '\0' && *behind != '?')
        return asked;
    asked.endpoint = ENDPOINT_METRICS;
    asked.metrics = prom_options_parse(*behind == '?' ? behind + 1 : NULL);
    return asked;
}

struct asked uri_parse(const char *uri, const struct conf_admin *admin)
{
    const char  *path = without_authority(uri);
    struct asked asked = metrics_asked(path, admin->metrics_uri);
    if (strcmp(path, admin->health_uri) == 0)
        asked.endpoint = ENDPOINT_HEALTH;
    else if (asked.endpoint == ENDPOINT_NONE && starts_with(path, admin->stats_uri))
        asked.endpoint = ENDPOINT_STATS;
    if (asked.endpoint != ENDPOINT_STATS)
        return asked;
    const char *options = path + strlen(admin->stats_uri);
    asked.form = form_of(options);
    asked.up = strstr(options, ";up") != NULL;
    asked.no_maint = strstr(options, ";no-maint") != NULL;
    asked.norefresh = strstr(options, ";norefresh") != NULL;
    copy_option(options, "scope=", ";& ", asked.scope, sizeof asked.scope);
    if (!is_scope(asked.scope))
        asked.scope[0] = '\0';
    copy_option(options, ";st=", ";&? ", asked.status, sizeof asked.status);
    if (!is_status(asked.status))
        asked.status[0] = '\0';
    return asked;
}
