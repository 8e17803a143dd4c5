/* bench/load: the two ends of a measurement.
 *
 *   load sink ADDRESS:PORT              accepts connections and sends back what comes; runs until it is killed
 *   load hold ADDRESS:PORT N [tls1.2|tls1.3]
 *                                       opens N connections, sends 64 bytes over each and waits for them to come back,
 *                                       says "held N", and holds all of them idle until standard input ends; for each
 *                                       line that comes there TALK messages go over each connection and back, as long
 *                                       as a record of TLS every fourth time, and it says "talked"
 *   load pingpong ADDRESS:PORT N SECONDS
 *                                       opens N connections and sends 64 bytes over each again as soon as they have
 *                                       come back, for that long; says how many came back a second
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int open_socket(const struct addr *at, bool listening)
{
    const int on = 1;
    int       fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (!listening) {
        if (connect(fd, &at->sa, addr_socklen(at)) != 0)
            die("connect");
        return fd;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &at->sa, addr_socklen(at)) != 0 || listen(fd, 4096) != 0)
        die("listen");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void echo(int fd)
{
    char    bytes[16384];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0 || send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        close(fd);
}

static void sink(const struct addr *at)
{
    int listener = open_socket(at, true);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[64];
        int                n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != listener) {
                echo(events[i].data.fd);
                continue;
            }
            int fd = accept(listener, NULL, NULL);
            if (fd >= 0)
                watch(epoll, fd);
        }
    }
}

enum { MESSAGE_LEN = 64, RECORD_LEN = 16384, TALK = 20 };

struct held {
    int  fd;
    SSL *ssl; /* NULL: plain */
};

static void round_trip(const struct held *c, int len)
{
    char bytes[RECORD_LEN] = "a message";
    if ((c->ssl ? SSL_write(c->ssl, bytes, len) : (int)send(c->fd, bytes, (size_t)len, 0)) != len)
        die("send");
    for (int done = 0; done < len;) {
        int n = c->ssl ? SSL_read(c->ssl, bytes, len - done) : (int)recv(c->fd, bytes, (size_t)(len - done), 0);
        if (n <= 0)
            die("receive");
        done += n;
    }
}

static SSL_CTX *tls_of(const char *version)
{
    int      number = strcmp(version, "tls1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, number) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, number) != 1)
        die("TLS");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static void join(struct held *c, const struct addr *at, SSL_CTX *ctx)
{
    *c = (struct held){.fd = open_socket(at, false)};
    if (ctx != NULL) {
        c->ssl = SSL_new(ctx);
        if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
            die("TLS handshake");
    }
    round_trip(c, MESSAGE_LEN);
}

static void say(const char *what, int count)
{
    printf("%s %d\n", what, count);
    fflush(stdout);
}

/* tls: the version; NULL: plain. */
static void hold(const struct addr *at, int count, const char *tls)
{
    SSL_CTX     *ctx = tls != NULL ? tls_of(tls) : NULL;
    struct held *all = calloc((size_t)count, sizeof *all);
    if (all == NULL)
        die("memory");
    for (int i = 0; i < count; i++)
        join(&all[i], at, ctx);
    say("held", count);
    for (int c; (c = getchar()) != EOF;) {
        for (int i = 0; c == '\n' && i < count * TALK; i++)
            round_trip(&all[i / TALK], i % 4 == 0 ? RECORD_LEN : MESSAGE_LEN);
        if (c == '\n')
            say("talked", count);
    }
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 64 bytes always arrive as one piece here: they are sent as one, and nothing else is under way on the connection. */
static void serve_ball(int fd)
{
    static const char ball[64] = "a message";
    if (send(fd, ball, sizeof ball, MSG_NOSIGNAL) != sizeof ball)
        die("send");
}

static void pingpong(const struct addr *at, int count, double seconds)
{
    int    epoll = epoll_create1(EPOLL_CLOEXEC);
    long   returned = 0;
    double begun = now_s();
    for (int i = 0; i < count; i++) {
        int fd = open_socket(at, false);
        watch(epoll, fd);
        serve_ball(fd);
    }
    while (now_s() - begun < seconds) {
        struct epoll_event events[64];
        char               bytes[64];
        int                n = epoll_wait(epoll, events, 64, 1000);
        for (int i = 0; i < n; i++) {
            if (recv(events[i].data.fd, bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
                die("receive");
            returned++;
            serve_ball(events[i].data.fd);
        }
    }
    printf("%.0f\n", (double)returned / (now_s() - begun));
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct addr   at;
    if (argc < 3 || !addr_parse(argv[2], &at)) {
        fprintf(stderr, "usage: load sink ADDRESS:PORT | load hold ADDRESS:PORT N [tls1.2|tls1.3] |"
                        " load pingpong ADDRESS:PORT N SECONDS\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (strcmp(argv[1], "sink") == 0)
        sink(&at);
    else if (argc >= 5 && strcmp(argv[1], "pingpong") == 0)
        pingpong(&at, atoi(argv[3]), atof(argv[4]));
    else if (argc >= 4)
        hold(&at, atoi(argv[3]), argc >= 5 ? argv[4] : NULL);
    return 0;
}
