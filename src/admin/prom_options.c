/* What a scraper asks for. */
#include <stdio.h>
#include <string.h>

#include "admin/form.h"
#include "admin/render_prom.h"
#include "base/macros.h"

/* Cut to cap - 1 bytes. Clients may write a comma as "%2C". */
static void decode(const char *text, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (struct slice s = slice_of(text, len); s.len > 0 && n < cap - 1; n++)
        s = slice_skip(s, form_decode(s, (uint8_t *)&out[n]));
    out[n] = '\0';
}

static unsigned scope_of(const char *word)
{
    static const struct {
        const char *word;
        unsigned    scope;
    } scopes[] = {{"global", PROM_PROCESS},  {"frontend", PROM_FRONTEND}, {"listener", PROM_LISTENER},
                  {"backend", PROM_BACKEND}, {"server", PROM_SERVER},     {"*", PROM_ALL}};
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (strcmp(scopes[i].word, word) == 0)
            return scopes[i].scope;
    }
    return 0;
}

/* The first one takes the place of "all". */
static void add_scope(const char *value, bool *any, struct prom_options *o)
{
    if (!*any || *value == '\0')
        o->scopes = 0;
    *any = true;
    o->scopes |= scope_of(value);
}

static void add_metric(const char *name, size_t len, struct prom_options *o)
{
    size_t at = strlen(o->metrics);
    if (len == 0)
        return;
    o->only_named = o->only_named || *name != '-';
    if (at + len + 3 > sizeof o->metrics)
        return;
    if (at == 0)
        o->metrics[at++] = ',';
    memcpy(o->metrics + at, name, len);
    memcpy(o->metrics + at + len, ",", 2);
}

static void add_metrics(const char *value, struct prom_options *o)
{
    while (*value != '\0') {
        size_t len = strcspn(value, ",");
        add_metric(value, len, o);
        value += len + (value[len] == ',');
    }
}

static void add_parameter(const char *at, size_t len, bool *any_scope, struct prom_options *o)
{
    static const char scope[] = "scope=", metrics[] = "metrics=";
    char              text[PROM_METRICS_MAX] = "";
    decode(at, len, text, sizeof text);
    if (strncmp(text, scope, strlen(scope)) == 0)
        add_scope(text + strlen(scope), any_scope, o);
    else if (strncmp(text, metrics, strlen(metrics)) == 0)
        add_metrics(text + strlen(metrics), o);
    else if (strcmp(text, "no-maint") == 0)
        o->no_maint = true;
}

bool prom_wants_open_metrics(const char *accept)
{
    return accept != NULL && strcasestr(accept, "application/openmetrics-text") != NULL;
}

struct prom_options prom_options_parse(const char *query)
{
    struct prom_options o = {.scopes = PROM_ALL};
    bool                any_scope = false;
    for (const char *at = query; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, "&");
        add_parameter(at, len, &any_scope, &o);
        at += len + (at[len] == '&');
    }
    return o;
}

static bool is_listed(const struct prom_options *o, const char *sign, const char *name)
{
    char key[128];
    (void)snprintf(key, sizeof key, ",%s%s,", sign, name);
    return strstr(o->metrics, key) != NULL;
}

bool prom_wants(const struct prom_options *o, const char *name)
{
    return !is_listed(o, "-", name) && (!o->only_named || is_listed(o, "", name));
}

const char *prom_content_type(const struct prom_options *options)
{
    return options->open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4";
}
