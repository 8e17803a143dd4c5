/* engine/carry.h: all sessions and sockets as an image, and back. For the daemon's upgrade; main thread, while no
 * worker's thread runs. */
#ifndef MQGATE_ENGINE_CARRY_H
#define MQGATE_ENGINE_CARRY_H

#include "base/image.h"
#include "engine/engine.h"

/* ---- in the process that goes ---- */

/* Listeners take nobody, and whoever comes waits in the kernel's queue; or they go on. */
void engine_hold(struct engine *engine, bool held);
/* Ends the threads between two turns of their loops; all else stays, and engine_start() lets them go on. */
void engine_pause(struct engine *engine);
/* Sessions that could be carried later, and not now: they are in a handshake. */
uint32_t engine_n_unready(const struct engine *engine);

/* Writes the engine, its sockets and its sessions. cookies: descriptors get other numbers on their way. */
void engine_carry(const struct engine *engine, bool cookies, struct image_writer *w);
/* The descriptors of the sessions that the image names, at most most of them. Returns how many there are. */
size_t engine_descriptors(const struct engine *engine, int *fds, size_t most);
/* The same of its listening sockets, whether or not the threads run. */
size_t engine_listening(const struct engine *engine, int *fds, size_t most);
/* The descriptors that the image names stay open over exec(2). False, and errno: not all of them do. */
bool engine_keep_descriptors(const struct engine *engine) MUST_CHECK;
void engine_keep_no_descriptors(const struct engine *engine); /* as it is at first */

/* ---- in the process that comes ---- */

/* A listening socket of the process before this one, for the settings of engine_open(). */
struct engine_socket {
    char       *listener; /* name; owned */
    uint32_t    bind;     /* of its addresses */
    struct addr asked;    /* what the configuration said */
    int         fd;       /* owned; -1: taken */
    bool        paused;   /* bound, but not listening */
};

/* A socket, by what the kernel calls it. */
struct engine_found {
    uint64_t cookie;
    int      fd; /* -1: taken */
};

struct engine_carried {
    uint32_t             sessions; /* that go on */
    uint32_t             lost;     /* that could not */
    struct engine_found *found;    /* in the order of their cookies; where the image's descriptors have other numbers */
    size_t               n_found;
};

/* What a record is, when it is that of a listening socket; its descriptor is closed on exec from here on. */
enum engine_socket_taken { ENGINE_SOCKET_NONE, ENGINE_SOCKET_TAKEN, ENGINE_SOCKET_BAD /* and *err */ };
enum engine_socket_taken engine_take_socket(const struct image_record *record, struct engine_carried *sum,
                                            struct engine_socket *out, struct err *err) MUST_CHECK;
/* The engine would adopt it, or has nothing to do with it. False, and *err. *n: one more for each session. */
bool engine_understands(const struct image_record *record, uint32_t *n, struct err *err) MUST_CHECK;
/* What the record, of an engine or a session, tells is so again; others are not touched. False, and *err: it is not to
 * be understood, or memory is out. */
bool engine_adopt(struct engine *engine, const struct image_record *record, struct engine_carried *sum,
                  struct err *err) MUST_CHECK;
/* After the last one; then engine_start(). */
void engine_adopted(struct engine *engine);

#endif
