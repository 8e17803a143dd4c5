/* bench/broker: stands for the broker of a measurement.
 *
 *   broker ADDRESS:PORT
 *
 * Takes MQTT with or without a PROXY header before it, and answers CONNECT with CONNACK. What it does then, the first
 * letter of the client identifier says: "p": sends PUBLISH packets as fast as they are taken; "s": swallows what comes;
 * otherwise what comes goes back. Runs until standard input ends; then says how many CONNECTs came, the most of them in
 * any second, and the seconds from the first to the last.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"

struct peer {
    int    fd;
    char   role;   /* 0: its CONNECT has not come */
    size_t offset; /* in the piece that it is being sent */
    /* What came and does not go back yet; while that is so, no more is read. */
    unsigned char *rest;
    size_t         rest_at, rest_len;
};

struct broker {
    int       epoll;
    uint64_t *came_ns; /* when each CONNECT came */
    size_t    n, room;
};

static void note(struct broker *b)
{
    if (b->n == b->room) {
        b->room = b->room * 2 + 1024;
        b->came_ns = reallocarray(b->came_ns, b->room, sizeof *b->came_ns);
        if (b->came_ns == NULL)
            die("out of memory");
    }
    b->came_ns[b->n++] = now_ns();
}

static void tell(const struct broker *b)
{
    size_t most = 0;
    for (size_t i = 0, first = 0; i < b->n; i++) {
        while (b->came_ns[i] - b->came_ns[first] >= 1000000000)
            first++;
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    printf("%zu %zu %.3f\n", b->n, most, b->n > 0 ? (double)(b->came_ns[b->n - 1] - b->came_ns[0]) / 1e9 : 0.);
}

static void take_all(struct broker *b, int listener)
{
    const int on = 1;
    int       fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct peer *peer = calloc(1, sizeof *peer);
        if (peer == NULL)
            die("out of memory");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peer->fd = fd;
        watch(b->epoll, fd, EPOLLIN | EPOLLRDHUP, peer);
    }
}

/* Its length; n: not whole yet. */
static size_t proxy_header(const unsigned char *bytes, size_t n)
{
    static const unsigned char version_2[12] = "\r\n\r\n\0\r\nQUIT\n";
    if (n >= 16 && memcmp(bytes, version_2, sizeof version_2) == 0)
        return 16 + ((size_t)bytes[14] << 8) + bytes[15];
    if (n >= 6 && memcmp(bytes, "PROXY ", 6) == 0) {
        const unsigned char *end = memchr(bytes, '\n', n);
        return end != NULL ? (size_t)(end - bytes) + 1 : n;
    }
    return 0;
}

static void await(const struct broker *b, struct peer *peer, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    (void)epoll_ctl(b->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

/* CONNECTs of these clients are shorter than 128 bytes, and their protocol is "MQTT". */
static void welcome(struct broker *b, struct peer *peer)
{
    enum { IDENTIFIER = 14 };
    static const unsigned char connack[] = {0x20, 2, 0, 0};
    unsigned char              bytes[1024];
    ssize_t                    n = recv(peer->fd, bytes, sizeof bytes, MSG_PEEK);
    size_t                     at = n > 0 ? proxy_header(bytes, (size_t)n) : 0;
    if (n <= 0 || at + 2 > (size_t)n || at + 2 + bytes[at + 1] > (size_t)n)
        return; /* the rest comes at once, or the end */
    const size_t whole = at + 2 + bytes[at + 1];
    if (bytes[at] != 0x10 || whole <= at + IDENTIFIER)
        die("no CONNECT");
    peer->role = (char)bytes[at + IDENTIFIER];
    note(b);
    if (recv(peer->fd, bytes, whole, 0) != (ssize_t)whole || send(peer->fd, connack, sizeof connack, MSG_NOSIGNAL) < 0)
        return;
    await(b, peer, peer->role == 'p' ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void fill(struct peer *peer)
{
    static unsigned char piece[PIECE_LEN];
    if (piece[0] == 0)
        publish(piece, PIECE_LEN);
    ssize_t n = send(peer->fd, piece + peer->offset, PIECE_LEN - peer->offset, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        peer->offset = (peer->offset + (size_t)n) % PIECE_LEN;
}

/* False: it has ended. */
static bool send_back(const struct broker *b, struct peer *peer, const unsigned char *bytes, size_t n)
{
    ssize_t sent = send(peer->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        return false;
    size_t left = n - (sent > 0 ? (size_t)sent : 0);
    if (left == 0)
        return true;
    peer->rest = malloc(left);
    if (peer->rest == NULL)
        die("out of memory");
    memcpy(peer->rest, bytes + (n - left), left);
    peer->rest_at = 0;
    peer->rest_len = left;
    await(b, peer, EPOLLOUT);
    return true;
}

static bool send_rest(const struct broker *b, struct peer *peer)
{
    ssize_t sent =
        send(peer->fd, peer->rest + peer->rest_at, peer->rest_len - peer->rest_at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN;
    peer->rest_at += (size_t)sent;
    if (peer->rest_at == peer->rest_len) {
        free(peer->rest);
        peer->rest = NULL;
        await(b, peer, EPOLLIN);
    }
    return true;
}

/* False: it has ended, or says so. */
static bool hear(const struct broker *b, struct peer *peer)
{
    static const unsigned char disconnect[] = {0xe0, 0};
    static unsigned char       bytes[4 * PIECE_LEN];
    ssize_t                    n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n == sizeof disconnect && memcmp(bytes, disconnect, sizeof disconnect) == 0)
        return false;
    return n > 0 && (peer->role == 's' || send_back(b, peer, bytes, (size_t)n));
}

/* False: it has ended. */
static bool serve(struct broker *b, struct peer *peer, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        return false;
    if (peer->role == 0) {
        welcome(b, peer);
        return peer->role != 0 || (events & EPOLLRDHUP) == 0;
    }
    if ((events & EPOLLOUT) != 0 && peer->role == 'p')
        fill(peer);
    else if ((events & EPOLLOUT) != 0 && !send_rest(b, peer))
        return false;
    return (events & EPOLLIN) == 0 || hear(b, peer);
}

static void end(struct peer *peer)
{
    close(peer->fd);
    free(peer->rest);
    free(peer);
}

int main(int argc, char **argv)
{
    struct broker      b = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct epoll_event events[EVENTS];
    struct addr        at;
    if (argc != 2 || !addr_parse(argv[1], &at)) {
        fprintf(stderr, "usage: broker ADDRESS:PORT\n");
        return 2;
    }
    raise_limit();
    int listener = listen_at(&at);
    watch(b.epoll, listener, EPOLLIN, &listener);
    watch(b.epoll, STDIN_FILENO, EPOLLIN, NULL);
    for (;;) {
        int n = epoll_wait(b.epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                tell(&b);
                return 0;
            }
            if (events[i].data.ptr == &listener)
                take_all(&b, listener);
            else if (!serve(&b, events[i].data.ptr, events[i].events))
                end(events[i].data.ptr);
        }
    }
}
