/* control/control.h: the Unix socket that takes HAProxy's runtime commands. It reads lines, finds the command in the
 * tables that were registered, and writes what it says; what commands do is the business of who registered them. */
#ifndef MQGATE_CONTROL_CONTROL_H
#define MQGATE_CONTROL_CONTROL_H

#include <ev.h>
#include <sys/types.h>

#include "base/command.h"
#include "base/err.h"
#include "base/log.h"

enum { CONTROL_CLIENTS_MAX = 64 }; /* at once; more wait until one goes */

enum condition_state { CONDITION_NOT_YET, CONDITION_MET, CONDITION_NEVER };

/* What the command "wait" can wait for. */
struct condition {
    const char *name; /* NULL ends a table */
    const char *args; /* "<backend>/<server>" */
    const char *help;
    /* of is what stands behind the name, "" for nothing. *why may be filled unless it is met: a sentence. */
    enum condition_state (*look)(void *owner, const char *of, struct err *why);
};

struct control_settings {
    const char             *path; /* at most 107 bytes; copied */
    int                     fd;   /* listens there already, and is taken over; 0: the socket is made */
    mode_t                  mode;
    uid_t                   uid; /* whose the socket is to be; -1: whoever makes it */
    gid_t                   gid;
    enum command_level      level; /* of everybody who connects */
    const struct condition *conditions;
    void                   *conditions_owner;
};

struct control;

/* Whether the socket can be made at path: it is, for a moment. False, and *err. */
bool control_can_open(const char *path, mode_t mode, struct err *err) MUST_CHECK;
/* Makes the socket and answers on it while the loop runs. Call it before any thread runs. loop, log and the tables must
 * outlive it. NULL and *err on failure. Free with control_close(). */
struct control *control_open(struct ev_loop *loop, const struct control_settings *settings, struct log *log,
                             struct err *err) MUST_CHECK;
/* Offers the commands of a table, which ends with NULL words. Of commands that a line begins with, the one with the
 * most words is meant. owner is what they are called with from here on: a table may be registered again with another.
 */
void control_register(struct control *control, const struct command *table, void *owner);
/* A command has not answered yet, or not all of an answer is out. */
bool control_is_awaited(const struct control *control);
/* Its socket and where that is, and the connection of whoever waits for this answer; all stay control's. */
int         control_listener(const struct control *control);
const char *control_path(const struct control *control);
int         control_descriptor(struct command_call *call);
/* Ends every client, calling back commands that have not answered; removes the socket. NULL is fine. */
void control_close(struct control *control);

#endif
