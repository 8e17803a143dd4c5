#include "tls/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN, SEAL, WAYS };

struct context {
    EVP_CIPHER_CTX *evp;    /* NULL: not needed now; owned */
    uint64_t        key_id; /* 0: has none */
    unsigned        age;    /* calls of aead_age() since it was used */
};

/* A key without a context gets the one that was given away longest ago. */
struct contexts {
    struct context at[AEAD_CONTEXTS];
    uint32_t       next;
    uint32_t       n; /* that have an evp */
};

struct aead {
    /* Looked up once; OpenSSL's own lookup takes a lock. NULL: it lacks the cipher, and so no handshake ends with it.
     * Owned. */
    EVP_CIPHER     *ciphers[AEAD_CIPHERS];
    uint64_t        last_id;
    struct contexts contexts[AEAD_CIPHERS][WAYS];
};

static const struct {
    const char *name; /* OpenSSL's */
    size_t      key_len;
} kinds[AEAD_CIPHERS] = {
    [AEAD_AES_128_GCM] = {"AES-128-GCM", 16},
    [AEAD_AES_256_GCM] = {"AES-256-GCM", 32},
    [AEAD_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", 32},
};

size_t aead_key_len(enum aead_cipher cipher)
{
    return kinds[cipher].key_len;
}

struct aead *aead_new(void)
{
    struct aead *aead = calloc(1, sizeof *aead);
    for (int i = 0; aead != NULL && i < AEAD_CIPHERS; i++)
        aead->ciphers[i] = EVP_CIPHER_fetch(NULL, kinds[i].name, NULL);
    ERR_clear_error();
    return aead;
}

void aead_free(struct aead *aead)
{
    if (aead == NULL)
        return;
    for (int i = 0; i < AEAD_CIPHERS; i++) {
        for (int way = 0; way < WAYS; way++)
            for (int n = 0; n < AEAD_CONTEXTS; n++)
                EVP_CIPHER_CTX_free(aead->contexts[i][way].at[n].evp); /* wipes the key */
        EVP_CIPHER_free(aead->ciphers[i]);
    }
    free(aead);
}

static struct context *context_of(struct aead *aead, struct aead_key *key, enum aead_cipher cipher, int way)
{
    struct contexts *all = &aead->contexts[cipher][way];
    if (key->id == 0)
        key->id = ++aead->last_id;
    if (all->at[key->slot].key_id != key->id)
        key->slot = all->next++ % AEAD_CONTEXTS;
    return &all->at[key->slot];
}

/* Given a cipher, even the one that it has, OpenSSL begins with a new context of its own. */
static const EVP_CIPHER *cipher_for(const struct aead *aead, const EVP_CIPHER_CTX *evp, enum aead_cipher cipher)
{
    return EVP_CIPHER_CTX_get0_cipher(evp) == NULL ? aead->ciphers[cipher] : NULL;
}

/* A context with this key and nonce; NULL when memory is out. */
static EVP_CIPHER_CTX *context_for(struct aead *aead, struct aead_key *key, const struct aead_frame *frame, int way)
{
    struct context *c = context_of(aead, key, frame->cipher, way);
    if (c->evp == NULL) {
        c->evp = EVP_CIPHER_CTX_new();
        if (c->evp == NULL)
            return NULL;
        aead->contexts[frame->cipher][way].n++;
    }
    c->age = 0;
    bool has_key = c->key_id == key->id;
    c->key_id = 0;
    if (EVP_CipherInit_ex(c->evp, cipher_for(aead, c->evp, frame->cipher), NULL, has_key ? NULL : key->bytes,
                          frame->nonce, way == SEAL) != 1)
        return NULL;
    c->key_id = key->id;
    return c->evp;
}

/* No bytes are no call: to OpenSSL an update without output is of data that is only authenticated. */
static bool update(EVP_CIPHER_CTX *evp, uint8_t *out, struct slice bytes)
{
    int n;
    return bytes.len == 0 || EVP_CipherUpdate(evp, out, &n, bytes.ptr, (int)bytes.len) == 1;
}

bool aead_seal(struct aead *aead, struct aead_key *key, const struct aead_frame *frame, struct slice head,
               struct slice tail, uint8_t *out)
{
    int             n;
    EVP_CIPHER_CTX *evp = context_for(aead, key, frame, SEAL);
    uint8_t        *end = out + head.len + tail.len;
    bool            done = evp != NULL && update(evp, NULL, frame->aad) && update(evp, out, head) &&
                update(evp, out + head.len, tail) && EVP_CipherFinal_ex(evp, end, &n) == 1 &&
                EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, end) == 1;
    if (!done)
        ERR_clear_error();
    return done;
}

enum aead_result aead_open(struct aead *aead, struct aead_key *key, const struct aead_frame *frame, struct slice sealed,
                           uint8_t *out)
{
    int             n;
    uint8_t         tag[AEAD_TAG_LEN];
    EVP_CIPHER_CTX *evp = context_for(aead, key, frame, OPEN);
    struct slice    body = slice_of(sealed.ptr, sealed.len - sizeof tag);
    memcpy(tag, sealed.ptr + body.len, sizeof tag);
    bool ready = evp != NULL && EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
                 update(evp, NULL, frame->aad) && update(evp, out, body);
    bool genuine = ready && EVP_CipherFinal_ex(evp, tag, &n) == 1;
    if (!genuine)
        ERR_clear_error();
    return genuine ? AEAD_OK : ready ? AEAD_FORGED : AEAD_NO_MEMORY;
}

void aead_forget(struct aead *aead, struct aead_key *key)
{
    for (int i = 0; i < AEAD_CIPHERS && key->id != 0; i++) {
        for (int way = 0; way < WAYS; way++) {
            struct context *c = &aead->contexts[i][way].at[key->slot];
            if (c->key_id != key->id)
                continue;
            (void)EVP_CIPHER_CTX_reset(c->evp); /* wipes it */
            c->key_id = 0;
        }
    }
    key->id = 0;
}

static size_t age_all(struct contexts *all)
{
    const uint32_t before = all->n;
    for (struct context *c = all->at; all->n > 0 && c < all->at + AEAD_CONTEXTS; c++) {
        if (c->evp == NULL || c->age++ < AEAD_AGES)
            continue;
        EVP_CIPHER_CTX_free(c->evp); /* wipes the key */
        *c = (struct context){.evp = NULL};
        all->n--;
    }
    return before - all->n;
}

size_t aead_age(struct aead *aead)
{
    size_t n = 0;
    for (int i = 0; i < AEAD_CIPHERS; i++) {
        for (int way = 0; way < WAYS; way++)
            n += age_all(&aead->contexts[i][way]);
    }
    return n;
}

bool aead_has_contexts(const struct aead *aead)
{
    uint32_t n = 0;
    for (int i = 0; i < AEAD_CIPHERS; i++) {
        for (int way = 0; way < WAYS; way++)
            n += aead->contexts[i][way].n;
    }
    return n > 0;
}
