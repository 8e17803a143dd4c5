/* One entry of backends: servers and how they are checked. */
#include "conf/servers.h"
#include "conf/syntax.h"
#include "conf/table.h"
#include "conf/units.h"

static const struct choice proxy_outs[] = {
    {"off", PROXY_OUT_OFF}, {"v1", PROXY_OUT_V1}, {"v2", PROXY_OUT_V2}, {NULL, 0}};

static const struct choice check_types[] = {
    {"tcp", CHECK_TCP}, {"mqtt", CHECK_MQTT}, {"http", CHECK_HTTP}, {"none", CHECK_NONE}, {NULL, 0}};

const char *const conf_balance_names[] = {"local-first", "leastconn", "roundrobin", "source", "client-id"};

static const struct choice balances[] = {{"local-first", BALANCE_LOCAL_FIRST}, {"leastconn", BALANCE_LEASTCONN},
                                         {"roundrobin", BALANCE_ROUNDROBIN},   {"source", BALANCE_SOURCE},
                                         {"client-id", BALANCE_CLIENT_ID},     {NULL, 0}};

#define AT(field) .offset = offsetof(struct conf_server, field)

static const struct option server_options[] = {
    {"name", OPTION_STRING, AT(name), .required = true, .max = 64, .check = syntax_name, .allowed = SYNTAX_NAME_ALLOWED,
     .doc = "The name in logs, statistics and commands; no two servers of a backend have the same."},
    {"address", OPTION_STRING, AT(address_text), .required = true, .max = 255, .check = syntax_server_address,
     .allowed = "an IP address or host name with a port such as \"127.0.0.1:1883\", \"[::1]:1883\" or "
                "\"emqx.example.net:1883\", or \"srv:\" and a name such as \"srv:_mqtt._tcp.example.net\"",
     .doc = "Where the server is. A host name is looked up as resolver says; of several addresses the one in use is "
            "kept while it is among them, else the first is taken, and one of IPv6 only where there is none of IPv4. "
            "\"srv:\" takes the targets of an SRV record for as many servers, at most 16: the entry then stands for 16 "
            "servers, named after it with 1 to 16 behind the name, those without a target in maintenance. A target "
            "keeps its place for as long as the record names it. Targets of the lowest priority number are used, the "
            "others are backups. The targets' weights become the servers'; where one is above 256 all are scaled down, "
            "and 0 becomes 1. A server without an address gets no sessions and is not checked; one that an "
            "operator gives it stays until DNS names another."},
    {"send_proxy", OPTION_ENUM, AT(send_proxy), .choices = proxy_outs, .def = "off",
     .doc = "Whether the connection begins with a PROXY header that tells the server who the client is, in version 1 "
            "(text) or 2 (binary). Version 2 carries the facts of the client's TLS too: version, cipher, common name "
            "of its certificate, server name asked for, ALPN, and a unique id of the session."},
    {"weight", OPTION_U32, AT(weight), .min = 0, .max = 256, .def = "100",
     .doc = "The server's share of sessions against the others of its backend; 0: it gets no new ones. "
            "\"local-first\" does not share, and asks only whether it is 0."},
    {"backup", OPTION_BOOL, AT(backup), .def = "false",
     .doc = "Whether the server is used only while no other of its backend is usable. Several of them are used in the "
            "order written, whatever balance says."},
    {"max_connections", OPTION_U32, AT(max_connections), .min = 0, .max = ANY_COUNT, .def = "0",
     .doc = "Connections to the server at a time; past it clients wait, at most timeouts.queue. 0: no limit."},
    {"max_pending", OPTION_U32, AT(max_pending), .min = 0, .max = ANY_COUNT, .def = "0",
     .doc =
         "Connections that the broker has not answered yet, at a time; past it clients wait, at most timeouts.queue, "
         "so that it is never offered more CONNECTs than it can take. The first bytes that the server sends are its "
         "answer. 0: no limit."},
    {"source", OPTION_SOURCE, AT(source), .def = "auto",
     .doc = "The address that connections to the server come from. \"auto\": for a server on loopback they are "
            "spread over 127.0.0.0/8, so that more than 64k fit; for others the kernel chooses."},
    {"tls", OPTION_REF, AT(tls), .refers = "tls_client", .def = "",
     .doc = "The name of the tls_client section by which TLS is spoken to the server. \"\": plain."},
    {0}};

static const struct section server_section = {server_options, NULL, sizeof(struct conf_server)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_check, field)

static const struct option http_options[] = {
    {"path", OPTION_STRING, AT(http_path), .max = 1023, .def = "/status", .check = syntax_request_target,
     .allowed = "a path such as \"/status\", without blanks", .doc = "The path that is asked for."},
    {"expect", OPTION_U32, AT(http_expect), .min = 100, .max = 599, .def = "200",
     .doc = "The status code that means health."},
    {0}};

/* Its fields are flat in struct conf_check. */
static const struct section http_section = {http_options, NULL, sizeof(struct conf_check)};

static const struct option check_options[] = {
    {"type", OPTION_ENUM, AT(type), .choices = check_types, .def = "tcp",
     .doc = "How a server shows that it lives. \"tcp\": it takes a connection. \"mqtt\": it answers a CONNECT with a "
            "CONNACK, whatever the code. \"http\": it answers a request as http says. \"none\": servers are not "
            "asked, and count as up."},
    {"interval", OPTION_DURATION, AT(interval_ms), .min = 10 * MS, .max = HOUR, .def = "2s",
     .doc = "Between one check of a server and the next."},
    {"fall", OPTION_U32, AT(fall), .min = 1, .max = 100, .def = "3",
     .doc = "Failures in a row after which a server that is up counts as down."},
    {"rise", OPTION_U32, AT(rise), .min = 1, .max = 100, .def = "2",
     .doc = "Successes in a row after which a server that is down counts as up."},
    {"timeout", OPTION_DURATION, AT(timeout_ms), .min = 10 * MS, .max = HOUR, .def = "2s",
     .doc = "A check that has no answer after this long has failed."},
    {"fast_interval", OPTION_DURATION, AT(fast_interval_ms), .min = 10 * MS, .max = HOUR, .def = "500ms",
     .doc = "Used in place of interval while a server is on its way up or down."},
    {"address", OPTION_ADDRESS, AT(address), .min = 1, .max = 65535, .def = "",
     .doc = "Where to check, when not at the server's own address. A PROXY header is never sent there."},
    {"http", OPTION_GROUP, .offset = 0, .section = &http_section, .doc = "The request of type \"http\"."},
    {0}};

static const struct section check_section = {check_options, NULL, sizeof(struct conf_check)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_backend, field)

static const struct option backend_options[] = {
    {"name", OPTION_STRING, AT(name), .required = true, .max = 64, .check = syntax_name, .allowed = SYNTAX_NAME_ALLOWED,
     .doc = "The name that listeners use, and the one in logs, statistics and commands; no two backends have the "
            "same."},
    {"balance", OPTION_ENUM, AT(balance), .choices = balances, .def = "local-first",
     .doc = "Which server a new session goes to, of those that are up. \"local-first\": the first in the order written "
            "that has room. \"roundrobin\": each in turn, as often as its weight says. \"leastconn\": the one with the "
            "fewest sessions for its weight, in turn among equals; one that comes back gets all new ones until it has "
            "as many as the others. \"source\": a client's address always goes to the same server, as far as servers "
            "and their weights stay: one that comes or goes moves only its own share of the clients; names of "
            "servers count (of an SRV record the targets'), their order and addresses do not. \"client-id\": the same "
            "by the client identifier, where "
            "the CONNECT is read and has one; else by the address. With these two a client whose server is full waits "
            "for it, at most timeouts.queue, and one whose server is down or cannot be reached goes to the one that is "
            "next for it."},
    {"servers", OPTION_LIST, AT(written), .required = true, .min = 1, .max = CONF_SERVERS_MAX,
     .section = &server_section, .doc = "The servers, in the order that \"local-first\" and backups are tried in."},
    {"check", OPTION_GROUP, AT(check), .section = &check_section, .doc = "How the health of the servers is checked."},
    {"tries", OPTION_U32, AT(tries), .min = 1, .max = 64, .def = "3",
     .doc = "Servers that are tried for one session before its client is turned away."},
    {0}};

static const struct rule backend_rules[] = {
    {"servers", servers_fit, "more than 64 servers; each \"srv:\" stands for 16 of them"},
    {"servers", servers_have_names,
     "a name of a \"srv:\" server with 1 to 16 behind it is another server's, or longer than 64 bytes"},
    {0}};

const struct section conf_section_backend = {backend_options, backend_rules, sizeof(struct conf_backend)};
