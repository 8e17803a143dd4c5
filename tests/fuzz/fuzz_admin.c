/* What comes to the admin port from outside: URIs and forms. */
#include "admin/form.h"
#include "admin/uri.h"
#include "fuzz.h"

static void check_uri(const char *uri)
{
    static const struct conf_admin admin = {
        .health_uri = "/haproxy_health", .stats_uri = "/haproxy_stats", .metrics_uri = "/metrics"};
    struct asked asked = uri_parse(uri, &admin);
    FUZZ_CHECK(strlen(asked.scope) <= SCOPE_MAX);
    FUZZ_CHECK(asked.status[0] == '\0' || strlen(asked.status) == STATUS_LEN);
    FUZZ_CHECK(asked.endpoint == ENDPOINT_STATS || (asked.form == STATS_PAGE && asked.scope[0] == '\0'));
}

static void check_form(struct slice body)
{
    struct form form;
    char        server[FORM_VALUE_MAX];
    size_t      at = 0, before = 0;
    form_parse(body, &form);
    FUZZ_CHECK(strlen(form.backend) < FORM_VALUE_MAX);
    while (form_next_server(body, &at, server)) {
        FUZZ_CHECK(server[0] != '\0' && strlen(server) < FORM_VALUE_MAX);
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
