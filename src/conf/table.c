/* The root of the language, and the groups that stand once: global, resolver, admin. */
#include "conf/table.h"

#include <string.h>

#include "conf/syntax.h"
#include "conf/units.h"

const struct option *section_find(const struct section *section, const char *name)
{
    for (const struct option *o = section->options; o->name != NULL; o++) {
        if (strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

#define AT(field) .offset = offsetof(struct conf_log, field)

static const struct choice log_formats[] = {
    {"logfmt", FORMAT_LOGFMT}, {"json", FORMAT_JSON}, {"tcplog", FORMAT_TCPLOG}, {NULL, 0}};

static const struct choice log_levels[] = {
    {"error", LEVEL_ERROR}, {"warn", LEVEL_WARN}, {"info", LEVEL_INFO}, {"debug", LEVEL_DEBUG}, {NULL, 0}};

static const struct choice log_accesses[] = {
    {"end", ACCESS_END}, {"start+end", ACCESS_START_END}, {"errors", ACCESS_ERRORS}, {"off", ACCESS_OFF}, {NULL, 0}};

static const struct option log_options[] = {
    {"to", OPTION_STRINGS, AT(to), .min = 1, .max = 8, .def = "stdout", .check = syntax_log_target,
     .allowed = "\"stdout\", \"stderr\", \"syslog:/path\" or \"syslog:udp://ip:port\"",
     .doc = "Where log lines go; every line goes to each of them. \"syslog:/dev/log\" writes to the local syslog "
            "socket, \"syslog:udp://127.0.0.1:514\" sends datagrams. No target can hold up a session: lines that it "
            "does not take in time are dropped and counted."},
    {"format", OPTION_ENUM, AT(format), .choices = log_formats, .def = "logfmt",
     .doc = "How a line is written. \"logfmt\" is key=value, values in double quotes where needed; \"json\" is one "
            "object a line with the same keys; \"tcplog\" has HAProxy's texts for sessions (option tcplog), for failed "
            "handshakes and for servers that go up or down, with HAProxy's syslog severities, so that what reads "
            "HAProxy's log reads this one; other events are their name and key=value. The time of a line is then "
            "left to syslog."},
    {"level", OPTION_ENUM, AT(level), .choices = log_levels, .def = "info",
     .doc = "The least urgent lines that are written. \"error\": the operator must act. \"warn\": may have to. "
            "\"info\": the life of the process and of sessions. \"debug\": every step of every session."},
    {"access", OPTION_ENUM, AT(access), .choices = log_accesses, .def = "end",
     .doc = "Which sessions are told of. \"end\": one line when a session ends; \"start+end\": one when it begins "
            "too; \"errors\": one at the end of those that did not end well; \"off\": none."},
    {"identity", OPTION_BOOL, AT(identity), .def = "false",
     .doc = "Whether MQTT user names stand in session lines and in the list of sessions. Passwords never do."},
    {0}};

static const struct section log_section = {log_options, NULL, sizeof(struct conf_log)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_drain, field)

static const struct option drain_options[] = {
    {"notice", OPTION_DURATION, AT(notice_ms), .min = 0, .max = LONGEST, .def = "0s",
     .doc = "How long the health endpoint answers 503 before the listeners close, so that a load balancer that asks "
            "at intervals sends nobody to a closed port. New clients are served until then."},
    {"rate", OPTION_U32, AT(rate), .min = 0, .max = MILLION, .def = "500",
     .doc = "Sessions that are asked to go each second once the listeners are closed, spread evenly over it, those "
            "with no packet in flight first. 0: all at once. It is also the pace of the command shed."},
    {"deadline", OPTION_DURATION, AT(deadline_ms), .min = 0, .max = LONGEST, .def = "60s",
     .doc = "Counted from the end of notice: whatever is left then is cut. Supervisors that wait for the process must "
            "wait for longer than notice and this together: TimeoutStopSec of systemd, kill_timeout of Nomad."},
    {"server_reference", OPTION_STRING, AT(server_reference), .max = DRAIN_REFERENCE_MAX, .def = "",
     .check = syntax_printable, .allowed = "printable text of at most 1024 bytes, or \"\"",
     .doc =
         "The Server Reference that MQTT 5 clients get with reason code 0x9C: in their DISCONNECT, or in the CONNACK "
         "of one that is not connected yet. It names where else to connect. \"\": none."},
    {"clean_will", OPTION_BOOL, AT(clean_will), .def = "false",
     .doc =
         "Whether the broker gets a DISCONNECT with code 0x00 from a client that is asked to go, by a drain, by shed "
         "or by max_age, so that it publishes no Will message. Otherwise it sees the connection end, and does."},
    {0}};

static const struct section drain_section = {drain_options, NULL, sizeof(struct conf_drain)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_upgrade, field)

static const struct option upgrade_options[] = {
    {"wait", OPTION_DURATION, AT(wait_ms), .min = 0, .max = LONGEST, .def = "5s",
     .doc = "How long an upgrade waits for TLS handshakes that have begun, which cannot be carried over. Whoever comes "
            "meanwhile waits in the listening sockets' queues. Handshakes that are not done by then are closed."},
    {0}};

static const struct section upgrade_section = {upgrade_options, NULL, sizeof(struct conf_upgrade)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_global, field)

static const struct choice control_levels[] = {
    {"user", COMMAND_USER}, {"operator", COMMAND_OPERATOR}, {"admin", COMMAND_ADMIN}, {NULL, 0}};

static const struct option global_options[] = {
    {"node", OPTION_STRING, AT(node), .max = 255, .def = "", .check = syntax_printable,
     .allowed = "printable text of at most 255 bytes",
     .doc = "The name of this node in statistics, logs and metrics. \"\": the host's name, gethostname(2)."},
    {"workers", OPTION_U32, AT(workers), .min = 0, .max = 256, .def = "0",
     .doc = "Threads that carry sessions, each with an event loop of its own. 0: one for each CPU that the process "
            "may run on, sched_getaffinity(2)."},
    {"max_connections", OPTION_U32, AT(max_connections), .min = 1, .max = ANY_COUNT, .def = "100000",
     .doc = "Client connections of all listeners together. At the limit no more are accepted until one ends; those "
            "that arrive wait in the listening sockets' queues, but where the listener has admin. A limit that the "
            "descriptor limit of the process "
            "cannot carry is lowered at start, with a warning that shows the arithmetic."},
    {"user", OPTION_STRING, AT(user), .max = 255, .def = "", .check = syntax_printable,
     .allowed = "the name of a user, or \"\"",
     .doc = "The user that the process becomes once its sockets are bound. \"\": it stays who it is."},
    {"group", OPTION_STRING, AT(group), .max = 255, .def = "", .check = syntax_printable,
     .allowed = "the name of a group, or \"\"",
     .doc = "The group that the process becomes once its sockets are bound. \"\": the user's own group where a user "
            "is written, else the group stays as it is."},
    {"control_socket", OPTION_STRING, AT(control_socket), .noted = offsetof(struct conf_global, control_socket_written),
     .max = 107, .def = "/run/mqgate/mqgate.sock", .check = syntax_printable,
     .allowed = "the path of a socket, or \"\"",
     .doc = "The Unix socket that takes runtime commands, as HAProxy's stats socket does; mqgatectl(1) sends them. It "
            "belongs to user and group. What a dead process left behind is replaced. A socket that is written here "
            "and cannot be made ends the start; the default one only brings a warning. \"\": none."},
    {"control_mode", OPTION_STRING, AT(control_mode_text), .max = 4, .def = "0660", .check = syntax_file_mode,
     .allowed = "four octal digits such as \"0660\"", .doc = "The file mode of the control socket."},
    {"control_level", OPTION_ENUM, AT(control_level), .choices = control_levels, .def = "admin",
     .doc = "What whoever connects to the control socket may do, HAProxy's level. \"user\": see figures; "
            "\"operator\": also see who the clients are, and clear counters; \"admin\": also change things."},
    {"pid_file", OPTION_STRING, AT(pid_file), .max = PATH_LEN, .def = "", .check = syntax_printable,
     .allowed = "the path of a file, or \"\"",
     .doc = "A file that holds the process id while the daemon runs. \"\": none."},
    {"log", OPTION_GROUP, AT(log), .section = &log_section, .doc = "What is logged, how, and where to."},
    {"drain", OPTION_GROUP, AT(drain), .section = &drain_section,
     .doc = "How sessions are closed when the process is told to stop."},
    {"upgrade", OPTION_GROUP, AT(upgrade), .section = &upgrade_section,
     .doc = "How sessions are carried over to a new binary."},
    {0}};

static const struct section global_section = {global_options, NULL, sizeof(struct conf_global)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_resolver, field)

static const struct option resolver_options[] = {
    {"servers", OPTION_ADDRESSES, AT(servers), .min = 0, .max = 8, .def = "",
     .doc = "Name servers to ask. None: those of /etc/resolv.conf, with its search domains, as they are when mqgate "
            "starts. Host names that /etc/hosts has are found there."},
    {"hold", OPTION_DURATION, AT(hold_ms), .min = SECOND, .max = LONGEST, .def = "5s",
     .doc = "How long an answer is good at the most: a name is asked for again when its TTL is over, after a second at "
            "the least and after this long at the latest. While no name server answers, or they answer with an error, "
            "the last good answer stays. An answer that a name does not exist, or has no addresses, must hold for this "
            "long before the servers lose theirs; a target that an SRV record no longer names leaves at once."},
    {0}};

static bool resolver_ports_are_set(const void *section)
{
    const struct conf_resolver *resolver = section;
    for (size_t i = 0; i < resolver->n_servers; i++) {
        if (addr_port(&resolver->servers[i]) == 0)
            return false;
    }
    return true;
}

static const struct rule resolver_rules[] = {
    {"servers", resolver_ports_are_set, "found port 0; a name server has a port from 1 to 65535"}, {0}};

static const struct section resolver_section = {resolver_options, resolver_rules, sizeof(struct conf_resolver)};

#undef AT
#define AT(field) .offset = offsetof(struct conf_admin, field)

static const struct choice healthy_whens[] = {{"all", HEALTHY_ALL}, {"any", HEALTHY_ANY}, {NULL, 0}};

#define URI_ALLOWED "a path such as \"/health\", without blanks, '?' and '#'"

static const struct option admin_options[] = {
    {"bind", OPTION_ADDRESS, AT(bind), .min = 0, .max = 65535, .def = "0.0.0.0:8080", .listens = true,
     .doc =
         "Where health and statistics are asked for over HTTP. \"\": only through listeners that have admin. Port 0: "
         "the kernel chooses one, and the event=listening line of the log tells it."},
    {"health_uri", OPTION_STRING, AT(health_uri), .max = 255, .def = "/haproxy_health", .check = syntax_uri_path,
     .allowed = URI_ALLOWED,
     .doc = "The path that answers 200 while the node is healthy and 503 while it is not. It answers everybody."},
    {"stats_uri", OPTION_STRING, AT(stats_uri), .max = 255, .def = "/haproxy_stats", .check = syntax_uri_path,
     .allowed = URI_ALLOWED,
     .doc = "The path of the statistics, and whatever begins with it: a page, or with \";csv\", \";typed\" or "
            "\";json\" behind it what HAProxy answers there; \";json;mqgate\" is a plain form."},
    {"metrics_uri", OPTION_STRING, AT(metrics_uri), .max = 255, .def = "/metrics", .check = syntax_uri_path,
     .allowed = URI_ALLOWED,
     .doc = "The path of the metrics in Prometheus' text format, or in OpenMetrics' where that is asked for. Who may "
            "read them is as for the statistics."},
    {"stats_allow", OPTION_NETWORKS, AT(stats_allow), .min = 0, .max = 4096,
     .def = "127.0.0.0/8 ::1/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
     .doc = "Networks that may ask for statistics; others get 403. Empty: nobody may. Health is not affected."},
    {"stats_auth", OPTION_STRINGS, AT(stats_auth), .min = 0, .max = 64, .def = "", .check = syntax_credentials,
     .secret = true, .allowed = "\"user:hash\" with a hash that crypt(3) wrote, such as $6$... or $y$...",
     .doc = "Users that may see the statistics and act on servers there, as \"user:hash\", the hash as crypt(3) "
            "writes it (mkpasswd(1) makes one). With at least one entry, requests without good credentials get 401. "
            "Empty: no credentials are asked for, and nobody may act on servers."},
    {"healthy_when", OPTION_ENUM, AT(healthy_when), .choices = healthy_whens, .def = "all",
     .doc = "The node is healthy when all, or when any, of the backends have at least one server up."},
    {0}};

static bool uris_differ(const void *section)
{
    const struct conf_admin *admin = section;
    return strcmp(admin->health_uri, admin->stats_uri) != 0;
}

static bool metrics_differ(const void *section)
{
    const struct conf_admin *admin = section;
    return strcmp(admin->metrics_uri, admin->health_uri) != 0 && strcmp(admin->metrics_uri, admin->stats_uri) != 0;
}

static const struct rule admin_rules[] = {
    {"stats_uri", uris_differ, "the same path as health_uri; each needs its own"},
    {"metrics_uri", metrics_differ, "the same path as health_uri or stats_uri; each needs its own"},
    {0}};

static const struct section admin_section = {admin_options, admin_rules, sizeof(struct conf_admin)};

#undef AT
#define AT(field) .offset = offsetof(struct conf, field)

static const struct option root_options[] = {
    {"global", OPTION_GROUP, AT(global), .section = &global_section, .doc = "What concerns the whole process."},
    {"timeouts", OPTION_GROUP, AT(timeouts), .section = &conf_section_timeouts,
     .doc = "How long each phase of a session may take. They are the defaults of every listener, which may override "
            "any of them."},
    {"listeners", OPTION_LIST, AT(listeners), .min = 1, .max = 256, .required = true, .section = &conf_section_listener,
     .doc = "Where clients connect, and which backend they are taken to."},
    {"tls", OPTION_LIST, AT(tls), .min = 0, .max = 256, .section = &conf_section_tls,
     .doc = "How TLS is spoken to clients; listeners refer to a section by its name."},
    {"tls_client", OPTION_LIST, AT(tls_clients), .min = 0, .max = 256, .section = &conf_section_tls_client,
     .doc = "How TLS is spoken to servers; servers refer to a section by its name."},
    {"backends", OPTION_LIST, AT(backends), .min = 1, .max = 256, .required = true, .section = &conf_section_backend,
     .doc = "Groups of servers that do the same, and how their health is checked."},
    {"resolver", OPTION_GROUP, AT(resolver), .section = &resolver_section,
     .doc = "How host names of servers are looked up."},
    {"admin", OPTION_GROUP, AT(admin), .section = &admin_section, .doc = "Health and statistics over HTTP."},
    {0}};

const struct section conf_section_root = {root_options, NULL, sizeof(struct conf)};
