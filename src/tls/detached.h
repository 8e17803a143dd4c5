/* tls/detached.h: a TLS connection without OpenSSL's; for handover.c, which makes it, detached.c, where it lives, and
 * carry.c, which writes it down. */
#ifndef MQGATE_TLS_DETACHED_H
#define MQGATE_TLS_DETACHED_H

#include "base/buf.h"
#include "base/slab.h"
#include "tls/record.h"
#include "tls/session.h"

enum { RECORDS_A_BULK = 4, BULK_LEN_MAX = RECORDS_A_BULK * RECORD_LEN_MAX };
enum { BULK_LENT_MAX = 8 }; /* streams beyond that, or behind slow receivers, have usual boxes */

/* What the detached streams of one thread share. */
struct tls_worker {
    struct aead    *aead;  /* owned */
    struct slab     slab;  /* of struct detached, and of their struct tls_session */
    struct buf_pool boxes; /* of RECORD_LEN_MAX bytes */
    struct buf_pool bulk;  /* of BULK_LEN_MAX bytes, a few, for streams of which much comes at a time */
};

/* The texts of struct tls_facts that are kept, in this order. */
enum { KEPT_CIPHER, KEPT_SNI, KEPT_ALPN, KEPT_CN, KEPT_SIG_ALG, KEPT_KEY_ALG, KEPT_TEXTS };

struct detached {
    struct tls_worker *worker;    /* borrowed */
    struct buf        *in;        /* received and not opened yet; NULL: nothing, and nothing opened either; owned */
    struct buf        *out;       /* sealed and not sent yet; NULL: nothing; owned */
    uint32_t           opened_at; /* in in's data: opened and not taken yet */
    uint32_t           opened;    /* bytes of it */
    uint32_t           taken;     /* bytes of the caller's that are in out, and that it has not been told of */
    bool               drained;   /* the last receive emptied the socket */
    bool               bulk;      /* it filled its box */
    bool               has_peer_cert, peer_cert_in_connection, peer_verified, resumed; /* as in struct tls_facts */
    struct record      record;
    char               texts[]; /* KEPT_TEXTS strings, each with its NUL */
};

/* All set but for the record layer's keys. NULL when memory is out. */
struct detached *detached_new(struct tls_worker *worker, const struct tls_facts *facts);
/* One of KEPT_TEXTS. */
const char *detached_text(const struct detached *d, int which);

#endif
