#include "tls/certificate.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tls/names.h"
#include "tls/reason.h"

enum { EXPIRES_SOON_DAYS = 14, COMMON_NAME_MAX = 256 };

static void warn_of_dates(struct pem_file file, const char *which, const X509 *cert, struct warn_to to)
{
    char                   text[TIME_TEXT_MAX];
    int                    days = 0, seconds = 0;
    const ASN1_TIME *const from = X509_get0_notBefore(cert), *const until = X509_get0_notAfter(cert);
    if (X509_cmp_current_time(until) < 0)
        warn_say(to, "%s %s: %shas expired on %s", file.what, file.path, which, time_format(until, text));
    else if (X509_cmp_current_time(from) > 0)
        warn_say(to, "%s %s: %sis not valid before %s", file.what, file.path, which, time_format(from, text));
    else if (ASN1_TIME_diff(&days, &seconds, NULL, until) == 1 && days < EXPIRES_SOON_DAYS)
        warn_say(to, "%s %s: %sexpires on %s", file.what, file.path, which, time_format(until, text));
}

void certificates_warn_of_dates(struct pem_file file, const STACK_OF(X509) * all, struct warn_to to)
{
    for (int i = 0; i < sk_X509_num(all); i++) {
        char which[32] = "";
        if (i > 0)
            (void)snprintf(which, sizeof which, "its certificate %d ", i + 1);
        warn_of_dates(file, which, sk_X509_value(all, i), to);
    }
    ERR_clear_error();
}

void certificate_common_name(const X509 *cert, char *out, size_t cap)
{
    out[0] = '\0';
    const X509_NAME *subject = X509_get_subject_name(cert);
    int              at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return;
    unsigned char *utf8 = NULL;
    int            n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (n > 0 && (size_t)n < cap && utf8_is_printable(slice_of(utf8, (size_t)n))) {
        memcpy(out, utf8, (size_t)n);
        out[n] = '\0';
    }
    OPENSSL_free(utf8);
    ERR_clear_error(); /* no text is no failure */
}

/* Adds a name if a host can have it; others, such as "f*.example.com", are never asked for. False: memory is out. */
static bool add_name(struct certificate *c, struct slice name)
{
    if (!name_is_pattern(name))
        return true;
    char *copy = strndup((const char *)name.ptr, name.len);
    if (copy == NULL)
        return false;
    for (char *p = copy; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    c->names[c->n_names++] = copy;
    return true;
}

static bool room_for_names(struct certificate *c, int n)
{
    c->names = calloc((size_t)n + 1, sizeof *c->names);
    return c->names != NULL;
}

static bool add_alternative_names(struct certificate *c, const GENERAL_NAMES *san)
{
    if (!room_for_names(c, sk_GENERAL_NAME_num(san)))
        return false;
    for (int i = 0; i < sk_GENERAL_NAME_num(san); i++) {
        const GENERAL_NAME *general = sk_GENERAL_NAME_value(san, i);
        if (general->type != GEN_DNS)
            continue;
        const ASN1_STRING *dns = general->d.dNSName;
        if (!add_name(c, slice_of(ASN1_STRING_get0_data(dns), (size_t)ASN1_STRING_length(dns))))
            return false;
    }
    return true;
}

/* RFC 6125 section 6.4.4: the common name counts only where there are no alternative names. */
static bool find_names(struct certificate *c)
{
    int            found;
    GENERAL_NAMES *san = X509_get_ext_d2i(certificate_leaf(c), NID_subject_alt_name, &found, NULL);
    if (san != NULL) {
        bool done = add_alternative_names(c, san);
        GENERAL_NAMES_free(san);
        return done;
    }
    if (found != -1) /* there, but unreadable */
        return false;
    char cn[COMMON_NAME_MAX];
    certificate_common_name(certificate_leaf(c), cn, sizeof cn);
    return room_for_names(c, 1) && add_name(c, slice_str(cn));
}

static bool find_kind(struct certificate *c)
{
    static const int kinds[CERTIFICATE_KINDS] = {[CERTIFICATE_RSA] = EVP_PKEY_RSA,
                                                 [CERTIFICATE_RSA_PSS] = EVP_PKEY_RSA_PSS,
                                                 [CERTIFICATE_EC] = EVP_PKEY_EC,
                                                 [CERTIFICATE_ED25519] = EVP_PKEY_ED25519,
                                                 [CERTIFICATE_ED448] = EVP_PKEY_ED448};
    for (int i = 0; i < CERTIFICATE_KINDS; i++) {
        c->kind = (enum certificate_kind)i;
        if (kinds[i] == EVP_PKEY_get_base_id(c->key))
            return true;
    }
    return false;
}

static int certificate_check(struct certificate *c, const char *key_path, struct err *err)
{
    if (X509_check_private_key(certificate_leaf(c), c->key) != 1) {
        err_set(err, "key %s: does not match certificate %s", key_path, c->path);
        ERR_clear_error();
        return -1;
    }
    if (!find_kind(c)) {
        err_set(err, "key %s: is of a kind that TLS cannot use here", key_path);
        return -1;
    }
    if (!find_names(c)) {
        err_openssl(err, "certificate %s: its names cannot be read", c->path);
        return -1;
    }
    return 0;
}

int certificate_init(struct certificate *c, const struct tls_certificate_files *files, struct warn_to to,
                     struct err *err)
{
    const struct pem_file chain = {"certificate", files->chain}, key = {"key", files->key};
    *c = (struct certificate){.path = files->chain};
    c->chain = pem_load_certificates(chain, err);
    if (c->chain != NULL)
        c->key = pem_load_key(key, to, err);
    if (c->key == NULL || certificate_check(c, files->key, err) != 0) {
        certificate_fini(c);
        return -1;
    }
    certificates_warn_of_dates(chain, c->chain, to);
    return 0;
}

void certificate_fini(struct certificate *c)
{
    for (size_t i = 0; i < c->n_names; i++)
        free(c->names[i]);
    free(c->names);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    *c = (struct certificate){0};
}

int certificate_use(const struct certificate *c, SSL_CTX *ctx, struct err *err)
{
    ERR_clear_error();
    STACK_OF(X509) *above = sk_X509_dup(c->chain); /* the stack alone: SSL_CTX counts its own references */
    bool used = false;
    if (above != NULL) {
        (void)sk_X509_shift(above);
        used = SSL_CTX_use_cert_and_key(ctx, certificate_leaf(c), c->key, above, 0) == 1;
    }
    sk_X509_free(above);
    if (!used)
        err_openssl(err, "certificate %s", c->path);
    return used ? 0 : -1;
}
