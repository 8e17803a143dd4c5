/* Streams that have left OpenSSL's object behind, against OpenSSL at the other end. What ends and waits is in
 * test_stream.c, for both carriers. */
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "unit/tls/duo.h"
#include "unit/tls/suites.h"

START_TEST(every_suite_goes_on_as_it_began)
{
    struct duo       d = duo_make((size_t)_i, NULL);
    struct tls_facts before, after;
    d.stream = peer_join(&d.peer, d.server, "a.example");
    ck_assert(stream_facts(&d.stream, &before));
    ck_assert_str_eq(before.cipher, suites[_i].name);
    ck_assert_int_eq(stream_detach(&d.stream, d.worker), suites[_i].carrier);
    ck_assert(stream_facts(&d.stream, &after));
    ck_assert_str_eq(after.cipher, suites[_i].name);
    ck_assert_str_eq(after.version, before.version);
    ck_assert_str_eq(after.sni, "a.example");
    ck_assert_str_eq(after.alpn, "mqtt");
    ck_assert_str_eq(after.cert_key_alg, before.cert_key_alg);
    ck_assert_str_eq(after.cert_sig_alg, before.cert_sig_alg);
    ck_assert(!after.has_peer_cert && !after.resumed);
    duo_talk(&d);
    duo_part(&d);
}
END_TEST

START_TEST(a_resumed_session_detaches_too)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    struct duo          d = duo_join(which[_i]);
    struct tls_facts    facts;
    duo_talk(&d);
    SSL_SESSION *session = SSL_get1_session(d.peer.ssl);
    (void)SSL_shutdown(d.peer.ssl);
    peer_hang_up(&d.peer, &d.stream);
    d.stream = stream_plain(peer_connect(&d.peer, "a.example"));
    ck_assert_int_eq(SSL_set_session(d.peer.ssl, session), 1);
    ck_assert(stream_start_server(&d.stream, d.server, slice_of(NULL, 0)));
    ck_assert_int_eq(peer_meet(&d.peer, &d.stream), IO_OK);
    ck_assert_int_eq(SSL_session_reused(d.peer.ssl), 1);
    ck_assert_int_eq(stream_detach(&d.stream, d.worker), TLS_DETACHED);
    ck_assert(stream_facts(&d.stream, &facts) && facts.resumed);
    duo_talk(&d);
    SSL_SESSION_free(session);
    duo_part(&d);
}
END_TEST

/* Its ticket is large, and its name is asked for later. */
START_TEST(a_client_with_a_certificate_is_still_known)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    struct duo          d = duo_make(which[_i], "ca.pem");
    struct tls_facts    facts;
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(d.peer.ctx, "device.pem"), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(d.peer.ctx, "device.key", SSL_FILETYPE_PEM), 1);
    d.stream = peer_join(&d.peer, d.server, "a.example");
    struct tls_facts before;
    ck_assert(stream_facts(&d.stream, &before));
    ck_assert_int_eq(stream_detach(&d.stream, d.worker), TLS_DETACHED);
    ck_assert(stream_facts(&d.stream, &facts));
    ck_assert_str_ne(facts.peer_cn, "");
    ck_assert_str_eq(facts.peer_cn, before.peer_cn);
    ck_assert(facts.has_peer_cert && facts.peer_cert_in_connection && facts.peer_verified);
    duo_talk(&d);
    duo_part(&d);
}
END_TEST

/* The handshake's end and the first data lie in one piece. */
START_TEST(data_right_behind_the_handshake_is_not_lost)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    struct duo          d = duo_make(which[_i], NULL);
    uint8_t             bytes[100];
    size_t              n;
    d.stream = stream_plain(peer_connect(&d.peer, "a.example"));
    ck_assert(stream_start_server(&d.stream, d.server, slice_of(NULL, 0)));
    enum io how = IO_WANT_READ;
    bool    said = false;
    for (int round = 0; round < 100 && how != IO_OK; round++) {
        if (SSL_do_handshake(d.peer.ssl) == 1 && !said)
            said = SSL_write(d.peer.ssl, "at once", 7) == 7;
        peer_pump(&d.peer);
        how = stream_handshake(&d.stream);
    }
    ck_assert_int_eq(how, IO_OK);
    ck_assert_int_eq(stream_detach(&d.stream, d.worker), TLS_DETACHED);
    if (!said) {
        peer_pump(&d.peer);
        ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), 1);
        ck_assert_int_eq(SSL_write(d.peer.ssl, "at once", 7), 7);
        peer_pump(&d.peer);
    }
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_OK);
    ck_assert(slice_eq(slice_of(bytes, n), slice_str("at once")));
    duo_part(&d);
}
END_TEST

START_TEST(records_may_be_cut_anywhere_and_read_in_any_pieces)
{
    struct duo d = duo_join((size_t)_i);
    for (size_t cap = 1; cap <= 20; cap += 3) {
        for (size_t cut = 1; cut < 120; cut++)
            duo_hear_in_pieces(&d, cut, cap, NULL);
    }
    duo_part(&d);
}
END_TEST

START_TEST(small_records_that_came_together_are_read_together)
{
    struct duo d = duo_join(TLS_1_3);
    uint8_t    got[400];
    size_t     n;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(SSL_write(d.peer.ssl, "abc", 3), 3);
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, got, sizeof got, &n), IO_OK);
    ck_assert_uint_eq(n, 300);
    ck_assert(stream_is_drained(&d.stream));
    ck_assert_int_eq(SSL_write(d.peer.ssl, "abcd", 4), 4);
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, got, 2, &n), IO_OK);
    ck_assert(!stream_is_drained(&d.stream)); /* two bytes are left inside */
    duo_part(&d);
}
END_TEST

START_TEST(keys_are_renewed_whenever_the_peer_likes)
{
    struct duo d = duo_join((size_t)_i);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(
            SSL_key_update(d.peer.ssl, i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), 1);
        duo_talk(&d);
    }
    duo_part(&d);
}
END_TEST

START_TEST(a_peer_that_takes_small_records_only_gets_such)
{
    struct duo     d = duo_make((size_t)_i, NULL);
    static uint8_t bytes[2000];
    size_t         n;
    ck_assert_int_eq(SSL_CTX_set_tlsext_max_fragment_length(d.peer.ctx, TLSEXT_max_fragment_length_512), 1);
    duo_meet(&d, TLS_DETACHED);
    ck_assert_int_eq(stream_write(&d.stream, slice_of(bytes, sizeof bytes), &n), IO_OK);
    ck_assert_uint_ge(n, 512);
    peer_pump(&d.peer);
    for (size_t left = n; left > 0; left -= left < 512 ? left : 512)
        ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), left < 512 ? (int)left : 512);
    duo_hear(&d, bytes, sizeof bytes);
    duo_part(&d);
}
END_TEST

START_TEST(the_peer_hears_what_was_wrong)
{
    static const struct {
        const char *bytes;
        size_t      len;
        int         heard_1_3, heard_1_2;
    } cases[] = {{"\x17\x03\x03\x00\x20"
                  "0123456789abcdef0123456789abcdef",
                  37, SSL_R_SSLV3_ALERT_BAD_RECORD_MAC, SSL_R_SSLV3_ALERT_BAD_RECORD_MAC},
                 {"\x17\x03\x03\x50\x00", 5, SSL_R_TLSV1_ALERT_RECORD_OVERFLOW, SSL_R_TLSV1_ALERT_RECORD_OVERFLOW},
                 {"MQTT!", 5, SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION}};
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct duo d = duo_join(which[_i]);
        uint8_t    bytes[16];
        size_t     n;
        ck_assert_int_eq(send(d.peer.fd, cases[i].bytes, cases[i].len, 0), (ssize_t)cases[i].len);
        ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_FAILED);
        ck_assert_str_ne(stream_failure(&d.stream), "");
        peer_pump(&d.peer);
        ck_assert_int_le(SSL_read(d.peer.ssl, bytes, sizeof bytes), 0);
        ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()), _i == 0 ? cases[i].heard_1_3 : cases[i].heard_1_2);
        ERR_clear_error();
        ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_FAILED);
        duo_part(&d);
    }
}
END_TEST

/* The peer takes a damaged record, so it tells why it gives up. */
START_TEST(the_peer_s_alert_is_told)
{
    struct duo d = duo_join((size_t)_i);
    uint8_t    bytes[16];
    size_t     n;
    ck_assert_int_eq(BIO_write(SSL_get_rbio(d.peer.ssl),
                               "\x17\x03\x03\x00\x20"
                               "0123456789abcdef0123456789abcdef",
                               37),
                     37);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), -1);
    ERR_clear_error();
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_FAILED);
    ck_assert_str_eq(stream_failure(&d.stream), "alert bad record mac");
    duo_part(&d);
}
END_TEST

START_TEST(what_came_before_the_fault_is_delivered)
{
    struct duo d = duo_join((size_t)_i);
    uint8_t    bytes[16];
    size_t     n;
    ck_assert_int_eq(SSL_write(d.peer.ssl, "good", 4), 4);
    peer_pump(&d.peer);
    ck_assert_int_eq(send(d.peer.fd, "garbage", 7, 0), 7);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_OK);
    ck_assert(slice_eq(slice_of(bytes, n), slice_str("good")));
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_FAILED);
    duo_part(&d);
}
END_TEST

START_TEST(a_client_s_stream_stays_attached)
{
    const struct tls_client_settings settings = {.ca = "", .verify = TLS_VERIFY_NONE, .chain = "", .key = ""};
    struct tls_client               *client = client_from(&settings);
    struct tls_worker               *worker = tls_worker_new();
    int                              fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct stream s = stream_plain(fds[0]);
    ck_assert(stream_start_client(&s, client, NULL));
    ck_assert_int_eq(stream_detach(&s, worker), TLS_KEPT_OPTION);
    stream_fini(&s);
    (void)close(fds[0]);
    (void)close(fds[1]);
    tls_worker_free(worker);
    tls_client_free(client);
}
END_TEST

TCase *detach_tests(void)
{
    TCase *tests = tcase_create("detach");
    tcase_add_unchecked_fixture(tests, yard_make, yard_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_suite_goes_on_as_it_began, 0, N_SUITES);
    tcase_add_loop_test(tests, a_resumed_session_detaches_too, 0, 2);
    tcase_add_loop_test(tests, a_client_with_a_certificate_is_still_known, 0, 2);
    tcase_add_loop_test(tests, data_right_behind_the_handshake_is_not_lost, 0, 2);
    tcase_add_loop_test(tests, records_may_be_cut_anywhere_and_read_in_any_pieces, 0, 6);
    tcase_add_test(tests, small_records_that_came_together_are_read_together);
    tcase_add_loop_test(tests, keys_are_renewed_whenever_the_peer_likes, TLS_1_3, TLS_1_2);
    tcase_add_loop_test(tests, a_peer_that_takes_small_records_only_gets_such, 0, 6);
    tcase_add_loop_test(tests, the_peer_hears_what_was_wrong, 0, 2);
    tcase_add_loop_test(tests, the_peer_s_alert_is_told, 0, 6);
    tcase_add_loop_test(tests, what_came_before_the_fault_is_delivered, 0, 6);
    tcase_add_test(tests, a_client_s_stream_stays_attached);
    return tests;
}
