#include "tls/ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tls/live.h"
#include "tls/reason.h"

/* RFC 5077 section 4's recommended construction: AES-CBC, then HMAC-SHA256 over name, IV and ciphertext. */
struct ticket_key {
    uint8_t name[16]; /* random; tells which key sealed a ticket */
    uint8_t cipher_key[32];
    uint8_t mac_key[32];
};

struct tls_tickets {
    CRYPTO_RWLOCK    *lock;   /* over n_keys and keys; held for microseconds, in handshakes only */
    EVP_CIPHER       *cipher; /* looked up once; OpenSSL's own lookup takes a lock for each handshake */
    unsigned          n_keys;
    struct ticket_key keys[TICKET_KEYS_KEPT]; /* newest first */
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
    (void)CRYPTO_THREAD_unlock(tickets->lock);
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return 0;
}

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
