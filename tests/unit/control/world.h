/* A control socket in a directory of its own, with commands that show what the room does, and clients of it. */
#ifndef MQGATE_TESTS_CONTROL_WORLD_H
#define MQGATE_TESTS_CONTROL_WORLD_H

#include <check.h>

#include "control/control.h"

struct world {
    char                 directory[64], path[96];
    struct ev_loop      *loop;
    struct log_settings  log_settings;
    struct log           log;
    struct control      *control;
    struct command_call *later; /* the call of "later" that waits */
    unsigned             n_cancelled, n_counted;
    bool                 is_ready; /* what the condition "ready" says */
    bool                 never;
    unsigned             n_fds;
};

extern struct world w;

/* Fixtures. Every test ends with no descriptor more than before. */
void world_open(void);
void world_close(void);

struct control_settings world_settings(void);
void                    world_start(const struct control_settings *settings);

/* Lets the loop do what can be done without waiting. */
void world_turn(void);

struct peer {
    int         fd;
    struct text got;
    bool        closed; /* by the other side */
    bool        reset;
};

struct peer peer_open(void);
void        peer_close(struct peer *peer);
/* All of it, the loop running. */
void peer_send(struct peer *peer, const char *bytes, size_t len);
void peer_say(struct peer *peer, const char *text);
void peer_shut(struct peer *peer);
/* Reads while it runs the loop, until what was got is the text; fails when it is something else, or after 5 s. */
void peer_expect(struct peer *peer, const char *text);
/* The same, and then the end of the connection, without a reset. */
void peer_expect_all(struct peer *peer, const char *text);
/* Nothing comes, and nobody closes, in the turns that could have brought it. */
void peer_expect_silence(struct peer *peer);

#endif
