#include "support/pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HOUR_S = 3600, YEAR_S = 365 * 24 * HOUR_S };

static void must(bool done)
{
    if (!done)
        abort();
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void set_random_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    must(number != NULL && BN_rand(number, 64, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL);
    BN_free(number);
}

static void set_names(X509 *cert, const struct pki_wish *wish)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    must(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"mqgate tests", -1, -1, 0) == 1);
    if (wish->cn != NULL)
        must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)wish->cn, -1, -1, 0) == 1);
    must(X509_set_issuer_name(cert, wish->issuer != NULL ? X509_get_subject_name(wish->issuer->cert) : subject) == 1);
}

struct pki_identity pki_make(const struct pki_wish *wish)
{
    struct pki_identity id = {.cert = X509_new(), .key = wish->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};
    must(id.cert != NULL && id.key != NULL && X509_set_version(id.cert, 2) == 1 &&
         X509_set_pubkey(id.cert, id.key) == 1);
    bool usual = wish->starts_s == 0 && wish->ends_s == 0;
    must(X509_gmtime_adj(X509_getm_notBefore(id.cert), usual ? -HOUR_S : wish->starts_s) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(id.cert), usual ? YEAR_S : wish->ends_s) != NULL);
    set_random_serial(id.cert);
    set_names(id.cert, wish);
    X509 *issuer = wish->issuer != NULL ? wish->issuer->cert : id.cert;
    add_extension(id.cert, issuer, NID_basic_constraints, wish->ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->ca)
        add_extension(id.cert, issuer, NID_key_usage, "keyCertSign,cRLSign");
    if (wish->san != NULL)
        add_extension(id.cert, issuer, NID_subject_alt_name, wish->san);
    must(X509_sign(id.cert, wish->issuer != NULL ? wish->issuer->key : id.key, EVP_sha256()) > 0);
    return id;
}

void pki_free(struct pki_identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
    *id = (struct pki_identity){0};
}

static FILE *open_new(const char *path)
{
    FILE *f = fopen(path, "we");
    must(f != NULL && chmod(path, S_IRUSR | S_IWUSR) == 0);
    return f;
}

void pki_write_chain(const char *path, const struct pki_identity *id, const struct pki_identity *issuer)
{
    FILE *f = open_new(path);
    must(PEM_write_X509(f, id->cert) == 1 && (issuer == NULL || PEM_write_X509(f, issuer->cert) == 1));
    must(fclose(f) == 0);
}

void pki_write_key(const char *path, const struct pki_identity *id, const char *passphrase)
{
    FILE *f = open_new(path);
    must(PEM_write_PKCS8PrivateKey(f, id->key, passphrase != NULL ? EVP_aes_128_cbc() : NULL, passphrase,
                                   passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL) == 1);
    must(fclose(f) == 0);
}

static void add_revoked(X509_CRL *crl, const struct pki_identity *revoked, const ASN1_TIME *when)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    must(entry != NULL && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->cert)) == 1 &&
         X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)(uintptr_t)when) == 1 &&
         X509_CRL_add0_revoked(crl, entry) == 1);
}

void pki_write_crl(const char *path, const struct pki_identity *issuer, const struct pki_identity *revoked, long ends_s)
{
    X509_CRL  *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -2L * HOUR_S), *until = X509_gmtime_adj(NULL, ends_s);
    must(crl != NULL && from != NULL && until != NULL && X509_CRL_set_version(crl, 1) == 1 &&
         X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)) == 1 &&
         X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1);
    if (revoked != NULL)
        add_revoked(crl, revoked, from);
    must(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    FILE *f = open_new(path);
    must(PEM_write_X509_CRL(f, crl) == 1 && fclose(f) == 0);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
}

void pki_write_text(const char *path, const char *text)
{
    FILE *f = open_new(path);
    must(fputs(text, f) >= 0 && fclose(f) == 0);
}
