/* bench/crowd: the two ends of a storm of MQTT clients.
 *
 *   crowd broker ADDRESS:PORT      answers each CONNECT with a CONNACK and holds the connection until standard input
 *                                  ends; then says how many CONNECTs came, the most of them in any second, and how long
 *                                  it was from the first to the last
 *   crowd clients ADDRESS:PORT N   N clients (MQTT 3.1.1) that connect at once, and again when they lose their
 *                                  connection; each time that all are in, says how long that took, and the
 *                                  longest wait of one; runs until it is killed
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"

enum { EVENTS = 256 };

static const unsigned char connack[] = {0x20, 2, 0, 0};

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void watch(int epoll, int fd, uint32_t events, void *who)
{
    struct epoll_event event = {.events = events, .data.ptr = who};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

/* ---- broker ---- */

struct peer {
    int  fd;
    bool is_in; /* its CONNECT has come */
};

struct arrivals {
    double *at;
    size_t  n, room;
};

static void note(struct arrivals *a)
{
    if (a->n == a->room) {
        a->room = a->room * 2 + 1024;
        a->at = reallocarray(a->at, a->room, sizeof *a->at);
        if (a->at == NULL)
            die("out of memory");
    }
    a->at[a->n++] = now_s();
}

static void tell(const struct arrivals *a)
{
    size_t most = 0;
    for (size_t i = 0, first = 0; i < a->n; i++) {
        while (a->at[i] - a->at[first] >= 1.)
            first++;
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    printf("%zu %zu %.3f\n", a->n, most, a->n > 0 ? a->at[a->n - 1] - a->at[0] : 0.);
}

static int listen_at(const struct addr *at)
{
    const int on = 1;
    int       fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        die("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &at->sa, addr_socklen(at)) != 0 || listen(fd, 4096) != 0)
        die("listen");
    return fd;
}

static void take_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct peer *peer = calloc(1, sizeof *peer);
        if (peer == NULL)
            die("out of memory");
        peer->fd = fd;
        watch(epoll, fd, EPOLLIN, peer);
    }
}

/* A CONNECT of these clients comes in one piece. */
static void hear(struct peer *peer, struct arrivals *arrivals)
{
    char    bytes[4096];
    ssize_t n = recv(peer->fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(peer->fd);
        free(peer);
        return;
    }
    if (peer->is_in)
        return;
    peer->is_in = true;
    note(arrivals);
    (void)!send(peer->fd, connack, sizeof connack, MSG_NOSIGNAL);
}

static void broker(const struct addr *at)
{
    struct arrivals    arrivals = {0};
    int                epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_at(at);
    struct epoll_event events[EVENTS];
    watch(epoll, listener, EPOLLIN, &listener);
    watch(epoll, STDIN_FILENO, EPOLLIN, NULL);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                tell(&arrivals);
                return;
            }
            if (events[i].data.ptr == &listener)
                take_all(epoll, listener);
            else
                hear(events[i].data.ptr, &arrivals);
        }
    }
}

/* ---- clients ---- */

struct client {
    int    fd;
    bool   said, is_in;
    double out_since;
};

struct crowd {
    const struct addr *to;
    int                epoll;
    struct client     *clients;
    int                n, n_in;
    double             out_since, longest; /* of the storm that is on */
};

static void go(struct crowd *c, struct client *client)
{
    client->fd = socket(c->to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        die("socket");
    if (connect(client->fd, &c->to->sa, addr_socklen(c->to)) != 0 && errno != EINPROGRESS)
        die("connect");
    client->said = client->is_in = false;
    watch(c->epoll, client->fd, EPOLLOUT, client);
}

static void say(struct crowd *c, struct client *client)
{
    unsigned char      packet[] = {0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 5, '0', '0', '0', '0', '0'};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    char               number[6];
    (void)snprintf(number, sizeof number, "%05u", (unsigned)(client - c->clients) % 100000);
    memcpy(packet + sizeof packet - 5, number, 5);
    client->said = true;
    (void)!send(client->fd, packet, sizeof packet, MSG_NOSIGNAL);
    (void)epoll_ctl(c->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void came_in(struct crowd *c, struct client *client)
{
    double now = now_s(), waited = now - client->out_since;
    client->is_in = true;
    c->longest = waited > c->longest ? waited : c->longest;
    if (++c->n_in < c->n)
        return;
    printf("%.3f %.3f\n", now - c->out_since, c->longest);
    fflush(stdout);
    c->longest = 0;
}

static void lost(struct crowd *c, struct client *client)
{
    close(client->fd);
    if (client->is_in) {
        client->out_since = now_s();
        if (c->n_in-- == c->n)
            c->out_since = client->out_since;
    }
    go(c, client);
}

static void handle(struct crowd *c, struct client *client, uint32_t events)
{
    char bytes[256];
    if (!client->said && (events & (EPOLLERR | EPOLLHUP)) == 0) {
        say(c, client);
        return;
    }
    ssize_t n = recv(client->fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        lost(c, client);
    else if (!client->is_in)
        came_in(c, client);
}

static void turn(struct crowd *c, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int                n = epoll_wait(c->epoll, events, EVENTS, wait_ms);
    for (int i = 0; i < n; i++)
        handle(c, events[i].data.ptr, events[i].events);
}

static void clients(const struct addr *to, int n)
{
    struct crowd c = {.to = to, .epoll = epoll_create1(EPOLL_CLOEXEC), .n = n, .out_since = now_s()};
    c.clients = calloc((size_t)n, sizeof *c.clients);
    if (c.clients == NULL)
        die("out of memory");
    for (int i = 0; i < n; i++) {
        c.clients[i].out_since = c.out_since;
        go(&c, &c.clients[i]);
        turn(&c, 0); /* so that none connects and then is silent */
    }
    for (;;)
        turn(&c, -1);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct addr   at;
    if (argc < 3 || !addr_parse(argv[2], &at)) {
        fprintf(stderr, "usage: crowd broker ADDRESS:PORT | crowd clients ADDRESS:PORT N\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (strcmp(argv[1], "broker") == 0)
        broker(&at);
    else if (argc >= 4)
        clients(&at, atoi(argv[3]));
    return 0;
}
