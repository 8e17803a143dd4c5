#include "admin/client.h"

#include <sys/socket.h>
#include <utlist.h>

#include "base/clock.h"

static void arm_cut(struct admin *admin)
{
    if (admin->closing || admin->due == NULL || ev_is_active(&admin->cut))
        return;
    uint64_t now = clock_mono_ms(), due = admin->due->due_ms;
    ev_timer_set(&admin->cut, due > now ? (double)(due - now) / 1000 : 0., 0.);
    ev_timer_start(admin->loop, &admin->cut);
}

void client_stop_clock(struct client *client)
{
    if (client->due_ms != 0)
        DL_DELETE(client->admin->due, client);
    client->due_ms = 0;
}

void client_restart_clock(struct client *client)
{
    client_stop_clock(client);
    client->due_ms = clock_mono_ms() + ADMIN_REQUEST_MS;
    DL_APPEND(client->admin->due, client);
    arm_cut(client->admin);
}

void client_count(struct client *client, enum count which, uint64_t n)
{
    const struct view *view = client->admin->view;
    if (view->admin != NULL)
        row_count(view->snap->stats, view->admin, which, n);
}

void client_count_session(struct client *client)
{
    const struct view *view = client->admin->view;
    if (view->admin == NULL)
        return;
    row_count_session(view->admin, clock_mono_ms());
    client_count(client, COUNT_SESSIONS, 1);
}

/* The socket is MHD's, and MHD notices that it is shut, whatever it was waiting for. */
static void cut_client(struct client *client)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    log_debug(client->admin->log, "admin_timeout", LOG_ADDR("client", &client->peer));
    client_stop_clock(client);
    (void)shutdown(info->connect_fd, SHUT_RDWR);
}

void client_cut_oldest(struct admin *admin, bool adopted_only)
{
    struct client *client;
    DL_FOREACH (admin->due, client) {
        if (client->adopted || !adopted_only) {
            cut_client(client);
            return;
        }
    }
}

void client_on_cut(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct admin *admin = CONTAINER_OF(w, struct admin, cut);
    uint64_t      now = clock_mono_ms();
    (void)loop, (void)revents;
    while (admin->due != NULL && admin->due->due_ms <= now)
        cut_client(admin->due);
    arm_cut(admin);
}
