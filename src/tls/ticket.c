#include "tls/ticket.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tls/live.h"
#include "tls/reason.h"

/* RFC 5077 section 4's recommended construction: AES-CBC, then HMAC-SHA256 over name, IV and ciphertext. */
struct ticket_key {
    uint8_t name[16]; /* random; tells which key sealed a ticket */
    uint8_t cipher_key[32];
    uint8_t mac_key[32];
};

struct tls_tickets {
    CRYPTO_RWLOCK    *lock;   /* over what is below but cipher; held for microseconds, in handshakes only */
    EVP_CIPHER       *cipher; /* looked up once; OpenSSL's own lookup takes a lock for each handshake */
    unsigned          n_keys;
    struct ticket_key keys[TICKET_KEYS_KEPT]; /* newest first */
    uint64_t          due_ms;                 /* when the next one is, on clock_mono_ms() */
};

struct tls_tickets *tls_tickets_new(struct err *err)
{
    ERR_clear_error();
    struct tls_tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL || (tickets->lock = CRYPTO_THREAD_lock_new()) == NULL) {
        err_set(err, "session tickets: out of memory");
        free(tickets);
        return NULL;
    }
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (tickets->cipher == NULL)
        err_openssl(err, "session tickets");
    if (tickets->cipher == NULL || tls_tickets_rotate(tickets, err) != 0) {
        tls_tickets_free(tickets);
        return NULL;
    }
    return tickets;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
    if (tickets == NULL)
        return;
    EVP_CIPHER_free(tickets->cipher);
    CRYPTO_THREAD_lock_free(tickets->lock);
    OPENSSL_cleanse(tickets, sizeof *tickets);
    free(tickets);
}

int tls_tickets_rotate(struct tls_tickets *tickets, struct err *err)
{
    struct ticket_key fresh;
    if (RAND_priv_bytes((unsigned char *)&fresh, sizeof fresh) != 1) {
        err_openssl(err, "session tickets");
        return -1;
    }
    if (CRYPTO_THREAD_write_lock(tickets->lock) != 1) {
        OPENSSL_cleanse(&fresh, sizeof fresh);
        err_set(err, "session tickets: no lock");
        return -1;
    }
    memmove(&tickets->keys[1], &tickets->keys[0], sizeof tickets->keys - sizeof tickets->keys[0]);
    tickets->keys[0] = fresh; /* the oldest is overwritten: no copy of it is left */
    if (tickets->n_keys < TICKET_KEYS_KEPT)
        tickets->n_keys++;
    tickets->due_ms = clock_mono_ms() + TICKET_ROTATE_MS;
    (void)CRYPTO_THREAD_unlock(tickets->lock);
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return 0;
}

/* ---- from one process to the next ---- */

struct key_image {
    struct slice name, cipher_key, mac_key; /* as in struct ticket_key; borrowed */
};

struct tickets_image {
    uint64_t         due_in_ms;
    struct key_image keys[TICKET_KEYS_KEPT]; /* newest first; those that there are not are empty */
};

static const struct image_field key_fields[] = {IMAGE_FIELD(1, IMAGE_SLICE, struct key_image, name),
                                                IMAGE_FIELD(2, IMAGE_SLICE, struct key_image, cipher_key),
                                                IMAGE_FIELD(3, IMAGE_SLICE, struct key_image, mac_key)};
static const struct image_kind  key_kind = {"ticket key", 0, key_fields, ARRAY_LEN(key_fields)};
static const struct image_field tickets_fields[] = {IMAGE_FIELD(1, IMAGE_UINT, struct tickets_image, due_in_ms),
                                                    IMAGE_FIELD_GROUP(2, &key_kind, struct tickets_image, keys[0]),
                                                    IMAGE_FIELD_GROUP(3, &key_kind, struct tickets_image, keys[1]),
                                                    IMAGE_FIELD_GROUP(4, &key_kind, struct tickets_image, keys[2])};
static_assert(ARRAY_LEN(tickets_fields) == 1 + TICKET_KEYS_KEPT, "a field for each key");
const struct image_kind tickets_image_kind = {"set of ticket keys", IMAGE_TICKETS, tickets_fields,
                                              ARRAY_LEN(tickets_fields)};

uint64_t tls_tickets_due_in_ms(const struct tls_tickets *tickets)
{
    uint64_t now_ms = clock_mono_ms();
    return tickets->due_ms > now_ms ? tickets->due_ms - now_ms : 0;
}

void tls_tickets_carry(const struct tls_tickets *tickets, struct image_writer *w)
{
    struct tickets_image image = {.due_in_ms = tls_tickets_due_in_ms(tickets)};
    if (CRYPTO_THREAD_read_lock(tickets->lock) != 1) {
        w->failed = true;
        return;
    }
    for (unsigned i = 0; i < tickets->n_keys; i++) {
        const struct ticket_key *key = &tickets->keys[i];
        image.keys[i] =
            (struct key_image){slice_of(key->name, sizeof key->name), slice_of(key->cipher_key, sizeof key->cipher_key),
                               slice_of(key->mac_key, sizeof key->mac_key)};
    }
    image_put(w, &tickets_image_kind, &image);
    (void)CRYPTO_THREAD_unlock(tickets->lock);
}

static bool key_is_there(const struct key_image *key)
{
    return key->name.len > 0 || key->cipher_key.len > 0 || key->mac_key.len > 0;
}

static bool key_can_be(const struct key_image *from)
{
    const struct ticket_key *key = NULL;
    return from->name.len == sizeof key->name && from->cipher_key.len == sizeof key->cipher_key &&
           from->mac_key.len == sizeof key->mac_key;
}

/* How many keys there are; 0 when one of them cannot be. */
static unsigned count_keys(const struct tickets_image *image)
{
    unsigned n = 0;
    while (n < TICKET_KEYS_KEPT && key_can_be(&image->keys[n]))
        n++;
    for (unsigned i = n; i < TICKET_KEYS_KEPT; i++) {
        if (key_is_there(&image->keys[i]))
            return 0;
    }
    return n;
}

bool tls_tickets_adopt(struct tls_tickets *tickets, const struct image_record *record, struct err *err)
{
    struct tickets_image image;
    if (!image_take(record, &tickets_image_kind, &image, err))
        return false;
    unsigned n = count_keys(&image);
    if (n == 0 || CRYPTO_THREAD_write_lock(tickets->lock) != 1) {
        err_set(err, "session tickets: %s", n == 0 ? "the image's keys are none" : "no lock");
        return false;
    }
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    for (unsigned i = 0; i < n; i++) {
        memcpy(tickets->keys[i].name, image.keys[i].name.ptr, sizeof tickets->keys[i].name);
        memcpy(tickets->keys[i].cipher_key, image.keys[i].cipher_key.ptr, sizeof tickets->keys[i].cipher_key);
        memcpy(tickets->keys[i].mac_key, image.keys[i].mac_key.ptr, sizeof tickets->keys[i].mac_key);
    }
    tickets->n_keys = n;
    tickets->due_ms =
        clock_mono_ms() + (image.due_in_ms < TICKET_ROTATE_MS ? image.due_in_ms : (uint64_t)TICKET_ROTATE_MS);
    (void)CRYPTO_THREAD_unlock(tickets->lock);
    return true;
}

/* ---- in handshakes ---- */

static bool set_mac_key(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char             digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key, sizeof key->mac_key),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1, or -1 as OpenSSL wants it. */
static int seal_with(struct tls_tickets *tickets, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac)
{
    struct ticket_key *key = &tickets->keys[0];
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) != 1 || !set_mac_key(mac, key) ||
        EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher_key, iv, NULL) != 1)
        return -1;
    memcpy(name, key->name, sizeof key->name);
    return 1;
}

/* 0: a key that we do not have, so the handshake is a full one. 2: open, and the client gets a new ticket: always in
 * TLS 1.3, where a ticket should be used once (RFC 8446 appendix C.4), else when a newer key seals by now. */
static int open_with(struct tls_tickets *tickets, const SSL *ssl, const unsigned char name[16], const unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (unsigned i = 0; i < tickets->n_keys; i++) {
        struct ticket_key *key = &tickets->keys[i];
        if (memcmp(key->name, name, sizeof key->name) != 0)
            continue;
        if (!set_mac_key(mac, key) || EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher_key, iv, NULL) != 1)
            return -1;
        return i > 0 || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
    }
    return 0;
}

int tickets_on_key(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int sealing)
{
    const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_tickets      *tickets = server->tickets;
    if (CRYPTO_THREAD_read_lock(tickets->lock) != 1)
        return -1;
    int result = sealing ? seal_with(tickets, name, iv, cipher, mac) : open_with(tickets, ssl, name, iv, cipher, mac);
    (void)CRYPTO_THREAD_unlock(tickets->lock);
    return result;
}
