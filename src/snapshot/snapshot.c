#include "snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/macros.h"
#include "conf/load.h"

static const enum tls_version tls_versions[] = {[CONF_TLS_1_2] = TLS_VERSION_1_2, [CONF_TLS_1_3] = TLS_VERSION_1_3};
static const enum tls_verify  tls_verifies[] = {
     [VERIFY_NONE] = TLS_VERIFY_NONE, [VERIFY_OPTIONAL] = TLS_VERIFY_OPTIONAL, [VERIFY_REQUIRED] = TLS_VERIFY_REQUIRED};

static void on_tls_warning(void *user, const char *text)
{
    log_warn((struct log *)user, "tls_warning", LOG_STR("text", text));
}

static struct tls_server *build_tls_server(const struct conf_tls *conf, struct tls_tickets *tickets, struct log *log,
                                           struct err *err)
{
    struct tls_certificate_files *files = calloc(conf->n_certificates, sizeof *files);
    if (files == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < conf->n_certificates; i++)
        files[i] = (struct tls_certificate_files){conf->certificates[i].chain, conf->certificates[i].key};
    const struct tls_server_settings settings = {
        .certificates = files,
        .n_certificates = conf->n_certificates,
        .min_version = tls_versions[conf->min_version],
        .ciphers = conf->ciphers,
        .ciphersuites = conf->ciphersuites,
        .groups = conf->groups,
        .alpn = conf->alpn.at,
        .n_alpn = conf->alpn.n,
        .client_ca = conf->client_ca,
        .verify = tls_verifies[conf->verify],
        .crl = conf->crl,
        .tickets = conf->session_tickets ? tickets : NULL,
        .detach = conf->detach,
    };
    struct tls_server *server = tls_server_new(&settings, on_tls_warning, log, err);
    free(files);
    return server;
}

static struct tls_client *build_tls_client(const struct conf_tls_client *conf, struct log *log, struct err *err)
{
    const struct tls_client_settings settings = {
        .ca = conf->ca,
        .verify = tls_verifies[conf->verify],
        .chain = conf->chain,
        .key = conf->key,
        .min_version = tls_versions[conf->min_version],
    };
    return tls_client_new(&settings, on_tls_warning, log, err);
}

static bool build_tls(struct snapshot *snap, struct tls_tickets *tickets, struct log *log, struct err *err)
{
    const struct conf *conf = snap->conf;
    for (size_t i = 0; i < conf->n_tls; i++) {
        snap->tls[i] = build_tls_server(&conf->tls[i], tickets, log, err);
        if (snap->tls[i] == NULL) {
            err_prefix(err, "tls \"%s\"", conf->tls[i].name);
            return false;
        }
    }
    for (size_t i = 0; i < conf->n_tls_clients; i++) {
        snap->tls_clients[i] = build_tls_client(&conf->tls_clients[i], log, err);
        if (snap->tls_clients[i] == NULL) {
            err_prefix(err, "tls_client \"%s\"", conf->tls_clients[i].name);
            return false;
        }
    }
    return true;
}

static struct server_settings settings_of(const struct conf_server *conf)
{
    return (struct server_settings){.name = conf->name,
                                    .address = conf->address,
                                    .host = conf->port != 0 ? conf->host : NULL,
                                    .max_connections = conf->max_connections,
                                    .max_pending = conf->max_pending,
                                    .weight = conf->weight,
                                    .backup = conf->backup};
}

/* old: the same server in the snapshot before; NULL: it is new. */
static bool build_server(struct snapshot *snap, const struct snap_backend *backend, const struct conf_server *conf,
                         const struct snap_server *old, struct snap_server *server)
{
    const struct server_settings settings = settings_of(conf);
    server->conf = conf;
    if (conf->tls != NULL)
        server->tls = snap->tls_clients[conf->tls - snap->conf->tls_clients];
    enum server_state state = backend->conf->check.type == CHECK_NONE ? SERVER_UNCHECKED : SERVER_UNKNOWN;
    server->live = old != NULL ? server_ref(old->live) : server_new(&settings, state);
    server->row = stats_child(snap->stats, backend->row, conf->name);
    return server->live != NULL && server->row != NULL;
}

static bool build_backend(struct snapshot *snap, const struct conf_backend *conf, const struct snapshot *before,
                          struct snap_backend *backend)
{
    const struct snap_backend *old = before != NULL ? snapshot_find_backend(before, conf->name) : NULL;
    struct server             *lives[POOL_SERVERS_MAX];
    _Static_assert((int)CONF_SERVERS_MAX <= (int)POOL_SERVERS_MAX, "a backend's servers fit into its pool");
    backend->servers = calloc(conf->n_servers, sizeof *backend->servers);
    if (backend->servers == NULL)
        return false;
    backend->conf = conf;
    backend->row = stats_proxy(snap->stats, ROW_BACKEND, conf->name);
    if (backend->row == NULL)
        return false;
    for (size_t i = 0; i < conf->n_servers; i++) {
        const struct snap_server *was = old != NULL ? snap_backend_find_server(old, conf->servers[i].name) : NULL;
        if (!build_server(snap, backend, &conf->servers[i], was, &backend->servers[i]))
            return false;
        lives[i] = backend->servers[i].live;
    }
    backend->pool =
        pool_new(conf->balance, lives, conf->n_servers, snap->conf->global.workers, old != NULL ? old->pool : NULL);
    return backend->pool != NULL;
}

static bool build_binds(struct snapshot *snap, struct snap_listener *listener)
{
    for (size_t i = 0; i < listener->conf->n_bind; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "sock-%zu", i + 1); /* HAProxy's, where an operator gave none */
        listener->binds[i].listener = listener;
        listener->binds[i].row = stats_child(snap->stats, listener->row, name);
        if (listener->binds[i].row == NULL)
            return false;
    }
    return true;
}

static bool build_sources(struct snap_listener *listener, const struct snap_listener *old)
{
    const struct conf_per_source *limits = &listener->conf->per_source;
    uint8_t                       key[SIPHASH_KEY_BYTES];
    if (limits->max_connections == 0 && limits->rate_limit == 0)
        return true;
    if (old != NULL && old->sources != NULL) {
        listener->sources = sources_ref(old->sources);
        return true;
    }
    if (getrandom(key, sizeof key, 0) != sizeof key) /* not with so few bytes, says getrandom(2) */
        return false;
    listener->sources = sources_new(SOURCES_DEFAULT_ENTRIES, key);
    return listener->sources != NULL;
}

static bool build_pace(const struct snapshot *snap, struct snap_listener *listener, const struct snap_listener *old)
{
    if (listener->conf->rate_limit == 0)
        return true;
    if (old != NULL && old->pace != NULL) {
        listener->pace = pace_ref(old->pace);
        listener->offers = pace_ref(old->offers);
        return true;
    }
    listener->pace = pace_new(listener->conf->rate_limit, snap->conf->global.workers, PACE_WAY_LONG_NS);
    listener->offers = pace_new(listener->conf->rate_limit, snap->conf->global.workers, PACE_WAY_SHORT_NS);
    return listener->pace != NULL && listener->offers != NULL;
}

static bool build_listener(struct snapshot *snap, const struct conf_listener *conf, const struct snapshot *before,
                           struct snap_listener *listener)
{
    const struct snap_listener *old = before != NULL ? snapshot_find_listener(before, conf->name) : NULL;
    listener->conf = conf;
    for (enum conf_protocol p = 0; p < PROTOCOL_AUTO; p++) {
        const struct conf_backend *to = conf_backend_for(conf, p);
        if (to != NULL)
            listener->backends[p] = &snap->backends[to - snap->conf->backends];
    }
    if (conf->tls != NULL)
        listener->tls = snap->tls[conf->tls - snap->conf->tls];
    atomic_init(&listener->max_connections, conf->max_connections);
    listener->row = stats_proxy(snap->stats, ROW_FRONTEND, conf->name);
    listener->binds = calloc(conf->n_bind, sizeof *listener->binds);
    return listener->row != NULL && listener->binds != NULL && build_binds(snap, listener) &&
           build_sources(listener, old) && build_pace(snap, listener, old);
}

static bool build_tables(struct snapshot *snap, const struct snapshot *before)
{
    const struct conf *conf = snap->conf;
    for (size_t i = 0; i < conf->n_listeners; i++) {
        if (!build_listener(snap, &conf->listeners[i], before, &snap->listeners[i]))
            return false;
    }
    for (size_t i = 0; i < conf->n_backends; i++) {
        if (!build_backend(snap, &conf->backends[i], before, &snap->backends[i]))
            return false;
    }
    return true;
}

/* calloc() for no elements may answer NULL, which would look like a failure. */
static void *table(size_t n, size_t size)
{
    return calloc(n > 0 ? n : 1, size);
}

static bool make_room(struct snapshot *snap)
{
    const struct conf *conf = snap->conf;
    snap->listeners = table(conf->n_listeners, sizeof *snap->listeners);
    snap->backends = table(conf->n_backends, sizeof *snap->backends);
    snap->tls = table(conf->n_tls, sizeof(struct tls_server *));
    snap->tls_clients = table(conf->n_tls_clients, sizeof(struct tls_client *));
    return snap->listeners != NULL && snap->backends != NULL && snap->tls != NULL && snap->tls_clients != NULL;
}

static void free_backend(struct snap_backend *backend)
{
    pool_free(backend->pool);
    for (size_t i = 0; backend->servers != NULL && backend->conf != NULL && i < backend->conf->n_servers; i++) {
        server_unref(backend->servers[i].live);
        row_unref(backend->servers[i].row);
    }
    free(backend->servers);
    row_unref(backend->row);
}

static void free_listener(struct snap_listener *listener)
{
    for (size_t i = 0; listener->binds != NULL && i < listener->conf->n_bind; i++)
        row_unref(listener->binds[i].row);
    free(listener->binds);
    sources_unref(listener->sources);
    pace_unref(listener->pace);
    pace_unref(listener->offers);
    row_unref(listener->row);
}

/* All but the configuration. */
static void free_tables(struct snapshot *snap)
{
    const struct conf *conf = snap->conf;
    for (size_t i = 0; snap->listeners != NULL && i < conf->n_listeners; i++)
        free_listener(&snap->listeners[i]);
    for (size_t i = 0; snap->backends != NULL && i < conf->n_backends; i++)
        free_backend(&snap->backends[i]);
    for (size_t i = 0; snap->tls != NULL && i < conf->n_tls; i++)
        tls_server_free(snap->tls[i]);
    for (size_t i = 0; snap->tls_clients != NULL && i < conf->n_tls_clients; i++)
        tls_client_free(snap->tls_clients[i]);
    free(snap->listeners);
    free(snap->backends);
    free((void *)snap->tls);
    free((void *)snap->tls_clients);
}

struct snapshot *snapshot_build(struct conf *conf, struct snapshot *before, struct stats *stats,
                                struct tls_tickets *tickets, struct log *log, struct err *err)
{
    struct snapshot *snap = calloc(1, sizeof *snap);
    err_set(err, "out of memory");
    if (snap == NULL)
        return NULL;
    snap->conf = conf_ref(conf);
    snap->stats = stats;
    atomic_init(&snap->refs, 1);
    if (make_room(snap) && build_tls(snap, tickets, log, err)) {
        if (build_tables(snap, before))
            return snap;
        err_set(err, "out of memory");
    }
    free_tables(snap);
    conf_unref(snap->conf);
    free(snap);
    return NULL;
}

/* One that was not checked counted as up, and goes on as that until its first check has answered. */
static void commit_checks(const struct snap_backend *backend, const struct snap_backend *old, struct server *live)
{
    bool checked = backend->conf->check.type != CHECK_NONE, was_checked = old->conf->check.type != CHECK_NONE;
    if (checked != was_checked)
        server_set_state(live, checked ? SERVER_UP : SERVER_UNCHECKED);
}

static void commit_listener(struct snap_listener *listener, struct snap_listener *old)
{
    uint64_t            next_ns = atomic_load(&old->next_aged_ns);
    enum listener_state state = atomic_load(&old->state);
    atomic_store(&listener->next_aged_ns, next_ns);
    if (state == LISTENER_PAUSED)
        atomic_store(&listener->state, state);
    if (listener->conf->max_connections == old->conf->max_connections)
        atomic_store(&listener->max_connections, atomic_load(&old->max_connections));
    if (old->pace == NULL)
        return;
    uint32_t rate = listener->pace != NULL ? listener->conf->rate_limit : PACE_RATE_MAX; /* who waits goes on */
    pace_set_rate(old->pace, rate);
    pace_set_rate(old->offers, rate);
}

void snapshot_commit(struct snapshot *snap, const struct snapshot                                           *before,
                     void (*moved)(void *user, size_t backend, size_t server, const struct addr *was), void *user)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        struct snap_listener *old = snapshot_find_listener(before, snap->listeners[i].conf->name);
        if (old != NULL)
            commit_listener(&snap->listeners[i], old);
    }
    for (size_t b = 0; b < snap->conf->n_backends; b++) {
        struct snap_backend       *backend = &snap->backends[b];
        const struct snap_backend *old = snapshot_find_backend(before, backend->conf->name);
        for (size_t i = 0; old != NULL && i < backend->conf->n_servers; i++) {
            const struct snap_server *server = &backend->servers[i];
            const struct snap_server *was = snap_backend_find_server(old, server->conf->name);
            if (was == NULL)
                continue;
            const struct server_settings before_it = settings_of(was->conf), now = settings_of(server->conf);
            const struct addr            at = server_address(server->live);
            commit_checks(backend, old, server->live);
            if (server_configure(server->live, &before_it, &now))
                moved(user, b, i, &at);
        }
    }
}

struct snapshot *snapshot_ref(struct snapshot *snap)
{
    atomic_fetch_add_explicit(&snap->refs, 1, memory_order_relaxed);
    return snap;
}

void snapshot_unref(struct snapshot *snap)
{
    if (snap == NULL || atomic_fetch_sub_explicit(&snap->refs, 1, memory_order_acq_rel) > 1)
        return;
    free_tables(snap);
    conf_unref(snap->conf);
    free(snap);
}

bool snap_listener_leads_to(const struct snap_listener *listener, const struct snap_backend *backend)
{
    for (enum conf_protocol p = 0; p < PROTOCOL_AUTO; p++) {
        if (listener->backends[p] == backend)
            return true;
    }
    return false;
}

static bool is_used(const struct snapshot *snap, const struct snap_backend *backend)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        if (snap_listener_leads_to(&snap->listeners[i], backend))
            return true;
    }
    return false;
}

bool snapshot_is_healthy(const struct snapshot *snap)
{
    bool all = snap->conf->admin.healthy_when == HEALTHY_ALL;
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        if (!is_used(snap, &snap->backends[i]))
            continue;
        bool healthy = pool_is_healthy(snap->backends[i].pool);
        if (healthy != all)
            return healthy;
    }
    return all;
}

struct snap_listener *snapshot_find_listener(const struct snapshot *snap, const char *name)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        if (strcmp(snap->listeners[i].conf->name, name) == 0)
            return &snap->listeners[i];
    }
    return NULL;
}

struct snap_backend *snapshot_find_backend(const struct snapshot *snap, const char *name)
{
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        if (strcmp(snap->backends[i].conf->name, name) == 0)
            return &snap->backends[i];
    }
    return NULL;
}

struct snap_server *snap_backend_find_server(const struct snap_backend *backend, const char *name)
{
    for (size_t i = 0; i < backend->conf->n_servers; i++) {
        if (strcmp(backend->servers[i].conf->name, name) == 0)
            return &backend->servers[i];
    }
    return NULL;
}
