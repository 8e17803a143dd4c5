#include "snapshot/carry.h"

#include "base/clock.h"

static bool is_named(const char *name, struct slice text)
{
    return slice_eq(slice_str(name), text);
}

static struct slice text_of(const char *text)
{
    return text != NULL ? slice_str(text) : slice_of(NULL, 0);
}

/* ---- servers ---- */

struct carried_server {
    struct slice backend, server;
    uint32_t     state, admin; /* enum server_state, enum server_admin */
    uint32_t     weight, file_weight;
    uint32_t     max_connections, file_max_connections;
    bool         backup, file_backup;
    bool         is_elsewhere; /* than the file says; then also: */
    struct addr  address, file_address;
    struct slice host, file_host;
    uint16_t     file_port;
    uint32_t     most_in_flight;
};

static const struct image_field server_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct carried_server, backend),
    IMAGE_FIELD(2, IMAGE_SLICE, struct carried_server, server),
    IMAGE_FIELD(3, IMAGE_UINT, struct carried_server, state),
    IMAGE_FIELD(4, IMAGE_UINT, struct carried_server, admin),
    IMAGE_FIELD(5, IMAGE_UINT, struct carried_server, weight),
    IMAGE_FIELD(6, IMAGE_UINT, struct carried_server, file_weight),
    IMAGE_FIELD(7, IMAGE_UINT, struct carried_server, max_connections),
    IMAGE_FIELD(8, IMAGE_UINT, struct carried_server, file_max_connections),
    IMAGE_FIELD(9, IMAGE_BOOL, struct carried_server, backup),
    IMAGE_FIELD(10, IMAGE_BOOL, struct carried_server, file_backup),
    IMAGE_FIELD(11, IMAGE_BOOL, struct carried_server, is_elsewhere),
    IMAGE_FIELD(12, IMAGE_ADDR, struct carried_server, address),
    IMAGE_FIELD(13, IMAGE_ADDR, struct carried_server, file_address),
    IMAGE_FIELD(14, IMAGE_SLICE, struct carried_server, host),
    IMAGE_FIELD(15, IMAGE_SLICE, struct carried_server, file_host),
    IMAGE_FIELD(16, IMAGE_UINT, struct carried_server, file_port),
    IMAGE_FIELD(17, IMAGE_UINT, struct carried_server, most_in_flight),
};
static const struct image_kind server_kind = {"server", IMAGE_SERVER, server_fields, ARRAY_LEN(server_fields)};

struct carried_backend {
    struct slice name;
    uint32_t     most_waiting;
};

static const struct image_field backend_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct carried_backend, name),
    IMAGE_FIELD(2, IMAGE_UINT, struct carried_backend, most_waiting),
};
static const struct image_kind backend_kind = {"backend", IMAGE_BACKEND, backend_fields, ARRAY_LEN(backend_fields)};

static void carry_server(const struct snap_backend *backend, const struct snap_server *server, struct image_writer *w)
{
    const struct conf_server *conf = server->conf;
    const struct server      *live = server->live;
    char                      host[SERVER_HOST_MAX];
    struct carried_server     c = {.backend = slice_str(backend->conf->name),
                                   .server = slice_str(conf->name),
                                   .state = server_state(live),
                                   .admin = server_admin(live),
                                   .most_in_flight = server_most_in_flight(live)};
    if (server_weight(live) != conf->weight) {
        c.weight = server_weight(live);
        c.file_weight = conf->weight;
    }
    if (server_max_connections(live) != conf->max_connections) {
        c.max_connections = server_max_connections(live);
        c.file_max_connections = conf->max_connections;
    }
    if (server_is_backup(live) != conf->backup) {
        c.backup = server_is_backup(live);
        c.file_backup = conf->backup;
    }
    c.address = server_address(live);
    c.host = slice_str(server_host(live, host));
    c.file_address = conf->address;
    c.file_host = text_of(conf->host);
    c.file_port = conf->port;
    c.is_elsewhere = !addr_same(&c.address, &c.file_address) || !slice_eq(c.host, c.file_host);
    if (!c.is_elsewhere) {
        c.address = c.file_address = (struct addr){0};
        c.host = c.file_host = slice_of(NULL, 0);
        c.file_port = 0;
    }
    image_put(w, &server_kind, &c);
}

void snapshot_carry_servers(const struct snapshot *snap, struct image_writer *w)
{
    for (size_t b = 0; b < snap->conf->n_backends; b++) {
        const struct snap_backend *backend = &snap->backends[b];
        struct carried_backend     c = {.name = slice_str(backend->conf->name),
                                        .most_waiting = peak_read(&pool_waiting_gauge(backend->pool)->peak)};
        image_put(w, &backend_kind, &c);
        for (size_t i = 0; i < backend->conf->n_servers; i++)
            carry_server(backend, &backend->servers[i], w);
    }
}

static struct snap_backend *find_backend(const struct snapshot *snap, struct slice name)
{
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        if (is_named(snap->backends[i].conf->name, name))
            return &snap->backends[i];
    }
    return NULL;
}

static struct snap_server *find_server(const struct snap_backend *backend, struct slice name)
{
    for (size_t i = 0; backend != NULL && i < backend->conf->n_servers; i++) {
        if (is_named(backend->servers[i].conf->name, name))
            return &backend->servers[i];
    }
    return NULL;
}

/* As on reload: one that was not checked counted as up. */
static void adopt_state(const struct snap_backend *backend, struct server *live, const struct carried_server *c)
{
    if (backend->conf->check.type != CHECK_NONE && c->state <= SERVER_UNCHECKED)
        server_set_state(live, c->state == SERVER_UNCHECKED ? SERVER_UP : (enum server_state)c->state);
    if (c->admin <= SERVER_MAINT)
        server_set_admin(live, (enum server_admin)c->admin);
}

static void adopt_location(const struct conf_server *conf, struct server *live, const struct carried_server *c)
{
    char host[SERVER_HOST_MAX] = "";
    if (!c->is_elsewhere || c->host.len >= sizeof host || !addr_same(&c->file_address, &conf->address) ||
        c->file_port != conf->port || !slice_eq(c->file_host, text_of(conf->host)))
        return;
    if (c->host.len > 0)
        memcpy(host, c->host.ptr, c->host.len);
    server_set_location(live, &c->address, host);
}

static void adopt_server(const struct snap_backend *backend, struct snap_server *server, const struct carried_server *c)
{
    const struct conf_server *conf = server->conf;
    struct server            *live = server->live;
    adopt_state(backend, live, c);
    if (c->weight != c->file_weight && c->file_weight == conf->weight && c->weight <= SERVER_WEIGHT_MAX)
        server_set_weight(live, c->weight);
    if (c->max_connections != c->file_max_connections && c->file_max_connections == conf->max_connections)
        server_set_max_connections(live, c->max_connections);
    if (c->backup != c->file_backup && c->file_backup == conf->backup)
        server_set_backup(live, c->backup);
    adopt_location(conf, live, c);
    server_note_most_in_flight(live, c->most_in_flight);
}

static bool adopt_backend(struct snapshot *snap, const struct image_record *record, struct err *err)
{
    struct carried_backend c;
    if (!image_take(record, &backend_kind, &c, err))
        return false;
    const struct snap_backend *backend = find_backend(snap, c.name);
    if (backend != NULL)
        peak_note(&pool_waiting_gauge(backend->pool)->peak, c.most_waiting);
    return true;
}

bool snapshot_adopt_server(struct snapshot *snap, const struct image_record *record, struct err *err)
{
    struct carried_server c;
    if (image_is(record, &backend_kind))
        return adopt_backend(snap, record, err);
    if (!image_is(record, &server_kind))
        return true;
    if (!image_take(record, &server_kind, &c, err))
        return false;
    const struct snap_backend *backend = find_backend(snap, c.backend);
    struct snap_server        *server = find_server(backend, c.server);
    if (server != NULL)
        adopt_server(backend, server, &c);
    return true;
}

/* ---- listeners ---- */

struct carried_listener {
    struct slice name;
    uint32_t     state; /* enum listener_state */
    uint32_t     max_connections, file_max_connections;
    uint64_t     next_aged_ns;
    uint64_t     pace_next_ns, offers_next_ns; /* with a pace */
};

static const struct image_field listener_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct carried_listener, name),
    IMAGE_FIELD(2, IMAGE_UINT, struct carried_listener, state),
    IMAGE_FIELD(3, IMAGE_UINT, struct carried_listener, max_connections),
    IMAGE_FIELD(4, IMAGE_UINT, struct carried_listener, file_max_connections),
    IMAGE_FIELD(5, IMAGE_UINT, struct carried_listener, next_aged_ns),
    IMAGE_FIELD(6, IMAGE_UINT, struct carried_listener, pace_next_ns),
    IMAGE_FIELD(7, IMAGE_UINT, struct carried_listener, offers_next_ns),
};
static const struct image_kind listener_kind = {"listener", IMAGE_LISTENER, listener_fields,
                                                ARRAY_LEN(listener_fields)};

struct carried_source {
    struct slice       listener;
    struct source_past past;
};

static const struct image_field source_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct carried_source, listener),
    IMAGE_FIELD(2, IMAGE_ADDR, struct carried_source, past.address),
    IMAGE_FIELD(3, IMAGE_UINT, struct carried_source, past.connections_ever),
    IMAGE_FIELD(4, IMAGE_UINT, struct carried_source, past.refused),
    IMAGE_FIELD(5, IMAGE_UINT, struct carried_source, past.changed_ms),
    IMAGE_FIELD_GROUP(6, &rate_kind, struct carried_source, past.rate),
};
static const struct image_kind source_kind = {"source", IMAGE_SOURCE, source_fields, ARRAY_LEN(source_fields)};

static void carry_sources(const struct snap_listener *listener, struct image_writer *w)
{
    struct carried_source c = {.listener = slice_str(listener->conf->name)};
    const uint64_t        now_ms = clock_mono_ms();
    for (uint32_t place = 1; place <= sources_size(listener->sources); place++) {
        if (sources_past(listener->sources, place, now_ms, &c.past))
            image_put(w, &source_kind, &c);
    }
}

void snapshot_carry_listeners(const struct snapshot *snap, struct image_writer *w)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        const struct snap_listener *listener = &snap->listeners[i];
        uint32_t                    in_force = atomic_load(&listener->max_connections);
        struct carried_listener     c = {.name = slice_str(listener->conf->name),
                                         .state = atomic_load(&listener->state),
                                         .next_aged_ns = atomic_load(&listener->next_aged_ns)};
        if (in_force != listener->conf->max_connections) {
            c.max_connections = in_force;
            c.file_max_connections = listener->conf->max_connections;
        }
        if (listener->pace != NULL) {
            c.pace_next_ns = pace_next_ns(listener->pace);
            c.offers_next_ns = pace_next_ns(listener->offers);
        }
        image_put(w, &listener_kind, &c);
        if (listener->sources != NULL)
            carry_sources(listener, w);
    }
}

static struct snap_listener *find_listener(const struct snapshot *snap, struct slice name)
{
    for (size_t i = 0; i < snap->conf->n_listeners; i++) {
        if (is_named(snap->listeners[i].conf->name, name))
            return &snap->listeners[i];
    }
    return NULL;
}

static bool adopt_source(struct snapshot *snap, const struct image_record *record, struct err *err)
{
    struct carried_source c;
    if (!image_take(record, &source_kind, &c, err))
        return false;
    const struct snap_listener *listener = find_listener(snap, c.listener);
    if (listener != NULL && listener->sources != NULL)
        sources_recall(listener->sources, &c.past, clock_mono_ms());
    return true;
}

bool snapshot_adopt_listener(struct snapshot *snap, const struct image_record *record, struct err *err)
{
    struct carried_listener c;
    if (image_is(record, &source_kind))
        return adopt_source(snap, record, err);
    if (!image_is(record, &listener_kind))
        return true;
    if (!image_take(record, &listener_kind, &c, err))
        return false;
    struct snap_listener *listener = find_listener(snap, c.name);
    if (listener == NULL)
        return true;
    if (c.state <= LISTENER_STOPPED)
        atomic_store(&listener->state, (enum listener_state)c.state);
    if (c.max_connections != c.file_max_connections && c.file_max_connections == listener->conf->max_connections)
        atomic_store(&listener->max_connections, c.max_connections);
    atomic_store(&listener->next_aged_ns, c.next_aged_ns);
    if (listener->pace != NULL) {
        pace_resume(listener->pace, c.pace_next_ns, clock_mono_ns());
        pace_resume(listener->offers, c.offers_next_ns, clock_mono_ns());
    }
    return true;
}
