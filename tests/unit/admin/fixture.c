#include "unit/admin/fixture.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/load.h"
#include "net/listener.h"
#include "net/sock.h"

static const char configuration[] =
    "global: { node = \"node-1\"; workers = 2; };\n"
    "listeners = ( { name = \"mqtt\"; bind = [ \"0.0.0.0:1883\", \"[::]:1883\" ]; protocol = "
    "\"mqtt\"; backend = \"emqx\"; } );\n"
    "backends = ( { name = \"emqx\"; check: { type = \"tcp\"; fall = 3; }; servers = (\n"
    "  { name = \"broker1\"; address = \"127.0.0.1:1\"; max_connections = 7; },\n"
    "  { name = \"broker2\"; address = \"127.0.0.1:1\"; max_connections = 7; } ); } );\n"
    "admin: { stats_allow = [ \"127.0.0.0/8\" ]; };\n";

void fixture_snapshot(struct fixture *f)
{
    struct conf_errors errors = {0};
    struct err         err = {0};
    memset(f, 0, sizeof *f);
    f->log_settings.wake_fd = -1;
    f->log_settings.level = LEVEL_ERROR;
    f->log.settings = &f->log_settings;
    f->loop = ev_loop_new(EVFLAG_AUTO);
    f->conf = conf_load_text("fixture.conf", configuration, &errors);
    ck_assert_msg(f->conf != NULL, "%s", errors.list != NULL ? errors.list->text : "out of memory");
    f->stats = stats_new(2);
    f->tickets = tls_tickets_new(&err);
    f->snap = snapshot_build(f->conf, NULL, f->stats, f->tickets, &f->log, &err);
    ck_assert_msg(f->snap != NULL, "%s", err.text);
    conf_unref(f->conf); /* the snapshot has its own reference */
    f->listener = f->snap->listeners;
    f->servers = f->snap->backends[0].servers;
    for (size_t i = 0; i < N_SERVERS; i++)
        server_set_state(f->servers[i].live, SERVER_UP);
    f->conf->admin.stats_auth.at = f->users;
    f->view = (struct view){.snap = f->snap, .state = "running", .max_connections = 5000, .accepting = true};
    f->view.log = &f->log;
    f->view.admin = stats_proxy(f->stats, ROW_FRONTEND, "admin");
    ck_assert_ptr_nonnull(f->view.admin);
    f->view.started_mono_ms = clock_mono_ms();
}

void fixture_check(struct fixture *f)
{
    f->health = health_new(f->loop, f->snap, &f->log, (struct health_listener){NULL, NULL});
    ck_assert_ptr_nonnull(f->health);
    health_begin(f->health, NULL);
    f->view.health = f->health;
    while (health_report(f->health, 0, 0)->checks == 0 || health_report(f->health, 0, 1)->checks == 0)
        ev_run(f->loop, EVRUN_ONCE);
}

void fixture_snapshot_free(struct fixture *f)
{
    health_free(f->health);
    row_unref(f->view.admin);
    snapshot_unref(f->snap);
    stats_free(f->stats);
    tls_tickets_free(f->tickets);
    ev_loop_destroy(f->loop);
}

static int listen_somewhere(struct addr *at)
{
    struct addr loopback;
    struct err  err = {0};
    int         fd;
    ck_assert(addr_parse("127.0.0.1:0", &loopback));
    ck_assert_msg(listener_open(&loopback, false, 256, &fd, 1, &err) == 0, "%s", err.text);
    *at = sock_local(fd);
    return fd;
}

void fixture_open(struct fixture *f)
{
    struct err err = {0};
    fixture_snapshot(f);
    f->log_settings.level = LEVEL_WARN;
    f->admin = admin_open(f->loop, listen_somewhere(&f->at), &f->view, &f->log, &err);
    ck_assert_msg(f->admin != NULL, "%s", err.text);
}

void fixture_close(struct fixture *f)
{
    admin_close(f->admin);
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
