/* conf/model.h: what the operator wrote, typed, with every default filled in. Const after conf_load().
 * Everything in it belongs to the struct conf; durations are milliseconds, sizes are bytes; "" stands where nothing
 * was written. Names and meanings are those of mqgate.conf(5). */
#ifndef MQGATE_CONF_MODEL_H
#define MQGATE_CONF_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/command.h"
#include "base/log.h"

enum conf_access { ACCESS_END, ACCESS_START_END, ACCESS_ERRORS, ACCESS_OFF };
enum conf_protocol { PROTOCOL_MQTT, PROTOCOL_WS, PROTOCOL_TCP, PROTOCOL_AUTO };
enum conf_proxy_in { PROXY_IN_OFF, PROXY_IN_ACCEPT, PROXY_IN_REQUIRED };
enum conf_proxy_out { PROXY_OUT_OFF, PROXY_OUT_V1, PROXY_OUT_V2 };
enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };
enum conf_verify { VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED };
enum conf_balance { BALANCE_LOCAL_FIRST, BALANCE_LEASTCONN, BALANCE_ROUNDROBIN, BALANCE_SOURCE, BALANCE_CLIENT_ID };
enum conf_check_type { CHECK_TCP, CHECK_MQTT, CHECK_HTTP, CHECK_NONE };
enum conf_healthy_when { HEALTHY_ALL, HEALTHY_ANY };

extern const char *const conf_protocol_names[];
extern const char *const conf_balance_names[];

struct conf_strings {
    const char **at;
    size_t       n;
};

struct conf_networks {
    struct network *at;
    size_t          n;
};

struct conf_timeouts {
    uint32_t proxy_header_ms;
    uint32_t handshake_ms;
    uint32_t connect_packet_ms;
    uint32_t connect_ms;
    uint32_t queue_ms;
    uint32_t idle_ms;
    uint32_t half_closed_ms;
    uint32_t unacked_ms;
};

struct conf_keepalive {
    uint32_t idle_ms;
    uint32_t interval_ms;
    uint32_t probes;
};

struct conf_log {
    struct conf_strings to;
    enum log_format     format;
    enum log_level      level;
    enum conf_access    access;
    bool                identity; /* names of MQTT users may be shown */
};

enum { DRAIN_REFERENCE_MAX = 1024 }; /* bytes */

/* How sessions are ended when the process is to stop, and by `shed` and max_age. */
struct conf_drain {
    uint32_t    notice_ms;
    uint32_t    rate; /* sessions a second; 0: all at once */
    uint32_t    deadline_ms;
    const char *server_reference; /* "": none */
    bool        clean_will;
};

/* How sessions go over to another binary. */
struct conf_upgrade {
    uint32_t wait_ms; /* for sessions that cannot be carried over yet */
};

struct conf_global {
    const char         *node;    /* never "" : the host's name when none is written */
    uint32_t            workers; /* never 0: one for each CPU when none is written */
    uint32_t            max_connections;
    const char         *user;
    const char         *group;
    const char         *control_socket;         /* "": none */
    bool                control_socket_written; /* false: it is the default */
    const char         *control_mode_text;      /* as written */
    mode_t              control_mode;
    enum command_level  control_level;
    const char         *pid_file;
    struct conf_log     log;
    struct conf_drain   drain;
    struct conf_upgrade upgrade;
};

struct conf_certificate {
    const char *chain; /* PEM file */
    const char *key;   /* PEM file */
};

/* One entry of "tls": how clients are spoken to. */
struct conf_tls {
    const char              *name;
    struct conf_certificate *certificates;
    size_t                   n_certificates; /* at least 1 */
    enum conf_tls_version    min_version;
    const char              *ciphers;
    const char              *ciphersuites;
    const char              *groups;
    struct conf_strings      alpn;
    const char              *client_ca;
    enum conf_verify         verify;
    const char              *crl;
    bool                     session_tickets;
    bool                     detach;
};

/* One entry of "tls_client": how a server is spoken to. */
struct conf_tls_client {
    const char           *name;
    const char           *ca;
    enum conf_verify      verify; /* VERIFY_NONE or VERIFY_REQUIRED */
    const char           *sni;
    const char           *chain;
    const char           *key;
    enum conf_tls_version min_version;
};

/* An SRV record stands for as many servers as it names; each of them has one of these places. */
enum { CONF_SERVERS_MAX = 64, CONF_SRV_SLOTS = 16 };

struct conf_server {
    const char                   *name;
    const char                   *address_text; /* as written */
    struct addr                   address;      /* not set: DNS knows */
    const char                   *host;         /* NULL: the address is fixed; else the name to look up */
    uint16_t                      port;         /* of host; 0: host names an SRV record */
    uint8_t                       slot;         /* of an SRV record: 0..CONF_SRV_SLOTS - 1 */
    enum conf_proxy_out           send_proxy;
    uint32_t                      weight; /* 0..256 */
    bool                          backup;
    uint32_t                      max_connections; /* 0: no limit */
    uint32_t                      max_pending;     /* the same */
    bool                          source_auto;
    struct addr                   source; /* where source_auto is false; port 0 */
    const struct conf_tls_client *tls;    /* NULL: plain */
};

struct conf_check {
    enum conf_check_type type;
    uint32_t             interval_ms;
    uint32_t             fast_interval_ms;
    uint32_t             timeout_ms;
    uint32_t             fall;
    uint32_t             rise;
    struct addr          address; /* not set: the server's own */
    const char          *http_path;
    uint32_t             http_expect;
};

struct conf_backend {
    const char         *name;
    enum conf_balance   balance;
    struct conf_server *written; /* the servers as they stand in the file */
    size_t              n_written;
    struct conf_server *servers;   /* the same, with every slot of an SRV record one of its own: name1, name2, ... */
    size_t              n_servers; /* 1..CONF_SERVERS_MAX */
    struct conf_check   check;
    uint32_t            tries; /* at least 1 */
};

/* Of each client address; 0: no limit. */
struct conf_per_source {
    uint32_t max_connections;
    uint32_t rate_limit; /* sessions a second */
};

/* What is asked of MQTT clients. */
struct conf_mqtt {
    uint32_t            max_connect_size; /* bytes of the whole packet */
    struct conf_strings versions;         /* as mqtt_version_name() has them */
    bool                require_client_id;
    bool                enforce_keepalive;
    bool                strict;
};

/* What is asked of WebSocket clients. */
struct conf_ws {
    const char         *path;
    struct conf_strings subprotocols;
    bool                forwarded; /* X-Forwarded-For, -Port and -Proto go to the server */
};

/* Old sessions are asked to reconnect. */
struct conf_max_age {
    uint32_t    after_ms;       /* 0: never */
    const char *jitter_text;    /* as written */
    uint32_t    jitter_percent; /* of after_ms, either way */
    uint32_t    budget;         /* sessions a minute, at least 1 */
};

/* Of a listener that tells clients apart; NULL: such clients are refused. */
struct conf_split {
    const struct conf_backend *mqtt;
    const struct conf_backend *ws;
};

struct conf_listener {
    const char                *name;
    struct addr               *bind;
    size_t                     n_bind; /* at least 1 */
    enum conf_protocol         protocol;
    const struct conf_backend *backend; /* NULL: it has backends; PROTOCOL_AUTO only */
    struct conf_split          backends;
    bool                       admin; /* plain HTTP goes to the admin endpoints; PROTOCOL_AUTO only */
    const struct conf_tls     *tls;   /* NULL: plain */
    enum conf_proxy_in         proxy_protocol;
    struct conf_networks       proxy_from;
    uint32_t                   max_connections; /* 0: only the global limit */
    uint32_t                   rate_limit;      /* sessions begun a second; 0: no limit */
    struct conf_per_source     per_source;
    struct conf_networks       allow; /* empty: everybody */
    struct conf_networks       deny;
    uint32_t                   backlog;
    struct conf_keepalive      tcp_keepalive;
    struct conf_timeouts       timeouts;
    struct conf_mqtt           mqtt;
    struct conf_ws             ws;
    struct conf_max_age        max_age;
};

/* How host names of servers are looked up. */
struct conf_resolver {
    struct addr *servers;
    size_t       n_servers; /* 0: those of /etc/resolv.conf */
    uint32_t     hold_ms;
};

struct conf_admin {
    struct addr            bind; /* not set: no admin listener */
    const char            *health_uri;
    const char            *stats_uri;
    const char            *metrics_uri;
    struct conf_networks   stats_allow;
    struct conf_strings    stats_auth; /* "user:hash" */
    enum conf_healthy_when healthy_when;
};

struct conf {
    const char             *file; /* the path it was read from */
    struct conf_global      global;
    struct conf_timeouts    timeouts; /* each listener has its own, made from these */
    struct conf_listener   *listeners;
    size_t                  n_listeners; /* at least 1 */
    struct conf_tls        *tls;
    size_t                  n_tls;
    struct conf_tls_client *tls_clients;
    size_t                  n_tls_clients;
    struct conf_backend    *backends;
    size_t                  n_backends; /* at least 1 */
    struct conf_resolver    resolver;
    struct conf_admin       admin;
    struct arena           *arena; /* owns every byte above */
    _Atomic uint32_t        refs;
};

/* Where a listener takes clients that speak this; NULL: nowhere. */
static inline const struct conf_backend *conf_backend_for(const struct conf_listener *listener,
                                                          enum conf_protocol          protocol)
{
    if (listener->protocol != PROTOCOL_AUTO)
        return protocol == listener->protocol ? listener->backend : NULL;
    if (protocol != PROTOCOL_MQTT && protocol != PROTOCOL_WS)
        return NULL;
    if (listener->backend != NULL)
        return listener->backend;
    return protocol == PROTOCOL_MQTT ? listener->backends.mqtt : listener->backends.ws;
}

/* Plain HTTP is answered somewhere. */
static inline bool conf_has_admin(const struct conf *conf)
{
    for (size_t i = 0; i < conf->n_listeners; i++) {
        if (conf->listeners[i].admin)
            return true;
    }
    return addr_is_set(&conf->admin.bind);
}

#endif
