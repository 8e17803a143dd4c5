/* What cannot be taken is told of: where, what was found, what is allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/syntax.h"
#include "unit/conf/conf_tests.h"

#define ONE_OR_THE_OTHER "with protocol \"auto\" either backend is written or at least one of these, and not both\n"
#define AUTO(more)       GOOD_BACKENDS "listeners = ({ name = \"l\"; bind = \"1.2.3.4:1\"; protocol = \"auto\"; " more "});"
#define DURATION_ALLOWED "a duration from \"1ms\" to \"720h\", a string with its unit: ms, s, m or h"
#define LISTENER(more)                                                                                                 \
    GOOD_BACKENDS "\nlisteners = ({ name = \"l\"; bind = \"1.2.3.4:1\"; protocol = \"tcp\"; backend = \"b\"; " more    \
                  "});"
#define BACKEND(more)                                                                                                  \
    GOOD_LISTENERS "\nbackends = ({ name = \"b\"; servers = ({ name = \"s\"; address = \"1.2.3.4:1\"; });" more "});"
#define SERVER(more) GOOD_LISTENERS "\nbackends = ({ name = \"b\"; servers = ({ name = \"s\"; " more "}); });"
#define TLS(more)    GOOD "\ntls = ({ name = \"e\"; certificates = ({ chain = \"c\"; key = \"k\"; }); " more "});"

static const struct {
    const char *text, *errors;
} cases[] = {
    /* Numbers and booleans. */
    {GOOD "\nglobal: { workers = 257; };",
     "2: global.workers: found the number 257; allowed is a whole number from 0 to 256\n"},
    {GOOD "global: { workers = -1; };",
     "1: global.workers: found the number -1; allowed is a whole number from 0 to 256\n"},
    {GOOD "global: { workers = 4294967297; };",
     "1: global.workers: found the number 4294967297; allowed is a whole number from 0 to 256\n"},
    {GOOD "global: { workers = 0x100000001; };",
     "1: global.workers: found the number 4294967297; allowed is a whole number from 0 to 256\n"},
    {GOOD "global: { workers = 1.5; };",
     "1: global.workers: found the number 1.5; allowed is a whole number from 0 to 256\n"},
    {GOOD "global: { workers = 0.12345678901; };",
     "1: global.workers: found the number 0.123457; allowed is a whole number from 0 to 256\n"},
    {GOOD "global: { workers = \"4\"; };", "1: global.workers: found \"4\"; allowed is a whole number from 0 to 256\n"},
    {TLS("session_tickets = 1;"), "2: tls.e.session_tickets: found the number 1; allowed is true or false\n"},
    /* Units. */
    {GOOD "\n\ntimeouts: {\n idle = 30;\n};",
     "4: timeouts.idle: found the number 30; allowed is " DURATION_ALLOWED "\n"},
    {GOOD "timeouts: { idle = \"30\"; };", "1: timeouts.idle: found \"30\"; allowed is " DURATION_ALLOWED "\n"},
    {GOOD "timeouts: { idle = \"0s\"; };", "1: timeouts.idle: found \"0s\"; allowed is " DURATION_ALLOWED "\n"},
    {GOOD "timeouts: { idle = \"721h\"; };", "1: timeouts.idle: found \"721h\"; allowed is " DURATION_ALLOWED "\n"},
    {LISTENER("tcp_keepalive: { idle = \"1500ms\"; }; "),
     "2: listeners.l.tcp_keepalive.idle: found \"1500ms\"; allowed is a duration from \"1s\" to \"32767s\" in whole "
     "seconds, a string with its unit: ms, s, m or h\n"},
    /* Strings and words. */
    {GOOD "global: { node = true; };", "1: global.node: found true; allowed is printable text of at most 255 bytes\n"},
    {GOOD "global: { node = \"a\\nb\\\"\\x1b\"; };",
     "1: global.node: found \"a\\x0ab\\\"\\x1b\"; allowed is printable text of at most 255 bytes\n"},
    {LISTENER("proxy_protocol = \"on\"; "),
     "2: listeners.l.proxy_protocol: found \"on\"; allowed is \"off\", \"accept\" or \"required\"\n"},
    {GOOD "tls_client = ({ name = \"c\"; verify = \"optional\"; });",
     "1: tls_client.c.verify: found \"optional\"; allowed is \"none\" or \"required\"\n"},
    {GOOD "tls_client = ({ name = \"a b\"; });",
     "1: tls_client[0].name: found \"a b\"; allowed is " SYNTAX_NAME_ALLOWED "\n"},
    {GOOD "admin: { stats_uri = \"stats\"; };",
     "1: admin.stats_uri: found \"stats\"; allowed is a path such as \"/health\", without blanks, '?' and '#'\n"},
    {GOOD "global: { log: { to = [ \"stdout\", \"syslog:udp://localhost:514\" ]; }; };",
     "1: global.log.to[1]: found \"syslog:udp://localhost:514\"; allowed is \"stdout\", \"stderr\", \"syslog:/path\" "
     "or "
     "\"syslog:udp://ip:port\"\n"},
    {GOOD "global: { log: { to = [ ]; }; };",
     "1: global.log.to: found an array [ ... ] of 0; allowed is an array of 1 to 8, each \"stdout\", \"stderr\", "
     "\"syslog:/path\" or \"syslog:udp://ip:port\"\n"},
    /* Passwords in clear do not reach a log by way of an error. */
    {GOOD "admin: { stats_auth = [ \"joe:secret\" ]; };", "1: admin.stats_auth[0]: found a string (not shown); allowed "
                                                          "is \"user:hash\" with a hash that crypt(3) wrote, such "
                                                          "as $6$... or $y$...\n"},
    /* Addresses and networks. */
    {LISTENER("allow = [ \"10.0.0.1/8\", \"::/0\" ]; "), "2: listeners.l.allow[0]: found \"10.0.0.1/8\"; allowed is a "
                                                         "network such as \"10.0.0.0/8\" or \"::1\", no bit set "
                                                         "behind the prefix\n"},
    {LISTENER("allow = \"10.0.0.0/8\"; "),
     "2: listeners.l.allow: found \"10.0.0.0/8\"; allowed is an array of 0 to 4096, each a network such as "
     "\"10.0.0.0/8\" or \"::1\", no bit set behind the prefix\n"},
    {GOOD "admin: { bind = \"8080\"; };", "1: admin.bind: found \"8080\"; allowed is an IP address and port such as "
                                          "\"127.0.0.1:8080\" or \"[::1]:8080\", or "
                                          "\"\"\n"},
    {BACKEND("check: { address = \"1.2.3.4:0\"; }; "),
     "2: backends.b.check.address: found \"1.2.3.4:0\"; allowed is an IP address and port other than 0 such as "
     "\"127.0.0.1:8080\" or \"[::1]:8080\", or \"\"\n"},
    {SERVER("address = \"1.2.3.4\"; "),
     "2: backends.b.servers.s.address: found \"1.2.3.4\"; allowed is an IP address or host name with a port such as "
     "\"127.0.0.1:1883\", \"[::1]:1883\" or \"emqx.example.net:1883\", or \"srv:\" and a name such as "
     "\"srv:_mqtt._tcp.example.net\"\n"},
    {SERVER("address = \"srv:\"; "),
     "2: backends.b.servers.s.address: found \"srv:\"; allowed is an IP address or host name with a port such as "
     "\"127.0.0.1:1883\", \"[::1]:1883\" or \"emqx.example.net:1883\", or \"srv:\" and a name such as "
     "\"srv:_mqtt._tcp.example.net\"\n"},
    {SERVER("address = \"1.2.3.4:1\"; source = \"eth0\"; "),
     "2: backends.b.servers.s.source: found \"eth0\"; allowed is \"auto\", or an IP address such as \"10.0.0.1\"\n"},
    /* Keys. */
    {GOOD "timeouts: { idel = \"1s\"; };", "1: timeouts.idel: unknown key; did you mean \"idle\"?\n"},
    {GOOD "upgrade_: { };",
     "1: upgrade_: unknown key; allowed are global, timeouts, listeners, tls, tls_client, backends, "
     "resolver, admin\n"},
    {GOOD "\nglobal: {\n user = \"a\";\n user = \"b\";\n};",
     "4: a key that its group has already; each key stands once\n"},
    {GOOD "global = 5;", "1: global: found the number 5; allowed is a group { ... }\n"},
    {"", "1: listeners: missing; required is a list of 1 to 256 groups ( { ... }, ... )\n"
         "1: backends: missing; required is a list of 1 to 256 groups ( { ... }, ... )\n"},
    {GOOD_BACKENDS "\nlisteners = (\n  { name = \"l\"; bind = \"1.2.3.4:1\";\n    protocol = \"tcp\"; }\n);",
     "3: listeners.l.backend: missing; required is the name of a section of backends\n"},
    {GOOD_BACKENDS "listeners = ( 5 );", "1: listeners[0]: found the number 5; allowed is a group { ... }\n"},
    {GOOD_BACKENDS "listeners = { };",
     "1: listeners: found a group { ... }; allowed is a list of 1 to 256 groups ( { ... }, ... )\n"},
    {GOOD "tls = ( { name = \"e\"; certificates = ( ); } );",
     "1: tls.e.certificates: found a list ( ... ) of 0; allowed is a list of 1 to 64 groups ( { ... }, ... )\n"},
    /* Names. */
    {GOOD_BACKENDS
     "listeners = ({ name = \"l\"; bind = \"1.2.3.4:1\"; protocol = \"tcp\"; backend = \"x\"; tls = \"y\"; });",
     "1: listeners.l.backend: found \"x\"; allowed are the sections of backends: \"b\"\n"
     "1: listeners.l.tls: found \"y\"; there is no section of tls\n"},
    {GOOD "\ntls_client = (\n{ name = \"c\"; },\n{ name = \"c\"; });",
     "4: tls_client.c.name: found \"c\", which is taken at t:3; allowed is a name of its own\n"},
    {GOOD "\nadmin: { bind = \"0.0.0.0:1883\"; };",
     "2: admin.bind: found \"0.0.0.0:1883\", which listeners.l.bind has at t:1; allowed is an address of its own\n"},
    /* The environment. */
    {GOOD "global: { node = \"${CONF_NOT_THERE}\"; };",
     "1: global.node: found ${CONF_NOT_THERE}, which the environment does not have; set it, or write "
     "${CONF_NOT_THERE:-default}\n"},
    {GOOD "global: { node = \"${HOME\"; };",
     "1: global.node: found a \"${\" that begins no ${NAME} or ${NAME:-default}; write $${ for a plain ${\n"},
    {GOOD "timeouts: { idle = \"${CONF_NOT_THERE:-5}\"; };",
     "1: timeouts.idle: found \"5\" from \"${CONF_NOT_THERE:-5}\"; allowed is " DURATION_ALLOWED "\n"},
    /* Rules between options. */
    {LISTENER("proxy_protocol = \"required\"; "),
     "2: listeners.l.proxy_from: found no network; with proxy_protocol \"required\" or \"accept\" at least one must be "
     "written\n"},
    {LISTENER("admin = true; "), "2: listeners.l.admin: only protocol \"auto\" finds plain HTTP; allowed is false\n"},
    {LISTENER("backends: { ws = \"b\"; }; "),
     "2: listeners.l.backends: only protocol \"auto\" tells clients apart; with others backend is written\n"},
    {AUTO("backend = \"b\"; backends: { ws = \"b\"; };"), "1: listeners.l.backends: " ONE_OR_THE_OTHER},
    {AUTO("backends: { ws = \"\"; };"), "1: listeners.l.backends: " ONE_OR_THE_OTHER},
    {AUTO(""), "1: listeners.l.backends: " ONE_OR_THE_OTHER},
    {AUTO("backends: { ws = \"b\"; mqtt = \"c\"; };"),
     "1: listeners.l.backends.mqtt: found \"c\"; allowed are the sections of backends: \"b\"\n"},
    {GOOD_BACKENDS "listeners = ({ name = \"l\"; bind = \"1.2.3.4:1\"; protocol = \"tcp\"; backend = \"\"; });",
     "1: listeners.l.backend: found \"\"; only protocol \"auto\" may do without\n"},
    {TLS("verify = \"required\"; crl = \"x\"; "),
     "2: tls.e.verify: client certificates are asked for, but there is no client_ca; write one, or \"none\"\n"
     "2: tls.e.crl: found without client_ca; write the authorities too, or no crl\n"},
    {GOOD "tls_client = ({ name = \"c\"; chain = \"x\"; });",
     "1: tls_client.c.chain: found without key; write both, or neither\n"},
    {GOOD "tls_client = ({ name = \"c\"; key = \"x\"; });",
     "1: tls_client.c.key: found without chain; write both, or neither\n"},
    {GOOD "admin: { health_uri = \"/x\"; stats_uri = \"/x\"; };",
     "1: admin.stats_uri: the same path as health_uri; each needs its own\n"},
    {SERVERS("{ name = \"a\"; address = \"srv:a.example\"; }, { name = \"b\"; address = \"srv:b.example\"; },\n"
             "{ name = \"c\"; address = \"srv:c.example\"; }, { name = \"d\"; address = \"srv:d.example\"; },"
             "{ name = \"e\"; address = \"1.2.3.4:1\"; }"),
     "1: backends.b.servers: more than 64 servers; each \"srv:\" stands for 16 of them\n"},
    {SERVERS("{ name = \"a\"; address = \"srv:a.example\"; }, { name = \"a16\"; address = \"1.2.3.4:1\"; }"),
     "1: backends.b.servers: a name of a \"srv:\" server with 1 to 16 behind it is another server's, or longer than 64 "
     "bytes\n"},
    {GOOD "resolver: { servers = [ \"127.0.0.1:8600\", \"[::1]:0\" ]; };",
     "1: resolver.servers: found port 0; a name server has a port from 1 to 65535\n"},
    {GOOD "resolver: { hold = \"999ms\"; };", "1: resolver.hold: found \"999ms\"; allowed is a duration from \"1s\" to "
                                              "\"720h\", a string with its unit: ms, s, m or h\n"},
    /* What a later version brings. */
    /* Not libconfig's syntax. */
    {"a = 1\n\nb = ;", "3: syntax error\n"},
    {"a = [ 1,\n \"x\" ];", "2: an array [ ... ] with elements of different types; all are of one type\n"},
    {"a = 1;\nb = \"open", "2: the file ends inside a string\n"},
    {"a = 1;\n/* open", "2: the file ends inside a comment\n"},
    {"\n@include \"/etc/passwd\"", "2: @include stands in files only\n"},
    {"\nname \"x\";", "2: found a string where none can be; a string stands behind =, or in a list or array\n"},
    {"a = \"x\", \"y\";", "1: found a string where none can be; a string stands behind =, or in a list or array\n"},
    {"a = ((((((((((((((((((((((((((((((((\n(", "2: brackets nested deeper than 32\n"},
    {"a = @include \"x\"", "1: found an @; it only begins @include \"path\", first on its line\n"},
};

START_TEST(each_error_says_where_what_was_found_and_what_is_allowed)
{
    char *errors = errors_of(cases[_i].text);
    ck_assert_str_eq(errors, cases[_i].errors);
    free(errors);
}
END_TEST

START_TEST(all_errors_are_told_in_the_order_of_lines)
{
    char                    *errors = errors_of("admin: { healthy_when = \"none\"; };\n"
                                                                   "backends = (\n"
                                                                   "  { name = \"b\"; tries = 0;\n"
                                                                   "    servers = ( { name = \"s\"; address = \"x\"; } ); } );\n"
                                                                   "listeners = (\n"
                                                                   "  { name = \"l\"; protocol = \"amqp\"; backend = \"c\"; bind = \"1.1.1.1:1\"; },\n"
                                                                   "  { name = \"l\"; protocol = \"tcp\"; backend = \"b\";\n"
                                                                   "    bind = [ \"2.2.2.2:2\",\n"
                                                                   "             \"1.1.1.1:1\" ]; } );\n"
                                                                   "timeouts: { idle = 5;\n"
                                                                   "            hold = 5; };\n"
                                                                   "global: { upgrade: { wait = 5; }; };\n");
    static const char *const beginnings[] = {
        "1: admin.healthy_when: ",   "3: backends.b.tries: ",    "4: backends.b.servers.s.address: ",
        "6: listeners.l.protocol: ", "6: listeners.l.backend: ", "7: listeners.l.name: ",
        "9: listeners.l.bind[1]: ",  "10: timeouts.idle: ",      "11: timeouts.hold: ",
        "12: global.upgrade.wait: "};
    const char *line = errors;
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        ck_assert_msg(strncmp(line, beginnings[i], strlen(beginnings[i])) == 0, "%s: %s", beginnings[i], line);
        line = strchr(line, '\n') + 1;
    }
    ck_assert_str_eq(line, "");
    free(errors);
}
END_TEST

START_TEST(a_backend_has_at_most_64_servers)
{
    for (int n = 64; n <= 65; n++) {
        char  *text = NULL, *errors;
        size_t len;
        FILE  *to = open_memstream(&text, &len);
        (void)fprintf(to, "%s backends = ({ name = \"b\"; servers = (", GOOD_LISTENERS);
        for (int i = 0; i < n; i++)
            (void)fprintf(to, "%s{ name = \"s%d\"; address = \"1.2.3.4:%d\"; }", i > 0 ? ", " : "", i, i + 1);
        (void)fprintf(to, "); });");
        ck_assert_int_eq(fclose(to), 0);
        errors = errors_of(text);
        ck_assert_str_eq(errors, n == 64
                                     ? ""
                                     : "1: backends.b.servers: found a list ( ... ) of 65; allowed is a list of 1 to "
                                       "64 groups ( { ... }, ... )\n");
        free(text);
        free(errors);
    }
}
END_TEST

START_TEST(port_0_is_the_kernels_choice_and_never_taken_twice)
{
    struct conf *conf = load_good(LISTENER("}, { name = \"m\"; bind = [ \"1.2.3.4:0\", \"1.2.3.4:0\" ]; protocol = "
                                           "\"tcp\"; backend = \"b\"; ") "admin: { bind = \"1.2.3.4:0\"; };");
    conf_unref(conf);
}
END_TEST

START_TEST(only_what_crypt_writes_is_a_hash)
{
    static const char *const good[] = {"u:$1$salt$0123456789abcdefghijkl",
                                       "u:$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
                                       "u:$5$rounds=5000$salt$0123456789012345678901234567890123456789012",
                                       "a b:$y$j9T$saltsalt$0123456789012345678901234567890123456789012"};
    static const char *const bad[] = {"",
                                      "u",
                                      "u:",
                                      ":$6$salt$0123456789abcdefghijkl",
                                      "u:plain",
                                      "u:$6$salt$x",
                                      "u:$6$salt",
                                      "u:$6$salt$0123456789abcdefghi:kl",
                                      "u:$$$",
                                      "u:$6$",
                                      "u:abJnggxhB/yWI",
                                      "u:$9$salt$0123456789abcdefghijkl"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(syntax_credentials(good[i]) == VALUE_OK, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(syntax_credentials(bad[i]) == VALUE_BAD, "%s", bad[i]);
}
END_TEST

TCase *errors_case(void)
{
    TCase *tc = tcase_create("errors");
    tcase_add_loop_test(tc, each_error_says_where_what_was_found_and_what_is_allowed, 0, ARRAY_LEN(cases));
    tcase_add_test(tc, all_errors_are_told_in_the_order_of_lines);
    tcase_add_test(tc, a_backend_has_at_most_64_servers);
    tcase_add_test(tc, port_0_is_the_kernels_choice_and_never_taken_twice);
    tcase_add_test(tc, only_what_crypt_writes_is_a_hash);
    return tc;
}
