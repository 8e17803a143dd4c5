#include "engine/peeks.h"

#include <sys/epoll.h>

#include "net/sock.h"

enum { A_TURN = 32 }; /* events, so that sessions get their share of the worker */

/* One at a time: what is called may make any other leave. */
static void on_io(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct peeks      *all = watcher->data;
    struct epoll_event event;
    (void)loop;
    (void)revents;
    for (int i = 0; i < A_TURN && epoll_wait(all->epoll, &event, 1, 0) == 1; i++) {
        struct peek *p = event.data.ptr;
        p->on_readable(p);
    }
}

int peeks_open(struct peeks *all, struct ev_loop *loop)
{
    all->loop = loop;
    all->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (all->epoll < 0)
        return -1;
    ev_io_init(&all->io, on_io, all->epoll, EV_READ);
    all->io.data = all;
    ev_io_start(loop, &all->io);
    return 0;
}

void peeks_close(struct peeks *all)
{
    if (all->epoll < 0)
        return;
    ev_io_stop(all->loop, &all->io);
    sock_close(all->epoll);
    all->epoll = -1;
}

bool peek_wait(struct peeks *all, struct peek *p)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    if (!p->waits)
        p->waits = epoll_ctl(all->epoll, EPOLL_CTL_ADD, p->fd, &event) == 0;
    return p->waits;
}

void peek_leave(struct peeks *all, struct peek *p)
{
    if (p->waits)
        (void)epoll_ctl(all->epoll, EPOLL_CTL_DEL, p->fd, NULL);
    p->waits = false;
}
