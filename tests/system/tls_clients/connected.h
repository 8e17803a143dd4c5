/* For libraries that leave the connection to the client. */
#ifndef MQGATE_TESTS_CONNECTED_H
#define MQGATE_TESTS_CONNECTED_H

#include <netdb.h>
#include <sys/socket.h>

#include "talk.h"

static int connected(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo      *at;
    must(getaddrinfo(host, port, &hints, &at) == 0, "address");
    int fd = socket(at->ai_family, SOCK_STREAM, 0);
    must(fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0, "connect");
    freeaddrinfo(at);
    return fd;
}

#endif
