/* Whom we believe, on either side, and what a session ticket is worth. */
#include <openssl/err.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "unit/tls/peers.h"
#include "unit/tls/suites.h"

/* ---- clients that we verify ---- */

static struct tls_server *verifying_server(enum tls_verify verify, const char *crl)
{
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    settings.verify = verify;
    settings.client_ca = "ca.pem";
    settings.crl = crl;
    return server_from(&settings);
}

static void use_identity(struct peer *peer, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s.pem", name);
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(peer->ctx, path), 1);
    (void)snprintf(path, sizeof path, "%s.key", name);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(peer->ctx, path, SSL_FILETYPE_PEM), 1);
}

/* who may be NULL: no certificate. why: what stream_failure() must say, "" for a handshake that goes well. */
static void expect_client(const struct tls_server *server, int version, const char *who, const char *why,
                          struct tls_facts *facts)
{
    struct peer peer = peer_new();
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, version), 1);
    if (who != NULL)
        use_identity(&peer, who);
    struct stream s = stream_plain(peer_connect(&peer, NULL));
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    enum io how = peer_meet(&peer, &s);
    ck_assert_str_eq(stream_failure(&s), why);
    ck_assert_int_eq(how, why[0] == '\0' ? IO_OK : IO_FAILED);
    ck_assert_int_eq(stream_facts(&s, facts), how == IO_OK);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    peer_hang_up(&peer, &s);
    peer_free(&peer);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(a_client_that_must_show_a_certificate_is_let_in_with_a_good_one_only)
{
    struct tls_facts   facts;
    struct tls_server *server = verifying_server(TLS_VERIFY_REQUIRED, "crl.pem");
    int                version = versions[_i];
    expect_client(server, version, "device", "", &facts);
    ck_assert(facts.has_peer_cert && facts.peer_cert_in_connection && facts.peer_verified && !facts.resumed);
    ck_assert_str_eq(facts.peer_cn, "g\xC3\xA4rt-7");
    expect_client(server, version, "control", "", &facts);
    ck_assert(facts.peer_verified);
    ck_assert_str_eq(facts.peer_cn, "");
    expect_client(server, version, NULL, "peer did not return a certificate", &facts);
    expect_client(server, version, "stranger", "unable to get local issuer certificate", &facts);
    expect_client(server, version, "late", "certificate has expired", &facts);
    expect_client(server, version, "revoked", "certificate revoked", &facts);
    expect_client(server, version, "device", "", &facts);
    tls_server_free(server);
}
END_TEST

START_TEST(a_client_that_may_show_a_certificate_need_not_but_a_bad_one_is_refused)
{
    struct tls_facts   facts;
    struct tls_server *server = verifying_server(TLS_VERIFY_OPTIONAL, "");
    int                version = versions[_i];
    expect_client(server, version, NULL, "", &facts);
    ck_assert(!facts.has_peer_cert && !facts.peer_cert_in_connection && !facts.peer_verified);
    expect_client(server, version, "device", "", &facts);
    ck_assert(facts.peer_verified);
    expect_client(server, version, "revoked", "", &facts); /* nobody told of a list */
    ck_assert(facts.peer_verified);
    expect_client(server, version, "stranger", "unable to get local issuer certificate", &facts);
    tls_server_free(server);
}
END_TEST

START_TEST(a_client_that_is_not_asked_shows_nothing)
{
    struct tls_facts   facts;
    struct tls_server *server = verifying_server(TLS_VERIFY_NONE, "");
    expect_client(server, versions[_i], "stranger", "", &facts);
    ck_assert(!facts.has_peer_cert && !facts.peer_verified);
    tls_server_free(server);
}
END_TEST

START_TEST(a_revocation_list_must_be_that_of_the_issuer_and_fresh)
{
    struct tls_facts   facts;
    struct tls_server *server = verifying_server(TLS_VERIFY_REQUIRED, "other-crl.pem");
    expect_client(server, versions[_i], "device", "unable to get certificate CRL", &facts);
    tls_server_free(server);
    server = verifying_server(TLS_VERIFY_REQUIRED, "old-crl.pem");
    expect_client(server, versions[_i], "device", "CRL has expired", &facts);
    tls_server_free(server);
}
END_TEST

static void expect_fleet(int version, const char *crl, const char *why)
{
    struct tls_facts   facts;
    struct tls_server *server = verifying_server(TLS_VERIFY_REQUIRED, crl);
    expect_client(server, version, "fleet", why, &facts);
    tls_server_free(server);
}

START_TEST(authorities_above_the_issuer_are_checked_where_there_is_a_list_for_them)
{
    expect_fleet(versions[_i], "", "");
    expect_fleet(versions[_i], "fleet-crl.pem", "");
    expect_fleet(versions[_i], "crl.pem", "unable to get certificate CRL"); /* of the root alone */
    expect_fleet(versions[_i], "no-fleet-crl.pem", "certificate revoked");
}
END_TEST

START_TEST(the_names_of_trusted_authorities_are_sent_to_clients)
{
    struct tls_server *server = verifying_server(TLS_VERIFY_REQUIRED, "");
    struct peer        peer = peer_new();
    use_identity(&peer, "device");
    struct stream s = peer_join(&peer, server, NULL);
    const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(peer.ssl);
    ck_assert_int_eq(sk_X509_NAME_num(names), 1);
    peer_hang_up(&peer, &s);
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

/* ---- servers that we verify ---- */

static enum io meet(struct stream *client, struct stream *server, const char **why)
{
    enum io c = IO_WANT_READ, s = IO_WANT_READ;
    for (int round = 0; round < 100; round++) {
        if (c == IO_WANT_READ || c == IO_WANT_WRITE)
            c = stream_handshake(client);
        if (s == IO_WANT_READ || s == IO_WANT_WRITE)
            s = stream_handshake(server);
    }
    *why = stream_failure(client);
    return c;
}

/* why: "" for a handshake that goes well. */
static void expect_server(const char *shows, const char *ca, enum tls_verify verify, const char *name, const char *why)
{
    const struct tls_server_settings settings = server_settings(shows, NULL, NULL);
    const struct tls_client_settings ours = {.ca = ca, .verify = verify, .chain = "", .key = ""};
    struct tls_server               *server = server_from(&settings);
    struct tls_client               *client = client_from(&ours);
    struct peer                      unused = peer_new();
    struct stream                    there = stream_plain(peer_connect(&unused, NULL)), here = stream_plain(unused.fd);
    const char                      *got;
    ck_assert(stream_start_server(&there, server, slice_of(NULL, 0)));
    ck_assert(stream_start_client(&here, client, name));
    enum io how = meet(&here, &there, &got);
    ck_assert_str_eq(got, why);
    ck_assert_int_eq(how, why[0] == '\0' ? IO_OK : IO_FAILED);
    stream_fini(&here);
    peer_hang_up(&unused, &there);
    peer_free(&unused);
    tls_client_free(client);
    tls_server_free(server);
}

START_TEST(a_server_is_believed_for_its_name_and_its_authority)
{
    static const char no_issuer[] = "unable to get local issuer certificate";
    expect_server("ec", "ca.pem", TLS_VERIFY_REQUIRED, "a.example", "");
    expect_server("ec", "ca.pem", TLS_VERIFY_REQUIRED, NULL, "");
    expect_server("ec", "ca.pem", TLS_VERIFY_REQUIRED, "", "");
    expect_server("wild", "ca.pem", TLS_VERIFY_REQUIRED, "b.w.example", "");
    expect_server("ip", "ca.pem", TLS_VERIFY_REQUIRED, "127.0.0.1", "");
    expect_server("ec", "ca.pem", TLS_VERIFY_REQUIRED, "b.example", "hostname mismatch");
    expect_server("ip", "ca.pem", TLS_VERIFY_REQUIRED, "127.0.0.2", "IP address mismatch");
    expect_server("ec", "other-ca.pem", TLS_VERIFY_REQUIRED, "a.example", no_issuer);
    expect_server("ec", "", TLS_VERIFY_REQUIRED, "a.example", no_issuer);
    expect_server("expired", "ca.pem", TLS_VERIFY_OPTIONAL, "a.example", "certificate has expired");
    expect_server("expired", "", TLS_VERIFY_NONE, "b.example", "");
}
END_TEST

START_TEST(a_server_that_asks_gets_our_certificate)
{
    const struct tls_client_settings ours = {
        .ca = "ca.pem", .verify = TLS_VERIFY_REQUIRED, .chain = "device.pem", .key = "device.key"};
    struct tls_server *server = verifying_server(TLS_VERIFY_REQUIRED, "");
    struct tls_client *client = client_from(&ours);
    struct peer        unused = peer_new();
    struct stream      there = stream_plain(peer_connect(&unused, NULL)), here = stream_plain(unused.fd);
    const char        *why;
    struct tls_facts   facts;
    ck_assert(stream_start_server(&there, server, slice_of(NULL, 0)));
    ck_assert(stream_start_client(&here, client, "a.example"));
    ck_assert_int_eq(meet(&here, &there, &why), IO_OK);
    ck_assert(stream_facts(&there, &facts));
    ck_assert(facts.peer_verified);
    ck_assert_str_eq(facts.sni, "a.example");
    ck_assert(stream_facts(&here, &facts));
    ck_assert(facts.peer_verified);
    ck_assert_str_eq(facts.peer_cn, "ec");
    stream_fini(&here);
    peer_hang_up(&unused, &there);
    peer_free(&unused);
    tls_client_free(client);
    tls_server_free(server);
}
END_TEST

START_TEST(a_bad_file_of_a_client_is_named)
{
    struct err                 err = {""};
    struct tls_client_settings bad = {.ca = "none.pem", .verify = TLS_VERIFY_REQUIRED, .chain = "", .key = ""};
    ck_assert_ptr_null(tls_client_new(&bad, NULL, NULL, &err));
    ck_assert_str_eq(err.text, "ca none.pem: No such file or directory");
    bad = (struct tls_client_settings){.ca = "ca.pem", .verify = TLS_VERIFY_REQUIRED, .chain = "ec.pem", .key = ""};
    ck_assert_ptr_null(tls_client_new(&bad, NULL, NULL, &err));
    bad.key = "rsa.key";
    ck_assert_ptr_null(tls_client_new(&bad, NULL, NULL, &err));
    ck_assert_str_eq(err.text, "key rsa.key: does not match certificate ec.pem");
}
END_TEST

/* ---- tickets ---- */

/* OpenSSL asks this program's time(), which is the real one but for those who set the offset. */
static time_t time_offset_s;

time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec + time_offset_s;
    return now.tv_sec + time_offset_s;
}

static struct tls_tickets *new_tickets(void)
{
    struct err          err = {""};
    struct tls_tickets *tickets = tls_tickets_new(&err);
    ck_assert_msg(tickets != NULL, "%s", err.text);
    return tickets;
}

/* A connection of peer with session, which may be NULL; the session after it, or NULL when it cannot be resumed. Takes
 * session over. */
static SSL_SESSION *visit(struct peer *peer, const struct tls_server *server, SSL_SESSION *session, const char *sni,
                          struct tls_facts *facts)
{
    struct stream s = stream_plain(peer_connect(peer, sni));
    if (session != NULL)
        ck_assert_int_eq(SSL_set_session(peer->ssl, session), 1);
    SSL_SESSION_free(session);
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    ck_assert_int_eq(peer_meet(peer, &s), IO_OK);
    peer_say(peer, &s, "hello");
    ck_assert(stream_facts(&s, facts));
    ck_assert_int_eq(facts->resumed, SSL_session_reused(peer->ssl));
    SSL_SESSION *after = SSL_get1_session(peer->ssl);
    ck_assert_int_ge(SSL_shutdown(peer->ssl), 0); /* else the session counts as failed and is not resumable */
    peer_hang_up(peer, &s);
    if (SSL_SESSION_is_resumable(after))
        return after;
    SSL_SESSION_free(after);
    return NULL;
}

START_TEST(a_ticket_is_good_for_every_context_with_the_same_keys_and_trust)
{
    struct tls_tickets        *tickets = new_tickets();
    struct tls_server_settings settings = server_settings("ec", "wild", NULL);
    struct tls_facts           facts;
    settings.tickets = tickets;
    settings.verify = TLS_VERIFY_REQUIRED;
    settings.client_ca = "ca.pem";
    struct tls_server *old = server_from(&settings), *reloaded = server_from(&settings);
    settings.crl = "crl.pem";
    struct tls_server *stricter = server_from(&settings);
    struct peer        peer = peer_new();
    use_identity(&peer, "device");
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, versions[_i]), 1);

    SSL_SESSION *session = visit(&peer, old, NULL, "b.w.example", &facts);
    ck_assert_ptr_nonnull(session);
    ck_assert(!facts.resumed && facts.peer_cert_in_connection);
    session = visit(&peer, reloaded, session, "b.w.example", &facts);
    ck_assert(facts.resumed && facts.has_peer_cert && facts.peer_verified && !facts.peer_cert_in_connection);
    ck_assert_str_eq(facts.peer_cn, "g\xC3\xA4rt-7");
    ck_assert_str_eq(facts.sni, "b.w.example");
    session = visit(&peer, stricter, session, "b.w.example", &facts);
    ck_assert(!facts.resumed && facts.peer_verified);
    SSL_SESSION_free(session);
    peer_free(&peer);
    tls_server_free(old);
    tls_server_free(reloaded);
    tls_server_free(stricter);
    tls_tickets_free(tickets);
}
END_TEST

START_TEST(a_ticket_does_not_outlive_the_certificate_of_its_client)
{
    struct tls_tickets        *tickets = new_tickets();
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    struct tls_facts           facts;
    settings.tickets = tickets;
    settings.verify = TLS_VERIFY_REQUIRED;
    settings.client_ca = "ca.pem";
    struct tls_server *server = server_from(&settings);
    struct peer        peer = peer_new();
    use_identity(&peer, "brief");
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, versions[_i]), 1);
    SSL_SESSION *session = visit(&peer, server, NULL, NULL, &facts);
    time_offset_s = 1800;
    session = visit(&peer, server, session, NULL, &facts);
    ck_assert(facts.resumed);
    time_offset_s = 7200;
    struct stream s = stream_plain(peer_connect(&peer, NULL));
    ck_assert_int_eq(SSL_set_session(peer.ssl, session), 1);
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    ck_assert_int_eq(peer_meet(&peer, &s), IO_FAILED);
    ck_assert_str_eq(stream_failure(&s), "certificate has expired");
    SSL_SESSION_free(session);
    peer_hang_up(&peer, &s);
    peer_free(&peer);
    tls_server_free(server);
    tls_tickets_free(tickets);
}
END_TEST

/* Whether a ticket that was given before n rotations still opens. */
static bool survives(int rotations, int version)
{
    struct tls_tickets        *tickets = new_tickets();
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    struct tls_facts           facts;
    settings.tickets = tickets;
    struct tls_server *server = server_from(&settings);
    struct peer        peer = peer_new();
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, version), 1);
    SSL_SESSION *session = visit(&peer, server, NULL, NULL, &facts);
    ck_assert_ptr_nonnull(session);
    for (int i = 0; i < rotations; i++)
        ck_assert_int_eq(tls_tickets_rotate(tickets, NULL), 0);
    session = visit(&peer, server, session, NULL, &facts);
    bool survived = facts.resumed;
    ck_assert_ptr_nonnull(session); /* a new ticket of the newest key, whichever way it went */
    for (int i = 0; i < TICKET_KEYS_KEPT - 1 && rotations > 0; i++)
        ck_assert_int_eq(tls_tickets_rotate(tickets, NULL), 0);
    session = visit(&peer, server, session, NULL, &facts);
    ck_assert(facts.resumed);
    SSL_SESSION_free(session);
    peer_free(&peer);
    tls_server_free(server);
    tls_tickets_free(tickets);
    return survived;
}

START_TEST(a_ticket_outlives_rotations_as_long_as_its_key_is_kept_and_is_renewed)
{
    for (int rotations = 0; rotations < TICKET_KEYS_KEPT; rotations++)
        ck_assert_msg(survives(rotations, versions[_i]), "%d", rotations);
    ck_assert(!survives(TICKET_KEYS_KEPT, versions[_i]));
}
END_TEST

START_TEST(without_keys_no_ticket_is_given_and_no_session_id_either)
{
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    struct tls_server         *server = server_from(&settings);
    struct peer                peer = peer_new();
    struct tls_facts           facts;
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, versions[_i]), 1);
    SSL_SESSION *session = visit(&peer, server, NULL, NULL, &facts);
    if (session != NULL)
        session = visit(&peer, server, session, NULL, &facts);
    ck_assert(!facts.resumed);
    SSL_SESSION_free(session);
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

TCase *verify_tests(void)
{
    TCase *tests = tcase_create("verify");
    int    n = (int)ARRAY_LEN(versions);
    tcase_add_unchecked_fixture(tests, yard_make, yard_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_client_that_must_show_a_certificate_is_let_in_with_a_good_one_only, 0, n);
    tcase_add_loop_test(tests, a_client_that_may_show_a_certificate_need_not_but_a_bad_one_is_refused, 0, n);
    tcase_add_loop_test(tests, a_client_that_is_not_asked_shows_nothing, 0, n);
    tcase_add_loop_test(tests, a_revocation_list_must_be_that_of_the_issuer_and_fresh, 0, n);
    tcase_add_loop_test(tests, authorities_above_the_issuer_are_checked_where_there_is_a_list_for_them, 0, n);
    tcase_add_test(tests, the_names_of_trusted_authorities_are_sent_to_clients);
    tcase_add_test(tests, a_server_is_believed_for_its_name_and_its_authority);
    tcase_add_test(tests, a_server_that_asks_gets_our_certificate);
    tcase_add_test(tests, a_bad_file_of_a_client_is_named);
    tcase_add_loop_test(tests, a_ticket_is_good_for_every_context_with_the_same_keys_and_trust, 0, n);
    tcase_add_loop_test(tests, a_ticket_does_not_outlive_the_certificate_of_its_client, 0, n);
    tcase_add_loop_test(tests, a_ticket_outlives_rotations_as_long_as_its_key_is_kept_and_is_renewed, 0, n);
    tcase_add_loop_test(tests, without_keys_no_ticket_is_given_and_no_session_id_either, 0, n);
    return tests;
}
