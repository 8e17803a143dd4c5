#include "unit/admin/fixture.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/listener.h"
#include "net/sock.h"

/* The snapshot here is made by hand, from parts that need no TLS and no file; the checker stands in for the real one.
 */
static const struct health_report no_answer = {
    .last = {.status = PROBE_L4CON, .code = -1, .duration_ms = 3, .detail = "Connection refused"}, .failed = 2};

const struct health_report *health_report(const struct health *h, size_t backend, size_t server)
{
    (void)h, (void)backend, (void)server;
    return &no_answer;
}

static void make_servers(struct fixture *f)
{
    static const char *const   names[N_SERVERS] = {"broker1", "broker2"};
    const struct server_limits limits = {.max_connections = 7};
    struct server             *live[N_SERVERS];
    for (size_t i = 0; i < N_SERVERS; i++) {
        f->conf_servers[i] = (struct conf_server){.name = names[i], .address_text = "127.0.0.1:1884"};
        f->conf_servers[i].max_connections = limits.max_connections;
        live[i] = server_new(names[i], &limits, SERVER_UP);
        f->servers[i].conf = &f->conf_servers[i];
        f->servers[i].live = live[i];
        f->servers[i].counters = counters_new(2, SERVER_COUNTERS);
        ck_assert_ptr_nonnull(f->servers[i].counters);
    }
    f->backend.pool = pool_new(live, N_SERVERS, 2);
    ck_assert_ptr_nonnull(f->backend.pool);
}

static void make_conf(struct fixture *f)
{
    ck_assert(network_parse("127.0.0.0/8", &f->loopback));
    ck_assert(addr_parse("0.0.0.0:1883", &f->bind[0]));
    ck_assert(addr_parse("[::]:1883", &f->bind[1]));
    f->conf_backend = (struct conf_backend){.name = "emqx", .servers = f->conf_servers, .n_servers = N_SERVERS};
    f->conf_listener = (struct conf_listener){.name = "mqtt", .bind = f->bind, .n_bind = 2, .protocol = PROTOCOL_MQTT};
    f->conf_listener.backend = &f->conf_backend;
    f->conf.global.node = "node-1";
    f->conf.global.workers = 2;
    f->conf.listeners = &f->conf_listener;
    f->conf.n_listeners = 1;
    f->conf.backends = &f->conf_backend;
    f->conf.n_backends = 1;
    f->conf.admin.health_uri = "/haproxy_health";
    f->conf.admin.stats_uri = "/haproxy_stats";
    f->conf.admin.stats_allow = (struct conf_networks){.at = &f->loopback, .n = 1};
    f->conf.admin.stats_auth.at = f->users;
}

void fixture_snapshot(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    make_conf(f);
    make_servers(f);
    f->backend.conf = &f->conf_backend;
    f->backend.servers = f->servers;
    f->listener.conf = &f->conf_listener;
    f->listener.backend = &f->backend;
    f->listener.counters = counters_new(2, LISTENER_COUNTERS);
    f->snap.conf = &f->conf;
    f->snap.listeners = &f->listener;
    f->snap.backends = &f->backend;
    f->snap.workers = counters_new(2, WORKER_COUNTERS);
    ck_assert(f->listener.counters != NULL && f->snap.workers != NULL);
    f->view = (struct admin_view){.snap = &f->snap, .state = "running", .max_connections = 5000, .accepting = true};
    f->view.started_mono_ms = clock_mono_ms();
}

void fixture_snapshot_free(struct fixture *f)
{
    pool_free(f->backend.pool);
    for (size_t i = 0; i < N_SERVERS; i++) {
        server_free(f->servers[i].live);
        counters_free(f->servers[i].counters);
    }
    counters_free(f->listener.counters);
    counters_free(f->snap.workers);
}

static int listen_somewhere(struct addr *at)
{
    struct addr loopback;
    struct err  err = {0};
    int         fd;
    ck_assert(addr_parse("127.0.0.1:0", &loopback));
    ck_assert_msg(listener_open(&loopback, 256, &fd, 1, &err) == 0, "%s", err.text);
    *at = sock_local(fd);
    return fd;
}

void fixture_open(struct fixture *f)
{
    struct err err = {0};
    fixture_snapshot(f);
    f->log_settings.wake_fd = -1;
    f->log_settings.level = LEVEL_WARN;
    f->log.settings = &f->log_settings;
    f->loop = ev_loop_new(EVFLAG_AUTO);
    ck_assert_ptr_nonnull(f->loop);
    f->admin = admin_open(f->loop, listen_somewhere(&f->at), &f->view, &f->log, &err);
    ck_assert_msg(f->admin != NULL, "%s", err.text);
}

void fixture_close(struct fixture *f)
{
    admin_close(f->admin);
    ev_loop_destroy(f->loop);
    fixture_snapshot_free(f);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct peer *peer = CONTAINER_OF(w, struct peer, io);
    (void)revents;
    ck_assert_uint_lt(peer->len, sizeof peer->in - 1);
    ssize_t n = recv(peer->fd, peer->in + peer->len, sizeof peer->in - 1 - peer->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    peer->eof = n <= 0;
    peer->len += n > 0 ? (size_t)n : 0;
    peer->in[peer->len] = '\0';
    if (peer->eof)
        ev_io_stop(loop, w);
}

struct peer *peer_open(struct fixture *f)
{
    struct peer *peer = calloc(1, sizeof *peer);
    ck_assert_ptr_nonnull(peer);
    peer->fixture = f;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(peer->fd, &f->at.sa, addr_socklen(&f->at)), 0);
    ev_io_init(&peer->io, on_readable, peer->fd, EV_READ);
    ev_io_start(f->loop, &peer->io);
    return peer;
}

void peer_close(struct peer *peer)
{
    ev_io_stop(peer->fixture->loop, &peer->io);
    ck_assert_int_eq(close(peer->fd), 0);
    free(peer);
}

void peer_send(struct peer *peer, const char *bytes)
{
    size_t len = strlen(bytes);
    ck_assert_int_eq(send(peer->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void peer_await_text(struct peer *peer, const char *text)
{
    while (strstr(peer->in, text) == NULL) {
        ck_assert_msg(!peer->eof, "ended after: %s", peer->in);
        ev_run(peer->fixture->loop, EVRUN_ONCE);
    }
}

void peer_await_end(struct peer *peer)
{
    while (!peer->eof)
        ev_run(peer->fixture->loop, EVRUN_ONCE);
}

void peer_forget(struct peer *peer)
{
    peer->len = 0;
    peer->in[0] = '\0';
}

struct peer *fixture_ask(struct fixture *f, const char *request)
{
    struct peer *peer = peer_open(f);
    peer_send(peer, request);
    peer_await_end(peer);
    return peer;
}

int peer_status(const struct peer *peer)
{
    static const char protocol[] = "HTTP/1.1 ";
    ck_assert_msg(strncmp(peer->in, protocol, sizeof protocol - 1) == 0, "no reply: %s", peer->in);
    return atoi(peer->in + sizeof protocol - 1);
}

const char *peer_body(const struct peer *peer)
{
    const char *end = strstr(peer->in, "\r\n\r\n");
    ck_assert_msg(end != NULL, "no end of headers: %s", peer->in);
    return end + 4;
}

bool peer_has_header(const struct peer *peer, const char *line)
{
    const char *end = peer_body(peer);
    for (const char *at = strchr(peer->in, '\n') + 1; at < end; at = strchr(at, '\n') + 1) {
        if (strncasecmp(at, line, strlen(line)) == 0 && at[strlen(line)] == '\r')
            return true;
    }
    return false;
}
