/* bench/crowd: a storm of MQTT clients.
 *
 *   crowd ADDRESS:PORT N   N clients (MQTT 3.1.1) that connect at once, and again when they lose their connection; each
 *                          time that all are in, says how long that took, and the longest wait of one; runs until it is
 *                          killed
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"

static double now_s(void)
{
    return (double)now_ns() / 1e9;
}

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

static void introduce(struct crowd *c, struct client *client)
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
        introduce(c, client);
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

_Noreturn static void storm(const struct addr *to, int n)
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
    struct addr at;
    if (argc != 3 || !addr_parse(argv[1], &at)) {
        fprintf(stderr, "usage: crowd ADDRESS:PORT N\n");
        return 2;
    }
    raise_limit();
    storm(&at, atoi(argv[2]));
}
