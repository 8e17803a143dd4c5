/* control/socket.h: the listening Unix socket in the file system. Private to control/. */
#ifndef MQGATE_CONTROL_SOCKET_H
#define MQGATE_CONTROL_SOCKET_H

#include <sys/types.h>

#include "base/err.h"

struct control_socket {
    int   fd; /* -1: closed */
    dev_t device;
    ino_t inode; /* of the path, to know it again */
};

/* path is at most 107 bytes. One that a dead process left behind is replaced; one that somebody listens on is not.
 * It has its mode and its owner before anybody can connect; -1 leaves the user or the group as it is. Sets the umask
 * for a moment: no other thread may run. 0, or -1 and *err. */
int control_socket_open(struct control_socket *s, const char *path, mode_t mode, uid_t uid, gid_t gid,
                        struct err *err) MUST_CHECK;
/* fd listens there already; mode and owner may be others now. */
void control_socket_adopt(struct control_socket *s, const char *path, mode_t mode, uid_t uid, gid_t gid, int fd);
/* The path goes too, unless it is another's by now, or the user that this process became may not. */
void control_socket_close(struct control_socket *s, const char *path);

#endif
