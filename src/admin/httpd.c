#include "admin/httpd.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "admin/client.h"
#include "admin/form.h"
#include "base/clock.h"
#include "net/listener.h"
#include "net/sock.h"

enum { ACCEPT_BATCH = 16, CONNECTION_MEMORY = 16384 /* bytes: request line, headers, answer's headers */ };

static const double accept_pause_s = 0.1;

/* After everything that may have given MHD work to do. */
static void run_mhd(struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG ms;
    (void)MHD_run(admin->mhd);
    ev_timer_stop(admin->loop, &admin->mhd_again);
    if (MHD_get_timeout(admin->mhd, &ms) == MHD_YES) {
        ev_timer_set(&admin->mhd_again, (double)ms / 1000, 0.);
        ev_timer_start(admin->loop, &admin->mhd_again);
    }
}

static void on_mhd_io(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop, (void)revents;
    run_mhd(CONTAINER_OF(w, struct admin, mhd_io));
}

static void on_mhd_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    run_mhd(CONTAINER_OF(w, struct admin, mhd_again));
}

/* Descriptors or memory may come back, and no event tells of it. */
static void pause_accepting(struct admin *admin, int errnum)
{
    if (!admin->starved)
        log_warn(admin->log, "admin_accept_failed", LOG_STR("err", strerror(errnum)));
    admin->starved = true;
    ev_io_stop(admin->loop, &admin->acceptable);
    ev_timer_set(&admin->accept_again, accept_pause_s, 0.);
    ev_timer_start(admin->loop, &admin->accept_again);
}

static void resume_accepting(struct admin *admin)
{
    if (admin->listen_fd >= 0 && !admin->closing && admin->unused != NULL && !ev_is_active(&admin->accept_again))
        ev_io_start(admin->loop, &admin->acceptable);
}

static void on_accept_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    resume_accepting(CONTAINER_OF(w, struct admin, accept_again));
}

/* False: no more of them for now. */
static bool accept_one(struct admin *admin)
{
    struct addr peer;
    int         fd = listener_accept(admin->listen_fd, &peer), errnum = errno;
    if (fd < 0) {
        if (errnum != EAGAIN)
            pause_accepting(admin, errnum);
        return false;
    }
    admin->starved = false;
    /* MHD closes fd when it cannot take it. */
    (void)MHD_add_connection(admin->mhd, fd, &peer.sa, addr_socklen(&peer));
    return true;
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct admin *admin = CONTAINER_OF(w, struct admin, acceptable);
    (void)revents;
    for (int i = 0; i < ACCEPT_BATCH && admin->unused != NULL && accept_one(admin); i++)
        ;
    if (admin->unused == NULL)
        ev_io_stop(loop, w);
    run_mhd(admin);
}

int admin_descriptor(const struct admin *admin)
{
    return admin->listen_fd;
}

void admin_listen(struct admin *admin, int listen_fd)
{
    ev_io_stop(admin->loop, &admin->acceptable);
    sock_close(admin->listen_fd);
    admin->listen_fd = listen_fd;
    ev_io_set(&admin->acceptable, listen_fd, EV_READ);
    resume_accepting(admin);
}

static bool may_adopt(const struct admin *admin)
{
    return admin->unused != NULL && admin->n_adopted < ADMIN_ADOPTED_MAX;
}

void admin_adopt(struct admin *admin, int fd, const struct addr *peer, bool health_only)
{
    if (!may_adopt(admin)) {
        client_cut_oldest(admin, admin->n_adopted >= ADMIN_ADOPTED_MAX);
        run_mhd(admin); /* sees that it is cut */
    }
    if (!may_adopt(admin)) {
        sock_close(fd);
        return;
    }
    admin->adopts = true;
    admin->adopts_health_only = health_only;
    (void)MHD_add_connection(admin->mhd, fd, &peer->sa, addr_socklen(peer)); /* on_connection() runs within */
    admin->adopts = admin->adopts_health_only = false;
    run_mhd(admin);
}

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

/* The only place where MHD shows the URI before it decodes it. What comes back is the handler's *request. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct admin  *admin = cls;
    struct client *client = client_of(connection);
    client->asked = uri_parse(uri, &admin->view->snap->conf->admin);
    client->begun = false;
    client->body_len = 0;
    client->verdict = VERDICT_NONE;
    client_restart_clock(client);
    return client;
}

/* Called with the head, with each piece of body, at the end, and again after a suspension. Answering only at the end
 * keeps the connection usable, and saves a client that still sends its body from a reset. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_len, void **request)
{
    struct client *client = *request;
    (void)cls, (void)connection, (void)url, (void)version;
    if (!client->begun) {
        client->begun = true;
        client->head_only = strcmp(method, "HEAD") == 0;
        return MHD_YES;
    }
    if (*body_len > 0) {
        client->body_len += *body_len;
        if (client->asked.endpoint == ENDPOINT_STATS && client->body_len <= FORM_BYTES_MAX)
            text_put(&client->body, body, *body_len);
        *body_len = 0;
        return client->body_len <= ADMIN_BODY_MAX ? MHD_YES : MHD_NO;
    }
    return client_answer(client, method);
}

static void on_request_over(void *cls, struct MHD_Connection *connection, void **request,
                            enum MHD_RequestTerminationCode code)
{
    struct client *client = *request;
    (void)cls, (void)connection, (void)code;
    text_fini(&client->body);
    client_restart_clock(client);
}

static void client_open(struct admin *admin, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct client                  *client = admin->unused;
    assert(client != NULL); /* MHD has the same limit */
    DL_DELETE(admin->unused, client);
    *client = (struct client){.admin = admin,
                              .connection = connection,
                              .peer = addr_from_sockaddr(info->client_addr),
                              .adopted = admin->adopts,
                              .health_only = admin->adopts_health_only};
    admin->n_adopted += client->adopted;
    *context = client;
    client_count(client, COUNT_CONNECTIONS, 1);
    if (admin->view->admin != NULL) {
        gauge_add(&admin->view->admin->sessions);
        rate_add(&admin->view->admin->connection_rate, clock_mono_ms());
    }
    client_restart_clock(client);
}

static void client_close(struct client *client)
{
    client_stop_clock(client);
    client_count(client, COUNT_CLOSED, 1);
    if (client->admin->view->admin != NULL)
        gauge_sub(&client->admin->view->admin->sessions);
    client->admin->n_adopted -= client->adopted;
    DL_PREPEND(client->admin->unused, client);
    resume_accepting(client->admin);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        client_open(cls, connection, context);
    else
        client_close(*context);
}

static void PRINTF_LIKE(2, 0) on_mhd_log(void *cls, const char *fmt, va_list args)
{
    struct admin *admin = cls;
    char          text[256];
    int           n = vsnprintf(text, sizeof text, fmt, args);
    if (n > 0 && (size_t)n < sizeof text && text[n - 1] == '\n')
        text[n - 1] = '\0';
    log_debug(admin->log, "admin_http", LOG_STR("text", n >= 0 ? text : fmt));
}

static void init_watchers(struct admin *admin, int mhd_fd)
{
    ev_io_init(&admin->acceptable, on_acceptable, admin->listen_fd, EV_READ);
    ev_io_init(&admin->mhd_io, on_mhd_io, mhd_fd, EV_READ);
    ev_timer_init(&admin->accept_again, on_accept_again, 0., 0.);
    ev_timer_init(&admin->mhd_again, on_mhd_again, 0., 0.);
    ev_timer_init(&admin->cut, client_on_cut, 0., 0.);
}

static void stop_watchers(struct admin *admin)
{
    ev_io_stop(admin->loop, &admin->acceptable);
    ev_io_stop(admin->loop, &admin->mhd_io);
    ev_timer_stop(admin->loop, &admin->accept_again);
    ev_timer_stop(admin->loop, &admin->mhd_again);
    ev_timer_stop(admin->loop, &admin->cut);
}

/* No listening socket for MHD: out of descriptors it would spin on accept(2). No timeout either: it would start anew
 * with every byte, so that 128 slow clients could keep a load balancer out. */
static struct MHD_Daemon *start_mhd(struct admin *admin)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, admin, /* the logger goes first, to hear of the rest */
                            MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, admin, MHD_OPTION_URI_LOG_CALLBACK, on_uri, admin,
                            MHD_OPTION_NOTIFY_COMPLETED, on_request_over, admin, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, admin, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
}

static int start(struct admin *admin, struct err *err)
{
    admin->auth = auth_open(admin->loop, client_on_auth_done, err);
    if (admin->auth == NULL)
        return -1;
    admin->mhd = start_mhd(admin);
    if (admin->mhd == NULL) {
        err_set(err, "libmicrohttpd does not start");
        auth_close(admin->auth);
        return -1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    init_watchers(admin, info->epoll_fd);
    resume_accepting(admin);
    ev_io_start(admin->loop, &admin->mhd_io);
    return 0;
}

struct admin *admin_open(struct ev_loop *loop, int listen_fd, const struct view *view, struct log *log, struct err *err)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    admin->loop = loop;
    admin->view = view;
    admin->log = log;
    admin->listen_fd = listen_fd;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        DL_APPEND(admin->unused, &admin->clients[i]);
    if (start(admin, err) == 0)
        return admin;
    free(admin);
    return NULL;
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    admin->closing = true;
    auth_close(admin->auth); /* resumes all connections: MHD must not be stopped while one is suspended */
    stop_watchers(admin);
    MHD_stop_daemon(admin->mhd);
    sock_close(admin->listen_fd);
    free(admin);
}

const char *admin_library_version(void)
{
    return MHD_get_version();
}
