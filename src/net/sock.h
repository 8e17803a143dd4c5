/* net/sock.h: TCP sockets as bare descriptors: always non-blocking, always close-on-exec. Never logs. */
#ifndef MQGATE_NET_SOCK_H
#define MQGATE_NET_SOCK_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* Starts to connect. from: the source address, its port chosen by the kernel at connect time so that every pair of
 * source address and destination has all ports of its own (IP_BIND_ADDRESS_NO_PORT); NULL: the kernel's choice.
 * Returns a descriptor that becomes writable when the outcome is there, see sock_error(); or -1, *err (may be NULL)
 * filled and errno kept. */
int sock_connect(const struct addr *to, const struct addr *from, struct err *err) MUST_CHECK;
/* The pending error of a socket (SO_ERROR), 0 for none: how a connect ended. */
int sock_error(int fd);
/* A connect has succeeded; within one host it mostly has when sock_connect() returns. */
bool sock_is_connected(int fd);
/* Where a port is one that the kernel may choose for the connecting end, and nobody listens on it, a connection within
 * one host can meet itself (simultaneous open, RFC 9293 section 3.5): connected, but to nobody. */
bool sock_met_itself(int fd, const struct addr *to);
/* -1 is fine. */
void sock_close(int fd);
/* What the kernel calls this socket (SO_COOKIE), in whatever process it is open; 0: fd is none. */
uint64_t sock_cookie(int fd);
/* fd stays open over exec(2); false, and errno: it does not. */
bool sock_keep(int fd) MUST_CHECK;
/* It does not, as it is at first. */
void sock_keep_not(int fd);
/* Closes with a reset instead of an orderly end: the peer learns at once and nothing lingers here. -1 is fine. */
void sock_reset(int fd);

/* The socket is readable, for epoll too, only when n bytes wait, or the end: bytes that are left unread make no event
 * until there are more. 1 is how a socket begins. */
void sock_await(int fd, uint32_t n);

/* What a connected peer has done, without reading it. */
enum sock_pending {
    SOCK_NOTHING,
    SOCK_BYTES,
    SOCK_BYTES_AND_END, /* its end stands behind them */
    SOCK_END,
    SOCK_LOST /* reset, or the network gave it up */
};
enum sock_pending sock_pending(int fd);

/* Addresses of a connected or listening socket; unset when it has none any more. */
struct addr sock_local(int fd);
struct addr sock_peer(int fd);

struct sock_options {
    uint32_t keepalive_idle_s; /* 0: no keep-alive probes */
    uint32_t keepalive_interval_s;
    uint32_t keepalive_probes;
    uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT; 0: the system's */
};

/* TCP_NODELAY, urgent data where it stands in the stream (RFC 6093 section 6), and the options. What the kernel refuses
 * is left at its default: no session fails for it. */
void sock_tune(int fd, const struct sock_options *options);
/* For a peer on this machine: a congestion control that costs less than the system's choice for the open network. */
void sock_tune_loopback(int fd);

#endif
