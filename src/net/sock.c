#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

static void set_int(int fd, int level, int name, uint32_t value)
{
    int v = (int)value;
    (void)setsockopt(fd, level, name, &v, sizeof v);
}

static int start_connect(int fd, const struct addr *to, const struct addr *from)
{
    if (from != NULL) {
        set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (bind(fd, &from->sa, addr_socklen(from)) != 0)
            return -1;
    }
    if (connect(fd, &to->sa, addr_socklen(to)) == 0 || errno == EINPROGRESS || errno == EINTR)
        return 0;
    return -1;
}

int sock_connect(const struct addr *to, const struct addr *from, struct err *err)
{
    char text[ADDR_TEXT_MAX];
    int  fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && start_connect(fd, to, from) == 0)
        return fd;
    int why = errno;
    sock_close(fd);
    err_system(err, why, "connect to %s", addr_format(to, text));
    errno = why;
    return -1;
}

int sock_error(int fd)
{
    int       error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

bool sock_is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t               len = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

bool sock_met_itself(int fd, const struct addr *to)
{
    struct addr self = sock_local(fd);
    return addr_port(&self) == addr_port(to) && addr_same_ip(&self, to);
}

void sock_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

uint64_t sock_cookie(int fd)
{
    uint64_t  cookie = 0;
    socklen_t len = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

bool sock_keep(int fd)
{
    return fcntl(fd, F_SETFD, 0) == 0;
}

void sock_keep_not(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void sock_reset(int fd)
{
    if (fd < 0)
        return;
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    sock_close(fd);
}

void sock_await(int fd, uint32_t n)
{
    set_int(fd, SOL_SOCKET, SO_RCVLOWAT, n);
}

enum sock_pending sock_pending(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN | POLLRDHUP};
    char          byte;
    (void)poll(&look, 1, 0); /* when it fails nothing is seen */
    if ((look.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        return SOCK_LOST;
    if ((look.revents & POLLRDHUP) == 0)
        return (look.revents & POLLIN) != 0 ? SOCK_BYTES : SOCK_NOTHING;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 ? SOCK_BYTES_AND_END : SOCK_END;
}

static struct addr name_of(int fd, int (*call)(int, struct sockaddr *restrict, socklen_t *restrict))
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t               len = sizeof ss;
    if (call(fd, (struct sockaddr *)&ss, &len) != 0)
        ss.ss_family = AF_UNSPEC;
    return addr_from_sockaddr((const struct sockaddr *)&ss);
}

struct addr sock_local(int fd)
{
    return name_of(fd, getsockname);
}

struct addr sock_peer(int fd)
{
    return name_of(fd, getpeername);
}

void sock_tune(int fd, const struct sock_options *options)
{
    set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->user_timeout_ms != 0)
        set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options->user_timeout_ms);
    if (options->keepalive_idle_s == 0)
        return;
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keepalive_idle_s);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, options->keepalive_interval_s);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, options->keepalive_probes);
}

void sock_tune_loopback(int fd)
{
    /* Pacing, as bbr does it, buys nothing on a lossless loopback; reno is in every kernel. */
    static const char name[] = "reno";
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof name - 1);
}
