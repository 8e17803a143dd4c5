/* ctl/import_target.h: the mqgate.conf that is being made. Values are texts as they will stand in the file, without
 * quotes; NULL is not written, and then mqgate's default holds. Everything belongs to the arena of the import. */
#ifndef MQGATE_CTL_IMPORT_TARGET_H
#define MQGATE_CTL_IMPORT_TARGET_H

#include <stdbool.h>

#include "base/text.h"
#include "ctl/import_memory.h"

struct target_timeouts {
    const char *connect_packet, *connect, *queue, *idle, *half_closed, *unacked;
};

struct target_global {
    const char *node, *workers, *max_connections, *user, *group, *control_socket, *control_mode, *control_level,
        *pid_file;
    struct strings log_to;
    const char    *log_format, *log_level, *log_access;
    const char    *drain_notice, *drain_deadline;
};

struct target_tls {
    const char        *name;
    struct strings     chains, keys; /* as many keys as chains */
    const char        *min_version, *ciphers, *ciphersuites, *groups;
    struct strings     alpn;
    const char        *client_ca, *verify, *crl, *session_tickets;
    struct target_tls *next;
};

struct target_tls_client {
    const char               *name, *ca, *verify, *sni, *chain, *key, *min_version;
    struct target_tls_client *next;
};

struct target_server {
    const char           *name, *address, *send_proxy, *weight, *backup, *max_connections, *source, *tls;
    struct target_server *next;
};

struct target_check {
    const char *type, *interval, *fast_interval, *timeout, *fall, *rise, *address, *http_path, *http_expect;
};

struct target_backend {
    const char            *name, *balance, *tries;
    struct target_server  *servers; /* at least one */
    struct target_check    check;
    struct target_backend *next;
};

struct target_listener {
    const char             *name;
    struct strings          bind; /* at least one */
    const char             *protocol, *backend, *tls, *proxy_protocol;
    struct strings          proxy_from;
    const char             *max_connections, *rate_limit;
    struct strings          allow, deny;
    const char             *backlog;
    const char             *keepalive_idle, *keepalive_interval, *keepalive_probes;
    struct target_timeouts  timeouts;
    struct target_listener *next;
};

struct target_admin {
    const char    *bind, *health_uri, *stats_uri, *metrics_uri;
    struct strings stats_allow, stats_auth;
};

struct target {
    struct target_global      global;
    struct target_timeouts    timeouts;
    struct target_listener   *listeners;
    struct target_tls        *tls;
    struct target_tls_client *tls_clients;
    struct target_backend    *backends;
    struct target_admin       admin;
};

/* What all listeners say alike about timeouts is said once, for all of them. */
void target_share_timeouts(struct target *target);
/* The file. from: the name of what it was made of, for the comment at its top. */
void target_write(const struct target *target, const char *from, struct text *out);

#endif
