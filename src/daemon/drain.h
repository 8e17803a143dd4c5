/* daemon/drain.h: the way from running to the end of the process: notice, listeners closed, sessions asked to go, the
 * rest cut; and shed, which asks some to go and ends nothing. In the main loop. */
#ifndef MQGATE_DAEMON_DRAIN_H
#define MQGATE_DAEMON_DRAIN_H

#include <ev.h>

#include "base/command.h"
#include "base/image.h"
#include "report/view.h"

struct drain;

struct drain_owner {
    void *user;
    /* The process is to end now. */
    void (*over)(void *user);
    /* Somebody waits for an answer on the control socket, and is to have it before. */
    bool (*is_awaited)(void *user);
};

/* view has the facts of it, and the engine; both outlive it. NULL when memory is out. */
struct drain *drain_new(struct ev_loop *loop, struct view *view, struct drain_owner owner);
void          drain_free(struct drain *drain); /* NULL is fine */

/* As configured. False: a signal has asked for it before, and the process is to end at once. */
bool drain_by_signal(struct drain *drain, const char *signal) MUST_CHECK;
/* The listeners close, and the sessions' own ends are awaited. */
void drain_wait(struct drain *drain, const char *signal);

/* How far it has come, and what shed has left to do, for an upgrade. */
void drain_carry(const struct drain *drain, struct image_writer *w);
/* It goes on there: for carried_each(), of a new drain, once the sessions are there and before the engine's threads
 * are. False: the record is not to be understood; *err says why. */
bool drain_adopt(void *drain, const struct image_record *record, struct err *err) MUST_CHECK;

/* Their owner is the drain. */
extern const struct command drain_commands[];

#endif
