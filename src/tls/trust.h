/* tls/trust.h: whom peers' certificates must come from, and which of those are revoked. */
#ifndef MQGATE_TLS_TRUST_H
#define MQGATE_TLS_TRUST_H

#include <openssl/ssl.h>

#include "tls/pem.h"

struct trust {
    X509_STORE *store;              /* owned; shared by reference with each SSL_CTX */
    STACK_OF(X509_NAME) * ca_names; /* what a server sends to tell clients whom it trusts; owned */
    EVP_MD_CTX *digest;             /* over every certificate and revocation list taken; owned */
};

/* crl is a path or "". The issuer of a peer's certificate must have a revocation list in the file then; issuers above
 * it are checked where the file has a list for them. 0, or -1 and *err, and nothing to free. */
int trust_init(struct trust *trust, struct pem_file ca, const char *crl, struct warn_to to, struct err *err) MUST_CHECK;
void trust_fini(struct trust *trust);

/* Peers of ctx are verified by trust. mode is of SSL_CTX_set_verify(). 0, or -1 and *err. */
int trust_use(const struct trust *trust, SSL_CTX *ctx, int mode, struct err *err) MUST_CHECK;

#endif
