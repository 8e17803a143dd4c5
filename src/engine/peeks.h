/* engine/peeks.h: sockets that are looked at but not read, because they may go to another thread. They are watched in
 * an epoll set of their own, which the loop watches: libev takes no descriptor out of its set but by closing it, and an
 * event there for one that somebody else has would cost it all its state. Private to engine/; a worker's own. */
#ifndef MQGATE_ENGINE_PEEKS_H
#define MQGATE_ENGINE_PEEKS_H

#include <ev.h>
#include <stdbool.h>

#include "base/macros.h"

struct peek {
    int  fd; /* the caller's */
    bool waits;
    void (*on_readable)(struct peek *p); /* may leave, and free p */
};

struct peeks {
    struct ev_loop *loop;
    struct ev_io    io;
    int             epoll; /* owned; -1: not open */
};

/* 0, or -1 and errno. */
int  peeks_open(struct peeks *all, struct ev_loop *loop) MUST_CHECK;
void peeks_close(struct peeks *all); /* nobody waits; not open is fine */
/* on_readable() is called while p->fd is readable, until p leaves. False when memory is out. Nothing happens to one
 * that waits already. */
bool peek_wait(struct peeks *all, struct peek *p) MUST_CHECK;
/* Before fd is closed or goes elsewhere. p need not wait. */
void peek_leave(struct peeks *all, struct peek *p);

#endif
