/* tls/bio.h: OpenSSL's way to the socket: first bytes that were received before, then the socket itself. */
#ifndef MQGATE_TLS_BIO_H
#define MQGATE_TLS_BIO_H

#include <openssl/bio.h>
#include <stdbool.h>

#include "base/macros.h"
#include "base/slice.h"
#include "tls/stream.h"

/* What one BIO reads and writes; its owner keeps it where it is as long as the BIO lives. */
struct wire {
    int      fd;            /* non-blocking; borrowed */
    int      error;         /* errno of what ended the connection; 0 */
    uint32_t seen_len;      /* bytes in seen */
    uint32_t seen_at;       /* of which so many are read */
    uint8_t *seen;          /* NULL once all is read; owned */
    uint8_t  receives_left; /* how often recv(2) may be called before the next wire_allow() */
    bool     ended;         /* the peer sent FIN */
    uint8_t  n_first;
    uint8_t  first[TLS_FIRST_BYTES]; /* what the peer began with */
};

/* Copies seen. False when memory is out. */
bool wire_init(struct wire *wire, int fd, struct slice seen) MUST_CHECK;
void wire_fini(struct wire *wire);

/* Lets the next call into OpenSSL receive a few times. When that is used up the BIO says "try again", although the
 * socket is still readable: a peer that sends what makes no progress (key updates, empty records, refused
 * renegotiations) would otherwise keep OpenSSL in its loop, and the thread with it. */
void wire_allow(struct wire *wire);

/* One for all BIOs of a context, which it must outlive. NULL when memory is out. */
BIO_METHOD *bio_method_new(void);
/* NULL when memory is out. */
BIO *bio_new(const BIO_METHOD *method, struct wire *wire);

#endif
