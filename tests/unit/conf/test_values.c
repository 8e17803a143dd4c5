/* What is written becomes what is meant. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "conf/quantity.h"
#include "conf/syntax.h"
#include "conf/value.h"
#include "unit/conf/conf_tests.h"

START_TEST(a_duration_has_a_number_and_a_unit)
{
    static const struct {
        const char *text;
        uint32_t    ms;
    } good[] = {{"0s", 0},
                {"1ms", 1},
                {"500ms", 500},
                {"30s", 30000},
                {"5m", 300000},
                {"1h", 3600000},
                {"007s", 7000},
                {"1193h", 4294800000},
                {"4294967295ms", UINT32_MAX}};
    static const char *const bad[] = {
        "",   "5",    "s",  "5 s",   " 5s", "5s ",          "-5s",   "+5s",
        "5d", "1.5s", "5S", "1h30m", "5sm", "4294967296ms", "1194h", "99999999999999999999s"};
    uint32_t ms;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ck_assert_msg(duration_parse(good[i].text, &ms), "%s", good[i].text);
        ck_assert_uint_eq(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(!duration_parse(bad[i], &ms), "%s", bad[i]);
}
END_TEST

START_TEST(a_size_has_a_number_and_a_unit)
{
    static const struct {
        const char *text;
        uint32_t    bytes;
    } good[] = {{"0B", 0}, {"512B", 512}, {"16KiB", 16384}, {"1MiB", 1048576}, {"3GiB", 3221225472}};
    static const char *const bad[] = {"", "5", "5K", "5KB", "5kib", "5 KiB", "4GiB", "-1B", "5b"};
    uint32_t                 bytes;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ck_assert_msg(size_parse(good[i].text, &bytes), "%s", good[i].text);
        ck_assert_uint_eq(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(!size_parse(bad[i], &bytes), "%s", bad[i]);
}
END_TEST

START_TEST(quantities_are_written_in_the_greatest_exact_unit)
{
    char text[QUANTITY_TEXT_MAX];
    ck_assert_str_eq(duration_format(0, text), "0s");
    ck_assert_str_eq(duration_format(999, text), "999ms");
    ck_assert_str_eq(duration_format(61000, text), "61s");
    ck_assert_str_eq(duration_format(120000, text), "2m");
    ck_assert_str_eq(duration_format(7200000, text), "2h");
    ck_assert_str_eq(duration_format(UINT32_MAX, text), "4294967295ms");
    ck_assert_str_eq(size_format(0, text), "0B");
    ck_assert_str_eq(size_format(1536, text), "1536B");
    ck_assert_str_eq(size_format(65536, text), "64KiB");
}
END_TEST

START_TEST(what_is_not_written_has_its_default)
{
    struct conf                *conf = load_good(GOOD);
    const struct conf_listener *l = &conf->listeners[0];
    const struct conf_backend  *b = &conf->backends[0];
    char                        host[256], text[ADDR_TEXT_MAX];
    cpu_set_t                   cpus;
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert_int_eq(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    ck_assert_str_eq(conf->file, "t");
    ck_assert_str_eq(conf->global.node, host);
    ck_assert_uint_eq(conf->global.workers, (unsigned)CPU_COUNT(&cpus));
    ck_assert_uint_eq(conf->global.max_connections, 100000);
    ck_assert_str_eq(conf->global.user, "");
    ck_assert_str_eq(conf->global.control_socket, "/run/mqgate/mqgate.sock");
    ck_assert(!conf->global.control_socket_written);
    ck_assert_uint_eq(conf->global.control_mode, 0660);
    ck_assert_int_eq(conf->global.control_level, COMMAND_ADMIN);
    ck_assert_uint_eq(conf->global.log.to.n, 1);
    ck_assert_str_eq(conf->global.log.to.at[0], "stdout");
    ck_assert_int_eq(conf->global.log.level, LEVEL_INFO);
    ck_assert_uint_eq(conf->n_tls + conf->n_tls_clients, 0);
    ck_assert_uint_eq(l->n_bind, 1);
    ck_assert_str_eq(addr_format(&l->bind[0], text), "0.0.0.0:1883");
    ck_assert_ptr_eq(l->backend, b);
    ck_assert_ptr_null(l->tls);
    ck_assert_uint_eq(l->backlog, 4096);
    ck_assert_uint_eq(l->tcp_keepalive.idle_ms, 240000);
    ck_assert_uint_eq(l->timeouts.unacked_ms, 120000);
    ck_assert(b->servers[0].source_auto);
    ck_assert_str_eq(addr_format(&b->servers[0].address, text), "127.0.0.1:1");
    ck_assert_int_eq(b->check.type, CHECK_TCP);
    ck_assert_str_eq(b->check.http_path, "/status");
    ck_assert(!addr_is_set(&b->check.address));
    ck_assert_uint_eq(b->tries, 3);
    ck_assert_str_eq(addr_format(&conf->admin.bind, text), "0.0.0.0:8080");
    ck_assert_uint_eq(conf->admin.stats_allow.n, 5);
    conf_unref(conf);
}
END_TEST

static const char everything[] =
    "admin: { bind = \"\"; stats_allow = [ \"::1\" ]; healthy_when = \"any\";"
    "  stats_auth = [ \"joe:$6$salt$0123456789abcdef0123456789./\" ]; };\n"
    "backends = ({ name = \"b\"; tries = 1; servers = (\n"
    "    { name = \"s\"; address = \"[::1]:1\"; send_proxy = \"v1\"; backup = true; max_connections = 7;"
    "      source = \"10.1.2.3\"; tls = \"c\"; });\n"
    "  check: { type = \"http\"; interval = \"1s\"; http: { path = \"/x?y\"; expect = 204; }; }; });\n"
    "listeners = ({ name = \"l\"; bind = [ \"127.0.0.1:0\", \"[::1]:0\" ]; protocol = \"ws\"; backend = \"b\"; tls = "
    "\"e\";"
    "  proxy_protocol = \"required\"; proxy_from = [ \"10.0.0.0/8\", \"fd00::/8\" ]; timeouts: { idle = \"5m\"; }; "
    "});\n"
    "tls = ({ name = \"e\"; certificates = ({ chain = \"c.pem\"; key = \"k.pem\"; }); min_version = \"1.3\";"
    "  alpn = [ \"mqtt\" ]; client_ca = \"ca.pem\"; verify = \"optional\"; crl = \"crl.pem\"; session_tickets = false; "
    "});\n"
    "tls_client = ({ name = \"c\"; verify = \"none\"; chain = \"c\"; key = \"k\"; });\n"
    "global: { node = \"n1\"; workers = 3; control_socket = \"/run/mqgate/mqgate.sock\"; control_mode = \"0602\";"
    "  control_level = \"operator\"; log: { to = [ \"stderr\", \"syslog:/dev/log\", \"syslog:udp://[::1]:514\" ];"
    "  format = \"json\"; level = \"debug\"; access = \"start+end\"; }; };\n"
    "timeouts: { idle = \"2h\"; handshake = \"7s\"; };\n";

static const char muxes[] =
    "backends = ({ name = \"b\"; servers = ({ name = \"s\"; address = \"127.0.0.1:1\"; }); },\n"
    "            { name = \"c\"; servers = ({ name = \"s\"; address = \"127.0.0.1:2\"; }); });\n"
    "listeners = ({ name = \"one\"; bind = \"127.0.0.1:0\"; protocol = \"auto\"; backend = \"c\"; },\n"
    "             { name = \"two\"; bind = \"127.0.0.1:0\"; protocol = \"auto\"; admin = true;\n"
    "               backends: { mqtt = \"b\"; ws = \"c\"; }; },\n"
    "             { name = \"ws\"; bind = \"127.0.0.1:0\"; protocol = \"auto\"; backends: { ws = \"c\"; }; },\n"
    "             { name = \"tcp\"; bind = \"127.0.0.1:0\"; protocol = \"tcp\"; backend = \"b\"; });\n"
    "admin: { bind = \"\"; };\n";

START_TEST(a_listener_that_tells_clients_apart_has_one_backend_or_one_for_each_protocol)
{
    struct conf               *conf = load_good(muxes);
    const struct conf_backend *b = &conf->backends[0], *c = &conf->backends[1];
    const struct {
        const struct conf_backend *mqtt, *ws, *tcp;
    } wanted[] = {{c, c, NULL}, {b, c, NULL}, {NULL, c, NULL}, {NULL, NULL, b}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct conf_listener *l = &conf->listeners[i];
        ck_assert_ptr_eq(conf_backend_for(l, PROTOCOL_MQTT), wanted[i].mqtt);
        ck_assert_ptr_eq(conf_backend_for(l, PROTOCOL_WS), wanted[i].ws);
        ck_assert_ptr_eq(conf_backend_for(l, PROTOCOL_TCP), wanted[i].tcp);
        ck_assert_ptr_null(conf_backend_for(l, PROTOCOL_AUTO));
        ck_assert_int_eq(l->admin, i == 1);
    }
    ck_assert(conf_has_admin(conf));
    conf->listeners[1].admin = false;
    ck_assert(!conf_has_admin(conf));
    conf_unref(conf);
}
END_TEST

START_TEST(what_is_written_is_taken_in_any_order)
{
    struct conf                *conf = load_good(everything);
    const struct conf_listener *l = &conf->listeners[0];
    const struct conf_server   *s = &conf->backends[0].servers[0];
    char                        text[ADDR_TEXT_MAX];
    ck_assert_uint_eq(conf->global.workers, 3);
    ck_assert_str_eq(conf->global.node, "n1");
    ck_assert(conf->global.control_socket_written);
    ck_assert_uint_eq(conf->global.control_mode, 0602);
    ck_assert_int_eq(conf->global.control_level, COMMAND_OPERATOR);
    ck_assert_int_eq(conf->global.log.format, FORMAT_JSON);
    ck_assert_int_eq(conf->global.log.access, ACCESS_START_END);
    ck_assert_uint_eq(conf->global.log.to.n, 3);
    ck_assert_uint_eq(l->n_bind, 2);
    ck_assert_int_eq(l->protocol, PROTOCOL_WS);
    ck_assert_ptr_eq(l->tls, &conf->tls[0]);
    ck_assert_int_eq(l->proxy_protocol, PROXY_IN_REQUIRED);
    ck_assert_uint_eq(l->proxy_from.at[1].bits, 8);
    ck_assert_uint_eq(l->timeouts.idle_ms, 300000);
    ck_assert_uint_eq(l->timeouts.handshake_ms, 7000);
    ck_assert_uint_eq(conf->timeouts.idle_ms, 7200000);
    ck_assert_int_eq(conf->tls[0].min_version, CONF_TLS_1_3);
    ck_assert_int_eq(conf->tls[0].verify, VERIFY_OPTIONAL);
    ck_assert(!conf->tls[0].session_tickets);
    ck_assert_int_eq(conf->tls_clients[0].verify, VERIFY_NONE);
    ck_assert_ptr_eq(s->tls, &conf->tls_clients[0]);
    ck_assert(s->backup && !s->source_auto);
    ck_assert_str_eq(addr_format_ip(&s->source, text), "10.1.2.3");
    ck_assert_uint_eq(conf->backends[0].check.http_expect, 204);
    ck_assert(!addr_is_set(&conf->admin.bind));
    ck_assert_int_eq(conf->admin.healthy_when, HEALTHY_ANY);
    ck_assert_uint_eq(conf->admin.stats_auth.n, 1);
    conf_unref(conf);
}
END_TEST

START_TEST(strings_take_in_the_environment)
{
    static const struct {
        const char *written, *meant;
    } cases[] = {{"${CONF_SET}", "value"},
                 {"a ${CONF_SET} b ${CONF_SET:-c}", "a value b value"},
                 {"${CONF_UNSET:-default}", "default"},
                 {"${CONF_EMPTY:-default}", "default"},
                 {"x${CONF_EMPTY}y", "xy"},
                 {"x${CONF_UNSET:-}y", "xy"},
                 {"$CONF_SET $ $$ }", "$CONF_SET $ $$ }"},
                 {"$${CONF_SET}", "${CONF_SET}"},
                 {"$$${CONF_SET}", "$${CONF_SET}"},
                 {"${CONF_BRACES}", "${CONF_SET}"}};
    (void)setenv("CONF_SET", "value", 1);
    (void)setenv("CONF_EMPTY", "", 1);
    (void)setenv("CONF_BRACES", "${CONF_SET}", 1);
    (void)unsetenv("CONF_UNSET");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "%s global: { node = \"%s\"; };", GOOD, cases[i].written);
        struct conf *conf = load_good(text);
        ck_assert_str_eq(conf->global.node, cases[i].meant);
        char        *again_text = printed(conf);
        struct conf *again = load_good(again_text);
        ck_assert_str_eq(again->global.node, cases[i].meant);
        conf_unref(conf);
        conf_unref(again);
        free(again_text);
    }
}
END_TEST

/* Of options that are numbers, the text of n. */
static void number_text(const struct option *o, uint64_t n, char text[32])
{
    static const char *const units[] = {[OPTION_U32] = "", [OPTION_DURATION] = "ms", [OPTION_SIZE] = "B"};
    (void)snprintf(text, 32, "%llu%s", (unsigned long long)n, units[o->type]);
}

static void check_number(const struct option *o, uint64_t n, enum value_result expected)
{
    char     text[32];
    uint32_t value = 0;
    number_text(o, n, text);
    ck_assert_msg(value_parse(o, text, NULL, &value) == expected, "%s: %s", o->name, text);
    if (expected == VALUE_OK)
        ck_assert_uint_eq(value, n);
}

static void check_option(const struct option *o, struct arena *arena)
{
    _Alignas(max_align_t) char room[64];
    if (o->def != NULL)
        ck_assert_msg(value_default(o, arena, room) == VALUE_OK, "%s: %s", o->name, o->def);
    else
        ck_assert_msg(o->required || o->section != NULL, "%s needs a default", o->name);
    if (o->type != OPTION_U32 && o->type != OPTION_DURATION && o->type != OPTION_SIZE)
        return;
    check_number(o, o->min, VALUE_OK);
    check_number(o, o->max, VALUE_OK);
    check_number(o, (uint64_t)o->max + 1, VALUE_BAD);
    if (o->min > 0)
        check_number(o, o->min - 1, VALUE_BAD);
    if (o->step > 1)
        check_number(o, o->min + 1, VALUE_BAD);
}

static void check_section(const struct section *section, struct arena *arena)
{
    for (const struct option *o = section->options; o->name != NULL; o++) {
        check_option(o, arena);
        if (o->section != NULL)
            check_section(o->section, arena);
    }
}

START_TEST(every_default_and_every_bound_is_good_and_one_more_is_not)
{
    struct arena *arena = arena_new();
    check_section(&conf_section_root, arena);
    arena_free(arena);
}
END_TEST

START_TEST(an_arena_gives_zeroed_pieces_of_any_size)
{
    struct arena *arena = arena_new();
    for (size_t size = 0; size < 20000; size += 777) {
        char *piece = arena_alloc(arena, 1, size);
        ck_assert_ptr_nonnull(piece);
        ck_assert_uint_eq((uintptr_t)piece % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_int_eq(piece[i], 0);
        memset(piece, 0xFF, size);
    }
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(arena_alloc(arena, 1, SIZE_MAX));
    ck_assert_str_eq(arena_strndup(arena, "abcdef", 3), "abc");
    arena_free(arena);
    arena_free(NULL);
}
END_TEST

START_TEST(a_host_name_is_kept_to_be_looked_up)
{
    struct conf              *conf = load_good(SERVERS("{ name = \"a\"; address = \"127.0.0.1:1\"; },"
                                                                    "{ name = \"b\"; address = \"broker.example.:1883\"; weight = 7; }"));
    const struct conf_server *s = conf->backends[0].servers;
    ck_assert_uint_eq(conf->backends[0].n_servers, 2);
    ck_assert(addr_is_set(&s[0].address) && s[0].host == NULL);
    ck_assert(!addr_is_set(&s[1].address));
    ck_assert_str_eq(s[1].host, "broker.example.");
    ck_assert_uint_eq(s[1].port, 1883);
    ck_assert_uint_eq(s[1].weight, 7);
    conf_unref(conf);
}
END_TEST

START_TEST(an_srv_record_stands_for_sixteen_servers_and_prints_as_one)
{
    struct conf               *conf = load_good(SERVERS("{ name = \"a\"; address = \"127.0.0.1:1\"; },"
                                                                      "{ name = \"emqx\"; address = \"srv:_mqtt._tcp.example\"; backup = true; }"));
    const struct conf_backend *b = &conf->backends[0];
    char                       name[16], *text = printed(conf);
    ck_assert_uint_eq(b->n_servers, 1 + CONF_SRV_SLOTS);
    for (unsigned i = 0; i < CONF_SRV_SLOTS; i++) {
        const struct conf_server *s = &b->servers[1 + i];
        (void)snprintf(name, sizeof name, "emqx%u", i + 1);
        ck_assert_str_eq(s->name, name);
        ck_assert_str_eq(s->host, "_mqtt._tcp.example");
        ck_assert(s->port == 0 && s->slot == i && s->backup && !addr_is_set(&s->address));
    }
    ck_assert_ptr_nonnull(strstr(text, "name = \"emqx\";"));
    ck_assert_ptr_null(strstr(text, "emqx1"));
    free(text);
    conf_unref(conf);
}
END_TEST

START_TEST(an_address_is_an_ip_or_a_host_with_a_port_or_a_service)
{
    static const char *const good[] = {"127.0.0.1:1", "[::1]:65535",  "a:1",        "broker.example:1883",
                                       "a.:1",        "srv:_a._b.c.", "srv:consul", "srv:1.a",
                                       "1a:1",        "a_b.c-d:1",    "srv:1234",   "localhost:1883"};
    static const char *const bad[] = {"",         "a",       "a:",      "a:0",   "a:65536", "a:1x", ":1",
                                      "a..b:1",   ".a:1",    "1.2.3:4", "a b:1", "::1:5",   "srv:", "srv:.",
                                      "srv:a..b", "srv:a b", "1.2.3.4", "é:1",   "a:1:2"};
    char                     label[64 + 5];
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(syntax_server_address(good[i]) == VALUE_OK, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(syntax_server_address(bad[i]) == VALUE_BAD, "%s", bad[i]);
    memset(label, 'a', sizeof label);
    strcpy(label + 63, ":1");
    ck_assert_int_eq(syntax_server_address(label), VALUE_OK);
    memset(label, 'a', 64);
    strcpy(label + 64, ":1");
    ck_assert_int_eq(syntax_server_address(label), VALUE_BAD);
}
END_TEST

TCase *values_case(void)
{
    TCase *tc = tcase_create("values");
    tcase_add_test(tc, a_duration_has_a_number_and_a_unit);
    tcase_add_test(tc, a_size_has_a_number_and_a_unit);
    tcase_add_test(tc, quantities_are_written_in_the_greatest_exact_unit);
    tcase_add_test(tc, what_is_not_written_has_its_default);
    tcase_add_test(tc, a_listener_that_tells_clients_apart_has_one_backend_or_one_for_each_protocol);
    tcase_add_test(tc, what_is_written_is_taken_in_any_order);
    tcase_add_test(tc, strings_take_in_the_environment);
    tcase_add_test(tc, every_default_and_every_bound_is_good_and_one_more_is_not);
    tcase_add_test(tc, an_arena_gives_zeroed_pieces_of_any_size);
    tcase_add_test(tc, a_host_name_is_kept_to_be_looked_up);
    tcase_add_test(tc, an_srv_record_stands_for_sixteen_servers_and_prints_as_one);
    tcase_add_test(tc, an_address_is_an_ip_or_a_host_with_a_port_or_a_service);
    return tc;
}
