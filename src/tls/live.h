/* tls/live.h: what the files of this room know of each other's structs; no other room includes it. */
#ifndef MQGATE_TLS_LIVE_H
#define MQGATE_TLS_LIVE_H

#include <openssl/ssl.h>

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/names.h"
#include "tls/ticket.h"

/* One SSL_CTX for each distinct set of certificates that some server name leads to. */
struct server_context {
    struct certificate_set set;
    SSL_CTX               *ctx; /* owned */
};

struct tls_server {
    BIO_METHOD            *method;       /* owned */
    struct tls_tickets    *tickets;      /* NULL: none; borrowed */
    struct certificate    *certificates; /* owned, n_certificates of them */
    size_t                 n_certificates;
    struct name_table      names;
    struct server_context *contexts; /* the first is the default; owned */
    size_t                 n_contexts;
    uint8_t               *alpn; /* as on the wire: each name behind its length byte; owned */
    size_t                 alpn_len;
    bool                   detaches; /* sessions leave OpenSSL once the handshake is done */
};

struct tls_client {
    BIO_METHOD *method; /* owned */
    SSL_CTX    *ctx;    /* owned */
    bool        verifies;
};

/* For OpenSSL's macros that cast to char * although they only read: clang warns of it at their every use. */
static inline char *openssl_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb(): seals and opens with the keys of the SSL_CTX's server. */
int tickets_on_key(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int sealing);

#endif
