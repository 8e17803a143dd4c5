/* Streams and ticket keys that go through an image, as they do when another version of the program takes over. */
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "support/guarded.h"
#include "tls/carry.h"
#include "tls/detached.h"
#include "tls/record.h"
#include "unit/tls/duo.h"
#include "unit/tls/suites.h"

/* ---- images ---- */

enum { IMAGE_MAX = 1 << 17 };

static bool grow(struct image_writer *w, size_t least)
{
    (void)w;
    (void)least;
    return false;
}

static struct image_writer begin(void)
{
    static uint8_t      room[IMAGE_MAX];
    struct image_writer w = {.at = room, .cap = sizeof room, .grow = grow};
    image_begin(&w);
    return w;
}

/* Free with guarded_free(). */
static struct slice end(struct image_writer *w)
{
    ck_assert(image_end(w));
    return guarded_copy(slice_of(w->at, w->len));
}

static struct image_record only_record(struct slice image)
{
    struct image_reader r;
    struct image_record record, none;
    struct err          err = {""};
    ck_assert_msg(image_open(&r, image, &err), "%s", err.text);
    ck_assert(image_next(&r, &record) && !image_next(&r, &none));
    return record;
}

struct holder {
    struct stream_image stream;
};

static const struct image_field holder_fields[] = {IMAGE_FIELD_GROUP(1, &stream_image_kind, struct holder, stream)};
static const struct image_kind  holder_kind = {"holder", IMAGE_SESSION, holder_fields, 1};

static struct slice write_down(const struct stream_image *facts)
{
    struct holder       holder = {*facts};
    struct image_writer w = begin();
    image_put(&w, &holder_kind, &holder);
    return end(&w);
}

static struct slice image_of(const struct stream *s)
{
    struct stream_image facts;
    ck_assert(stream_can_be_carried(s));
    stream_carry(s, &facts);
    return write_down(&facts);
}

static bool adopt(struct stream *s, int fd, struct slice image, struct tls_worker *worker)
{
    struct holder       holder;
    struct err          err = {""};
    struct image_record record = only_record(image);
    ck_assert_msg(image_take(&record, &holder_kind, &holder, &err), "%s", err.text);
    return stream_adopt(s, fd, &holder.stream, worker);
}

/* The stream ends here, and goes on with another worker, from its image alone. */
static void move(struct duo *d)
{
    struct slice image = image_of(&d->stream);
    int          fd = d->stream.fd;
    bool         has_pending = stream_has_pending(&d->stream);
    stream_fini(&d->stream);
    tls_worker_free(d->worker);
    d->worker = tls_worker_new();
    ck_assert(adopt(&d->stream, fd, image, d->worker));
    struct slice again = image_of(&d->stream);
    ck_assert(slice_eq(image, again));
    ck_assert_int_eq(stream_has_pending(&d->stream), has_pending);
    guarded_free(again);
    guarded_free(image);
}

/* ---- streams ---- */

START_TEST(every_suite_goes_on_after_it_was_carried)
{
    struct duo       d = duo_join((size_t)_i);
    struct tls_facts before, after;
    ck_assert(stream_facts(&d.stream, &before));
    move(&d);
    ck_assert(stream_facts(&d.stream, &after));
    ck_assert_str_eq(after.version, before.version);
    ck_assert_str_eq(after.cipher, suites[_i].name);
    ck_assert_str_eq(after.sni, "a.example");
    ck_assert_str_eq(after.alpn, "mqtt");
    ck_assert_str_eq(after.cert_key_alg, before.cert_key_alg);
    ck_assert_str_eq(after.cert_sig_alg, before.cert_sig_alg);
    ck_assert(!after.has_peer_cert && !after.resumed && !after.peer_verified && !after.peer_cert_in_connection);
    duo_talk(&d);
    for (int i = 0; i < 10; i++) {
        move(&d);
        duo_say(&d, (const uint8_t *)"ten upgrades", 12);
        move(&d);
        duo_hear(&d, (const uint8_t *)"in a row", 8);
    }
    duo_talk(&d);
    duo_part(&d);
}
END_TEST

START_TEST(a_client_with_a_certificate_is_known_after_it_was_carried)
{
    struct duo       d = duo_make(TLS_1_3, "ca.pem");
    struct tls_facts before, after;
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(d.peer.ctx, "device.pem"), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(d.peer.ctx, "device.key", SSL_FILETYPE_PEM), 1);
    duo_meet(&d, TLS_DETACHED);
    ck_assert(stream_facts(&d.stream, &before));
    move(&d);
    ck_assert(stream_facts(&d.stream, &after));
    ck_assert_str_ne(after.peer_cn, "");
    ck_assert_str_eq(after.peer_cn, before.peer_cn);
    ck_assert(after.has_peer_cert && after.peer_cert_in_connection && after.peer_verified && !after.resumed);
    duo_part(&d);
}
END_TEST

START_TEST(a_plain_stream_takes_no_room_and_stays_plain)
{
    struct stream       s = stream_plain(3), adopted;
    struct slice        image = image_of(&s);
    struct image_record record = only_record(image);
    ck_assert_uint_eq(record.fields.len, 0);
    ck_assert(adopt(&adopted, 7, image, NULL));
    ck_assert(adopted.fd == 7 && adopted.tls == NULL);
    guarded_free(image);
}
END_TEST

START_TEST(what_openssl_holds_or_what_is_over_is_not_carried)
{
    struct duo d = duo_make(TLS_1_3, NULL);
    uint8_t    bytes[16];
    size_t     n;
    d.stream = peer_join(&d.peer, d.server, "a.example");
    ck_assert(!stream_can_be_carried(&d.stream));
    ck_assert_int_eq(stream_detach(&d.stream, d.worker), TLS_DETACHED);
    ck_assert(stream_can_be_carried(&d.stream));
    ck_assert_int_eq(send(d.peer.fd, "MQTT!", 5, 0), 5);
    ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_FAILED);
    ck_assert(!stream_can_be_carried(&d.stream));
    duo_part(&d);
}
END_TEST

/* The stream moves before each read: between records, in each of their bytes, and with opened bytes that wait. */
START_TEST(records_may_be_carried_in_any_pieces)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    struct duo          d = duo_join(which[_i]);
    for (size_t cap = 1; cap <= 33; cap += 8) {
        for (size_t cut = 1; cut < 90; cut += 2)
            duo_hear_in_pieces(&d, cut, cap, move);
    }
    duo_part(&d);
}
END_TEST

static void fill_pattern(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
}

/* Writes until the socket is full in the middle of a record. Returns what is written, as the stream tells. */
static size_t fill_socket(struct duo *d, const uint8_t *bytes, size_t len)
{
    const int small = 4096;
    size_t    sent = 0, n;
    ck_assert_int_eq(setsockopt(d->stream.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (;;) {
        enum io how = stream_write(&d->stream, slice_of(bytes + sent, len - sent), &n);
        sent += n;
        if (how == IO_WANT_WRITE)
            return sent;
        ck_assert_int_eq(how, IO_OK);
        ck_assert_uint_lt(sent, len);
    }
}

START_TEST(what_is_half_sent_goes_on_where_it_stopped)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    enum { LEN = 200000 };
    static uint8_t bytes[LEN], got[LEN];
    struct duo     d = duo_join(which[_i]);
    size_t         back = 0, n;
    int            waits = 0;
    fill_pattern(bytes, LEN);
    for (size_t sent = fill_socket(&d, bytes, LEN); back < LEN;) {
        move(&d);
        if (sent < LEN) {
            enum io how = stream_write(&d.stream, slice_of(bytes + sent, LEN - sent), &n);
            ck_assert(how == IO_OK || how == IO_WANT_WRITE);
            waits += how == IO_WANT_WRITE;
            sent += n;
        }
        d.peer.step = 1500;
        peer_pump(&d.peer);
        int r = SSL_read(d.peer.ssl, got + back, (int)(LEN - back));
        back += r > 0 ? (size_t)r : 0;
    }
    ck_assert_int_gt(waits, 10);
    ck_assert_mem_eq(got, bytes, LEN);
    d.peer.step = 65536;
    duo_talk(&d);
    duo_part(&d);
}
END_TEST

START_TEST(keys_that_were_renewed_are_carried)
{
    struct duo d = duo_join((size_t)_i);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(
            SSL_key_update(d.peer.ssl, i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(d.peer.ssl), 1);
        move(&d); /* the key update waits in the socket */
        duo_hear(&d, (const uint8_t *)"new keys", 8);
        move(&d);
        duo_talk(&d);
    }
    duo_part(&d);
}
END_TEST

/* New keys are asked for, and there is no room for the answer. */
START_TEST(an_answer_that_is_due_is_carried)
{
    enum { LEN = 200000 };
    static uint8_t      bytes[LEN], got[LEN];
    struct duo          d = duo_join((size_t)_i);
    struct stream_image facts;
    uint8_t             heard[8];
    size_t              n, back = 0, sent = 0;
    fill_pattern(bytes, LEN);
    sent = fill_socket(&d, bytes, LEN);
    ck_assert_int_eq(SSL_key_update(d.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    ck_assert_int_eq(SSL_write(d.peer.ssl, "asked", 5), 5);
    d.peer.step = 1000;
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, heard, sizeof heard, &n), IO_OK);
    ck_assert_uint_eq(n, 5);
    stream_carry(&d.stream, &facts);
    ck_assert(facts.update_due);
    while (back < LEN) {
        move(&d);
        if (sent < LEN) {
            enum io how = stream_write(&d.stream, slice_of(bytes + sent, LEN - sent), &n);
            ck_assert(how == IO_OK || how == IO_WANT_WRITE);
            sent += n;
        }
        peer_pump(&d.peer);
        int r = SSL_read(d.peer.ssl, got + back, (int)(LEN - back));
        back += r > 0 ? (size_t)r : 0;
    }
    ck_assert_mem_eq(got, bytes, LEN);
    stream_carry(&d.stream, &facts);
    ck_assert(!facts.update_due && facts.out_keys.seq < 100);
    d.peer.step = 65536;
    duo_talk(&d);
    duo_part(&d);
}
END_TEST

START_TEST(ends_of_each_side_are_carried)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    struct duo          d = duo_join(which[_i]);
    uint8_t             bytes[16];
    size_t              n;
    ck_assert_int_eq(SSL_write(d.peer.ssl, "last", 4), 4);
    ck_assert_int_eq(SSL_shutdown(d.peer.ssl), 0);
    peer_pump(&d.peer);
    ck_assert_int_eq(stream_read(&d.stream, bytes, 2, &n), IO_OK);
    move(&d);
    ck_assert_int_eq(stream_read(&d.stream, bytes + 2, sizeof bytes - 2, &n), IO_OK);
    ck_assert(slice_eq(slice_of(bytes, 2 + n), slice_str("last")));
    move(&d);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(stream_read(&d.stream, bytes, sizeof bytes, &n), IO_EOF);
        move(&d);
    }
    ck_assert_int_eq(stream_write(&d.stream, slice_str("we go on"), &n), IO_OK);
    move(&d);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_OK);
    move(&d);
    ck_assert_int_eq(stream_write(&d.stream, slice_str("no more"), &n), IO_FAILED);
    peer_pump(&d.peer);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 8);
    ck_assert_int_eq(SSL_read(d.peer.ssl, bytes, sizeof bytes), 0);
    ck_assert_int_eq(SSL_get_error(d.peer.ssl, 0), SSL_ERROR_ZERO_RETURN);
    duo_part(&d);
}
END_TEST

/* close_notify waits behind a record of which a part is sent. */
START_TEST(an_end_that_is_half_told_is_carried)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    enum { LEN = 200000 };
    static uint8_t bytes[LEN];
    struct duo     d = duo_join(which[_i]);
    fill_pattern(bytes, LEN);
    (void)fill_socket(&d, bytes, LEN);
    ck_assert_int_eq(stream_shutdown(&d.stream), IO_WANT_WRITE);
    move(&d);
    size_t back = 0;
    bool   told = false;
    for (int round = 0; round < 1000 && !told; round++) {
        d.peer.step = 1500;
        enum io how = stream_shutdown(&d.stream);
        ck_assert(how == IO_OK || how == IO_WANT_WRITE);
        move(&d);
        peer_pump(&d.peer);
        uint8_t got[16384];
        int     r = SSL_read(d.peer.ssl, got, sizeof got);
        if (r > 0)
            ck_assert_mem_eq(got, bytes + back, (size_t)r);
        back += r > 0 ? (size_t)r : 0;
        told = r <= 0 && SSL_get_error(d.peer.ssl, r) == SSL_ERROR_ZERO_RETURN;
    }
    ck_assert(told && back > 0);
    ERR_clear_error();
    duo_part(&d);
}
END_TEST

/* ---- facts that no stream has, and those that are rare ---- */

static const uint8_t some[BULK_LEN_MAX + 1];

/* Of a stream of TLS 1.3 with AES-128-GCM, or of TLS 1.2 with ChaCha20-Poly1305. */
static struct stream_image good_facts(bool is_1_3)
{
    struct stream_image facts = {.is_tls = true,
                                 .version = is_1_3 ? 0x0304 : 0x0303,
                                 .cipher = is_1_3 ? 1 : 29,
                                 .hash_len = 32,
                                 .fragment_max = RECORD_PLAIN_MAX,
                                 .cipher_name = slice_str("X")};
    facts.in_keys = (struct stream_keys_image){7, slice_of(some, is_1_3 ? 16 : 32), slice_of(some, 12),
                                               slice_of(some, is_1_3 ? 32 : 0)};
    facts.out_keys = facts.in_keys;
    return facts;
}

static bool can_be(const struct stream_image *facts)
{
    struct tls_worker *worker = tls_worker_new();
    struct slice       image = write_down(facts);
    struct stream      s;
    bool               adopted = adopt(&s, -1, image, worker);
    ck_assert(adopted || s.tls == NULL);
    if (adopted) {
        struct slice again = image_of(&s);
        ck_assert(slice_eq(image, again));
        guarded_free(again);
    }
    stream_fini(&s);
    guarded_free(image);
    tls_worker_free(worker); /* fails when a box is not given back */
    return adopted;
}

/* With one change each to good facts: whether a stream of TLS 1.3 and one of TLS 1.2 can be so. */
#define EXPECT(change, in_1_3, in_1_2)                                                                                 \
    do {                                                                                                               \
        struct stream_image f = good_facts(true);                                                                      \
        change;                                                                                                        \
        ck_assert_msg(can_be(&f) == (in_1_3), "TLS 1.3: " #change);                                                    \
        f = good_facts(false);                                                                                         \
        change;                                                                                                        \
        ck_assert_msg(can_be(&f) == (in_1_2), "TLS 1.2: " #change);                                                    \
    } while (0)

START_TEST(suites_and_keys_that_cannot_be_are_refused)
{
    EXPECT((void)f, true, true);
    EXPECT(f.is_tls = false, false, false);
    EXPECT(f.version = 0, false, false);
    EXPECT(f.version = 0x0302, false, false);
    EXPECT(f.version = 0x0305, false, false);
    EXPECT(f.cipher = 0, false, false);
    EXPECT(f.cipher = 3, false, false);
    EXPECT(f.cipher = 30, false, false);
    EXPECT(f.cipher = 2, false, true); /* another key length, or not */
    EXPECT(f.hash_len = 0, false, false);
    EXPECT(f.hash_len = 33, false, false);
    EXPECT(f.hash_len = 255, false, false);
    EXPECT(f.hash_len = 48, false, true); /* TLS 1.2 keeps no secrets */
    EXPECT(f.fragment_max = 0, false, false);
    EXPECT(f.fragment_max = 511, false, false);
    EXPECT(f.fragment_max = 512, true, true);
    EXPECT(f.fragment_max = RECORD_PLAIN_MAX + 1, false, false);
    EXPECT(f.in_keys.seq = UINT64_MAX, true, true);
    EXPECT(f.in_keys.key.len--, false, false);
    EXPECT(f.out_keys.key.len++, false, false);
    EXPECT(f.out_keys.key.len = 0, false, false);
    EXPECT(f.in_keys.iv.len = 13, false, false);
    EXPECT(f.out_keys.iv.len = 11, false, false);
    EXPECT(f.in_keys.secret.len++, false, false);
    EXPECT(f.out_keys.secret = slice_of(some, 48), false, false);
}
END_TEST

START_TEST(messages_that_cannot_be_are_refused)
{
    EXPECT(f.message = slice_of("\30\0\0", 3), true, true);
    EXPECT(f.message = slice_of("\30\0\0\1", 4), true, false);
    EXPECT(f.message = slice_of("\30\0\0\1\1", 5), false, false);
    EXPECT(f.message = slice_of(some, 6), false, false);
    EXPECT(f.message = slice_of(some, 300), false, false);
    EXPECT(f.update_due = true, true, false);
    EXPECT(f.refusal_due = true, false, true);
    EXPECT(f.skip = 1, false, true);
    EXPECT(f.skip = 0xFFFFFF, false, true);
    EXPECT(f.skip = 0x1000000, false, false);
}
END_TEST

START_TEST(bytes_that_fit_into_no_box_are_refused)
{
    enum { ALERT = RECORD_OVERHEAD + 2 };
    EXPECT(f.in = slice_of(some, BULK_LEN_MAX), true, true);
    EXPECT(f.in = slice_of(some, BULK_LEN_MAX + 1), false, false);
    EXPECT(f.out = slice_of(some, BULK_LEN_MAX - ALERT), true, true);
    EXPECT(f.out = slice_of(some, BULK_LEN_MAX - ALERT + 1), false, false); /* an alert must fit behind it */
    EXPECT((f.out = slice_of(some, BULK_LEN_MAX), f.closed = true), true, true);
    EXPECT((f.out = slice_of(some, BULK_LEN_MAX + 1), f.closed = true), false, false);
    EXPECT(f.opened = slice_of(some, RECORD_PLAIN_MAX), true, true);
    EXPECT(f.opened = slice_of(some, RECORD_PLAIN_MAX + 1), false, false);
    EXPECT((f.opened = slice_of(some, 513), f.fragment_max = 512), false, false);
    EXPECT((f.opened = slice_of(some, 100), f.in = slice_of(some, BULK_LEN_MAX - 100)), true, true);
    EXPECT((f.opened = slice_of(some, 100), f.in = slice_of(some, BULK_LEN_MAX - 99)), false, false);
    EXPECT((f.in = slice_of(some, 100), f.ended = true), true, true);
    EXPECT((f.opened = slice_of(some, 100), f.ended = true), false, false);
    EXPECT(f.taken = 1, false, false);
    EXPECT((f.taken = 1, f.closed = true), true, true);
    EXPECT((f.taken = 1, f.out = slice_of(some, 1)), true, true);
    EXPECT((f.taken = BULK_LEN_MAX, f.out = slice_of(some, 1)), true, true);
    EXPECT((f.taken = BULK_LEN_MAX + 1, f.out = slice_of(some, 1)), false, false);
}
END_TEST

START_TEST(texts_that_cannot_be_are_refused)
{
    static char long_text[256];
    memset(long_text, 'x', sizeof long_text);
    EXPECT(f.cipher_name = slice_of(long_text, 63), true, true);
    EXPECT(f.cipher_name = slice_of(long_text, 64), false, false);
    EXPECT(f.sni = slice_of(long_text, TLS_NAME_MAX - 1), true, true);
    EXPECT(f.sni = slice_of(long_text, TLS_NAME_MAX), false, false);
    EXPECT(f.alpn = slice_of(long_text, TLS_NAME_MAX - 1), true, true);
    EXPECT(f.alpn = slice_of(long_text, TLS_NAME_MAX), false, false);
    EXPECT(f.peer_cn = slice_of(long_text, TLS_NAME_MAX - 1), true, true);
    EXPECT(f.peer_cn = slice_of(long_text, TLS_NAME_MAX), false, false);
    EXPECT(f.cert_sig_alg = slice_of(long_text, 31), true, true);
    EXPECT(f.cert_sig_alg = slice_of(long_text, 32), false, false);
    EXPECT(f.cert_key_alg = slice_of(long_text, 31), true, true);
    EXPECT(f.cert_key_alg = slice_of(long_text, 32), false, false);
    EXPECT(f.sni = slice_of("a\0b", 3), false, false);
    EXPECT(f.cipher_name = slice_of("a\0", 2), false, false);
}
END_TEST

/* Every bit of truth has a place of its own. */
START_TEST(each_fact_is_carried_by_itself)
{
    EXPECT(f.ended = true, true, true);
    EXPECT(f.closed = true, true, true);
    EXPECT(f.notified = true, true, true);
    EXPECT(f.has_peer_cert = true, true, true);
    EXPECT(f.peer_cert_in_connection = true, true, true);
    EXPECT(f.peer_verified = true, true, true);
    EXPECT(f.resumed = true, true, true);
    EXPECT(f.in_keys.key = slice_of("0123456789abcdef0123456789ABCDEF", f.in_keys.key.len), true, true);
    EXPECT(f.out_keys.key = slice_of("0123456789abcdef0123456789ABCDEF", f.out_keys.key.len), true, true);
    EXPECT(f.in_keys.secret = slice_of("0123456789abcdef0123456789ABCDEF", f.in_keys.secret.len), true, true);
    EXPECT(f.out_keys.secret = slice_of("0123456789abcdef0123456789ABCDEF", f.out_keys.secret.len), true, true);
    EXPECT(f.in_keys.iv = slice_of("0123456789ab", 12), true, true);
    EXPECT(f.out_keys.iv = slice_of("0123456789ab", 12), true, true);
    EXPECT(f.out_keys.seq = 0, true, true);
}
END_TEST

/* ---- ticket keys ---- */

/* Whether the client's session is taken up again by the server that has these tickets. */
static bool resumes(struct duo *d, SSL_SESSION *session)
{
    d->stream = stream_plain(peer_connect(&d->peer, "a.example"));
    ck_assert_int_eq(SSL_set_session(d->peer.ssl, session), 1);
    ck_assert(stream_start_server(&d->stream, d->server, slice_of(NULL, 0)));
    ck_assert_int_eq(peer_meet(&d->peer, &d->stream), IO_OK);
    bool resumed = SSL_session_reused(d->peer.ssl) == 1;
    (void)SSL_shutdown(d->peer.ssl); /* or OpenSSL takes the session for a bad one */
    peer_hang_up(&d->peer, &d->stream);
    return resumed;
}

static SSL_SESSION *session_of(struct duo *d)
{
    duo_meet(d, TLS_DETACHED);
    duo_talk(d); /* the ticket comes with it */
    SSL_SESSION *session = SSL_get1_session(d->peer.ssl);
    (void)SSL_shutdown(d->peer.ssl);
    peer_hang_up(&d->peer, &d->stream);
    return session;
}

static struct slice carry_tickets(const struct tls_tickets *tickets)
{
    struct image_writer w = begin();
    tls_tickets_carry(tickets, &w);
    return end(&w);
}

/* Of new and old keys. */
START_TEST(sessions_are_resumed_with_the_keys_that_were_carried)
{
    static const size_t which[] = {TLS_1_3, TLS_1_2};
    struct duo          d = duo_make(which[_i], NULL), later = duo_make(which[_i], NULL);
    struct err          err = {""};
    SSL_SESSION        *sessions[4];
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            ck_assert_int_eq(tls_tickets_rotate(d.tickets, &err), 0);
        sessions[i] = session_of(&d);
    }
    ck_assert(!resumes(&later, sessions[3]));
    struct slice        image = carry_tickets(d.tickets);
    struct image_record record = only_record(image);
    ck_assert(image_is(&record, &tickets_image_kind));
    ck_assert_msg(tls_tickets_adopt(later.tickets, &record, &err), "%s", err.text);
    guarded_free(image);
    ck_assert(!resumes(&later, sessions[0])); /* three keys are kept */
    for (int i = 1; i < 4; i++)
        ck_assert(resumes(&later, sessions[i]));
    SSL_SESSION *fresh = session_of(&later);
    ck_assert(resumes(&d, fresh)); /* and the newest seals */
    ck_assert_int_eq(tls_tickets_rotate(later.tickets, &err), 0);
    ck_assert(!resumes(&later, sessions[1]));
    ck_assert(resumes(&later, sessions[2]));
    ck_assert(resumes(&later, sessions[3]));
    SSL_SESSION_free(fresh);
    for (int i = 0; i < 4; i++)
        SSL_SESSION_free(sessions[i]);
    duo_forget(&d);
    duo_forget(&later);
}
END_TEST

struct other_key {
    struct slice name, cipher, mac;
};

struct other_tickets {
    uint64_t         due_in_ms;
    struct other_key keys[4];
};

/* As ticket.c has them, and a fourth key. */
static const struct image_field other_key_fields[] = {IMAGE_FIELD(1, IMAGE_SLICE, struct other_key, name),
                                                      IMAGE_FIELD(2, IMAGE_SLICE, struct other_key, cipher),
                                                      IMAGE_FIELD(3, IMAGE_SLICE, struct other_key, mac)};
static const struct image_kind  other_key_kind = {"key", 0, other_key_fields, 3};
static const struct image_field other_fields[] = {IMAGE_FIELD(1, IMAGE_UINT, struct other_tickets, due_in_ms),
                                                  IMAGE_FIELD_GROUP(2, &other_key_kind, struct other_tickets, keys[0]),
                                                  IMAGE_FIELD_GROUP(3, &other_key_kind, struct other_tickets, keys[1]),
                                                  IMAGE_FIELD_GROUP(4, &other_key_kind, struct other_tickets, keys[2]),
                                                  IMAGE_FIELD_GROUP(5, &other_key_kind, struct other_tickets, keys[3])};
static const struct image_kind  other_kind = {"tickets", IMAGE_TICKETS, other_fields, 5};

/* n keys; due in 5 seconds. */
static struct other_tickets other_tickets(int n)
{
    struct other_tickets other = {.due_in_ms = 5000};
    for (int i = 0; i < n; i++)
        other.keys[i] = (struct other_key){slice_of(some + i, 16), slice_of(some, 32), slice_of(some, 32)};
    return other;
}

static bool adopts(struct tls_tickets *tickets, const struct other_tickets *other)
{
    struct image_writer w = begin();
    struct err          err = {""};
    image_put(&w, &other_kind, other);
    struct slice        image = end(&w);
    struct image_record record = only_record(image);
    bool                adopted = tls_tickets_adopt(tickets, &record, &err);
    ck_assert(adopted == (err.text[0] == '\0'));
    guarded_free(image);
    return adopted;
}

START_TEST(keys_are_renewed_when_they_would_have_been)
{
    struct err           err = {""};
    struct tls_tickets  *tickets = tls_tickets_new(&err);
    struct other_tickets other = other_tickets(1);
    ck_assert_uint_le(tls_tickets_due_in_ms(tickets), TICKET_ROTATE_MS);
    ck_assert_uint_gt(tls_tickets_due_in_ms(tickets), TICKET_ROTATE_MS - 60000);
    ck_assert(adopts(tickets, &other));
    ck_assert_uint_le(tls_tickets_due_in_ms(tickets), 5000);
    other.due_in_ms = 0;
    ck_assert(adopts(tickets, &other));
    ck_assert_uint_eq(tls_tickets_due_in_ms(tickets), 0);
    other.due_in_ms = UINT64_MAX;
    ck_assert(adopts(tickets, &other));
    ck_assert_uint_le(tls_tickets_due_in_ms(tickets), TICKET_ROTATE_MS);
    tls_tickets_free(tickets);
}
END_TEST

START_TEST(ticket_keys_that_cannot_be_change_nothing)
{
    struct duo           d = duo_make(TLS_1_3, NULL);
    SSL_SESSION         *session = session_of(&d);
    struct other_tickets bad = other_tickets(0);
    ck_assert(!adopts(d.tickets, &bad));
    for (int n = 1; n <= 3; n++) {
        bad = other_tickets(n);
        bad.keys[n - 1].name.len--;
        ck_assert(!adopts(d.tickets, &bad));
        bad = other_tickets(n);
        bad.keys[n - 1].cipher.len = 0;
        ck_assert(!adopts(d.tickets, &bad));
        bad = other_tickets(n);
        bad.keys[n - 1].mac.len++;
        ck_assert(!adopts(d.tickets, &bad));
    }
    bad = other_tickets(3);
    bad.keys[1] = (struct other_key){.name = {0}};
    ck_assert(!adopts(d.tickets, &bad));
    ck_assert(resumes(&d, session));
    SSL_SESSION_free(session);
    duo_forget(&d);
}
END_TEST

START_TEST(more_or_fewer_ticket_keys_than_ours_are_taken)
{
    struct err          err = {""};
    struct tls_tickets *tickets = tls_tickets_new(&err);
    for (int n = 1; n <= 4; n++) {
        struct other_tickets other = other_tickets(n);
        ck_assert(adopts(tickets, &other));
    }
    tls_tickets_free(tickets);
}
END_TEST

TCase *carry_tests(void)
{
    TCase *tests = tcase_create("carry");
    tcase_add_unchecked_fixture(tests, yard_make, yard_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_suite_goes_on_after_it_was_carried, 0, N_DETACHED);
    tcase_add_test(tests, a_client_with_a_certificate_is_known_after_it_was_carried);
    tcase_add_test(tests, a_plain_stream_takes_no_room_and_stays_plain);
    tcase_add_test(tests, what_openssl_holds_or_what_is_over_is_not_carried);
    tcase_add_loop_test(tests, records_may_be_carried_in_any_pieces, 0, 2);
    tcase_add_loop_test(tests, what_is_half_sent_goes_on_where_it_stopped, 0, 2);
    tcase_add_loop_test(tests, keys_that_were_renewed_are_carried, TLS_1_3, TLS_1_2);
    tcase_add_loop_test(tests, an_answer_that_is_due_is_carried, TLS_1_3, TLS_1_2);
    tcase_add_loop_test(tests, ends_of_each_side_are_carried, 0, 2);
    tcase_add_loop_test(tests, an_end_that_is_half_told_is_carried, 0, 2);
    tcase_add_test(tests, suites_and_keys_that_cannot_be_are_refused);
    tcase_add_test(tests, messages_that_cannot_be_are_refused);
    tcase_add_test(tests, bytes_that_fit_into_no_box_are_refused);
    tcase_add_test(tests, texts_that_cannot_be_are_refused);
    tcase_add_test(tests, each_fact_is_carried_by_itself);
    tcase_add_loop_test(tests, sessions_are_resumed_with_the_keys_that_were_carried, 0, 2);
    tcase_add_test(tests, keys_are_renewed_when_they_would_have_been);
    tcase_add_test(tests, ticket_keys_that_cannot_be_change_nothing);
    tcase_add_test(tests, more_or_fewer_ticket_keys_than_ours_are_taken);
    return tests;
}
