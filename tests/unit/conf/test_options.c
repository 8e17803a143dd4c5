/* The option table against the language, and the documentation against the table. */
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "unit/conf/conf_tests.h"

/* Every option of the language. */
static const char *const language[] = {
    "global",
    "global.node",
    "global.workers",
    "global.max_connections",
    "global.user",
    "global.group",
    "global.control_socket",
    "global.control_mode",
    "global.control_level",
    "global.pid_file",
    "global.log",
    "global.log.to",
    "global.log.format",
    "global.log.level",
    "global.log.access",
    "global.log.identity",
    "global.drain",
    "global.drain.notice",
    "global.drain.rate",
    "global.drain.deadline",
    "global.drain.server_reference",
    "global.drain.clean_will",
    "global.upgrade",
    "global.upgrade.wait",
    "timeouts",
    "timeouts.proxy_header",
    "timeouts.handshake",
    "timeouts.connect_packet",
    "timeouts.connect",
    "timeouts.queue",
    "timeouts.idle",
    "timeouts.half_closed",
    "timeouts.unacked",
    "listeners",
    "listeners.name",
    "listeners.bind",
    "listeners.protocol",
    "listeners.backend",
    "listeners.backends",
    "listeners.backends.mqtt",
    "listeners.backends.ws",
    "listeners.admin",
    "listeners.tls",
    "listeners.proxy_protocol",
    "listeners.proxy_from",
    "listeners.max_connections",
    "listeners.rate_limit",
    "listeners.per_source",
    "listeners.per_source.max_connections",
    "listeners.per_source.rate_limit",
    "listeners.allow",
    "listeners.deny",
    "listeners.backlog",
    "listeners.tcp_keepalive",
    "listeners.tcp_keepalive.idle",
    "listeners.tcp_keepalive.interval",
    "listeners.tcp_keepalive.probes",
    "listeners.timeouts",
    "listeners.timeouts.proxy_header",
    "listeners.timeouts.handshake",
    "listeners.timeouts.connect_packet",
    "listeners.timeouts.connect",
    "listeners.timeouts.queue",
    "listeners.timeouts.idle",
    "listeners.timeouts.half_closed",
    "listeners.timeouts.unacked",
    "listeners.mqtt",
    "listeners.mqtt.max_connect_size",
    "listeners.mqtt.versions",
    "listeners.mqtt.require_client_id",
    "listeners.mqtt.enforce_keepalive",
    "listeners.mqtt.strict",
    "listeners.max_age",
    "listeners.max_age.after",
    "listeners.max_age.jitter",
    "listeners.max_age.budget",
    "listeners.ws",
    "listeners.ws.path",
    "listeners.ws.subprotocols",
    "listeners.ws.forwarded",
    "tls",
    "tls.name",
    "tls.certificates",
    "tls.certificates.chain",
    "tls.certificates.key",
    "tls.min_version",
    "tls.ciphers",
    "tls.ciphersuites",
    "tls.groups",
    "tls.alpn",
    "tls.client_ca",
    "tls.verify",
    "tls.crl",
    "tls.session_tickets",
    "tls.detach",
    "tls_client",
    "tls_client.name",
    "tls_client.ca",
    "tls_client.verify",
    "tls_client.sni",
    "tls_client.chain",
    "tls_client.key",
    "tls_client.min_version",
    "backends",
    "backends.name",
    "backends.balance",
    "backends.servers",
    "backends.servers.name",
    "backends.servers.address",
    "backends.servers.send_proxy",
    "backends.servers.weight",
    "backends.servers.backup",
    "backends.servers.max_connections",
    "backends.servers.max_pending",
    "backends.servers.source",
    "backends.servers.tls",
    "backends.check",
    "backends.check.type",
    "backends.check.interval",
    "backends.check.fall",
    "backends.check.rise",
    "backends.check.timeout",
    "backends.check.fast_interval",
    "backends.check.address",
    "backends.check.http",
    "backends.check.http.path",
    "backends.check.http.expect",
    "backends.tries",
    "resolver",
    "resolver.servers",
    "resolver.hold",
    "admin",
    "admin.bind",
    "admin.health_uri",
    "admin.stats_uri",
    "admin.metrics_uri",
    "admin.stats_allow",
    "admin.stats_auth",
    "admin.healthy_when",
};

struct cursor {
    size_t   n;
    config_t example;
};

static void compare(void *user, const struct conf_option *option)
{
    struct cursor *c = user;
    ck_assert_msg(c->n < ARRAY_LEN(language), "%s is not in the list of this test", option->path);
    ck_assert_str_eq(option->path, language[c->n]);
    c->n++;
}

START_TEST(the_table_has_the_whole_language_and_no_more)
{
    struct cursor c = {0};
    conf_options_each(compare, &c);
    ck_assert_uint_eq(c.n, ARRAY_LEN(language));
}
END_TEST

static void document(void *user, const struct conf_option *option)
{
    size_t len = strlen(option->doc);
    (void)user;
    ck_assert_msg(len > 20 && option->doc[len - 1] == '.', "%s: %s", option->path, option->doc);
    ck_assert_msg(strlen(option->allowed) > 0 && strlen(option->type) > 0, "%s", option->path);
    bool has_inside = strncmp(option->type, "group", 5) == 0 || strncmp(option->type, "list", 4) == 0;
    ck_assert_msg(option->required || has_inside || strlen(option->default_value) > 0, "%s", option->path);
}

START_TEST(every_option_has_a_type_bounds_a_default_and_a_paragraph)
{
    conf_options_each(document, NULL);
}
END_TEST

/* The option in any element of the lists on its path. */
static bool is_written(const config_setting_t *setting, const char *path)
{
    if (*path == '\0')
        return true;
    if (setting->type == CONFIG_TYPE_LIST) {
        for (unsigned i = 0; i < (unsigned)config_setting_length(setting); i++) {
            if (is_written(setting->value.list->elements[i], path))
                return true;
        }
        return false;
    }
    size_t len = strcspn(path, ".");
    for (unsigned i = 0; setting->type == CONFIG_TYPE_GROUP && i < (unsigned)config_setting_length(setting); i++) {
        const config_setting_t *member = setting->value.list->elements[i];
        if (strncmp(member->name, path, len) == 0 && member->name[len] == '\0')
            return is_written(member, path + len + (path[len] == '.'));
    }
    return false;
}

static void find(void *user, const struct conf_option *option)
{
    const struct cursor *c = user;
    ck_assert_msg(is_written(config_root_setting(&c->example), option->path), "%s is not in etc/mqgate.conf",
                  option->path);
}

START_TEST(the_annotated_example_has_every_option)
{
    struct cursor c = {0};
    config_init(&c.example);
    ck_assert_int_eq(config_read_file(&c.example, TOP_SRCDIR "/etc/mqgate.conf"), CONFIG_TRUE);
    conf_options_each(find, &c);
    config_destroy(&c.example);
}
END_TEST

TCase *options_case(void)
{
    TCase *tc = tcase_create("options");
    tcase_add_test(tc, the_table_has_the_whole_language_and_no_more);
    tcase_add_test(tc, every_option_has_a_type_bounds_a_default_and_a_paragraph);
    tcase_add_test(tc, the_annotated_example_has_every_option);
    return tc;
}
