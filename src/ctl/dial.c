#include "ctl/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

const char *dial_path(const char *given)
{
    const char *path = given != NULL ? given : getenv("MQGATE_SOCKET");
    return path != NULL && path[0] != '\0' ? path : "/run/mqgate/mqgate.sock";
}

static const char *advice(int why)
{
    switch (why) {
    case EACCES:
    case EPERM:
        return "; be root or of the group that global.control_mode lets in";
    case ECONNREFUSED:
        return "; mqgate is not running, or listens elsewhere: see global.control_socket in its configuration";
    case ENOENT:
        return "; is mqgate running, and is this what global.control_socket says in its configuration? -s SOCKET or "
               "MQGATE_SOCKET names another";
    default:
        return "";
    }
}

static int fail(int fd, const char *path, int why, struct err *err)
{
    if (fd >= 0)
        close(fd);
    err_set(err, "cannot reach %s: %s%s", path, strerror(why), advice(why));
    return -1;
}

/* A UNIX socket whose queue is full makes connect(2) wait as long as a send may, and then say EAGAIN. */
int dial_open(const char *path, unsigned timeout_ms, struct err *err)
{
    const struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    struct sockaddr_un   at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path)
        return fail(-1, path, ENAMETOOLONG, err);
    memcpy(at.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return fail(fd, path, errno, err);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) != 0)
        return fail(fd, path, errno == EAGAIN ? ETIMEDOUT : errno, err);
    return fd;
}

bool dial_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}
