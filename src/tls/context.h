/* tls/context.h: what handshakes need: certificates, trust, session tickets. Built from configuration values by
 * snapshot/; shared by all workers; no field changes after tls_server_new(). */
#ifndef MQGATE_TLS_CONTEXT_H
#define MQGATE_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };
enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_OPTIONAL, TLS_VERIFY_REQUIRED };

struct tls_tickets; /* tls/ticket.h */

struct tls_certificate_files {
    const char *chain; /* PEM: leaf first, then intermediates */
    const char *key;   /* PEM, no passphrase */
};

struct tls_server_settings {
    const struct tls_certificate_files *certificates; /* the first is the default */
    size_t                              n_certificates;
    enum tls_version                    min_version;
    const char                         *ciphers;      /* TLS 1.2, OpenSSL syntax; "" = AEAD with forward secrecy */
    const char                         *ciphersuites; /* TLS 1.3; "" = OpenSSL's */
    const char                         *groups;
    const char *const                  *alpn; /* in order of preference; none: ALPN is not answered */
    size_t                              n_alpn;
    const char                         *client_ca; /* PEM file or "" */
    enum tls_verify                     verify;    /* optional: none will do, but a bad one will not */
    const char                         *crl;       /* PEM file or "": of the issuer of each client, see tls/trust.h */
    struct tls_tickets                 *tickets;   /* NULL: no session tickets; must outlive the context */
    bool                                detach;    /* see stream_detach() */
};

struct tls_client_settings {
    const char      *ca;          /* PEM file; "" = the system's */
    enum tls_verify  verify;      /* optional is required: a server always has a certificate */
    const char      *chain, *key; /* both "" = no client certificate */
    enum tls_version min_version;
};

/* Called once for each thing that works but should be looked at: a certificate that has expired or will within 14 days,
 * a key that every user of the machine can read. */
typedef void tls_warn_fn(void *user, const char *text);

/* "OpenSSL 3.0.22 ...", of the library that is loaded. */
const char *tls_library_version(void);

struct tls_server; /* one "tls" section made live */
struct tls_client; /* one "tls_client" section made live */

/* NULL and *err naming the file. warn may be NULL. Free with tls_server_free(), after the last stream started with it.
 *
 * The certificate is chosen by server name: an exact name goes before a wildcard, and of several certificates with keys
 * of one kind the one written first. A client that names nothing known gets the first, and certificates with keys of
 * other kinds that have all its names. A session is resumed under the same min_version, ciphers, verify, client_ca and
 * crl only, by the contents of those files; so a reload that changes none of them keeps sessions resumable. */
struct tls_server *tls_server_new(const struct tls_server_settings *settings, tls_warn_fn *warn, void *user,
                                  struct err *err);
void               tls_server_free(struct tls_server *server); /* NULL is fine */

/* What an operator wants to know of a certificate. Texts are one line, without controls, cut when they are longer. */
struct tls_certificate_info {
    const char *path; /* of its chain, as in the settings */
    char        subject[256];
    char        issuer[256];
    char        serial[64];            /* hexadecimal */
    char        names[512];            /* host names, separated by blanks */
    char        key[32];               /* "EC256", "RSA2048" */
    int64_t     not_before, not_after; /* seconds since 1970 */
};

size_t tls_server_n_certificates(const struct tls_server *server);
void   tls_server_certificate(const struct tls_server *server, size_t index, struct tls_certificate_info *out);

struct tls_client *tls_client_new(const struct tls_client_settings *settings, tls_warn_fn *warn, void *user,
                                  struct err *err);
void               tls_client_free(struct tls_client *client); /* NULL is fine */

#endif
