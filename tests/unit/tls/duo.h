/* A server's stream of ours and the client at its other end, which is OpenSSL. */
#ifndef MQGATE_TESTS_TLS_DUO_H
#define MQGATE_TESTS_TLS_DUO_H

#include "tls/ticket.h"
#include "unit/tls/peers.h"

struct suite {
    int              version;
    const char      *name;
    enum tls_carrier carrier; /* of its sessions */
};
enum { N_SUITES = 15, N_DETACHED = 11 }; /* the first of them detach */
enum { TLS_1_3 = 0, TLS_1_2 = 3 };       /* a suite of each version */
extern const struct suite suites[N_SUITES];

struct duo {
    struct tls_worker  *worker;
    struct tls_tickets *tickets;
    struct tls_server  *server;
    struct peer         peer;
    struct stream       stream;
};

/* All is ready but the connection. client_ca: clients need a certificate of it; may be NULL. */
struct duo duo_make(size_t suite, const char *client_ca);
/* The connection; stream_detach() says what is expected. */
void duo_meet(struct duo *d, enum tls_carrier expected);
/* Both, of a suite that detaches. */
struct duo duo_join(size_t suite);
void       duo_part(struct duo *d);
/* Without a connection; duo_part() does so, too. */
void duo_forget(struct duo *d);

/* len bytes to the client, and it got them. */
void duo_say(struct duo *d, const uint8_t *bytes, size_t len);
/* And the other way. */
void duo_hear(struct duo *d, const uint8_t *bytes, size_t len);
/* Two short records reach us cut into pieces of `cut` bytes and are read `cap` bytes at a time; before each read
 * between(d) is called, unless it is NULL. */
void duo_hear_in_pieces(struct duo *d, size_t cut, size_t cap, void (*between)(struct duo *d));
/* Both, with much and little. */
void duo_talk(struct duo *d);

#endif
