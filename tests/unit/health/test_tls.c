/* Checks of servers that speak TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/pki.h"
#include "unit/health/suites.h"
#include "unit/health/world.h"

static struct {
    char                   dir[32];
    struct tls_server     *server;
    struct tls_client     *client;
    struct conf_tls_client conf;
} tls;

/* A server's certificate, its authority, and another authority. */
static void make_files(void)
{
    static const struct pki_wish authority = {.cn = "authority", .ca = true};
    struct pki_identity          ca = pki_make(&authority), other = pki_make(&authority);
    const struct pki_wish        wish = {.cn = "broker", .san = "DNS:broker.example,IP:127.0.0.1", .issuer = &ca};
    struct pki_identity          good = pki_make(&wish);
    pki_write_chain("good.pem", &good, NULL);
    pki_write_key("good.key", &good, NULL);
    pki_write_chain("ca.pem", &ca, NULL);
    pki_write_chain("other.pem", &other, NULL);
    pki_free(&good);
    pki_free(&ca);
    pki_free(&other);
}

static void trust(const char *ca)
{
    const struct tls_client_settings settings = {
        .ca = ca, .verify = TLS_VERIFY_REQUIRED, .chain = "", .key = "", .min_version = TLS_VERSION_1_2};
    struct err err;
    tls_client_free(tls.client);
    tls.client = tls_client_new(&settings, NULL, NULL, &err);
    ck_assert_msg(tls.client != NULL, "%s", err.text);
    w.snap_servers[0].tls = tls.client;
}

static void tls_open(void)
{
    static const struct tls_certificate_files files = {.chain = "good.pem", .key = "good.key"};
    const struct tls_server_settings          settings = {.certificates = &files,
                                                          .n_certificates = 1,
                                                          .min_version = TLS_VERSION_1_2,
                                                          .ciphers = "",
                                                          .ciphersuites = "",
                                                          .groups = "X25519:P-256",
                                                          .client_ca = "",
                                                          .crl = ""};
    struct err                                err;
    world_open();
    memset(&tls, 0, sizeof tls);
    (void)strcpy(tls.dir, "/tmp/mqgate-health-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tls.dir));
    ck_assert_int_eq(chdir(tls.dir), 0);
    make_files();
    tls.server = tls_server_new(&settings, NULL, NULL, &err);
    ck_assert_msg(tls.server != NULL, "%s", err.text);
    w.fakes[0].tls = tls.server;
    tls.conf = (struct conf_tls_client){.name = "broker", .verify = VERIFY_REQUIRED, .sni = ""};
    w.servers[0].tls = &tls.conf;
    trust("ca.pem");
}

static void tls_close(void)
{
    world_close();
    tls_server_free(tls.server);
    tls_client_free(tls.client);
    ck_assert_int_eq(unlink("good.pem") + unlink("good.key") + unlink("ca.pem") + unlink("other.pem"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(tls.dir), 0);
}

START_TEST(a_tcp_check_of_a_tls_server_takes_the_handshake)
{
    check_once();
    assert_up("L6OK");
    AWAIT(w.fakes[0].ended + w.fakes[0].reset == 1);
    ck_assert_uint_eq(w.fakes[0].reset, 0);
}
END_TEST

START_TEST(header_handshake_and_dialogue_come_in_this_order)
{
    static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    w.fakes[0].header_len = sizeof header - 1;
    w.servers[0].send_proxy = PROXY_OUT_V2;
    w.backend.check.type = CHECK_MQTT;
    SAY(0, "\x20\x02\x00\x00");
    check_once();
    assert_up("L7OK");
    AWAIT(w.fakes[0].ended == 1);
    ck_assert_mem_eq(w.fakes[0].heard, header, sizeof header - 1);
    ck_assert_mem_eq(w.fakes[0].heard + sizeof header - 1, "\x10\x23\x00\x04MQTT", 8);
    ck_assert_mem_eq(w.fakes[0].heard + w.fakes[0].n_heard - 2, "\xe0\x00", 2);
}
END_TEST

START_TEST(an_http_answer_may_come_through_tls_byte_by_byte)
{
    w.fakes[0].one_by_one = true;
    w.backend.check.type = CHECK_HTTP;
    SAY(0, "HTTP/1.1 200 OK\r\n\r\n");
    check_once();
    assert_up("L7OK");
}
END_TEST

START_TEST(a_certificate_from_elsewhere_fails)
{
    trust("other.pem");
    check_once();
    ck_assert_str_eq(status(0), "L6RSP");
    ck_assert_str_ne(report(0)->last.detail, "");
    ck_assert_int_eq(state(0), SERVER_DOWN);
}
END_TEST

START_TEST(the_name_asked_for_must_be_the_certificates)
{
    tls.conf.sni = _i == 0 ? "broker.example" : "other.example";
    check_once();
    ck_assert_str_eq(status(0), _i == 0 ? "L6OK" : "L6RSP");
}
END_TEST

START_TEST(a_server_that_answers_in_the_clear_fails)
{
    w.fakes[0].tls = NULL;
    SAY(0, "\x20\x02\x00\x00 this is no TLS");
    check_once();
    ck_assert_str_eq(status(0), "L6RSP");
    ck_assert_str_ne(report(0)->last.detail, "");
}
END_TEST

START_TEST(a_server_that_closes_in_the_handshake_fails)
{
    w.fakes[0].closes = true;
    check_once();
    ck_assert_str_eq(status(0), "L6RSP");
    ck_assert_str_ne(report(0)->last.detail, "");
}
END_TEST

START_TEST(a_handshake_without_answer_times_out_at_layer_6)
{
    w.fakes[0].tls = NULL;
    w.backend.check.timeout_ms = 30;
    check_once();
    assert_down("L6TOUT", "no answer within 30 ms");
}
END_TEST

START_TEST(at_another_address_no_tls_is_spoken)
{
    fake_open(&w.fakes[1], w.loop);
    w.backend.check.type = CHECK_HTTP;
    w.backend.check.address = w.fakes[1].at;
    SAY(1, "HTTP/1.1 200 OK\r\n\r\n");
    check_once();
    assert_up("L7OK");
    ck_assert_mem_eq(w.fakes[1].heard, "GET ", 4);
}
END_TEST

TCase *tls_tests(void)
{
    TCase *tc = tcase_create("tls");
    tcase_add_checked_fixture(tc, tls_open, tls_close);
    tcase_add_test(tc, a_tcp_check_of_a_tls_server_takes_the_handshake);
    tcase_add_test(tc, header_handshake_and_dialogue_come_in_this_order);
    tcase_add_test(tc, an_http_answer_may_come_through_tls_byte_by_byte);
    tcase_add_test(tc, a_certificate_from_elsewhere_fails);
    tcase_add_loop_test(tc, the_name_asked_for_must_be_the_certificates, 0, 2);
    tcase_add_test(tc, a_server_that_answers_in_the_clear_fails);
    tcase_add_test(tc, a_server_that_closes_in_the_handshake_fails);
    tcase_add_test(tc, a_handshake_without_answer_times_out_at_layer_6);
    tcase_add_test(tc, at_another_address_no_tls_is_spoken);
    return tc;
}
