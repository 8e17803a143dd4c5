/* Which certificate a client gets, which protocol, and what the operator is told of bad files. */
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "tls/live.h"
#include "unit/tls/peers.h"
#include "unit/tls/suites.h"

/* ---- which certificate ---- */

START_TEST(the_name_asked_for_chooses_the_certificate)
{
    static const struct {
        const char *sni, *shown;
    } cases[] = {{"a.example", "ec.pem"},
                 {"A.EXAMPLE", "ec.pem"},
                 {"w.example", "wild.pem"},
                 {"any.w.example", "wild.pem"},
                 {"ANY.W.example", "wild.pem"},
                 {"m.w.example", "wild.pem"},
                 {"x.y.w.example", "ec.pem"},
                 {".w.example", "ec.pem"},
                 {"foo.x.example", "ec.pem"},
                 {"cn.example", "cn.pem"},
                 {"unknown.example", "ec.pem"},
                 {"*.w.example", "ec.pem"},
                 {"under_score.w.example", "wild.pem"},
                 {NULL, "ec.pem"}};
    struct tls_server_settings settings = server_settings("ec", "wild", "cn");
    struct tls_server         *server = server_from(&settings);
    struct peer                peer = peer_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stream s = peer_join(&peer, server, cases[i].sni);
        ck_assert_msg(peer_saw(&peer, cases[i].shown), "%s", cases[i].sni);
        peer_hang_up(&peer, &s);
    }
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

START_TEST(an_exact_name_goes_before_a_wildcard_whatever_the_order)
{
    static const char *const orders[][2] = {{"wild", "exact"}, {"exact", "wild"}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct tls_server_settings settings = server_settings("ec", orders[i][0], orders[i][1]);
        struct tls_server         *server = server_from(&settings);
        struct peer                peer = peer_new();
        struct stream              s = peer_join(&peer, server, "m.w.example");
        ck_assert(peer_saw(&peer, "exact.pem"));
        peer_hang_up(&peer, &s);
        s = peer_join(&peer, server, "n.w.example");
        ck_assert(peer_saw(&peer, "wild.pem"));
        peer_hang_up(&peer, &s);
        s = peer_join(&peer, server, "cn.ignored"); /* it has alternative names, so its common name says nothing */
        ck_assert(peer_saw(&peer, "ec.pem"));
        peer_hang_up(&peer, &s);
        peer_free(&peer);
        tls_server_free(server);
    }
}
END_TEST

static void expect_kind(const struct tls_server *server, const char *sni, int version, const char *algorithms,
                        const char *shown, const char *key_alg)
{
    struct tls_facts facts;
    struct peer      peer = peer_new();
    ck_assert_int_eq(SSL_CTX_set1_sigalgs_list(peer.ctx, openssl_text(algorithms)), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, version), 1);
    struct stream s = peer_join(&peer, server, sni);
    ck_assert_msg(peer_saw(&peer, shown), "%s for %s in %x", shown, algorithms, (unsigned)version);
    ck_assert(stream_facts(&s, &facts));
    ck_assert_str_eq(facts.cert_key_alg, key_alg);
    ck_assert_str_eq(facts.cert_sig_alg, "SHA256");
    peer_hang_up(&peer, &s);
    peer_free(&peer);
}

START_TEST(a_client_gets_the_kind_of_certificate_that_it_can_check)
{
    static const int  versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char rsa_only[] = "rsa_pss_rsae_sha256:RSA+SHA256";
    static const char both[] = "ECDSA+SHA256:rsa_pss_rsae_sha256:RSA+SHA256";
    for (int order = 0; order < 2; order++) {
        struct tls_server_settings settings =
            order == 0 ? server_settings("ec", "rsa", "wild") : server_settings("rsa", "ec", "wild");
        struct tls_server *server = server_from(&settings);
        for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
            expect_kind(server, "a.example", versions[i], both, "ec.pem", "EC256");
            expect_kind(server, "a.example", versions[i], rsa_only, "rsa.pem", "RSA2048");
            expect_kind(server, NULL, versions[i], rsa_only, "rsa.pem", "RSA2048");
            expect_kind(server, "b.w.example", versions[i], both, "wild.pem", "EC256");
        }
        tls_server_free(server);
    }
}
END_TEST

/* ---- versions, ciphers, ALPN ---- */

static enum io meet_version(enum tls_version least, int version, struct tls_facts *facts)
{
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    settings.min_version = least;
    struct tls_server *server = server_from(&settings);
    struct peer        peer = peer_new();
    SSL_CTX_set_security_level(peer.ctx, 0);
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(peer.ctx, version), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, version), 1);
    struct stream s = stream_plain(peer_connect(&peer, NULL));
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    enum io how = peer_meet(&peer, &s);
    ck_assert_int_eq(stream_facts(&s, facts), how == IO_OK);
    ck_assert_int_eq(stream_failure(&s)[0] != '\0', how == IO_FAILED);
    peer_hang_up(&peer, &s);
    peer_free(&peer);
    tls_server_free(server);
    return how;
}

START_TEST(versions_below_the_floor_are_refused)
{
    struct tls_facts facts;
    ck_assert_int_eq(meet_version(TLS_VERSION_1_2, TLS1_2_VERSION, &facts), IO_OK);
    ck_assert_str_eq(facts.version, "TLSv1.2");
    ck_assert_int_eq(meet_version(TLS_VERSION_1_2, TLS1_3_VERSION, &facts), IO_OK);
    ck_assert_str_eq(facts.version, "TLSv1.3");
    ck_assert_int_eq(meet_version(TLS_VERSION_1_3, TLS1_3_VERSION, &facts), IO_OK);
    ck_assert_int_eq(meet_version(TLS_VERSION_1_3, TLS1_2_VERSION, &facts), IO_FAILED);
    ck_assert_int_eq(meet_version(TLS_VERSION_1_2, TLS1_1_VERSION, &facts), IO_FAILED);
}
END_TEST

static enum io meet_ciphers(const char *ciphers)
{
    struct tls_server_settings settings = server_settings("ec", "rsa", NULL);
    struct tls_server         *server = server_from(&settings);
    struct peer                peer = peer_new();
    SSL_CTX_set_security_level(peer.ctx, 0);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, TLS1_2_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(peer.ctx, ciphers), 1);
    struct stream s = stream_plain(peer_connect(&peer, NULL));
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    enum io how = peer_meet(&peer, &s);
    peer_hang_up(&peer, &s);
    peer_free(&peer);
    tls_server_free(server);
    return how;
}

START_TEST(tls_1_2_is_aead_with_forward_secrecy_only)
{
    static const char *const good[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                       "ECDHE-RSA-AES128-GCM-SHA256",   "ECDHE-RSA-AES256-GCM-SHA384",
                                       "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"};
    static const char *const bad[] = {"AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA",
                                      "DHE-RSA-AES128-GCM-SHA256", "AES128-SHA"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(meet_ciphers(good[i]) == IO_OK, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(meet_ciphers(bad[i]) == IO_FAILED, "%s", bad[i]);
}
END_TEST

static enum io meet_alpn(const struct tls_server *server, const char *wire, struct tls_facts *facts, int *client_reason)
{
    struct peer peer = peer_new();
    if (wire != NULL)
        ck_assert_int_eq(SSL_CTX_set_alpn_protos(peer.ctx, (const unsigned char *)wire, (unsigned)strlen(wire)), 0);
    struct stream s = stream_plain(peer_connect(&peer, NULL));
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    enum io how = peer_meet(&peer, &s);
    (void)stream_facts(&s, facts);
    *client_reason = peer.failure;
    peer_hang_up(&peer, &s);
    peer_free(&peer);
    return how;
}

START_TEST(alpn_is_the_first_of_ours_that_the_client_offers)
{
    static const char *const   ours[] = {"mqtt", "x"};
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    struct tls_facts           facts;
    int                        reason;
    settings.alpn = ours;
    settings.n_alpn = ARRAY_LEN(ours);
    struct tls_server *server = server_from(&settings);
    ck_assert_int_eq(meet_alpn(server, "\1x\4mqtt", &facts, &reason), IO_OK);
    ck_assert_str_eq(facts.alpn, "mqtt");
    ck_assert_int_eq(meet_alpn(server, "\5mqttt\1x", &facts, &reason), IO_OK);
    ck_assert_str_eq(facts.alpn, "x");
    ck_assert_int_eq(meet_alpn(server, NULL, &facts, &reason), IO_OK);
    ck_assert_str_eq(facts.alpn, "");
    ck_assert_int_eq(meet_alpn(server, "\2h2\3mqt", &facts, &reason), IO_FAILED);
    ck_assert_int_eq(reason, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    tls_server_free(server);
}
END_TEST

START_TEST(alpn_is_not_answered_where_none_is_configured)
{
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    struct tls_server         *server = server_from(&settings);
    struct tls_facts           facts;
    int                        reason;
    ck_assert_int_eq(meet_alpn(server, "\2h2", &facts, &reason), IO_OK);
    ck_assert_str_eq(facts.alpn, "");
    tls_server_free(server);
}
END_TEST

/* ---- what the operator is told ---- */

struct told {
    int  n;
    char last[512];
};

static void on_warning(void *user, const char *text)
{
    struct told *told = user;
    told->n++;
    (void)snprintf(told->last, sizeof told->last, "%s", text);
}

static void expect_error(const char *chain, const char *key, const char *text)
{
    struct tls_server_settings         settings = server_settings(NULL, NULL, NULL);
    const struct tls_certificate_files files[] = {{"ec.pem", "ec.key"}, {chain, key}};
    struct err                         err = {""};
    settings.certificates = files;
    settings.n_certificates = 2;
    ck_assert_ptr_null(tls_server_new(&settings, NULL, NULL, &err));
    ck_assert_msg(strncmp(err.text, text, strlen(text)) == 0, "%s", err.text);
    ck_assert_ptr_null(tls_server_new(&settings, NULL, NULL, NULL));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(a_bad_certificate_or_key_is_an_error_that_names_the_file)
{
    expect_error("none.pem", "ec.key", "certificate none.pem: No such file or directory");
    expect_error("empty.pem", "ec.key", "certificate empty.pem: holds no certificate");
    expect_error("ec.key", "ec.key", "certificate ec.key: holds no certificate");
    expect_error("broken.pem", "ec.key", "certificate broken.pem: certificate 1 cannot be read: ");
    expect_error("ec.pem", "none.key", "key none.key: No such file or directory");
    expect_error("ec.pem", "empty.pem", "key empty.pem: holds no private key that can be read");
    expect_error("ec.pem", "ec.pem", "key ec.pem: holds no private key that can be read");
    expect_error("ec.pem", "locked.key", "key locked.key: is protected by a passphrase");
    expect_error("ec.pem", "rsa.key", "key rsa.key: does not match certificate ec.pem");
    expect_error("ec.pem", "wild.key", "key wild.key: does not match certificate ec.pem");
}
END_TEST

static void expect_setting_error(const struct tls_server_settings *settings, const char *start)
{
    struct err err = {""};
    ck_assert_ptr_null(tls_server_new(settings, NULL, NULL, &err));
    ck_assert_msg(strncmp(err.text, start, strlen(start)) == 0, "%s", err.text);
}

START_TEST(a_bad_setting_is_an_error_that_names_it)
{
    static const char *const         no_name[] = {""};
    const struct tls_server_settings good = server_settings("ec", NULL, NULL);
    struct tls_server_settings       bad = good;
    bad.ciphers = "NONSENSE";
    expect_setting_error(&bad, "ciphers \"NONSENSE\": no cipher match");
    bad = good;
    bad.ciphersuites = "NONSENSE";
    expect_setting_error(&bad, "ciphersuites \"NONSENSE\": ");
    bad = good;
    bad.groups = "P-7";
    expect_setting_error(&bad, "groups \"P-7\": ");
    bad = good;
    bad.n_certificates = 0;
    expect_setting_error(&bad, "certificates: there is none");
    bad = good;
    bad.alpn = no_name;
    bad.n_alpn = 1;
    expect_setting_error(&bad, "alpn: ");
    bad = good;
    bad.verify = TLS_VERIFY_REQUIRED;
    expect_setting_error(&bad, "client_ca: is needed to verify clients");
    bad.client_ca = "empty.pem";
    expect_setting_error(&bad, "client_ca empty.pem: holds no certificate");
    bad.client_ca = "ca.pem";
    bad.crl = "ca.pem";
    expect_setting_error(&bad, "crl ca.pem: holds no revocation list");
}
END_TEST

static void expect_warning(const char *name, const char *start, const char *utc)
{
    struct told                told = {0};
    struct err                 err = {""};
    struct tls_server_settings settings = server_settings(name, NULL, NULL);
    struct tls_server         *server = tls_server_new(&settings, on_warning, &told, &err);
    ck_assert_msg(server != NULL, "%s", err.text);
    ck_assert_int_eq(told.n, 1);
    ck_assert_msg(strncmp(told.last, start, strlen(start)) == 0, "%s", told.last);
    ck_assert_ptr_nonnull(strstr(told.last, utc));
    tls_server_free(server);
}

static const char *date_from_now(long days, char out[16])
{
    time_t    when = time(NULL) + days * 24 * 3600;
    struct tm tm;
    ck_assert_uint_gt(strftime(out, 16, "%Y-%m-%d", gmtime_r(&when, &tm)), 0);
    return out;
}

START_TEST(a_certificate_out_of_its_time_is_a_warning_with_the_date)
{
    char date[16];
    expect_warning("expired", "certificate expired.pem: has expired on ", date_from_now(-2, date));
    expect_warning("future", "certificate future.pem: is not valid before ", date_from_now(2, date));
    expect_warning("soon", "certificate soon.pem: expires on ", " UTC");
}
END_TEST

START_TEST(a_key_that_everybody_can_read_is_a_warning)
{
    ck_assert_int_eq(chmod("wild.key", 0644), 0);
    expect_warning("wild", "key wild.key: is open to every user of this machine (mode 0644)", "");
    ck_assert_int_eq(chmod("wild.key", 0640), 0);
    struct told                told = {0};
    struct tls_server_settings settings = server_settings("wild", NULL, NULL);
    tls_server_free(tls_server_new(&settings, on_warning, &told, NULL));
    ck_assert_int_eq(told.n, 0);
}
END_TEST

TCase *context_tests(void)
{
    TCase *tests = tcase_create("context");
    tcase_add_unchecked_fixture(tests, yard_make, yard_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_name_asked_for_chooses_the_certificate);
    tcase_add_test(tests, an_exact_name_goes_before_a_wildcard_whatever_the_order);
    tcase_add_test(tests, a_client_gets_the_kind_of_certificate_that_it_can_check);
    tcase_add_test(tests, versions_below_the_floor_are_refused);
    tcase_add_test(tests, tls_1_2_is_aead_with_forward_secrecy_only);
    tcase_add_test(tests, alpn_is_the_first_of_ours_that_the_client_offers);
    tcase_add_test(tests, alpn_is_not_answered_where_none_is_configured);
    tcase_add_test(tests, a_bad_certificate_or_key_is_an_error_that_names_the_file);
    tcase_add_test(tests, a_bad_setting_is_an_error_that_names_it);
    tcase_add_test(tests, a_certificate_out_of_its_time_is_a_warning_with_the_date);
    tcase_add_test(tests, a_key_that_everybody_can_read_is_a_warning);
    return tests;
}
