/* tls/aead.h: authenticated encryption with the cipher contexts of one thread. A connection keeps its keys only; a
 * context, which is ten times as large, is given the key when it is needed, and keeps it while no other key takes its
 * place: a busy connection finds its own again. */
#ifndef MQGATE_TLS_AEAD_H
#define MQGATE_TLS_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum aead_cipher { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_CIPHERS };

enum { AEAD_KEY_MAX = 32, AEAD_NONCE_LEN = 12, AEAD_TAG_LEN = 16 }; /* bytes */

/* Keys that have a context, of each cipher and each of opening and sealing: about 1 KB each, while they are used. */
enum { AEAD_CONTEXTS = 512 };

/* Of one direction of one connection. */
struct aead_key {
    uint64_t id;   /* of the thread's contexts; 0: not used yet, or not here */
    uint32_t slot; /* of the context that it had last */
    uint8_t  bytes[AEAD_KEY_MAX];
};

enum aead_result { AEAD_OK, AEAD_FORGED, AEAD_NO_MEMORY };

struct aead; /* contexts of one thread; used by that thread only */

/* NULL when memory is out. */
struct aead *aead_new(void);
void         aead_free(struct aead *aead); /* NULL is fine */

size_t aead_key_len(enum aead_cipher cipher); /* bytes */

/* What goes with the bytes. */
struct aead_frame {
    enum aead_cipher cipher;
    const uint8_t   *nonce; /* AEAD_NONCE_LEN bytes */
    struct slice     aad;
};

/* out gets head, then tail, encrypted, then the tag; it may be where head is, or apart from it. False when memory is
 * out. */
bool aead_seal(struct aead *aead, struct aead_key *key, const struct aead_frame *frame, struct slice head,
               struct slice tail, uint8_t *out) MUST_CHECK;
/* sealed ends with the tag; out gets the rest, decrypted: the same place, or apart from it. Unless it is AEAD_OK what
 * is there now means nothing. */
enum aead_result aead_open(struct aead *aead, struct aead_key *key, const struct aead_frame *frame, struct slice sealed,
                           uint8_t *out) MUST_CHECK;
/* No context has this key any more. */
void aead_forget(struct aead *aead, struct aead_key *key);

enum { AEAD_AGES = 10 };
/* A context whose key has not been used since AEAD_AGES calls is given up. How many were. */
size_t aead_age(struct aead *aead);
/* There are contexts. */
bool aead_has_contexts(const struct aead *aead);

#endif
