/* tests/support/pki.h: certificates made for a test, as PEM files. Whatever fails here aborts the test. */
#ifndef MQGATE_TESTS_PKI_H
#define MQGATE_TESTS_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct pki_identity {
    X509     *cert; /* owned, both */
    EVP_PKEY *key;
};

struct pki_wish {
    const char                *cn;               /* NULL: no common name */
    const char                *san;              /* as OpenSSL writes it, "DNS:a.example,IP:127.0.0.1"; NULL: none */
    const struct pki_identity *issuer;           /* NULL: signs itself */
    long                       starts_s, ends_s; /* from now; both 0: an hour ago, and in a year */
    bool                       rsa;              /* RSA-2048 instead of EC P-256 */
    bool                       ca;
};

/* Free with pki_free(). */
struct pki_identity pki_make(const struct pki_wish *wish);
void                pki_free(struct pki_identity *id);

/* issuer may be NULL; else its certificate stands behind the leaf. */
void pki_write_chain(const char *path, const struct pki_identity *id, const struct pki_identity *issuer);
/* Mode 0600. passphrase may be NULL. */
void pki_write_key(const char *path, const struct pki_identity *id, const char *passphrase);
/* revoked may be NULL: nobody is. */
void pki_write_crl(const char *path, const struct pki_identity *issuer, const struct pki_identity *revoked,
                   long ends_s);
void pki_write_text(const char *path, const char *text);

#endif
