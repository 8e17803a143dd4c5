/* control/client.h: one connection to the control socket, and what all of them share. Private to control/. */
#ifndef MQGATE_CONTROL_CLIENT_H
#define MQGATE_CONTROL_CLIENT_H

#include "control/commands.h"
#include "control/control.h"
#include "control/line.h"
#include "control/socket.h"

enum { LINE_LEN_MAX = 16384 }; /* bytes, LF included */

/* What follows an answer, and whether the connection stays. */
enum client_mode {
    MODE_ONE_LINE, /* it closes once it has answered what it got */
    MODE_LINES,
    MODE_PROMPT
};

enum severity_output { SEVERITY_OUTPUT_NONE, SEVERITY_OUTPUT_NUMBER, SEVERITY_OUTPUT_STRING };

struct client {
    struct control      *control;
    struct client       *prev, *next;
    int                  fd;
    ev_io                io;
    ev_timer             clock; /* idle, or looking after somebody who waits for an answer */
    double               timeout_s;
    enum client_mode     mode;
    enum severity_output severity_output;
    enum command_level   level;
    bool                 served;  /* at least one line */
    bool                 pending; /* call has not been finished */
    bool                 quits;
    bool                 refused;  /* for a line that is too long: what still comes is thrown away */
    struct command_call  call;     /* its out is what is being sent */
    size_t               sent;     /* of call.out */
    struct line          line;     /* what is left of the line being served, in the front of in */
    size_t               line_len; /* of that line, LF included; 0: none is */
    struct line_scan     scan;
    size_t               in_len;
    char                 in[LINE_LEN_MAX];
    char                *words[COMMAND_ARGS_MAX + 1]; /* of the command being served */
};

struct control {
    struct ev_loop         *loop;
    struct log             *log;
    char                   *path;
    struct control_socket   socket;
    enum command_level      level;
    const struct condition *conditions;
    void                   *conditions_owner;
    struct commands         commands;
    struct client          *clients;
    unsigned                n_clients;
    ev_io                   acceptable;
    ev_timer                accept_again;
    bool                    starved; /* accept failed, and that has been said */
};

/* Takes fd over. False, and fd closed, when memory is out. */
bool client_open(struct control *control, int fd) MUST_CHECK;
/* Whatever it is at. */
void client_close(struct client *client);
/* One has gone: there is room again. In control.c. */
void control_client_gone(struct control *control);

/* prompt, quit, help and their like, called with the struct control. In builtin.c; wait is in wait.c. */
extern const struct command control_commands[];
enum command_outcome        wait_run(void *owner, struct command_call *call);

static inline struct client *client_of(struct command_call *call)
{
    return CONTAINER_OF(call, struct client, call);
}

#endif
