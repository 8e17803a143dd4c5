/* Bytes through a stream: in every cut, both ways, up to each kind of end. */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "unit/tls/peers.h"
#include "unit/tls/suites.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* Each version, carried by OpenSSL and by the record layer. */
static const struct {
    int  version;
    bool detached;
} modes[] = {{TLS1_2_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, false}, {TLS1_3_VERSION, true}};
enum { MODES_1_2 = 0, MODES_1_3 = 2 }; /* the first of each version */

/* A server with one certificate and a peer that is connected to it. */
struct duo {
    struct tls_worker *worker;
    struct tls_server *server;
    struct peer        peer;
    struct stream      stream;
};

static struct tls_server *plain_server(void)
{
    const struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    return server_from(&settings);
}

static struct duo duo_join(int mode)
{
    struct tls_server_settings settings = server_settings("ec", NULL, NULL);
    settings.detach = modes[mode].detached;
    struct duo d = {.worker = tls_worker_new(), .server = server_from(&settings), .peer = peer_new()};
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(d.peer.ctx, modes[mode].version), 1);
    d.stream = peer_join(&d.peer, d.server, "a.example");
    ck_assert_int_eq(stream_detach(&d.stream, d.worker), settings.detach ? TLS_DETACHED : TLS_KEPT_OPTION);
    return d;
}

static void duo_part(struct duo *d)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    peer_hang_up(&d->peer, &d->stream);
    peer_free(&d->peer);
    tls_server_free(d->server);
    tls_worker_free(d->worker);
}

/* ---- the beginning ---- */

START_TEST(a_hello_may_have_been_read_before_up_to_any_byte)
{
    struct tls_server *server = plain_server();
    struct peer        peer = peer_new();
    size_t             cut = 0, len = 0;
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, versions[_i]), 1);
    do {
        uint8_t       hello[4096];
        struct stream s = stream_plain(peer_connect(&peer, "a.example"));
        ck_assert_int_eq(SSL_do_handshake(peer.ssl), -1);
        len = BIO_ctrl_pending(SSL_get_wbio(peer.ssl));
        peer_pump(&peer);
        ck_assert_int_eq(recv(s.fd, hello, cut, 0), (ssize_t)cut);
        ck_assert(stream_start_server(&s, server, slice_of(hello, cut)));
        memset(hello, 0, sizeof hello);
        ck_assert_int_eq(stream_has_pending(&s), cut > 0);
        ck_assert_int_eq(peer_meet(&peer, &s), IO_OK);
        ck_assert(!stream_has_pending(&s));
        peer_say(&peer, &s, "hello");
        peer_hang_up(&peer, &s);
    } while (cut++ < len);
    ck_assert_uint_gt(len, 100);
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

START_TEST(a_handshake_may_come_byte_by_byte)
{
    struct tls_server *server = plain_server();
    struct peer        peer = peer_new();
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(peer.ctx, versions[_i]), 1);
    peer.step = 1;
    struct stream s = peer_join(&peer, server, "a.example");
    peer.step = 4096;
    peer_say(&peer, &s, "hello");
    peer_hang_up(&peer, &s);
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

START_TEST(what_is_no_hello_fails_with_a_reason)
{
    static const struct {
        const char *bytes, *why;
    } cases[] = {{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http request"},
                 {"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06"
                  "abcdef",
                  ""},
                 {"\x16\x03\x01\x00\x04zzzzzzzz", ""},
                 {"\x15\x03\x01\x00\x02\x02\x28", "unexpected message"}};
    struct tls_server *server = plain_server();
    struct peer        peer = peer_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stream s = stream_plain(peer_connect(&peer, NULL));
        size_t        len = i == 3 ? 7 : i == 2 ? 13 : i == 1 ? 20 : strlen(cases[i].bytes);
        ck_assert(stream_start_server(&s, server, slice_of(cases[i].bytes, len)));
        ck_assert_int_eq(stream_handshake(&s), IO_FAILED);
        ck_assert_str_ne(stream_failure(&s), "");
        if (cases[i].why[0] != '\0')
            ck_assert_str_eq(stream_failure(&s), cases[i].why);
        ck_assert_int_eq(stream_handshake(&s), IO_FAILED); /* and stays so */
        ck_assert_uint_eq(ERR_peek_error(), 0);
        ck_assert_int_eq(stream_shutdown(&s), IO_OK);
        peer_hang_up(&peer, &s);
    }
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

START_TEST(a_peer_that_leaves_before_the_end_of_the_handshake_is_an_end_of_file)
{
    struct tls_server *server = plain_server();
    struct peer        peer = peer_new();
    struct tls_facts   facts;
    for (int half_hello = 0; half_hello < 2; half_hello++) {
        struct stream s = stream_plain(peer_connect(&peer, NULL));
        ck_assert(stream_start_server(&s, server, slice_of("\x16\x03\x01", half_hello ? 3 : 0)));
        ck_assert_int_eq(stream_handshake(&s), IO_WANT_READ);
        ck_assert_int_eq(shutdown(peer.fd, SHUT_WR), 0);
        ck_assert_int_eq(stream_handshake(&s), IO_EOF);
        ck_assert_str_eq(stream_failure(&s), "");
        ck_assert(!stream_facts(&s, &facts));
        ck_assert_str_eq(facts.version, "");
        peer_hang_up(&peer, &s);
    }
    peer_free(&peer);
    tls_server_free(server);
}
END_TEST

START_TEST(facts_say_what_the_handshake_settled)
{
    static const char *const odd[] = {"bad name", "x..y", "a\nb"};
    struct duo               d = duo_join(_i);
    struct tls_facts         facts;
    ck_assert(stream_facts(&d.stream, &facts));
    ck_assert_str_eq(facts.version, SSL_get_version(d.peer.ssl));
    ck_assert_str_eq(facts.cipher, SSL_get_cipher_name(d.peer.ssl));
    ck_assert_str_eq(facts.sni, "a.example");
    ck_assert_str_eq(facts.peer_cn, "");
    ck_assert_str_eq(facts.cert_key_alg, "EC256");
    ck_assert_str_eq(facts.cert_sig_alg, "SHA256");
    ck_assert(!facts.has_peer_cert && !facts.peer_verified && !facts.resumed);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        peer_hang_up(&d.peer, &d.stream);
        d.stream = peer_join(&d.peer, d.server, odd[i]);
        ck_assert(stream_facts(&d.stream, &facts));
        ck_assert_str_eq(facts.sni, "");
    }
    struct stream plain = stream_plain(d.stream.fd);
    ck_assert(!stream_facts(&plain, &facts));
    ck_assert_str_eq(facts.cipher, "");
    duo_part(&d);
}
END_TEST

/* ---- the middle ---- */

enum { BULK = 300000 };

static uint8_t bulk_byte(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* Sizes that differ from call to call but not from run to run. */
static size_t some_size(uint32_t *state, size_t most)
{
    *state = *state * 1664525u + 1013904223u;
    return 1 + (*state >> 8) % most;
}

/* One way of a bulk transfer between two streams. */
struct lane {
    struct stream *from, *to;
    size_t         sent, got;
    uint32_t       dice;
    int            waits;      /* writes that had to wait */
    size_t         must_offer; /* a write that waits is repeated with no fewer bytes */
};

static void lane_write(struct lane *lane)
{
    size_t n, len = some_size(&lane->dice, 40000);
    if (len < lane->must_offer)
        len = lane->must_offer;
    if (len > BULK - lane->sent)
        len = BULK - lane->sent;
    if (len == 0)
        return;
    uint8_t *bytes = malloc(len); /* at another address each time */
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = bulk_byte(lane->sent + i);
    enum io how = stream_write(lane->from, slice_of(bytes, len), &n);
    ck_assert_int_eq(how == IO_OK, n > 0);
    ck_assert_msg(how == IO_OK || how == IO_WANT_WRITE, "%d %s", (int)how, stream_failure(lane->from));
    lane->waits += how == IO_WANT_WRITE;
    lane->must_offer = how == IO_WANT_WRITE ? len : 0;
    lane->sent += n;
    free(bytes);
}

static void lane_read(struct lane *lane)
{
    static uint8_t bytes[20000];
    size_t         n, cap = some_size(&lane->dice, sizeof bytes);
    enum io        how = stream_read(lane->to, bytes, cap, &n);
    ck_assert_msg(how == IO_OK || how == IO_WANT_READ, "%d %s", (int)how, stream_failure(lane->to));
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(bytes[i], bulk_byte(lane->got + i));
    lane->got += n;
}

static void lanes_run(struct lane *up, struct lane *down)
{
    for (int round = 0; round < 100000 && (up->got < BULK || down->got < BULK); round++) {
        lane_write(up);
        lane_write(down);
        lane_read(up);
        lane_read(down);
    }
    ck_assert_uint_eq(up->got, BULK);
    ck_assert_uint_eq(down->got, BULK);
    ck_assert_int_gt(up->waits, 0);
    ck_assert_int_gt(down->waits, 0);
}

static void narrow_pair(int fds[2])
{
    int least = 1;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
}

static void swap_bulk(struct stream *a, struct stream *b)
{
    struct lane up = {.from = a, .to = b, .dice = 1}, down = {.from = b, .to = a, .dice = 2};
    lanes_run(&up, &down);
}

START_TEST(bytes_arrive_whole_however_they_are_cut)
{
    const struct tls_client_settings settings = {
        .ca = "", .verify = TLS_VERIFY_NONE, .chain = "", .key = "", .min_version = TLS_VERSION_1_3};
    struct tls_server_settings server_side = server_settings("ec", NULL, NULL);
    server_side.detach = _i == 1;
    struct tls_server *server = server_from(&server_side);
    struct tls_client *client = client_from(&settings);
    struct tls_worker *worker = tls_worker_new();
    int                fds[2];
    narrow_pair(fds);
    struct stream a = stream_plain(fds[0]), b = stream_plain(fds[1]);
    swap_bulk(&a, &b);
    ck_assert(stream_start_client(&a, client, "a.example"));
    ck_assert(stream_start_server(&b, server, slice_of(NULL, 0)));
    enum io how_a = IO_WANT_READ, how_b = IO_WANT_READ;
    for (int round = 0; round < 1000 && (how_a != IO_OK || how_b != IO_OK); round++) {
        how_a = stream_handshake(&a);
        how_b = stream_handshake(&b);
    }
    ck_assert_int_eq(how_b, IO_OK);
    ck_assert_int_eq(stream_detach(&b, worker), server_side.detach ? TLS_DETACHED : TLS_KEPT_OPTION);
    swap_bulk(&a, &b);
    stream_fini(&a);
    stream_fini(&b);
    (void)close(fds[0]);
    (void)close(fds[1]);
    tls_client_free(client);
    tls_server_free(server);
    tls_worker_free(worker);
}
END_TEST

START_TEST(what_a_short_read_leaves_is_pending_and_half_a_record_is_not)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[100];
    size_t     n;
    ck_assert_int_eq(SSL_write(d.peer.ssl, "0123456789", 10), 10);
    d.peer.step = 15;
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, 4, &n), IO_WANT_READ);
    ck_assert(!stream_has_pending(&d.stream));
    d.peer.step = 4096;
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, 4, &n), IO_OK);
    ck_assert_uint_eq(n, 4);
    ck_assert(stream_has_pending(&d.stream));
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_OK);
    ck_assert_uint_eq(n, 6);
    ck_assert(!stream_has_pending(&d.stream));
    duo_part(&d);
}
END_TEST

START_TEST(renegotiation_is_refused)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    size_t     n;
    SSL_set_options(d.peer.ssl, SSL_OP_LEGACY_SERVER_CONNECT);
    ck_assert_int_eq(SSL_renegotiate(d.peer.ssl), 1);
    ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), -1);
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_WANT_READ);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), -1);
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    duo_part(&d);
}
END_TEST

START_TEST(a_peer_that_makes_no_progress_gives_the_thread_back)
{
    enum { UPDATES = 200 };
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    size_t     n;
    int        waits = 0, left = 0;
    for (int i = 0; i < UPDATES; i++) {
        ck_assert_int_eq(SSL_key_update(d.peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), 1);
    }
    ck_assert_int_eq(SSL_write(d.peer.ssl, "on", 2), 2);
    peer_pump(&d.peer);
    enum io how;
    while ((how = stream_read(&d.stream, bytes, sizeof bytes, &n)) == IO_WANT_READ || how == IO_AGAIN) {
        ck_assert_int_eq(ioctl(d.stream.fd, FIONREAD, &left), 0);
        ck_assert(how == IO_AGAIN || left > 0); /* so whoever waits by level is called again */
        waits++;
    }
    ck_assert_int_eq(how, IO_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_ge(waits, 10);
    duo_part(&d);
}
END_TEST

/* Bytes that no record is made of, until nothing fits any more; what waits in OpenSSL stays there. */
static void fill(int fd)
{
    static const uint8_t block[16000];
    size_t               sent = 0;
    for (size_t part = sizeof block; part > 0; part /= 2)
        for (ssize_t n; (n = send(fd, block, part, MSG_NOSIGNAL)) > 0;)
            sent += (size_t)n;
    ck_assert_uint_gt(sent, 0);
}

static void empty(int fd)
{
    uint8_t away[16000];
    while (recv(fd, away, sizeof away, 0) > 0)
        ;
}

START_TEST(a_key_update_is_answered_once_there_is_room)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    char      *out;
    size_t     n;
    fill(d.stream.fd);
    ck_assert_int_eq(SSL_key_update(d.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), 1);
    ck_assert_int_eq(SSL_write(d.peer.ssl, "on", 2), 2);
    long len = BIO_get_mem_data(SSL_get_wbio(d.peer.ssl), &out);
    ck_assert_int_eq(send(d.peer.fd, out, (size_t)len, MSG_NOSIGNAL), len);
    ck_assert_int_eq(BIO_reset(SSL_get_wbio(d.peer.ssl)), 1);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("ok"), &n), IO_WANT_WRITE);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n),
                     modes[_i].detached ? IO_WANT_READ : IO_WANT_WRITE); /* the record layer answers before it writes */
    empty(d.peer.fd);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("ok"), &n), IO_OK);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 2);
    duo_part(&d);
}
END_TEST

START_TEST(a_damaged_record_fails_this_stream_and_no_other)
{
    struct duo d = duo_join(_i), other = duo_join(_i);
    uint8_t    bytes[16];
    size_t     n;
    ck_assert_int_eq(send(d.peer.fd,
                          "\x17\x03\x03\x00\x20"
                          "0123456789abcdef0123456789abcdef",
                          37, 0),
                     37);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_FAILED);
    ck_assert_str_eq(stream_failure(&d.stream), "decryption failed or bad record mac");
    ck_assert_int_eq(stream_write(&d.stream, slice_str("x"), &n), IO_FAILED);
    ck_assert_int_eq(stream_read(&other.stream, bytes, sizeof bytes, &n), IO_WANT_READ);
    ck_assert_str_eq(stream_failure(&other.stream), "");
    struct tls_facts facts;
    ck_assert(stream_facts(&d.stream, &facts)); /* the log wants them still */
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    duo_part(&d);
    duo_part(&other);
}
END_TEST

/* ---- the end ---- */

START_TEST(a_peer_that_ends_first_can_still_be_written_to)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    size_t     n;
    ck_assert_int_eq(SSL_write(d.peer.ssl, "bye", 3), 3);
    ck_assert_int_eq(SSL_shutdown(d.peer.ssl), 0);
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_OK);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_EOF);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_EOF);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("late"), &n), IO_OK);
    ck_assert_uint_eq(n, 4);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 4);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 0);
    ck_assert_int_eq(SSL_get_shutdown(d.peer.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    duo_part(&d);
}
END_TEST

START_TEST(we_may_end_first_and_go_on_reading)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    size_t     n;
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_WANT_READ);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 0);
    ck_assert_int_eq(SSL_get_shutdown(d.peer.ssl), SSL_RECEIVED_SHUTDOWN);
    ck_assert_int_eq(recv(d.peer.fd, bytes, sizeof bytes, 0), 0); /* FIN as well */
    ck_assert_int_eq(SSL_write(d.peer.ssl, "late", 4), 4);
    ck_assert_int_eq(SSL_shutdown(d.peer.ssl), 1);
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_OK);
    ck_assert_uint_eq(n, 4);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_EOF);
    duo_part(&d);
}
END_TEST

START_TEST(a_fin_without_close_notify_is_an_end_of_file)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    size_t     n;
    ck_assert_int_eq(shutdown(d.peer.fd, SHUT_WR), 0);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_EOF);
    ck_assert_str_eq(stream_failure(&d.stream), "");
    ck_assert_int_eq(stream_write(&d.stream, slice_str("late"), &n), IO_OK);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 4);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    duo_part(&d);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_a_reset_with_its_errno)
{
    struct duo d = duo_join(_i);
    size_t     n;
    int        fd = d.peer.fd;
    d.peer.fd = -1;
    ck_assert_int_eq(close(fd), 0);
    errno = 0;
    ck_assert_int_eq(stream_write(&d.stream, slice_str("x"), &n), IO_RESET);
    ck_assert_int_eq(errno, EPIPE);
    errno = 0;
    ck_assert_int_eq(stream_write(&d.stream, slice_str("x"), &n), IO_RESET);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_str_eq(stream_failure(&d.stream), "");
    (void)!stream_shutdown(&d.stream);
    duo_part(&d);
}
END_TEST

START_TEST(close_notify_waits_for_room)
{
    struct duo d = duo_join(_i);
    uint8_t    bytes[16];
    fill(d.stream.fd);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_WANT_WRITE);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_WANT_WRITE);
    empty(d.peer.fd);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 0);
    ck_assert_int_eq(SSL_get_shutdown(d.peer.ssl), SSL_RECEIVED_SHUTDOWN);
    duo_part(&d);
}
END_TEST

START_TEST(nothing_is_written_behind_the_end)
{
    struct duo d = duo_join(_i);
    size_t     n;
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("late"), &n), IO_FAILED);
    ck_assert_str_eq(stream_failure(&d.stream), "protocol is shutdown");
    duo_part(&d);
}
END_TEST

START_TEST(other_bytes_than_those_that_wait_are_not_taken)
{
    struct duo d = duo_join(_i);
    size_t     n;
    fill(d.stream.fd);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("some bytes"), &n), IO_WANT_WRITE);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("less"), &n), IO_FAILED);
    ck_assert_str_ne(stream_failure(&d.stream), "");
    duo_part(&d);
}
END_TEST

START_TEST(a_plain_stream_ends_like_its_socket)
{
    int     fds[2];
    uint8_t bytes[16];
    size_t  n;
    narrow_pair(fds);
    struct stream a = stream_plain(fds[0]), b = stream_plain(fds[1]);
    ck_assert_int_eq(stream_handshake(&a), IO_OK);
    ck_assert_int_eq(stream_read(&b, bytes, sizeof bytes, &n), IO_WANT_READ);
    ck_assert_int_eq(stream_write(&a, slice_str("abc"), &n), IO_OK);
    ck_assert_int_eq(stream_shutdown(&a), IO_OK);
    ck_assert_int_eq(stream_read(&b, bytes, 2, &n), IO_OK);
    ck_assert(!stream_has_pending(&b));
    ck_assert_int_eq(stream_read(&b, bytes, sizeof bytes, &n), IO_OK);
    ck_assert_int_eq(stream_read(&b, bytes, sizeof bytes, &n), IO_EOF);
    ck_assert_int_eq(stream_write(&b, slice_str("late"), &n), IO_OK);
    ck_assert_int_eq(stream_read(&a, bytes, sizeof bytes, &n), IO_OK);
    (void)close(fds[0]);
    ck_assert_int_eq(stream_write(&b, slice_str("x"), &n), IO_RESET);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_str_eq(stream_failure(&b), "");
    stream_fini(&b);
    (void)close(fds[1]);
}
END_TEST

static void add_beginnings(TCase *tests, int n)
{
    tcase_add_loop_test(tests, a_hello_may_have_been_read_before_up_to_any_byte, 0, n);
    tcase_add_loop_test(tests, a_handshake_may_come_byte_by_byte, 0, n);
    tcase_add_test(tests, what_is_no_hello_fails_with_a_reason);
    tcase_add_test(tests, a_peer_that_leaves_before_the_end_of_the_handshake_is_an_end_of_file);
    tcase_add_loop_test(tests, facts_say_what_the_handshake_settled, 0, n);
}

TCase *stream_tests(void)
{
    TCase *tests = tcase_create("stream");
    int    all = (int)ARRAY_LEN(modes);
    tcase_add_unchecked_fixture(tests, yard_make, yard_remove);
    tcase_set_timeout(tests, 60);
    add_beginnings(tests, (int)ARRAY_LEN(versions));
    tcase_add_loop_test(tests, bytes_arrive_whole_however_they_are_cut, 0, 2);
    tcase_add_loop_test(tests, what_a_short_read_leaves_is_pending_and_half_a_record_is_not, 0, all);
    tcase_add_loop_test(tests, renegotiation_is_refused, MODES_1_2, MODES_1_3);
    tcase_add_loop_test(tests, a_peer_that_makes_no_progress_gives_the_thread_back, MODES_1_3, all);
    tcase_add_loop_test(tests, a_key_update_is_answered_once_there_is_room, MODES_1_3, all);
    tcase_add_loop_test(tests, a_damaged_record_fails_this_stream_and_no_other, 0, all);
    tcase_add_loop_test(tests, a_peer_that_ends_first_can_still_be_written_to, 0, all);
    tcase_add_loop_test(tests, we_may_end_first_and_go_on_reading, 0, all);
    tcase_add_loop_test(tests, a_fin_without_close_notify_is_an_end_of_file, 0, all);
    tcase_add_loop_test(tests, a_peer_that_is_gone_is_a_reset_with_its_errno, 0, all);
    tcase_add_loop_test(tests, close_notify_waits_for_room, 0, all);
    tcase_add_loop_test(tests, nothing_is_written_behind_the_end, 0, all);
    tcase_add_loop_test(tests, other_bytes_than_those_that_wait_are_not_taken, 0, all);
    tcase_add_test(tests, a_plain_stream_ends_like_its_socket);
    return tests;
}
