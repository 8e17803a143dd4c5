/* tls/pem.h: PEM files, read whole; what is wrong with one is said in words that name it. */
#ifndef MQGATE_TLS_PEM_H
#define MQGATE_TLS_PEM_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/err.h"
#include "tls/context.h"

/* Whom to tell of what works but should be looked at. */
struct warn_to {
    tls_warn_fn *fn; /* may be NULL */
    void        *user;
};
void warn_say(struct warn_to to, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A file to read: its path, and what the operator calls it ("certificate", "client_ca"). */
struct pem_file {
    const char *what, *path;
};

/* All certificates of a file, at least one, in order. NULL and *err on failure; free with sk_X509_pop_free(). */
STACK_OF(X509) * pem_load_certificates(struct pem_file file, struct err *err);
/* All CRLs of a file, at least one. Free with sk_X509_CRL_pop_free(). */
STACK_OF(X509_CRL) * pem_load_crls(struct pem_file file, struct err *err);
/* The first private key of a file. A key that every user of the machine can read is worth a warning. */
EVP_PKEY *pem_load_key(struct pem_file file, struct warn_to to, struct err *err);

enum { TIME_TEXT_MAX = 32 }; /* bytes, NUL included */
/* "2026-10-01 12:00:00 UTC"; returns out. */
const char *time_format(const ASN1_TIME *when, char out[TIME_TEXT_MAX]);

#endif
