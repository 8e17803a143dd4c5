/* What comes to the admin port from outside: URIs and forms. */
#include <ctype.h>

#include "admin/form.h"
#include "admin/render_text.h"
#include "admin/uri.h"
#include "fuzz.h"

/* It goes into a header and a page: nothing that either could stumble over. */
static void check_scope(const char *scope)
{
    FUZZ_CHECK(strlen(scope) <= SCOPE_MAX);
    for (const char *p = scope; *p != '\0'; p++)
        FUZZ_CHECK(isalnum((unsigned char)*p) || strchr("_.:-", *p) != NULL);
}

/* Whoever is sent there sees what was seen before, and the code. */
static void check_way_back(const struct asked *asked, const struct conf_admin *admin)
{
    struct reply reply = reply_see_stats(admin, asked, "PART");
    struct asked next = uri_parse(reply.location, admin);
    FUZZ_CHECK(next.endpoint == ENDPOINT_STATS && next.form == STATS_PAGE && strcmp(next.status, "PART") == 0);
    FUZZ_CHECK(next.up == asked->up && next.no_maint == asked->no_maint && next.norefresh == asked->norefresh);
    FUZZ_CHECK(strcmp(next.scope, asked->scope) == 0);
}

static void check_uri(const char *uri)
{
    static const struct conf_admin admin = {
        .health_uri = "/haproxy_health", .stats_uri = "/haproxy_stats", .metrics_uri = "/metrics"};
    struct asked asked = uri_parse(uri, &admin);
    check_scope(asked.scope);
    FUZZ_CHECK(strlen(asked.metrics.metrics) < PROM_METRICS_MAX);
    FUZZ_CHECK(asked.status[0] == '\0' || strlen(asked.status) == STATUS_LEN);
    FUZZ_CHECK(asked.endpoint == ENDPOINT_STATS || (asked.form == STATS_PAGE && asked.scope[0] == '\0'));
    if (asked.endpoint == ENDPOINT_STATS)
        check_way_back(&asked, &admin);
}

static void check_form(struct slice body)
{
    struct form form;
    char        server[FORM_VALUE_MAX];
    size_t      at = 0, before = 0;
    form_parse(body, &form);
    FUZZ_CHECK(strlen(form.backend) < FORM_VALUE_MAX);
    while (form_next_server(body, &at, server)) {
        FUZZ_CHECK(strlen(server) < FORM_VALUE_MAX);
        FUZZ_CHECK(at > before && at <= body.len + 1);
        before = at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *uri = calloc(size + 1, 1);
    FUZZ_CHECK(uri != NULL);
    if (size > 0)
        memcpy(uri, data, size);
    check_uri(uri);
    free(uri);
    check_form(slice_of(data, size));
    return 0;
}
