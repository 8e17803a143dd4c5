/* From OpenSSL's connection to the record layer: what the handshake leaves behind, and the one place where a session
 * moves. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "tls/detached.h"

enum { IN, OUT, WAYS };

/* OpenSSL tells secrets and each record's header through callbacks; nothing else tells how many records a key has
 * seen, among them those of new session tickets. */
struct handover {
    uint64_t records[WAYS]; /* since the last change of keys */
    uint8_t  secret_len[WAYS];
    uint8_t  secret[WAYS][RECORD_SECRET_MAX]; /* TLS 1.3: of application data */
};

const char *const tls_carrier_names[TLS_CARRIERS] = {[TLS_DETACHED] = "detached",
                                                     [TLS_KEPT_OPTION] = "kept_option",
                                                     [TLS_KEPT_SUITE] = "kept_suite",
                                                     [TLS_KEPT_STATE] = "kept_state",
                                                     [TLS_KEPT_MEMORY] = "kept_memory"};

static void on_message(int is_ours, int version, int type, const void *bytes, size_t len, SSL *ssl, void *user)
{
    struct handover *h = user;
    const uint8_t   *header = bytes;
    (void)version;
    (void)ssl;
    if (type != SSL3_RT_HEADER || len == 0)
        return;
    uint64_t *records = &h->records[is_ours ? OUT : IN];
    *records = header[0] == SSL3_RT_CHANGE_CIPHER_SPEC ? 0 : *records + 1;
}

bool handover_begin(struct tls_session *t)
{
    t->handover = calloc(1, sizeof *t->handover);
    if (t->handover == NULL || SSL_set_app_data(t->ssl, t->handover) != 1)
        return false;
    SSL_set_msg_callback(t->ssl, on_message);
    SSL_set_msg_callback_arg(t->ssl, t->handover);
    return true;
}

void handover_end(struct tls_session *t)
{
    if (t->handover == NULL)
        return;
    if (t->ssl != NULL) {
        (void)SSL_set_app_data(t->ssl, NULL);
        SSL_set_msg_callback(t->ssl, NULL);
    }
    OPENSSL_cleanse(t->handover, sizeof *t->handover);
    free(t->handover);
    t->handover = NULL;
}

/* ---- secrets ---- */

static uint8_t hex_digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* "LABEL CLIENT_RANDOM SECRET", in hexadecimal. */
static void take_secret(struct handover *h, int way, const char *line)
{
    const char *hex = strrchr(line, ' ');
    size_t      len = hex == NULL ? 0 : strlen(hex + 1) / 2;
    if (len == 0 || len > RECORD_SECRET_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        h->secret[way][i] = (uint8_t)(hex_digit(hex[1 + 2 * i]) << 4 | hex_digit(hex[2 + 2 * i]));
    h->secret_len[way] = (uint8_t)len;
    h->records[way] = 0; /* it is told as its key comes into use */
}

void handover_on_secret(const SSL *ssl, const char *line)
{
    static const char *const labels[WAYS] = {[IN] = "CLIENT_TRAFFIC_SECRET_0 ", [OUT] = "SERVER_TRAFFIC_SECRET_0 "};
    struct handover         *h = SSL_get_app_data(ssl);
    for (int way = 0; h != NULL && way < WAYS; way++) {
        if (strncmp(line, labels[way], strlen(labels[way])) == 0)
            take_secret(h, way, line);
    }
}

/* ---- the move ---- */

static bool find_cipher(const SSL_CIPHER *suite, struct record *r)
{
    switch (SSL_CIPHER_get_cipher_nid(suite)) {
    case NID_aes_128_gcm:
        r->cipher = AEAD_AES_128_GCM;
        break;
    case NID_aes_256_gcm:
        r->cipher = AEAD_AES_256_GCM;
        break;
    case NID_chacha20_poly1305:
        r->cipher = AEAD_CHACHA20_POLY1305;
        break;
    default:
        return false;
    }
    const EVP_MD *hash = SSL_CIPHER_get_handshake_digest(suite);
    r->hash_len = (uint8_t)(hash == NULL ? 0 : EVP_MD_get_size(hash));
    return r->hash_len == 32 || r->hash_len == 48;
}

static uint16_t fragment_max(const SSL *ssl)
{
    uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl));
    bool    is_agreed = code >= TLSEXT_max_fragment_length_512 && code <= TLSEXT_max_fragment_length_4096;
    return (uint16_t)(is_agreed ? 256u << code : RECORD_PLAIN_MAX);
}

static enum tls_carrier derive_1_3(const struct handover *h, struct record *r)
{
    if (h->secret_len[IN] != r->hash_len || h->secret_len[OUT] != r->hash_len)
        return TLS_KEPT_STATE;
    memcpy(r->in.secret, h->secret[IN], r->hash_len);
    memcpy(r->out.secret, h->secret[OUT], r->hash_len);
    return record_derive_1_3(r) ? TLS_DETACHED : TLS_KEPT_MEMORY;
}

static enum tls_carrier derive_1_2(const SSL *ssl, struct record *r)
{
    uint8_t master[48], client_random[SSL3_RANDOM_SIZE], server_random[SSL3_RANDOM_SIZE];
    if (SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master) != sizeof master ||
        SSL_get_client_random(ssl, client_random, sizeof client_random) != sizeof client_random ||
        SSL_get_server_random(ssl, server_random, sizeof server_random) != sizeof server_random)
        return TLS_KEPT_STATE;
    bool done = record_derive_1_2(r, master, client_random, server_random);
    OPENSSL_cleanse(master, sizeof master);
    return done ? TLS_DETACHED : TLS_KEPT_MEMORY;
}

static enum tls_carrier fill_record(const struct tls_session *t, struct record *r)
{
    const SSL *ssl = t->ssl;
    if (!find_cipher(SSL_get_current_cipher(ssl), r))
        return TLS_KEPT_SUITE;
    /* OpenSSL reads no further than the handshake's last record, which comes after all that a client can say unasked:
     * so neither it nor the wire holds anything. If they do, they know best what that is. */
    if (SSL_has_pending(ssl) || SSL_get_shutdown(ssl) != 0 || t->wire.seen != NULL)
        return TLS_KEPT_STATE;
    r->fragment_max = fragment_max(ssl);
    r->in.seq = t->handover->records[IN];
    r->out.seq = t->handover->records[OUT];
    r->version = SSL_version(ssl) == TLS1_3_VERSION ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
    return r->version == TLS_VERSION_1_3 ? derive_1_3(t->handover, r) : derive_1_2(ssl, r);
}

static enum tls_carrier detach(struct tls_session *t, struct tls_worker *worker)
{
    struct tls_facts facts;
    session_facts(t->ssl, &facts);
    struct detached *d = detached_new(worker, &facts);
    if (d == NULL)
        return TLS_KEPT_MEMORY;
    enum tls_carrier carrier = fill_record(t, &d->record);
    if (carrier != TLS_DETACHED) {
        detached_free(d);
        return carrier;
    }
    SSL_free(t->ssl);
    t->ssl = NULL;
    t->detached = d;
    return TLS_DETACHED;
}

enum tls_carrier stream_detach(struct stream *s, struct tls_worker *worker)
{
    struct tls_session *t = s->tls;
    if (t->handover == NULL)
        return TLS_KEPT_OPTION;
    struct tls_session *lasting = slab_take(&worker->slab, sizeof *lasting);
    enum tls_carrier    carrier = lasting == NULL ? TLS_KEPT_MEMORY : detach(t, worker);
    handover_end(t);
    ERR_clear_error();
    if (carrier != TLS_DETACHED) {
        slab_give(lasting);
        return carrier;
    }
    *lasting = *t;
    s->tls = lasting;
    free(t);
    return carrier;
}
