#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "control/client.h"
#include "net/listener.h"

enum { ACCEPT_BATCH = 16 };

static const double accept_pause_s = 0.1;

/* Descriptors or memory may come back, and no event tells of it. */
static void pause_accepting(struct control *control, int errnum)
{
    if (!control->starved)
        log_warn(control->log, "control_accept_failed", LOG_STR("err", strerror(errnum)));
    control->starved = true;
    ev_io_stop(control->loop, &control->acceptable);
    ev_timer_set(&control->accept_again, accept_pause_s, 0.);
    ev_timer_start(control->loop, &control->accept_again);
}

void control_client_gone(struct control *control)
{
    if (control->socket.fd >= 0 && !ev_is_active(&control->accept_again))
        ev_io_start(control->loop, &control->acceptable);
}

static void on_accept_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct control *control = CONTAINER_OF(w, struct control, accept_again);
    (void)revents;
    ev_io_start(loop, &control->acceptable);
}

/* False: no more of them for now. */
static bool accept_one(struct control *control)
{
    struct addr peer; /* nobody: the address of a Unix socket */
    int         fd = listener_accept(control->socket.fd, &peer), errnum = errno;
    if (fd < 0 && errnum == EAGAIN)
        return false;
    if (fd >= 0 && client_open(control, fd)) {
        control->starved = false;
        return true;
    }
    pause_accepting(control, fd < 0 ? errnum : ENOMEM);
    return false;
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct control *control = CONTAINER_OF(w, struct control, acceptable);
    (void)revents;
    for (int i = 0; i < ACCEPT_BATCH && control->n_clients < CONTROL_CLIENTS_MAX && accept_one(control); i++)
        ;
    if (control->n_clients == CONTROL_CLIENTS_MAX)
        ev_io_stop(loop, w);
}

static int open_socket(struct control *control, const char *path, const struct control_settings *settings,
                       struct err *err)
{
    if (settings->fd <= 0)
        return control_socket_open(&control->socket, path, settings->mode, settings->uid, settings->gid, err);
    control_socket_adopt(&control->socket, path, settings->mode, settings->uid, settings->gid, settings->fd);
    return 0;
}

bool control_can_open(const char *path, mode_t mode, struct err *err)
{
    struct control_socket s;
    if (control_socket_open(&s, path, mode, (uid_t)-1, (gid_t)-1, err) != 0)
        return false;
    control_socket_close(&s, path);
    return true;
}

struct control *control_open(struct ev_loop *loop, const struct control_settings *settings, struct log *log,
                             struct err *err)
{
    struct control *control = calloc(1, sizeof *control);
    char           *path = strdup(settings->path);
    if (control == NULL || path == NULL) {
        err_set(err, "out of memory");
    } else if (open_socket(control, path, settings, err) == 0) {
        control->loop = loop;
        control->log = log;
        control->path = path;
        control->level = settings->level;
        control->conditions = settings->conditions;
        control->conditions_owner = settings->conditions_owner;
        control_register(control, control_commands, control);
        ev_io_init(&control->acceptable, on_acceptable, control->socket.fd, EV_READ);
        ev_timer_init(&control->accept_again, on_accept_again, 0., 0.);
        ev_io_start(loop, &control->acceptable);
        return control;
    }
    free(path);
    free(control);
    return NULL;
}

void control_register(struct control *control, const struct command *table, void *owner)
{
    commands_add(&control->commands, table, owner);
}

bool control_is_awaited(const struct control *control)
{
    const struct client *client;
    DL_FOREACH (control->clients, client) {
        if (client->pending || client->sent < client->call.out.len)
            return true;
    }
    return false;
}

int control_listener(const struct control *control)
{
    return control->socket.fd;
}

const char *control_path(const struct control *control)
{
    return control->path;
}

int control_descriptor(struct command_call *call)
{
    return client_of(call)->fd;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    ev_io_stop(control->loop, &control->acceptable);
    ev_timer_stop(control->loop, &control->accept_again);
    control_socket_close(&control->socket, control->path);
    while (control->clients != NULL)
        client_close(control->clients);
    free(control->path);
    free(control);
}
