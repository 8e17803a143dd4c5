/* bench/client.h: an MQTT client of a measurement, plain or over TLS. Its socket blocks. */
#ifndef MQGATE_BENCH_CLIENT_H
#define MQGATE_BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "base/addr.h"

/* Whom clients talk to, and as who. */
struct target {
    struct addr at;
    SSL_CTX    *tls;     /* NULL: plain */
    unsigned    sources; /* they come from that many addresses, 127.1.0.1 onwards; 0: whatever the kernel takes */
    char        role;    /* what the broker is to do: see broker.c */
};

struct client {
    int  fd;
    SSL *ssl; /* NULL: plain */
};

/* Clients of this version alone, "tls1.2" or "tls1.3". */
SSL_CTX *client_tls(const char *version);
/* Connects, and comes back with the CONNACK. session: to be resumed, and it must be; NULL: a full handshake. */
void client_join(struct client *c, const struct target *target, unsigned number, SSL_SESSION *session);
void client_leave(struct client *c);
/* What the server gave, to resume it: owned by the caller. NULL: none has come. */
SSL_SESSION *client_session(const struct client *c);

void   client_send(const struct client *c, const void *bytes, size_t n);
size_t client_receive(const struct client *c, void *bytes, size_t max); /* at least 1 */

#endif
