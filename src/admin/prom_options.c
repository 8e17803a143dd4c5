/* What a scraper asks for. */
#include <string.h>

#include "admin/render_prom.h"
#include "base/macros.h"

static unsigned scope_of(const char *word, size_t len)
{
    static const struct {
        const char *word;
        unsigned    scope;
    } scopes[] = {{"global", PROM_PROCESS},  {"frontend", PROM_FRONTEND}, {"listener", PROM_LISTENER},
                  {"backend", PROM_BACKEND}, {"server", PROM_SERVER},     {"*", PROM_ALL}};
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (strlen(scopes[i].word) == len && memcmp(scopes[i].word, word, len) == 0)
            return scopes[i].scope;
    }
    return 0;
}

bool prom_wants_open_metrics(const char *accept)
{
    return accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
}

struct prom_options prom_options_parse(const char *query)
{
    static const char   scope[] = "scope=", no_maint[] = "no-maint";
    struct prom_options o = {.open_metrics = false};
    for (const char *at = query; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, "&");
        if (strncmp(at, scope, sizeof scope - 1) == 0)
            o.scopes |= scope_of(at + sizeof scope - 1, len - (sizeof scope - 1));
        else if (len == sizeof no_maint - 1 && memcmp(at, no_maint, len) == 0)
            o.no_maint = true;
        at += len + (at[len] == '&');
    }
    if (o.scopes == 0)
        o.scopes = PROM_ALL;
    return o;
}

const char *prom_content_type(const struct prom_options *options)
{
    return options->open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4";
}
