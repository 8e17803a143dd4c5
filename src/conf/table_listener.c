/* timeouts, and one entry of listeners. */
#include <string.h>

#include "conf/syntax.h"
#include "conf/table.h"
#include "conf/units.h"

#define AT(field) .offset = offsetof(struct conf_timeouts, field)

static const struct option timeout_options[] = {
    {"proxy_header", OPTION_DURATION, AT(proxy_header_ms), .min = MS, .max = LONGEST, .def = "3s",
     .doc = "To receive the whole PROXY header, where one is due or accepted, from the moment of accept."},
    {"handshake", OPTION_DURATION, AT(handshake_ms), .min = MS, .max = LONGEST, .def = "10s",
     .doc = "To finish the TLS handshake with the client."},
    {"connect_packet", OPTION_DURATION, AT(connect_packet_ms), .min = MS, .max = LONGEST, .def = "10s",
     .doc = "To receive the whole CONNECT packet, from the end of the TLS handshake. A \"ws\" listener has this long "
            "for the head of the HTTP request, and once more for the CONNECT."},
    {"connect", OPTION_DURATION, AT(connect_ms), .min = MS, .max = LONGEST, .def = "5s",
     .doc = "To reach a server: the TCP connection and, where there is one, the TLS handshake with it. Each server "
            "that is tried has this long."},
    {"queue", OPTION_DURATION, AT(queue_ms), .min = MS, .max = LONGEST, .def = "10s",
     .doc = "To wait for rate_limit to let a session begin, and again for a free place when every server that may be "
            "used is at its max_connections."},
    {"idle", OPTION_DURATION, AT(idle_ms), .min = MS, .max = LONGEST, .def = "1h",
     .doc = "Without a byte either way, a session is closed after this long."},
    {"half_closed", OPTION_DURATION, AT(half_closed_ms), .min = MS, .max = LONGEST, .def = "30s",
     .doc = "Once one side has ended its half of the session, the session is closed after this long without a byte "
            "from the other."},
    {"unacked", OPTION_DURATION, AT(unacked_ms), .min = MS, .max = LONGEST, .def = "2m",
     .doc = "Data sent that the peer's kernel does not acknowledge: the connection is given up after this long "
            "(TCP_USER_TIMEOUT)."},
    {0}};

const struct section conf_section_timeouts = {timeout_options, NULL, sizeof(struct conf_timeouts)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_keepalive, field)

/* Bounds: the kernel keeps whole seconds up to 32767, and at most 127 probes. */
static const struct option keepalive_options[] = {
    {"idle", OPTION_DURATION, AT(idle_ms), .min = SECOND, .max = 32767 * SECOND, .step = SECOND, .def = "240s",
     .doc = "Silence after which TCP asks whether the peer is still there; whole seconds."},
    {"interval", OPTION_DURATION, AT(interval_ms), .min = SECOND, .max = 32767 * SECOND, .step = SECOND, .def = "30s",
     .doc = "Between one unanswered probe and the next; whole seconds."},
    {"probes", OPTION_U32, AT(probes), .min = 1, .max = 127, .def = "5",
     .doc = "Unanswered probes after which the connection is given up."},
    {0}};

static const struct section keepalive_section = {keepalive_options, NULL, sizeof(struct conf_keepalive)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_per_source, field)

static const struct option per_source_options[] = {
    {"max_connections", OPTION_U32, AT(max_connections), .min = 0, .max = MILLION, .def = "0",
     .doc = "Connections of one client address at a time; past it they are refused. 0: no limit."},
    {"rate_limit", OPTION_U32, AT(rate_limit), .min = 0, .max = MILLION, .def = "0",
     .doc = "Sessions that one client address may begin each second; past it they are refused. 0: no limit."},
    {0}};

static const struct section per_source_section = {per_source_options, NULL, sizeof(struct conf_per_source)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_mqtt, field)

static const struct option mqtt_options[] = {
    {"max_connect_size", OPTION_SIZE, AT(max_connect_size), .min = 64, .max = MIB, .def = "64KiB",
     .doc = "The longest CONNECT packet that is read; a longer one is refused. In WebSocket it may take up to twice as "
            "many "
            "bytes and 16 KiB, frames included."},
    {"versions", OPTION_STRINGS, AT(versions), .min = 1, .max = 3, .def = "3.1 3.1.1 5", .check = syntax_mqtt_version,
     .allowed = "\"3.1\", \"3.1.1\" or \"5\"", .doc = "The versions of MQTT that are let in."},
    {"require_client_id", OPTION_BOOL, AT(require_client_id), .def = "false",
     .doc = "Whether a CONNECT without a client identifier is refused."},
    {"enforce_keepalive", OPTION_BOOL, AT(enforce_keepalive), .def = "true",
     .doc = "Whether a client that is silent for longer than 1.5 times its keep-alive and 5 seconds is closed. What "
            "counts is the keep-alive of its CONNECT, or the server's in CONNACK. Where it is 0, and with this off, "
            "timeouts.idle holds."},
    {"strict", OPTION_BOOL, AT(strict), .def = "true",
     .doc = "Whether a stream that stops being MQTT is ended; else it is relayed as bytes from there, and counted."},
    {0}};

static const struct section mqtt_section = {mqtt_options, NULL, sizeof(struct conf_mqtt)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_max_age, field)

static const struct option max_age_options[] = {
    {"after", OPTION_DURATION, AT(after_ms), .min = 0, .max = LONGEST, .def = "0s",
     .doc =
         "The age at which a session is asked to reconnect. \"0s\": never. A client of MQTT 5 gets a DISCONNECT with "
         "reason 0x9C, one of WebSocket a close frame with 1001, any other an end of the connection."},
    {"jitter", OPTION_STRING, AT(jitter_text), .max = 4, .def = "10%", .check = syntax_percent,
     .allowed = "\"0%\" to \"100%\"", .doc = "How far a session's own age limit may be from after, either way."},
    {"budget", OPTION_U32, AT(budget), .min = 1, .max = MILLION, .def = "60",
     .doc = "Sessions that are asked each minute, spread evenly over it; the others are asked later."},
    {0}};

static const struct section max_age_section = {max_age_options, NULL, sizeof(struct conf_max_age)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_ws, field)

static const struct option ws_options[] = {
    {"path", OPTION_STRING, AT(path), .max = 255, .def = "/mqtt", .check = syntax_uri_path,
     .allowed = "a path such as \"/mqtt\"",
     .doc = "The path of the upgrade request, without a query; a request for another is answered 404."},
    {"subprotocols", OPTION_STRINGS, AT(subprotocols), .min = 1, .max = 8, .def = "mqtt mqttv3.1",
     .check = syntax_printable, .allowed = "names of subprotocols",
     .doc = "The WebSocket subprotocols that are let in; the first that the client offers is chosen."},
    {"forwarded", OPTION_BOOL, AT(forwarded), .def = "false",
     .doc = "Whether X-Forwarded-For, X-Forwarded-Port and X-Forwarded-Proto tell the server who the client is. What "
            "the client itself wrote there does not pass then."},
    {0}};

static const struct section ws_section = {ws_options, NULL, sizeof(struct conf_ws)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_split, field)

static const struct option listener_backends_options[] = {
    {"mqtt", OPTION_REF, AT(mqtt), .refers = "backends", .def = "",
     .doc = "The backend of what is found to be MQTT. \"\": MQTT is refused."},
    {"ws", OPTION_REF, AT(ws), .refers = "backends", .def = "",
     .doc = "The backend of what is found to be WebSocket. \"\": WebSocket is refused."},
    {0}};

static const struct section listener_backends_section = {listener_backends_options, NULL, sizeof(struct conf_split)};

const char *const conf_protocol_names[] = {"mqtt", "ws", "tcp", "auto"};

static const struct choice protocols[] = {
    {"mqtt", PROTOCOL_MQTT}, {"ws", PROTOCOL_WS}, {"tcp", PROTOCOL_TCP}, {"auto", PROTOCOL_AUTO}, {NULL, 0}};

static const struct choice proxy_ins[] = {
    {"off", PROXY_IN_OFF}, {"accept", PROXY_IN_ACCEPT}, {"required", PROXY_IN_REQUIRED}, {NULL, 0}};

static bool needs_backend(const void *section)
{
    const struct conf_listener *listener = section;
    return listener->protocol != PROTOCOL_AUTO;
}

#undef AT
#define AT(field) .offset = offsetof(struct conf_listener, field)

static const struct option listener_options[] = {
    {"name", OPTION_STRING, AT(name), .required = true, .max = 64, .check = syntax_name, .allowed = SYNTAX_NAME_ALLOWED,
     .doc = "The name in logs, statistics and commands; no two listeners have the same."},
    {"bind", OPTION_ADDRESSES, AT(bind), .required = true, .min = 1, .max = 16, .listens = true,
     .doc = "The address and port to listen on, or several in an array. Port 0: the kernel chooses one, and the "
            "event=listening line of the log tells it. No other listener, nor admin, has the same."},
    {"protocol", OPTION_ENUM, AT(protocol), .required = true, .choices = protocols,
     .doc = "What clients speak. \"mqtt\": MQTT over TCP; the CONNECT packet is read and checked before a server is "
            "reached, and both directions are followed. \"ws\": MQTT over WebSocket; this version relays it without "
            "looking into it, and holds clients to timeouts.connect_packet. \"tcp\": anything, TLS that ends at "
            "the server too. \"auto\": PROXY header, TLS, MQTT, WebSocket and plain HTTP are told apart by "
            "their first bytes, which have to come within timeouts.connect_packet; anything else is closed. "
            "WebSocket is an HTTP request for ws.path. Where a PROXY header names one of these ports as the client's "
            "destination, what follows must be that: 1883 MQTT, 8883 MQTT over TLS, 8083 WebSocket, 8084 WebSocket "
            "over TLS."},
    {"backend", OPTION_REF, AT(backend), .needed = needs_backend, .refers = "backends", .def = "",
     .doc = "The name of the backend that sessions are taken to. Only with protocol \"auto\" it may be left out: then "
            "backends is written."},
    {"backends", OPTION_GROUP, AT(backends), .section = &listener_backends_section,
     .doc = "With protocol \"auto\", in place of backend: a backend for each protocol."},
    {"admin", OPTION_BOOL, AT(admin), .def = "false",
     .doc = "With protocol \"auto\": whether plain HTTP for any path but ws.path is answered by the admin endpoints. "
            "Inside TLS or behind a PROXY header it is not; to addresses in proxy_from only health is told. Such a "
            "listener goes on accepting whatever happens: when it is full, disabled, or at a limit of the process, "
            "HTTP is answered all the same, and everything else is closed at once."},
    {"tls", OPTION_REF, AT(tls), .refers = "tls", .def = "",
     .doc = "The name of the tls section by which TLS is ended here. \"\": clients speak plain."},
    {"proxy_protocol", OPTION_ENUM, AT(proxy_protocol), .choices = proxy_ins, .def = "off",
     .doc = "Whether a connection begins with a PROXY header, version 1 or 2, that says who the client is. \"off\": "
            "there is none. \"required\": there must be one. \"accept\": with or without. Anything but \"off\" "
            "needs proxy_from."},
    {"proxy_from", OPTION_NETWORKS, AT(proxy_from), .min = 0, .max = 4096, .def = "",
     .doc = "Networks whose PROXY header is honoured. A header from elsewhere ends the connection."},
    {"max_connections", OPTION_U32, AT(max_connections), .min = 0, .max = ANY_COUNT, .def = "0",
     .doc = "Client connections of this listener; past it they are refused as soon as they arrive. 0: only the "
            "global limit holds."},
    {"rate_limit", OPTION_U32, AT(rate_limit), .min = 0, .max = MILLION, .def = "0",
     .doc = "Sessions that begin each second, in any second. The others wait, in the order in which they came to their "
            "worker, at most timeouts.queue; then they are refused. A session that waits holds a connection, and costs "
            "no TLS handshake and no reading until its turn comes. What they say reaches a server at no more than this "
            "pace either, whenever they say it: once more they wait, within timeouts.connect. 0: no limit."},
    {"per_source", OPTION_GROUP, AT(per_source), .section = &per_source_section,
     .doc = "Limits for one client address; in IPv6 for one /64. What counts is the address in an honoured PROXY "
            "header, where there is one; a header that names none (LOCAL, UNKNOWN) is charged to nobody."},
    {"allow", OPTION_NETWORKS, AT(allow), .min = 0, .max = 4096, .def = "",
     .doc = "Networks that clients may come from; others are refused. Empty: any. deny is looked at first. What "
            "counts is the address in an honoured PROXY header, where there is one."},
    {"deny", OPTION_NETWORKS, AT(deny), .min = 0, .max = 4096, .def = "",
     .doc = "Networks that clients may not come from."},
    {"backlog", OPTION_U32, AT(backlog), .min = 1, .max = 65535, .def = "4096",
     .doc = "Connections that the kernel keeps for each listening socket until they are accepted, listen(2); "
            "net.core.somaxconn bounds it."},
    {"tcp_keepalive", OPTION_GROUP, AT(tcp_keepalive), .section = &keepalive_section,
     .doc = "How TCP finds out that a silent client has gone."},
    {"timeouts", OPTION_GROUP, AT(timeouts), .section = &conf_section_timeouts, .inherits = true,
     .doc = "Overrides of the top-level timeouts; what is not written here is as it is there."},
    {"mqtt", OPTION_GROUP, AT(mqtt), .section = &mqtt_section, .doc = "What is asked of MQTT clients."},
    {"max_age", OPTION_GROUP, AT(max_age), .section = &max_age_section,
     .doc = "Old sessions are asked to reconnect, so that load spreads again."},
    {"ws", OPTION_GROUP, AT(ws), .section = &ws_section, .doc = "What is asked of WebSocket clients."},
    {0}};

static bool proxy_is_off_or_has_sources(const void *section)
{
    const struct conf_listener *listener = section;
    return listener->proxy_protocol == PROXY_IN_OFF || listener->proxy_from.n > 0;
}

static bool name_is_not_admin(const void *section)
{
    const struct conf_listener *listener = section;
    return strcmp(listener->name, "admin") != 0;
}

static bool has_backend_where_due(const void *section)
{
    const struct conf_listener *listener = section;
    return !needs_backend(listener) || listener->backend != NULL;
}

static bool splits(const struct conf_listener *listener)
{
    return listener->backends.mqtt != NULL || listener->backends.ws != NULL;
}

static bool splits_only_auto(const void *section)
{
    const struct conf_listener *listener = section;
    return listener->protocol == PROTOCOL_AUTO || !splits(listener);
}

static bool auto_has_one_or_the_other(const void *section)
{
    const struct conf_listener *listener = section;
    return listener->protocol != PROTOCOL_AUTO || (listener->backend != NULL) != splits(listener);
}

static bool admin_only_auto(const void *section)
{
    const struct conf_listener *listener = section;
    return listener->protocol == PROTOCOL_AUTO || !listener->admin;
}

static const struct rule listener_rules[] = {
    {"backend", has_backend_where_due, "found \"\"; only protocol \"auto\" may do without"},
    {"backends", splits_only_auto, "only protocol \"auto\" tells clients apart; with others backend is written"},
    {"backends", auto_has_one_or_the_other,
     "with protocol \"auto\" either backend is written or at least one of these, and not both"},
    {"admin", admin_only_auto, "only protocol \"auto\" finds plain HTTP; allowed is false"},
    {"name", name_is_not_admin, "\"admin\" is what the admin address is called in statistics; choose another name"},
    {"proxy_from", proxy_is_off_or_has_sources,
     "found no network; with proxy_protocol \"required\" or \"accept\" at least one must be written"},
    {0}};

const struct section conf_section_listener = {listener_options, listener_rules, sizeof(struct conf_listener)};
