/* daemon/carried.h: what the process before this one has left: an image, and the descriptors that it names. */
#ifndef MQGATE_DAEMON_CARRIED_H
#define MQGATE_DAEMON_CARRIED_H

#include "base/image.h"
#include "engine/carry.h"

/* The variable of the environment that tells a new process the descriptor of its image. */
#define CARRIED_VARIABLE "MQGATE_IMAGE"
/* How the line begins with which `mqgate -c` says that it has read one. */
#define CARRIED_READ     "the image can be read: "

struct start;

/* The process itself. */
struct process_image {
    uint64_t     paused_ns; /* monotonic: since when no byte moved */
    struct slice version;   /* that wrote it */
    struct slice by;        /* who asked for the upgrade */
    int          call_fd;   /* whoever waits for the answer; 0: nobody */
    int          admin_fd;  /* 0: none */
    struct addr  admin_asked;
    int          control_fd; /* 0: none */
    struct slice control_path;
    struct slice pid_file; /* path; empty: none has been written */
    uint64_t     age_ms, started_wall_ms;
    uint64_t     reload_wall_ms;
    uint32_t     reloads, reloads_failed;
    bool         reload_failed;
    uint32_t     upgrades, upgrades_failed;
    uint64_t     upgrade_failed_wall_ms; /* when the last one failed, and why */
    struct slice upgrade_failed_why;
};

extern const struct image_kind process_image_kind;

struct carried {
    int                   fd;      /* of the image; -1: there is none */
    bool                  is_left; /* in this process, and no session has been touched */
    uint64_t              tries;   /* to start with it, so far */
    struct slice          bytes;
    struct image_reader   records; /* all of them: to be copied; empty without an image */
    struct process_image  process;
    struct engine_socket *sockets; /* owned */
    size_t                n_sockets;
    struct engine_carried sum; /* of the sessions, once they have been taken over */
};

/* The image that the environment names, which forgets it then, or that lies in the service manager's store, where there
 * may be listening sockets alone; NULL and err->text "" when there is nothing, NULL and *err when it cannot be read.
 * start: how to try it again; NULL: not. Free with carried_free(). */
struct carried *carried_find(const struct start *start, struct err *err);
/* A start has failed, maybe for what will be over in a moment, and no session has been touched: it is executed anew,
 * with all that it found. c NULL: that has not been looked for. Returns when nothing has been left in this process, and
 * when it has been tried for 5 s. */
void carried_try_again(const struct carried *c, const struct start *start, const struct err *why);
/* Gives every record to take, which leaves those alone that are not its own. False: one could not be taken, and *err
 * says why, of the last such; the others were. */
typedef bool (*carried_take)(void *to, const struct image_record *record, struct err *err);
bool carried_each(const struct carried *c, carried_take take, void *to, struct err *err) MUST_CHECK;
/* Every session, and every record that must be, can be understood by this version. False, and *err. *n: sessions. */
bool carried_is_understood(const struct carried *c, uint32_t *n, struct err *err) MUST_CHECK;
/* Wipes the image, and closes what nobody has taken. NULL is fine. */
void carried_free(struct carried *c);

/* In the dry run: where the configuration wants to listen and the process before this one did not, this one may. It
 * listens there for a moment. False, and *err. */
bool carried_can_listen(const struct carried *c, const struct conf *conf, struct err *err) MUST_CHECK;
/* In the dry run: where control_socket and pid_file have other paths now, they can be made. False, and *err. */
bool carried_can_make(const struct carried *c, const struct conf *conf, struct err *err) MUST_CHECK;
/* The socket of the control clients if it is at this path, and that of the admin endpoints if they listened at this
 * address; it is the caller's then. -1: none. c may be NULL. */
int carried_control(struct carried *c, const char *path);
int carried_admin(struct carried *c, const struct addr *asked);
/* The process before this one has written its pid_file at this path. c may be NULL. */
bool carried_has_pid_file(const struct carried *c, const char *path);
/* Removes the control socket and the pid_file that have other paths in conf. c may be NULL. */
void carried_remove_others(const struct carried *c, const struct conf *conf);
/* For carried_each(); `to` is what the record belongs to. */
bool carried_tickets(void *tickets, const struct image_record *record, struct err *err) MUST_CHECK;
bool carried_stats(void *stats, const struct image_record *record, struct err *err) MUST_CHECK;
bool carried_snapshot(void *snap, const struct image_record *record, struct err *err) MUST_CHECK;
bool carried_health(void *health, const struct image_record *record, struct err *err) MUST_CHECK;
bool carried_dns(void *dns, const struct image_record *record, struct err *err) MUST_CHECK;
/* The sessions and the engine's own facts; c->sum has how many. False: some are
 * lost, and *err says why. */
bool carried_adopt_sessions(struct carried *c, struct engine *engine, struct err *err) MUST_CHECK;

#endif
