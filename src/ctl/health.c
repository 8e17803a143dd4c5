#include "ctl/health.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/sock.h"
#include "proto/http1.h"

enum { TIMEOUT_MS = 5000, ANSWER_MAX = 8192 };

/* Waits for events; false once until_ms (monotonic) has passed. */
static bool wait_for(int fd, short events, uint64_t until_ms)
{
    for (;;) {
        uint64_t      now = clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = events};
        int           n = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR) {
            errno = ETIMEDOUT;
            return false;
        }
    }
}

static bool send_all(int fd, const char *text, size_t len, uint64_t until_ms)
{
    while (len > 0) {
        if (!wait_for(fd, POLLOUT, until_ms))
            return false;
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        text += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return true;
}

/* The status of the answer, or -1 with errno. */
static int read_status(int fd, uint64_t until_ms)
{
    uint8_t           answer[ANSWER_MAX];
    size_t            len = 0, used;
    struct http1_head head;
    while (len < sizeof answer && wait_for(fd, POLLIN, until_ms)) {
        ssize_t n = recv(fd, answer + len, sizeof answer - len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
        enum parse parse = http1_parse_response(slice_of(answer, len), &head, &used);
        if (parse == PARSE_OK)
            return head.status;
        if (parse == PARSE_BAD) {
            errno = EPROTO;
            return -1;
        }
    }
    if (errno != ETIMEDOUT)
        errno = ECONNRESET;
    return -1;
}

static int ask(const struct addr *at, const char *uri)
{
    char     request[1024], text[ADDR_TEXT_MAX];
    uint64_t until_ms = clock_mono_ms() + TIMEOUT_MS;
    int      status = -1;
    int      len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", uri,
                            addr_format(at, text));
    if (len < 0 || (size_t)len >= sizeof request) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = sock_connect(at, NULL, NULL);
    if (fd >= 0 && wait_for(fd, POLLOUT, until_ms)) {
        errno = sock_error(fd);
        if (errno == 0 && send_all(fd, request, (size_t)len, until_ms))
            status = read_status(fd, until_ms);
    }
    int why = errno;
    sock_close(fd);
    errno = why;
    return status;
}

enum ctl_status health_run(int argc, char **argv)
{
    const char *where = argc > 0 ? argv[0] : "127.0.0.1:8080";
    const char *uri = argc > 1 ? argv[1] : "/haproxy_health";
    struct addr at;
    if (argc > 2 || !addr_parse(where, &at) || uri[0] != '/') {
        fputs("usage: mqgatectl check-health [ADDRESS:PORT [URI]]\n", stderr);
        return CTL_BAD_USAGE;
    }
    int status = ask(&at, uri);
    if (status < 0)
        fprintf(stderr, "mqgatectl: http://%s%s: %s\n", where, uri, strerror(errno));
    else
        printf("%s: %d\n", status == 200 ? "healthy" : "not healthy", status);
    return status == 200 ? CTL_OK : CTL_FAILED;
}
