#include "unit/tls/duo.h"

#include <openssl/err.h>
#include <string.h>

const struct suite suites[N_SUITES] = {{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", TLS_DETACHED},
                                       {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", TLS_DETACHED},
                                       {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", TLS_DETACHED},
                                       {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", TLS_DETACHED},
                                       {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", TLS_DETACHED},
                                       {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS_DETACHED},
                                       {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", TLS_DETACHED},
                                       {TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", TLS_DETACHED},
                                       {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", TLS_DETACHED},
                                       {TLS1_2_VERSION, "AES128-GCM-SHA256", TLS_DETACHED},
                                       {TLS1_2_VERSION, "AES256-GCM-SHA384", TLS_DETACHED},
                                       {TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256", TLS_KEPT_SUITE},
                                       {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM", TLS_KEPT_SUITE},
                                       {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", TLS_KEPT_SUITE},
                                       {TLS1_2_VERSION, "AES128-SHA", TLS_KEPT_SUITE}};

static void set_suite(struct peer *peer, size_t suite)
{
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(peer->ctx, suites[suite].version), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer->ctx, suites[suite].version), 1);
    ck_assert_int_eq(suites[suite].version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(peer->ctx, suites[suite].name)
                                                             : SSL_CTX_set_cipher_list(peer->ctx, suites[suite].name),
                     1);
}

struct duo duo_make(size_t suite, const char *client_ca)
{
    struct err                 err = {""};
    struct duo                 d = {.worker = tls_worker_new(), .tickets = tls_tickets_new(&err), .peer = peer_new()};
    struct tls_server_settings settings = server_settings("ec", "rsa", NULL);
    static const char *const   alpn[] = {"mqtt"};
    settings.detach = true;
    settings.tickets = d.tickets;
    settings.ciphers = "ALL";
    settings.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                            "TLS_AES_128_CCM_SHA256";
    settings.alpn = alpn;
    settings.n_alpn = 1;
    if (client_ca != NULL) {
        settings.client_ca = client_ca;
        settings.verify = TLS_VERIFY_REQUIRED;
    }
    d.server = server_from(&settings);
    ck_assert_int_eq(SSL_CTX_set_alpn_protos(d.peer.ctx, (const unsigned char *)"\4mqtt", 5), 0);
    set_suite(&d.peer, suite);
    return d;
}

void duo_meet(struct duo *d, enum tls_carrier expected)
{
    d->stream = peer_join(&d->peer, d->server, "a.example");
    ck_assert_int_eq(stream_detach(&d->stream, d->worker), expected);
}

struct duo duo_join(size_t suite)
{
    struct duo d = duo_make(suite, NULL);
    duo_meet(&d, TLS_DETACHED);
    return d;
}

void duo_forget(struct duo *d)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    peer_free(&d->peer);
    tls_server_free(d->server);
    tls_tickets_free(d->tickets);
    tls_worker_free(d->worker);
}

void duo_part(struct duo *d)
{
    peer_hang_up(&d->peer, &d->stream);
    duo_forget(d);
}

void duo_say(struct duo *d, const uint8_t *bytes, size_t len)
{
    static uint8_t got[20000];
    size_t         sent = 0, n, back = 0;
    while (back < len) {
        if (sent < len) {
            enum io how = stream_write(&d->stream, slice_of(bytes + sent, len - sent), &n);
            ck_assert(how == IO_OK || how == IO_WANT_WRITE);
            sent += n;
        }
        peer_pump(&d->peer);
        int r = SSL_read(d->peer.ssl, got + back, (int)(len - back));
        back += r > 0 ? (size_t)r : 0;
    }
    ck_assert_mem_eq(got, bytes, len);
}

void duo_hear(struct duo *d, const uint8_t *bytes, size_t len)
{
    static uint8_t got[20000];
    size_t         n, back = 0;
    ck_assert_int_eq(SSL_write(d->peer.ssl, bytes, (int)len), (int)len);
    while (back < len) {
        peer_pump(&d->peer);
        enum io how = stream_read(&d->stream, got + back, len - back, &n);
        ck_assert_msg(how == IO_OK || how == IO_WANT_READ, "%d %s", (int)how, stream_failure(&d->stream));
        back += n;
    }
    ck_assert_mem_eq(got, bytes, len);
}

void duo_hear_in_pieces(struct duo *d, size_t cut, size_t cap, void (*between)(struct duo *d))
{
    static const char text[] = "0123456789abcdef";
    enum { LEN = sizeof text - 1, ALL = 2 * LEN, ROUNDS = 300 };
    uint8_t got[ALL];
    size_t  n, have = 0;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(SSL_write(d->peer.ssl, text, LEN), LEN);
    d->peer.step = cut;
    for (int round = 0; round < ROUNDS && have < ALL; round++) {
        peer_pump(&d->peer);
        if (between != NULL)
            between(d);
        enum io how = stream_read(&d->stream, got + have, cap < ALL - have ? cap : ALL - have, &n);
        ck_assert(how == IO_OK ? n > 0 && n <= cap : how == IO_WANT_READ && n == 0);
        have += n;
    }
    ck_assert_uint_eq(have, ALL);
    ck_assert_mem_eq(got, text, LEN);
    ck_assert_mem_eq(got + LEN, text, LEN);
    ck_assert(!stream_has_pending(&d->stream));
}

void duo_talk(struct duo *d)
{
    static uint8_t bytes[16384];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    for (size_t len = 1; len <= sizeof bytes; len = len * 3 + 1) {
        duo_say(d, bytes, len);
        duo_hear(d, bytes, len);
    }
    duo_say(d, bytes, sizeof bytes);
    duo_hear(d, bytes, sizeof bytes);
}
