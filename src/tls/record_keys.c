/* Keys of records: HKDF-Expand-Label (RFC 8446 section 7.1) and TLS 1.2's PRF (RFC 5246 section 6.3). */
#include "tls/record_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

/* OpenSSL only reads what a parameter points to. */
static OSSL_PARAM hash_param(const char *name, const struct record *r)
{
    const char *hash = r->hash_len == 48 ? "SHA384" : "SHA256";
    return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)hash, 0);
}

/* HMAC under a secret, to be used any number of times; HMAC(3) would look up its parts each time. NULL: no memory. Free
 * it, which wipes the secret. */
static EVP_MAC_CTX *mac_under(const struct record *r, const uint8_t *secret)
{
    EVP_MAC         *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX     *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    const OSSL_PARAM params[] = {hash_param(OSSL_MAC_PARAM_DIGEST, r), OSSL_PARAM_construct_end()};
    EVP_MAC_free(mac); /* the context holds it */
    if (ctx == NULL || EVP_MAC_init(ctx, secret, r->hash_len, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

/* With an empty context. Nothing that is asked for here is longer than the hash, so that HKDF-Expand (RFC 5869
 * section 2.3) is its first block. */
static bool expand_label(EVP_MAC_CTX *under, const char *label, uint8_t *out, size_t len)
{
    uint8_t info[32] = {0, (uint8_t)len}, block[EVP_MAX_MD_SIZE];
    size_t  label_len = strlen(label), at = 2, n = 0;
    info[at++] = (uint8_t)(6 + label_len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_len);
    at += 6 + label_len;
    info[at++] = 0; /* the context's length */
    info[at++] = 1; /* the block's number */
    bool done = EVP_MAC_init(under, NULL, 0, NULL) == 1 && EVP_MAC_update(under, info, at) == 1 &&
                EVP_MAC_final(under, block, &n, sizeof block) == 1;
    if (done)
        memcpy(out, block, len);
    OPENSSL_cleanse(block, sizeof block);
    return done;
}

static bool derive(const struct record *r, struct record_half *half)
{
    EVP_MAC_CTX *under = mac_under(r, half->secret);
    bool         done = under != NULL && expand_label(under, "key", half->key.bytes, aead_key_len(r->cipher)) &&
                expand_label(under, "iv", half->iv, sizeof half->iv);
    EVP_MAC_CTX_free(under);
    ERR_clear_error();
    return done;
}

bool record_derive_1_3(struct record *r)
{
    return derive(r, &r->in) && derive(r, &r->out);
}

bool record_keys_next(const struct record *r, struct aead *aead, struct record_half *half)
{
    EVP_MAC_CTX *under = mac_under(r, half->secret);
    bool         done = under != NULL && expand_label(under, "traffic upd", half->secret, r->hash_len);
    EVP_MAC_CTX_free(under);
    ERR_clear_error();
    aead_forget(aead, &half->key);
    half->seq = 0;
    return done && derive(r, half);
}

static bool prf(const struct record *r, const uint8_t *master, struct slice seed, uint8_t *out, size_t len)
{
    EVP_KDF         *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
    EVP_KDF_CTX     *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM params[] = {
        hash_param(OSSL_KDF_PARAM_DIGEST, r),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)master, 48),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)seed.ptr, seed.len),
        OSSL_PARAM_construct_end()};
    bool done = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return done;
}

bool record_derive_1_2(struct record *r, const uint8_t *master, const uint8_t *client_random,
                       const uint8_t *server_random)
{
    enum { LABEL_LEN = 13, RANDOM_LEN = 32 };
    uint8_t seed[LABEL_LEN + 2 * RANDOM_LEN], block[2 * (AEAD_KEY_MAX + AEAD_NONCE_LEN)], *at = block;
    size_t  key_len = aead_key_len(r->cipher), iv_len = r->cipher == AEAD_CHACHA20_POLY1305 ? AEAD_NONCE_LEN : 4;
    memcpy(seed, "key expansion", LABEL_LEN);
    memcpy(seed + LABEL_LEN, server_random, RANDOM_LEN);
    memcpy(seed + LABEL_LEN + RANDOM_LEN, client_random, RANDOM_LEN);
    bool done = prf(r, master, slice_of(seed, sizeof seed), block, 2 * (key_len + iv_len));
    if (done) {
        memcpy(r->in.key.bytes, at, key_len); /* the client's, which we read */
        memcpy(r->out.key.bytes, at += key_len, key_len);
        memcpy(r->in.iv, at += key_len, iv_len);
        memcpy(r->out.iv, at + iv_len, iv_len);
    }
    OPENSSL_cleanse(block, sizeof block);
    return done;
}
