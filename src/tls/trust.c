#include "tls/trust.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/certificate.h"
#include "tls/reason.h"

static bool digest_add(EVP_MD_CTX *digest, const unsigned char *md, unsigned len)
{
    return EVP_DigestUpdate(digest, md, len) == 1;
}

static bool take_certificate(struct trust *trust, X509 *cert)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned      len = 0;
    X509_NAME    *name = X509_NAME_dup(X509_get_subject_name(cert));
    if (name == NULL || sk_X509_NAME_push(trust->ca_names, name) <= 0) {
        X509_NAME_free(name);
        return false;
    }
    return X509_STORE_add_cert(trust->store, cert) == 1 && X509_digest(cert, EVP_sha256(), md, &len) == 1 &&
           digest_add(trust->digest, md, len);
}

static int take_certificates(struct trust *trust, struct pem_file file, struct warn_to to, struct err *err)
{
    STACK_OF(X509) *all = pem_load_certificates(file, err);
    if (all == NULL)
        return -1;
    int taken = 0, n = sk_X509_num(all);
    while (taken < n && take_certificate(trust, sk_X509_value(all, taken)))
        taken++;
    if (taken == n)
        certificates_warn_of_dates(file, all, to);
    else
        err_openssl(err, "%s %s", file.what, file.path);
    sk_X509_pop_free(all, X509_free);
    return taken == n ? 0 : -1;
}

static void warn_if_expired(struct pem_file file, const X509_CRL *crl, struct warn_to to)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    char             text[TIME_TEXT_MAX];
    if (next == NULL || X509_cmp_current_time(next) >= 0)
        return;
    warn_say(to, "%s %s: has expired on %s, so clients of its issuer are refused", file.what, file.path,
             time_format(next, text));
}

static bool take_crl(struct trust *trust, X509_CRL *crl)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned      len = 0;
    return X509_STORE_add_crl(trust->store, crl) == 1 && X509_CRL_digest(crl, EVP_sha256(), md, &len) == 1 &&
           digest_add(trust->digest, md, len);
}

static int take_crls(struct trust *trust, struct pem_file file, struct warn_to to, struct err *err)
{
    STACK_OF(X509_CRL) *all = pem_load_crls(file, err);
    if (all == NULL)
        return -1;
    int taken = 0, n = sk_X509_CRL_num(all);
    while (taken < n && take_crl(trust, sk_X509_CRL_value(all, taken)))
        warn_if_expired(file, sk_X509_CRL_value(all, taken++), to);
    if (taken < n)
        err_openssl(err, "%s %s", file.what, file.path);
    sk_X509_CRL_pop_free(all, X509_CRL_free);
    (void)X509_STORE_set_flags(trust->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return taken == n ? 0 : -1;
}

int trust_init(struct trust *trust, struct pem_file ca, const char *crl, struct warn_to to, struct err *err)
{
    ERR_clear_error();
    *trust = (struct trust){X509_STORE_new(), sk_X509_NAME_new_null(), EVP_MD_CTX_new()};
    if (trust->store == NULL || trust->ca_names == NULL || trust->digest == NULL ||
        EVP_DigestInit_ex(trust->digest, EVP_sha256(), NULL) != 1) {
        err_openssl(err, "%s %s", ca.what, ca.path);
        goto fail;
    }
    if (take_certificates(trust, ca, to, err) != 0)
        goto fail;
    if (crl[0] != '\0' && take_crls(trust, (struct pem_file){"crl", crl}, to, err) != 0)
        goto fail;
    return 0;
fail:
    trust_fini(trust);
    return -1;
}

void trust_fini(struct trust *trust)
{
    X509_STORE_free(trust->store);
    sk_X509_NAME_pop_free(trust->ca_names, X509_NAME_free);
    EVP_MD_CTX_free(trust->digest);
    *trust = (struct trust){0};
}

/* X509_V_FLAG_CRL_CHECK_ALL wants a list of every issuer of the chain. Operators of a private CA rarely have one of the
 * root; only the one that can revoke the peer's own certificate must be there. */
static int on_verify(int good, X509_STORE_CTX *ctx)
{
    if (!good && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL &&
        X509_STORE_CTX_get_error_depth(ctx) > 0) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    return good;
}

int trust_use(const struct trust *trust, SSL_CTX *ctx, int mode, struct err *err)
{
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(trust->ca_names);
    if (names == NULL) {
        err_openssl(err, "trusted certificates");
        return -1;
    }
    SSL_CTX_set1_cert_store(ctx, trust->store);
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, mode, on_verify);
    return 0;
}
