#include "net/listener.h"

#include <errno.h>
#include <string.h>

#include "net/sock.h"

static int open_bound(const struct addr *at, bool share)
{
    const int on = 1;
    int       fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->sa.sa_family == AF_INET6) /* so that 0.0.0.0 and [::] can stand side by side */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if ((share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        bind(fd, &at->sa, addr_socklen(at)) != 0) {
        int why = errno;
        sock_close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* SO_REUSEPORT would let a second daemon of the same user take half of the connections in silence. A socket without it
 * cannot even be bound beside one that listens, so it finds one that is there. */
static int refuse_if_taken(const struct addr *at)
{
    int fd = open_bound(at, false);
    if (fd < 0)
        return -1;
    sock_close(fd);
    return 0;
}

/* A taken port is the commonest fault of a first start: the broker has it on 127.0.0.1, and that stands in the way of
 * 0.0.0.0 too. */
static void explain(struct err *err, const struct addr *at, int why)
{
    char text[ADDR_TEXT_MAX];
    if (why != EADDRINUSE) {
        err_system(err, why, "listen on %s", addr_format(at, text));
        return;
    }
    err_set(err, "listen on %s: %s; ss -ltnp 'sport = :%u' shows by whom%s", addr_format(at, text), strerror(why),
            addr_port(at),
            addr_is_wildcard(at)
                ? "; a broker on 127.0.0.1 takes the port from 0.0.0.0 too: bind the node's own address"
                : "");
}

int listener_open(const struct addr *at, bool beside, int backlog, int *fds, unsigned n, struct err *err)
{
    struct addr here = *at;
    unsigned    done = 0;
    if (beside || addr_port(at) == 0 || refuse_if_taken(at) == 0) {
        for (; done < n; done++) {
            fds[done] = open_bound(&here, true);
            if (fds[done] < 0)
                break;
            here = sock_local(fds[done]); /* port 0 is settled by the first */
            if (listen(fds[done], backlog) != 0) {
                done++;
                break;
            }
        }
        if (done == n && n > 0)
            return 0;
    }
    explain(err, at, errno);
    while (done > 0)
        sock_close(fds[--done]);
    return -1;
}

/* accept(2): on Linux an error of the new connection itself comes up here and concerns only that connection. All other
 * errors stay until somebody does something about them, so that to try again at once would never end. */
static bool is_of_the_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return true;
    default:
        return false;
    }
}

int listener_accept(int fd, struct addr *peer)
{
    struct sockaddr_storage ss;
    int                     conn;
    do {
        socklen_t len = sizeof ss;
        conn = accept4(fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (conn < 0 && is_of_the_connection(errno));
    if (conn >= 0)
        *peer = addr_from_sockaddr((const struct sockaddr *)&ss);
    return conn;
}
