#include "ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

int listen_at(const struct addr *at)
{
    const int on = 1;
    int       fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        die("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, &at->sa, addr_socklen(at)) != 0 || listen(fd, 4096) != 0)
        die("listen");
    return fd;
}

void watch(int epoll, int fd, uint32_t events, void *who)
{
    struct epoll_event event = {.events = events, .data.ptr = who};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Bytes of a remaining length, section 2.1.4 of MQTT 5.0. */
static size_t put_length(unsigned char *to, size_t length)
{
    size_t n = 0;
    for (; length > 127; length >>= 7)
        to[n++] = (unsigned char)(0x80 | (length & 0x7f));
    to[n++] = (unsigned char)length;
    return n;
}

void publish(unsigned char *to, size_t len)
{
    static const unsigned char topic[] = {0, 1, 't'};
    size_t                     header = 2;
    memset(to, 0, len);
    to[0] = 0x30;
    while (1 + put_length(to + 1, len - header) != header)
        header++;
    memcpy(to + header, topic, sizeof topic);
}
