#include "tls/pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "tls/reason.h"

void warn_say(struct warn_to to, const char *fmt, ...)
{
    if (to.fn == NULL)
        return;
    char    text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    to.fn(to.user, text);
}

const char *time_format(const ASN1_TIME *when, char out[TIME_TEXT_MAX])
{
    struct tm tm;
    if (ASN1_TIME_to_tm(when, &tm) != 1 || strftime(out, TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        (void)snprintf(out, TIME_TEXT_MAX, "an unreadable date");
    return out;
}

static BIO *pem_open(struct pem_file file, struct err *err)
{
    FILE *f = fopen(file.path, "re");
    if (f == NULL) {
        err_system(err, errno, "%s %s", file.what, file.path);
        return NULL;
    }
    BIO *bio = BIO_new_fp(f, BIO_CLOSE);
    if (bio == NULL) {
        (void)fclose(f);
        err_openssl(err, "%s %s", file.what, file.path);
    }
    return bio;
}

/* After the last block PEM_read_bio_*() fails for want of another "-----BEGIN": that is how a good file ends. */
static bool pem_ended_well(void)
{
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

/* Says what is wrong with a file of n good blocks; true when nothing is. */
static bool pem_check_end(struct pem_file file, const char *kind, int n, struct err *err)
{
    if (!pem_ended_well()) {
        err_openssl(err, "%s %s: %s %d cannot be read", file.what, file.path, kind, n + 1);
        return false;
    }
    if (n == 0)
        err_set(err, "%s %s: holds no %s", file.what, file.path, kind);
    return n > 0;
}

static STACK_OF(X509) * read_certificates(BIO *bio, struct pem_file file, struct err *err)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    for (X509 *one; all != NULL && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        if (sk_X509_push(all, one) > 0)
            continue;
        X509_free(one);
        break;
    }
    if (all != NULL && pem_check_end(file, "certificate", sk_X509_num(all), err))
        return all;
    if (all == NULL)
        err_openssl(err, "%s %s", file.what, file.path);
    sk_X509_pop_free(all, X509_free);
    return NULL;
}

STACK_OF(X509) * pem_load_certificates(struct pem_file file, struct err *err)
{
    ERR_clear_error();
    BIO *bio = pem_open(file, err);
    if (bio == NULL)
        return NULL;
    STACK_OF(X509) *all = read_certificates(bio, file, err);
    BIO_free(bio);
    return all;
}

static STACK_OF(X509_CRL) * read_crls(BIO *bio, struct pem_file file, struct err *err)
{
    STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
    for (X509_CRL *one; all != NULL && (one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL;) {
        if (sk_X509_CRL_push(all, one) > 0)
            continue;
        X509_CRL_free(one);
        break;
    }
    if (all != NULL && pem_check_end(file, "revocation list", sk_X509_CRL_num(all), err))
        return all;
    if (all == NULL)
        err_openssl(err, "%s %s", file.what, file.path);
    sk_X509_CRL_pop_free(all, X509_CRL_free);
    return NULL;
}

STACK_OF(X509_CRL) * pem_load_crls(struct pem_file file, struct err *err)
{
    ERR_clear_error();
    BIO *bio = pem_open(file, err);
    if (bio == NULL)
        return NULL;
    STACK_OF(X509_CRL) *all = read_crls(bio, file, err);
    BIO_free(bio);
    return all;
}

/* OpenSSL would ask on the terminal; a daemon has none. */
static int on_passphrase(char *buf, int size, int for_writing, void *user)
{
    (void)buf;
    (void)size;
    (void)for_writing;
    *(bool *)user = true;
    return -1;
}

static void warn_of_mode(struct pem_file file, BIO *bio, struct warn_to to)
{
    FILE       *f = NULL;
    struct stat st;
    if (BIO_get_fp(bio, &f) == 1 && fstat(fileno(f), &st) == 0 && (st.st_mode & S_IRWXO) != 0)
        warn_say(to, "%s %s: is open to every user of this machine (mode %04o)", file.what, file.path,
                 (unsigned)(st.st_mode & 07777));
}

EVP_PKEY *pem_load_key(struct pem_file file, struct warn_to to, struct err *err)
{
    ERR_clear_error();
    BIO *bio = pem_open(file, err);
    if (bio == NULL)
        return NULL;
    bool      locked = false, no_memory = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &locked);
    if (key != NULL)
        warn_of_mode(file, bio, to);
    (void)reason_take(&no_memory); /* of a bad key it says "unsupported", whatever is wrong */
    if (key == NULL)
        err_set(err, "%s %s: %s", file.what, file.path,
                no_memory ? "out of memory"
                : locked  ? "is protected by a passphrase"
                          : "holds no private key that can be read");
    BIO_free(bio);
    return key;
}
