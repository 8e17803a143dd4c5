/* tls/certificate.h: a certificate with its chain, its key and the names that it stands for. */
#ifndef MQGATE_TLS_CERTIFICATE_H
#define MQGATE_TLS_CERTIFICATE_H

#include <openssl/ssl.h>

#include "tls/pem.h"

/* One SSL_CTX carries one certificate of each kind. */
enum certificate_kind {
    CERTIFICATE_RSA,
    CERTIFICATE_RSA_PSS,
    CERTIFICATE_EC,
    CERTIFICATE_ED25519,
    CERTIFICATE_ED448,
    CERTIFICATE_KINDS
};

struct certificate {
    const char *path;          /* of the chain; borrowed, for messages while loading */
    STACK_OF(X509) * chain;    /* leaf first; owned */
    EVP_PKEY             *key; /* owned */
    enum certificate_kind kind;
    char                **names; /* lower case, "*." in front of a wildcard's; owned */
    size_t                n_names;
};

/* 0, or -1 and *err, and nothing to free. A certificate out of its time is a warning. */
int  certificate_init(struct certificate *c, const struct tls_certificate_files *files, struct warn_to to,
                      struct err *err) MUST_CHECK;
void certificate_fini(struct certificate *c);

static inline X509 *certificate_leaf(const struct certificate *c)
{
    return sk_X509_value(c->chain, 0);
}

/* The handshakes of ctx may use c. 0, or -1 and *err. */
int certificate_use(const struct certificate *c, SSL_CTX *ctx, struct err *err) MUST_CHECK;

/* A warning for each certificate that is not valid now or not for long. */
void certificates_warn_of_dates(struct pem_file file, const STACK_OF(X509) * all, struct warn_to to);

/* The subject's first common name as UTF-8; "" when there is none, or when it is longer than cap - 1 bytes, no
 * character string or holds control characters: whoever reads it as an identity must not get a part of one. */
void certificate_common_name(const X509 *cert, char *out, size_t cap);

#endif
