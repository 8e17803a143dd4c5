/* bench/load: the two ends of a measurement.
 *
 *   load sink ADDRESS:PORT              accepts connections and sends back what comes; runs until it is killed
 *   load hold ADDRESS:PORT N [tls1.2|tls1.3]
 *                                       opens N connections, sends 64 bytes over each and waits for them to come back,
 *                                       says "held N", and holds all of them idle until standard input ends. On "talk"
 *                                       there TALK messages go over each connection and back, one connection after the
 *                                       other, as long as a record of TLS every fourth time, and it says "talked". On
 *                                       "fill" bytes go into all of them, and none are read back, until all that is
 *                                       between the two ends is full, and it says "filled"; on "empty" they are read
 *                                       back, and it says "emptied".
 *   load pingpong ADDRESS:PORT N SECONDS
 *                                       opens N connections and sends 64 bytes over each again as soon as they have
 *                                       come back, for that long; says how many came back a second
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

enum { FDS_MAX = 32768 };

/* What came over a connection and has not gone back. */
struct rest {
    size_t at, len;
    char   bytes[16384];
};

static struct rest *rests[FDS_MAX]; /* by descriptor; NULL: nothing waits */

static void await(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0)
        die("epoll_ctl");
}

static void keep_rest(int epoll, int fd, const struct rest *r)
{
    rests[fd] = malloc(sizeof *r);
    if (rests[fd] == NULL)
        die("memory");
    *rests[fd] = *r;
    await(epoll, fd, EPOLLOUT);
}

static void drop_rest(int fd)
{
    free(rests[fd]);
    rests[fd] = NULL;
}

/* While what came does not go back, no more is read. */
static void echo(int epoll, int fd)
{
    static struct rest fresh;
    struct rest       *r = rests[fd] != NULL ? rests[fd] : &fresh;
    ssize_t            n = r != &fresh ? 1 : recv(fd, fresh.bytes, sizeof fresh.bytes, 0);
    if (r == &fresh)
        fresh.at = 0, fresh.len = n > 0 ? (size_t)n : 0;
    if (n > 0)
        n = send(fd, r->bytes + r->at, r->len - r->at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        drop_rest(fd);
        close(fd);
        return;
    }
    r->at += n > 0 ? (size_t)n : 0;
    if (r->at < r->len && r == &fresh) {
        keep_rest(epoll, fd, r);
    } else if (r->at == r->len && r != &fresh) {
        drop_rest(fd);
        await(epoll, fd, EPOLLIN);
    }
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
                echo(epoll, events[i].data.fd);
                continue;
            }
            int fd = accept(listener, NULL, NULL);
            if (fd >= 0)
                watch(epoll, fd);
        }
    }
}

enum { MESSAGE_LEN = 64, RECORD_LEN = 16384, TALK = 8 };
enum { FILL_MAX = 1 << 18 }; /* bytes a connection, should it not be full by then */

struct held {
    int  fd;
    SSL *ssl;    /* NULL: plain */
    int  unread; /* bytes that were sent and did not come back */
    bool begun;  /* OpenSSL has a record that it has not sent whole, and wants the same call again */
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

static void set_blocking(const struct held *c, bool blocks)
{
    int flags = fcntl(c->fd, F_GETFL);
    if (fcntl(c->fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0)
        die("fcntl");
}

/* What a call that was to move bytes over a connection that does not block returned: whether it did. */
static bool has_moved(const struct held *c, int n)
{
    int why = n > 0             ? SSL_ERROR_NONE
              : c->ssl != NULL  ? SSL_get_error(c->ssl, n)
              : errno == EAGAIN ? SSL_ERROR_WANT_READ
                                : SSL_ERROR_SYSCALL;
    if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        die("a connection was lost");
    return n > 0;
}

static bool put_in(struct held *c)
{
    static const char bytes[RECORD_LEN];
    int               n = c->ssl ? SSL_write(c->ssl, bytes, sizeof bytes) : (int)send(c->fd, bytes, sizeof bytes, 0);
    bool              moved = has_moved(c, n);
    c->begun = !moved && c->ssl != NULL;
    c->unread += moved ? n : 0;
    return moved;
}

static bool take_out(struct held *c)
{
    char bytes[RECORD_LEN];
    int  n = c->ssl ? SSL_read(c->ssl, bytes, sizeof bytes) : (int)recv(c->fd, bytes, sizeof bytes, 0);
    bool moved = has_moved(c, n);
    c->unread -= moved ? n : 0;
    return moved;
}

/* Until nothing has moved for a while: the proxy is behind at first. */
static void fill(struct held *all, int count)
{
    for (int i = 0; i < count; i++)
        set_blocking(&all[i], false);
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            while (all[i].unread < FILL_MAX && put_in(&all[i]))
                moved = true;
        }
        (void)poll(NULL, 0, 300);
    }
}

static void empty(struct held *all, int count)
{
    for (int left = count; left > 0;) {
        bool moved = false;
        left = 0;
        for (int i = 0; i < count; i++) {
            struct held *c = &all[i];
            moved |= c->begun && put_in(c);
            moved |= c->unread > 0 && take_out(c);
            left += c->unread > 0 || c->begun;
        }
        if (!moved)
            (void)poll(NULL, 0, 1);
    }
    for (int i = 0; i < count; i++)
        set_blocking(&all[i], true);
}

static void talk(struct held *all, int count)
{
    for (int i = 0; i < count * TALK; i++)
        round_trip(&all[i / TALK], i % 4 == 0 ? RECORD_LEN : MESSAGE_LEN);
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
    for (char line[16]; fgets(line, sizeof line, stdin) != NULL;) {
        if (strcmp(line, "talk\n") == 0) {
            talk(all, count);
            say("talked", count);
        } else if (strcmp(line, "fill\n") == 0) {
            fill(all, count);
            say("filled", count);
        } else if (strcmp(line, "empty\n") == 0) {
            empty(all, count);
            say("emptied", count);
        }
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
