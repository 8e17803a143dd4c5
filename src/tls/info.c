/* Certificates in words. */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "tls/live.h"

size_t tls_server_n_certificates(const struct tls_server *server)
{
    return server->n_certificates;
}

/* RFC 4514 order and escapes; controls and what is no ASCII are escaped too. */
static void name_text(const X509_NAME *name, char *out, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());
    out[0] = '\0';
    if (bio == NULL)
        return;
    int n = X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 ? BIO_read(bio, out, (int)cap - 1) : 0;
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

static void serial_text(const X509 *cert, char *out, size_t cap)
{
    BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char   *hex = bn != NULL ? BN_bn2hex(bn) : NULL;
    (void)snprintf(out, cap, "%s", hex != NULL ? hex : "");
    OPENSSL_free(hex);
    BN_free(bn);
}

static int64_t seconds(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void names_text(const struct certificate *c, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < c->n_names && len < cap; i++) {
        int n = snprintf(out + len, cap - len, "%s%s", i > 0 ? " " : "", c->names[i]);
        len += n > 0 ? (size_t)n : 0;
    }
}

static void key_text(const struct certificate *c, char *out, size_t cap)
{
    const char *kind = EVP_PKEY_get0_type_name(c->key);
    (void)snprintf(out, cap, "%s%d", kind != NULL ? kind : "", EVP_PKEY_get_bits(c->key));
}

void tls_server_certificate(const struct tls_server *server, size_t index, struct tls_certificate_info *out)
{
    const struct certificate *c = &server->certificates[index];
    const X509               *leaf = certificate_leaf(c);
    *out = (struct tls_certificate_info){.path = c->path};
    name_text(X509_get_subject_name(leaf), out->subject, sizeof out->subject);
    name_text(X509_get_issuer_name(leaf), out->issuer, sizeof out->issuer);
    serial_text(leaf, out->serial, sizeof out->serial);
    names_text(c, out->names, sizeof out->names);
    key_text(c, out->key, sizeof out->key);
    out->not_before = seconds(X509_get0_notBefore(leaf));
    out->not_after = seconds(X509_get0_notAfter(leaf));
}
