/* ctl/import_translate.h: what the parts of the translation share. Private to ctl/import*. */
#ifndef MQGATE_CTL_IMPORT_TRANSLATE_H
#define MQGATE_CTL_IMPORT_TRANSLATE_H

#include "base/addr.h"
#include "ctl/import_convert.h"
#include "ctl/import_file.h"
#include "ctl/import_target.h"

/* A value as HAProxy has it, and the line that says so. text is NULL where nothing was said; a switch that is on has
 * some text. */
struct given {
    const char  *text;
    struct line *line;
};

struct lines {
    struct line **at;
    size_t        n, cap;
};

/* --- parameters of bind and server (import_params.c) --- */

enum param_kind {
    PARAM_VALUE, /* its argument goes into a struct given */
    PARAM_ADD,   /* into a struct strings */
    PARAM_CONST, /* text goes there */
    PARAM_CLEAR, /* the struct given is empty again */
    PARAM_IGNORE,
    PARAM_LOSE /* text says why */
};

struct param {
    const char     *name;
    unsigned        args;
    enum param_kind kind;
    size_t          offset;
    const char     *text;
};

struct import;
/* Words from n on; table ends with a NULL name. */
void params_read(struct import *im, struct line *line, size_t n, const struct param *table, void *at);

struct bind_params {
    struct given ssl, ca, verify, crl, alpn, ciphers, ciphersuites, groups, min_version, no_tickets, accept_proxy,
        max_connections, backlog, name, both_families, one_family, unacked;
    struct strings crts;
};

struct server_params {
    struct given check, interval, fast_interval, rise, fall, check_port, check_address, send_proxy, weight, backup,
        max_connections, source, disabled, ssl, verify, verify_host, ca, crt, sni, min_version;
};

extern const struct param bind_table[], server_table[];

/* --- a proxy: defaults, listen, frontend or backend (import_proxy.c) --- */

enum proxy_timeout {
    TIMEOUT_CONNECT,
    TIMEOUT_CLIENT,
    TIMEOUT_SERVER,
    TIMEOUT_QUEUE,
    TIMEOUT_CLIENT_FIN,
    TIMEOUT_SERVER_FIN,
    TIMEOUT_TUNNEL,
    TIMEOUT_CHECK,
    N_PROXY_TIMEOUTS
};

struct proxy {
    struct section_lines *section;
    bool                  front, back, http;
    bool                  is_read; /* the lines of the section are in what follows */

    struct given         timeouts[N_PROXY_TIMEOUTS]; /* text: milliseconds, a number */
    struct given         max_connections, backlog, rate_limit, tries, balance, source, inspect_delay;
    struct given         keepalive_idle, keepalive_interval, keepalive_probes;
    struct given         stick_client_id, stick_source;
    struct given         tcp_check, http_check; /* that "option" */
    struct given         http_path, http_expect;
    struct server_params default_server;
    struct given         default_backend;
    struct lines         binds, servers, acls, tcp_rules, http_rules, use_backends, tcp_checks;

    struct given stats, stats_uri, monitor_uri;
    struct lines stats_auth, monitor_fail;

    struct target_backend *made;
    bool                   tried; /* to make it */
};

struct import {
    struct arena            *arena;
    const struct import_ops *ops;
    struct import_file       file;
    struct target            target;
    struct proxy            *proxies; /* frontend, listen, backend */
    size_t                   n_proxies;
    struct strings           bound; /* addresses that are listened on */
    const char              *ca_base, *crt_base;
    struct bind_params       bind_defaults;
    struct server_params     server_defaults;
    struct given             admin;      /* the bind line that the admin address comes from */
    size_t                   tests_left; /* of acls that may be read: no file makes this program work for long */
    struct strings           listener_names, backend_names, tls_names, tls_client_names;
};

void lines_add(struct arena *arena, struct lines *list, struct line *line);

/* A line that is dealt with by its first words. */
enum keyword_kind {
    KEYWORD_TAKE,
    KEYWORD_IGNORE, /* mqgate does the same anyway, or there is nothing to do */
    KEYWORD_NOTE,   /* and the operator may want to know why */
    KEYWORD_LOSE
};

struct keyword {
    const char       *begins; /* NULL: the last of a table */
    enum keyword_kind kind;
    const char       *text;
    void (*take)(struct import *im, void *at, struct line *line);
};

/* Entries of such a table. */
#define TAKE(words, function)                                                                                          \
    {                                                                                                                  \
        words, KEYWORD_TAKE, NULL, function                                                                            \
    }
#define SAME(words)                                                                                                    \
    {                                                                                                                  \
        words, KEYWORD_IGNORE, NULL, NULL                                                                              \
    }
#define NOTE(words, why)                                                                                               \
    {                                                                                                                  \
        words, KEYWORD_NOTE, why, NULL                                                                                 \
    }
#define LOSE(words, why)                                                                                               \
    {                                                                                                                  \
        words, KEYWORD_LOSE, why, NULL                                                                                 \
    }

/* The first entry that fits deals with the line; one that nothing fits is lost. */
void keywords_apply(struct import *im, const struct keyword *table, void *at, struct line *line);

/* Every line of the proxy, once. */
void proxy_read(struct import *im, struct proxy *proxy);
/* NULL when there is none with that name that has the side. */
struct proxy *proxy_find(struct import *im, const char *name, bool back);

/* --- values (import_fit.c) --- */

/* text when the option takes it; else the line is lost, and NULL. */
const char *import_fit(struct import *im, struct line *line, const char *path, const char *text);
/* The same of a number and of milliseconds. */
const char *import_number(struct import *im, struct line *line, const char *path, const char *word);
const char *import_ms(struct import *im, struct line *line, const char *path, const char *ms);
/* Whether this version takes it; nothing is said. */
bool import_can(const char *path, const char *text);
/* A duration of HAProxy's, whose bare numbers are of unit_ms milliseconds, as a number of milliseconds. NULL: lost. */
const char *import_duration(struct import *im, struct line *line, const char *word, uint64_t unit_ms);
/* A name that mqgate allows and that `taken`, which gets it, does not have. */
const char *import_name(struct import *im, struct strings *taken, const char *wanted);
/* Whether one more than n may be in the list; else the line is lost. */
bool import_has_room(struct import *im, struct line *line, const char *path, size_t n);

/* --- addresses (import_address.c) --- */

/* "address:port" of a bind line or a server as mqgate writes it. NULL: the line is lost. *any, if not NULL: every
 * address of IPv6 was meant. */
const char *import_bind_address(struct import *im, struct line *line, const char *word, bool *any);
const char *import_server_address(struct import *im, struct line *line, const char *word);
/* An address without a port. */
const char *import_ip(struct import *im, struct line *line, const char *word);
/* "10.0.0.0/8" of "10.1.2.3/8" or "10.1.2.3/255.0.0.0". NULL: it is no network. */
const char *import_network(struct import *im, const char *word);
/* Notes that something listens there. False: it cannot, for something else does. */
bool import_bind(struct import *im, const char *address);
/* The same host with another port, and the other way about; NULL where that cannot be told. */
const char *import_with_port(struct import *im, const char *address, const char *port);
const char *import_port_text(const char *address);
unsigned    import_port(const char *address); /* 0: unknown */

/* --- conditions (import_acl.c) --- */

enum condition_kind {
    CONDITION_ALWAYS,
    CONDITION_SOURCE,
    CONDITION_MQTT,
    CONDITION_PATH,
    CONDITION_SERVERS,
    CONDITION_OTHER
};

struct condition {
    enum condition_kind kind;
    bool not ;               /* it holds where kind does not */
    struct strings networks; /* CONDITION_SOURCE */
    const char    *path;     /* CONDITION_PATH */
    struct lines   acls;     /* that it needs */
};

/* "if ..." or "unless ..." from the n-th word on, or nothing. */
struct condition condition_read(struct import *im, const struct proxy *proxy, const struct line *line, size_t n);
/* What came of it was carried over: the acls are of use. */
void condition_used(const struct condition *condition);
/* acls that nothing needed are lost. */
void acls_unused(struct import *im, struct proxy *proxy);

/* --- sections --- */

void import_global(struct import *im, const struct section_lines *section);
/* NULL: it cannot be made; *why is a phrase. */
struct target_backend *import_backend(struct import *im, struct proxy *proxy, const char **why);
/* Whether its tcp-check lines send a CONNECT. */
bool import_checks_mqtt(const struct proxy *proxy);
void import_frontend(struct import *im, struct proxy *proxy);
/* "emqx_ws", "wss-in" */
bool import_names_websocket(const char *name);
bool import_is_admin(const struct proxy *proxy);
void import_admin(struct import *im, struct proxy *proxy);
/* Where nothing in the file is an admin address. */
void import_admin_default(struct import *im);
/* A "log" line: where it sends to is added to the global targets. */
void import_log(struct import *im, struct line *line);

/* The section of TLS that is made of these; NULL: it cannot be. */
const char *import_tls(struct import *im, struct line *line, const struct bind_params *bind, const char *name);
const char *import_tls_client(struct import *im, struct line *line, const struct server_params *server,
                              const char *name);

#endif
