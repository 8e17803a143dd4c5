/* bench/bare: a relay that only reads and writes, to show what of a proxy's cost is the kernel's.
 *
 *   bare [-n THREADS] ADDRESS:PORT SERVER:PORT
 *
 * No limits, no timeouts, no log, no PROXY header, nothing counted. Edge-triggered: no call but recv(2), send(2) and
 * epoll_wait(2) while bytes flow. Runs until it is killed.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"

struct side {
    int            fd;
    bool           ending; /* behind what is to be read is its end, */
    bool           ended;  /* which has been read */
    struct side   *other;
    struct pair   *pair;
    unsigned char *rest; /* what it has not taken yet; while that is so, the other is not read */
    size_t         rest_len;
};

struct pair {
    struct side  client, server;
    bool         over;
    struct pair *next; /* of those that are over: an event of the other side may come in the same turn */
};

struct relay {
    int           epoll, listener;
    struct addr   server;
    struct pair  *over;
    unsigned char piece[PIECE_LEN];
};

static void add(const struct relay *r, struct side *side)
{
    const int on = 1;
    (void)setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(r->epoll, side->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, side);
}

static void begin(struct relay *r, int fd)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        die("out of memory");
    pair->client = (struct side){.fd = fd, .other = &pair->server, .pair = pair};
    fd = socket(r->server.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    pair->server = (struct side){.fd = fd, .other = &pair->client, .pair = pair};
    if (fd < 0 || (connect(fd, &r->server.sa, addr_socklen(&r->server)) < 0 && errno != EINPROGRESS))
        die("the server");
    add(r, &pair->server);
    add(r, &pair->client);
}

/* False: to is gone. */
static bool deliver(struct side *to, const unsigned char *bytes, size_t n)
{
    ssize_t sent = send(to->fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN)
        return false;
    size_t left = n - (sent > 0 ? (size_t)sent : 0);
    if (left == 0)
        return true;
    unsigned char *rest = malloc(left);
    if (rest == NULL)
        die("out of memory");
    memcpy(rest, bytes + (n - left), left);
    to->rest = rest;
    to->rest_len = left;
    return true;
}

/* False: one of the two is gone. */
static bool pass_on(struct relay *r, struct side *from)
{
    while (!from->ended && from->other->rest == NULL) {
        ssize_t n = recv(from->fd, r->piece, PIECE_LEN, 0);
        if (n < 0)
            return errno == EAGAIN;
        from->ended = n == 0;
        if (from->ended)
            (void)shutdown(from->other->fd, SHUT_WR);
        else if (!deliver(from->other, r->piece, (size_t)n))
            return false;
        if (n < PIECE_LEN && !from->ending)
            return true; /* more would be another event */
    }
    return true;
}

static bool serve(struct relay *r, struct side *side, uint32_t events)
{
    if ((events & EPOLLERR) != 0)
        return false;
    side->ending |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if ((events & EPOLLOUT) != 0 && side->rest != NULL) {
        unsigned char *rest = side->rest;
        side->rest = NULL;
        bool good = deliver(side, rest, side->rest_len) && pass_on(r, side->other);
        free(rest);
        if (!good)
            return false;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0 && !pass_on(r, side))
        return false;
    return !side->ended || !side->other->ended || side->rest != NULL || side->other->rest != NULL;
}

static void end(struct relay *r, struct pair *pair)
{
    close(pair->client.fd);
    close(pair->server.fd);
    pair->over = true;
    pair->next = r->over;
    r->over = pair;
}

static void bury(struct relay *r)
{
    struct pair *pair;
    while ((pair = r->over) != NULL) {
        r->over = pair->next;
        free(pair->client.rest);
        free(pair->server.rest);
        free(pair);
    }
}

static void *run(void *arg)
{
    struct relay      *r = arg;
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(r->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct side *side = events[i].data.ptr;
            int          fd;
            if (side == NULL) {
                while ((fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                    begin(r, fd);
            } else if (!side->pair->over && !serve(r, side, events[i].events)) {
                end(r, side->pair);
            }
        }
        bury(r);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct addr   at, server;
    unsigned long threads = 1;
    int           first = 1;
    if (argc > 3 && strcmp(argv[1], "-n") == 0) {
        threads = strtoul(argv[2], NULL, 10);
        first = 3;
    }
    if (argc != first + 2 || !addr_parse(argv[first], &at) || !addr_parse(argv[first + 1], &server) || threads < 1) {
        fprintf(stderr, "usage: bare [-n THREADS] ADDRESS:PORT SERVER:PORT\n");
        return 2;
    }
    raise_limit();
    while (threads-- > 0) {
        struct relay *r = calloc(1, sizeof *r);
        pthread_t     thread;
        if (r == NULL)
            die("out of memory");
        r->epoll = epoll_create1(EPOLL_CLOEXEC);
        r->listener = listen_at(&at);
        r->server = server;
        watch(r->epoll, r->listener, EPOLLIN, NULL);
        if (threads == 0)
            (void)run(r);
        else if (pthread_create(&thread, NULL, run, r) != 0)
            die("a thread");
    }
}
