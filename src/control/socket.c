#include "control/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/sock.h"

enum { BACKLOG = 256 };

static struct sockaddr_un name_of(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t             len = strlen(path);
    memcpy(name.sun_path, path, len < sizeof name.sun_path ? len : sizeof name.sun_path - 1);
    return name;
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Why nobody answers at path, as an errno; 0 when somebody does. A full queue is somebody's. */
static int ask(const char *path)
{
    struct sockaddr_un name = name_of(path);
    int                fd = new_socket(), why = errno;
    if (fd < 0)
        return why;
    why = connect(fd, (const struct sockaddr *)&name, sizeof name) == 0 || errno == EAGAIN ? 0 : errno;
    sock_close(fd);
    return why;
}

/* What stands where the socket is to be. 0 when it is gone. */
static int remove_stale(const char *path, struct err *err)
{
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode)) {
        err_set(err, "control_socket %s: something that is no socket has this name", path);
        return -1;
    }
    int why = ask(path);
    if (why == 0) {
        err_set(err, "another mqgate is listening on %s; give each a global.control_socket of its own", path);
        return -1;
    }
    if (why == ECONNREFUSED)
        why = unlink(path) == 0 ? ENOENT : errno;
    if (why == ENOENT)
        return 0;
    err_system(err, why, "control_socket %s: it is there, and cannot be replaced", path);
    return -1;
}

/* The mode comes with the name, so that at no time it is wider. */
static int bind_with_mode(int fd, const char *path, mode_t mode)
{
    struct sockaddr_un name = name_of(path);
    mode_t             before = umask(~mode & 0777);
    int                answer = bind(fd, (const struct sockaddr *)&name, sizeof name), why = errno;
    (void)umask(before);
    errno = why;
    return answer;
}

static void explain(struct err *err, const char *path, int why)
{
    const char *slash = strrchr(path, '/');
    int         len = slash != NULL ? (int)(slash - path) : 0;
    if (why == ENOENT && len > 0)
        err_set(err,
                "control_socket %s: there is no directory %.*s; create it, or let systemd do so (RuntimeDirectory=)",
                path, len, path);
    else
        err_system(err, why, "control_socket %s", path);
}

static int bind_to(int fd, const char *path, mode_t mode, struct err *err)
{
    if (bind_with_mode(fd, path, mode) == 0)
        return 0;
    if (errno == EADDRINUSE) {
        if (remove_stale(path, err) != 0)
            return -1;
        if (bind_with_mode(fd, path, mode) == 0)
            return 0;
    }
    explain(err, path, errno);
    return -1;
}

static int give_away(const struct stat *there, const char *path, uid_t uid, gid_t gid)
{
    bool is_anothers = (uid != (uid_t)-1 && uid != there->st_uid) || (gid != (gid_t)-1 && gid != there->st_gid);
    return is_anothers ? lchown(path, uid, gid) : 0;
}

/* Of a path that is bound. */
static int listen_on(struct control_socket *s, const char *path, uid_t uid, gid_t gid)
{
    struct stat there;
    if (lstat(path, &there) != 0)
        return -1;
    s->device = there.st_dev;
    s->inode = there.st_ino;
    return give_away(&there, path, uid, gid) == 0 ? listen(s->fd, BACKLOG) : -1;
}

int control_socket_open(struct control_socket *s, const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
    *s = (struct control_socket){.fd = new_socket()};
    if (s->fd < 0) {
        err_system(err, errno, "control_socket %s", path);
        return -1;
    }
    if (bind_to(s->fd, path, mode, err) != 0) {
        sock_close(s->fd);
        s->fd = -1;
        return -1;
    }
    if (listen_on(s, path, uid, gid) == 0)
        return 0;
    err_system(err, errno, "control_socket %s", path);
    control_socket_close(s, path);
    return -1;
}

void control_socket_adopt(struct control_socket *s, const char *path, mode_t mode, uid_t uid, gid_t gid, int fd)
{
    struct stat there = {0};
    bool        is_there = lstat(path, &there) == 0;
    if (is_there && (there.st_mode & 0777) != mode)
        (void)chmod(path, mode);
    if (is_there)
        (void)give_away(&there, path, uid, gid);
    *s = (struct control_socket){.fd = fd, .device = there.st_dev, .inode = there.st_ino};
}

void control_socket_close(struct control_socket *s, const char *path)
{
    struct stat there;
    if (s->fd < 0)
        return;
    if (lstat(path, &there) == 0 && there.st_dev == s->device && there.st_ino == s->inode)
        (void)unlink(path);
    sock_close(s->fd);
    s->fd = -1;
}
