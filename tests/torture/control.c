/* A control socket with a client that asks for something of everything. */
#include <ev.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/control.h"
#include "net/sock.h"
#include "torture/scenario.h"

enum { TURNS_MAX = 5000, ANSWER_MAX = 65536 };

static int connect_to(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    (void)EXPECT(connect(fd, (const struct sockaddr *)&name, sizeof name) == 0);
    return fd;
}

/* What comes until the other side closes; true when that is all, and whole. */
static bool read_answers(struct ev_loop *loop, int fd)
{
    static const char last[] = "[info]: Done.\n\n";
    static char       answer[ANSWER_MAX];
    size_t            len = 0;
    for (int i = 0; i < TURNS_MAX; i++) {
        (void)ev_run(loop, EVRUN_NOWAIT);
        ssize_t n = recv(fd, answer + len, sizeof answer - len, 0);
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
        (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
    }
    return len > sizeof last && memcmp(answer + len - (sizeof last - 1), last, sizeof last - 1) == 0;
}

static bool commands(void)
{
    static const char lines[] = "help;set severity-output string;nonsense\nshow cli sockets;echo x\nwait 1\n";
    const struct control_settings settings = {
        .path = "control", .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1, .level = COMMAND_ADMIN};
    struct log_settings log_settings = {.level = LEVEL_ERROR, .wake_fd = -1};
    struct log          log = {.settings = &log_settings};
    struct err          err = {0};
    struct ev_loop     *loop = ev_loop_new(EVFLAG_AUTO);
    struct control     *control = control_open(loop, &settings, &log, &err);
    bool                done = control != NULL || reported(&err);
    if (control != NULL) {
        int fd = connect_to(settings.path);
        (void)EXPECT(send(fd, lines, sizeof lines - 1, MSG_NOSIGNAL) == (ssize_t)sizeof lines - 1);
        done = read_answers(loop, fd);
        sock_close(fd);
    }
    control_close(control);
    ev_loop_destroy(loop);
    return done;
}

const struct scenario control_scenarios[] = {{"a control socket answers", commands}, {0}};
