/* The record layer: vectors of RFC 8448, every cut, every wrong bit, every limit, and what a peer may and may not say.
 * What OpenSSL says and hears is in test_detach.c. */
#include <stdlib.h>

#include "base/macros.h"
#include "support/client_record.h"
#include "support/guarded.h"
#include "tls/record.h"
#include "unit/tls/suites.h"

enum { DATA = 23, HANDSHAKE = 22, ALERT = 21, CHANGE_CIPHER_SPEC = 20 };
enum { ROOM = 20000 };

/* Two ends of one connection: what one seals the other opens. */
struct ends {
    struct aead         *aead;
    struct record        server, client;
    uint8_t              wire[ROOM]; /* what goes from the client to the server, and the other way */
    size_t               len;
    uint8_t              out[ROOM];
    struct record_opened opened;
};

static const struct {
    enum tls_version version;
    enum aead_cipher cipher;
    uint8_t          hash_len;
} suites[] = {{TLS_VERSION_1_3, AEAD_AES_128_GCM, 32},       {TLS_VERSION_1_3, AEAD_AES_256_GCM, 48},
              {TLS_VERSION_1_3, AEAD_CHACHA20_POLY1305, 32}, {TLS_VERSION_1_2, AEAD_AES_128_GCM, 32},
              {TLS_VERSION_1_2, AEAD_AES_256_GCM, 48},       {TLS_VERSION_1_2, AEAD_CHACHA20_POLY1305, 32}};
enum { TLS_1_3 = 0, TLS_1_2 = 3 }; /* the first suite of each version */

static void ends_join(struct ends *e, size_t suite)
{
    uint8_t master[48], random[2][32];
    memset(e, 0, sizeof *e);
    e->aead = aead_new();
    ck_assert_ptr_nonnull(e->aead);
    struct record *r = &e->server;
    r->version = suites[suite].version;
    r->cipher = suites[suite].cipher;
    r->hash_len = suites[suite].hash_len;
    r->fragment_max = RECORD_PLAIN_MAX;
    memset(r->in.secret, 1, r->hash_len);
    memset(r->out.secret, 2, r->hash_len);
    memset(master, 3, sizeof master);
    memset(random, 4, sizeof random);
    ck_assert(r->version == TLS_VERSION_1_3 ? record_derive_1_3(r)
                                            : record_derive_1_2(r, master, random[0], random[1]));
    e->client = e->server;
    e->client.in = e->server.out;
    e->client.out = e->server.in;
}

static void ends_part(struct ends *e)
{
    static const struct record none;
    record_fini(&e->server, e->aead);
    record_fini(&e->client, e->aead);
    ck_assert_mem_eq(&e->server, &none, sizeof none);
    aead_free(e->aead);
}

/* The client says something of any type, with zeros behind it in TLS 1.3: behind what is on the wire already. */
static void say(struct ends *e, uint8_t type, struct slice content, size_t padding)
{
    size_t n = client_record(&e->client, e->aead, type, content, padding, e->wire + e->len);
    ck_assert_uint_gt(n, 0);
    e->len += n;
}

/* The server opens the record that the wire begins with, and the wire is shorter by it. */
static enum record_got hear(struct ends *e)
{
    enum record_got got = record_open(&e->server, e->aead, e->wire, e->len, e->out, sizeof e->out, &e->opened);
    memmove(e->wire, e->wire + e->opened.used, e->len - e->opened.used);
    e->len -= e->opened.used;
    return got;
}

static enum record_got say_and_hear(struct ends *e, uint8_t type, const char *bytes, size_t len)
{
    say(e, type, slice_of(bytes, len), 0);
    return hear(e);
}

static void hear_text(struct ends *e, const char *text)
{
    say(e, DATA, slice_str(text), 0);
    ck_assert_int_eq(hear(e), RECORD_DATA);
    ck_assert(slice_eq(e->opened.data, slice_str(text)));
}

/* What the server seals into the wire the client opens. */
static enum record_got client_hears(struct ends *e)
{
    enum record_got got = record_open(&e->client, e->aead, e->wire, e->len, e->out, sizeof e->out, &e->opened);
    memmove(e->wire, e->wire + e->opened.used, e->len - e->opened.used);
    e->len -= e->opened.used;
    return got;
}

static void server_says(struct ends *e, const char *text)
{
    size_t len;
    ck_assert(record_seal(&e->server, e->aead, slice_str(text), e->wire + e->len, &len));
    e->len += len;
}

static void ck_fault(const struct ends *e, enum record_got got, enum record_alert alert)
{
    ck_assert_int_eq(got, RECORD_FAULT);
    ck_assert_uint_eq(e->opened.alert, alert);
    ck_assert_str_ne(e->opened.why, "");
    ck_assert_uint_eq(e->opened.used, 0);
}

/* ---- RFC 8448 section 3 ---- */

static size_t unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    for (; text[0] != '\0'; text += 2) {
        const char pair[] = {text[0], text[1], '\0'};
        out[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void join_as_in_rfc_8448(struct ends *e)
{
    ends_join(e, TLS_1_3);
    ck_assert_uint_eq(unhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", e->server.in.secret),
                      32);
    ck_assert_uint_eq(unhex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", e->server.out.secret),
                      32);
    ck_assert(record_derive_1_3(&e->server));
}

START_TEST(the_records_of_rfc_8448_open)
{
    struct ends e;
    uint8_t     data[50];
    join_as_in_rfc_8448(&e);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    e.len =
        unhex("1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f"
              "5a6292a2977014bd1e3deae63aeebb21694915e4"
              "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3",
              e.wire);
    ck_assert_int_eq(hear(&e), RECORD_DATA);
    ck_assert(slice_eq(e.opened.data, slice_of(data, sizeof data)));
    ck_assert_int_eq(hear(&e), RECORD_END);
    ck_assert_uint_eq(e.len, 0);
    ends_part(&e);
}
END_TEST

START_TEST(the_records_of_rfc_8448_are_sealed)
{
    struct ends e;
    uint8_t     data[50], expected[200];
    size_t      len;
    join_as_in_rfc_8448(&e);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    e.server.out.seq = 1; /* a session ticket went before */
    size_t n =
        unhex("17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4b"
              "f2e5f0a21c0047c2abf332540dd032e167c2955d",
              expected);
    ck_assert(record_seal(&e.server, e.aead, slice_of(data, sizeof data), e.wire, &len));
    ck_assert(slice_eq(slice_of(e.wire, len), slice_of(expected, n)));
    n = unhex("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9", expected);
    ck_assert(record_seal_alert(&e.server, e.aead, ALERT_CLOSE_NOTIFY, e.wire, &len));
    ck_assert(slice_eq(slice_of(e.wire, len), slice_of(expected, n)));
    ends_part(&e);
}
END_TEST

/* ---- whole records, and less and more ---- */

START_TEST(any_cut_of_a_record_asks_for_more)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    say(&e, DATA, slice_str("hello"), 7);
    for (size_t n = 0; n < e.len; n++) {
        struct slice part = guarded_copy(slice_of(e.wire, n));
        ck_assert_int_eq(
            record_open(&e.server, e.aead, (uint8_t *)(uintptr_t)part.ptr, n, e.out, sizeof e.out, &e.opened),
            RECORD_MORE);
        ck_assert_uint_eq(e.opened.used, 0);
        guarded_free(part);
    }
    struct slice whole = guarded_copy(slice_of(e.wire, e.len));
    ck_assert_int_eq(
        record_open(&e.server, e.aead, (uint8_t *)(uintptr_t)whole.ptr, e.len, e.out, sizeof e.out, &e.opened),
        RECORD_DATA);
    ck_assert(slice_eq(e.opened.data, slice_str("hello")));
    ck_assert_uint_eq(e.opened.used, e.len);
    guarded_free(whole);
    ends_part(&e);
}
END_TEST

START_TEST(data_comes_out_where_there_is_room_and_else_in_place)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    for (size_t cap = 0; cap < 12; cap++) {
        e.len = 0;
        say(&e, DATA, slice_str("hello"), 0);
        memset(e.out, 0xEE, sizeof e.out);
        ck_assert_int_eq(record_open(&e.server, e.aead, e.wire, e.len, e.out, cap, &e.opened), RECORD_DATA);
        ck_assert(slice_eq(e.opened.data, slice_str("hello")));
        bool apart = e.opened.data.ptr == e.out;
        ck_assert(apart || (e.opened.data.ptr > e.wire && e.opened.data.ptr < e.wire + e.len));
        ck_assert(apart == (cap >= (e.server.version == TLS_VERSION_1_3 ? 6u : 5u)));
        ck_assert_uint_eq(e.out[cap], 0xEE);
    }
    ends_part(&e);
}
END_TEST

START_TEST(what_is_sealed_opens_at_any_length)
{
    static uint8_t data[RECORD_PLAIN_MAX];
    struct ends    e;
    ends_join(&e, (size_t)_i);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t n = 1; n <= sizeof data; n += n < 40 ? 1 : n < 16300 ? 911 : 1) {
        size_t len;
        ck_assert(record_seal(&e.server, e.aead, slice_of(data, n), e.wire, &len));
        ck_assert_uint_le(len, n + RECORD_OVERHEAD);
        e.len = len;
        ck_assert_int_eq(client_hears(&e), RECORD_DATA);
        ck_assert(slice_eq(e.opened.data, slice_of(data, n)));
        say(&e, DATA, slice_of(data, n), 0);
        ck_assert_int_eq(hear(&e), RECORD_DATA);
        ck_assert(slice_eq(e.opened.data, slice_of(data, n)));
    }
    ends_part(&e);
}
END_TEST

START_TEST(any_wrong_bit_is_noticed)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    say(&e, DATA, slice_str("hello"), 0);
    uint8_t good[200];
    size_t  len = e.len;
    memcpy(good, e.wire, len);
    for (size_t at = RECORD_HEADER_LEN; at < len; at++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            memcpy(e.wire, good, len);
            e.wire[at] ^= (uint8_t)bit;
            e.len = len;
            ck_fault(&e, hear(&e), ALERT_BAD_RECORD_MAC);
        }
    }
    memcpy(e.wire, good, len);
    ck_assert_int_eq(hear(&e), RECORD_DATA);
    memcpy(e.wire, good, len); /* the same again is no longer right */
    e.len = len;
    ck_fault(&e, hear(&e), ALERT_BAD_RECORD_MAC);
    ends_part(&e);
}
END_TEST

START_TEST(a_wrong_header_is_told_by_its_first_bytes)
{
    static const struct {
        uint8_t           header[5];
        enum record_alert alert_1_3, alert_1_2; /* 0: the record's body is awaited */
    } cases[] = {{{24, 3, 3, 0, 40}, ALERT_UNEXPECTED_MESSAGE, ALERT_UNEXPECTED_MESSAGE},
                 {{0, 3, 3, 0, 40}, ALERT_UNEXPECTED_MESSAGE, ALERT_UNEXPECTED_MESSAGE},
                 {{21, 3, 3, 0, 40}, ALERT_UNEXPECTED_MESSAGE, 0},
                 {{22, 3, 3, 0, 40}, ALERT_UNEXPECTED_MESSAGE, 0},
                 {{20, 3, 3, 0, 1}, ALERT_UNEXPECTED_MESSAGE, 0},
                 {{23, 3, 1, 0, 40}, 0, ALERT_PROTOCOL_VERSION},
                 {{23, 3, 4, 0, 40}, 0, ALERT_PROTOCOL_VERSION},
                 {{23, 2, 3, 0, 40}, 0, ALERT_PROTOCOL_VERSION},
                 {{23, 3, 3, 0x41, 0}, 0, 0},
                 {{23, 3, 3, 0x41, 1}, ALERT_RECORD_OVERFLOW, ALERT_RECORD_OVERFLOW},
                 {{23, 3, 3, 0xFF, 0xFF}, ALERT_RECORD_OVERFLOW, ALERT_RECORD_OVERFLOW}};
    struct ends e;
    ends_join(&e, (size_t)_i);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum record_alert alert = e.server.version == TLS_VERSION_1_3 ? cases[i].alert_1_3 : cases[i].alert_1_2;
        memcpy(e.wire, cases[i].header, 5);
        e.len = 5;
        enum record_got got = hear(&e);
        if (alert != 0)
            ck_fault(&e, got, alert);
        else
            ck_assert_int_eq(got, RECORD_MORE);
    }
    ends_part(&e);
}
END_TEST

START_TEST(what_is_too_short_for_a_tag_is_a_bad_record)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    for (size_t n = 0; n < AEAD_TAG_LEN + 8; n++) {
        const uint8_t header[] = {DATA, 3, 3, 0, (uint8_t)n};
        memset(e.wire, 0x55, 64);
        memcpy(e.wire, header, 5);
        e.len = 5 + n;
        ck_fault(&e, hear(&e), ALERT_BAD_RECORD_MAC);
    }
    ends_part(&e);
}
END_TEST

START_TEST(content_has_its_limit)
{
    static uint8_t data[RECORD_PLAIN_MAX + 1];
    struct ends    e;
    ends_join(&e, (size_t)_i);
    say(&e, DATA, slice_of(data, RECORD_PLAIN_MAX), 0);
    ck_assert_int_eq(hear(&e), RECORD_DATA);
    say(&e, DATA, slice_of(data, RECORD_PLAIN_MAX + 1), 0);
    ck_fault(&e, hear(&e), ALERT_RECORD_OVERFLOW);
    e.server.fragment_max = 512;
    e.server.in.seq = e.client.out.seq;
    e.len = 0;
    say(&e, DATA, slice_of(data, 512), 0);
    ck_assert_int_eq(hear(&e), RECORD_DATA);
    say(&e, DATA, slice_of(data, 513), 0);
    ck_fault(&e, hear(&e), ALERT_RECORD_OVERFLOW);
    ends_part(&e);
}
END_TEST

START_TEST(padding_is_taken_off)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    for (size_t padding = 0; padding < 300; padding += 7) {
        say(&e, DATA, slice_of("a\0b\0\0", 5), padding);
        ck_assert_int_eq(hear(&e), RECORD_DATA);
        ck_assert(slice_eq(e.opened.data, slice_of("a\0b\0\0", 5)));
    }
    say(&e, DATA, slice_of("x", 1), RECORD_PLAIN_MAX - 1);
    ck_assert_int_eq(hear(&e), RECORD_DATA);
    say(&e, DATA, slice_of("x", 1), RECORD_PLAIN_MAX);
    ck_fault(&e, hear(&e), ALERT_RECORD_OVERFLOW);
    ends_part(&e);
}
END_TEST

START_TEST(nothing_but_padding_is_unexpected)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    say(&e, 0, slice_of(NULL, 0), 20); /* zeros only */
    ck_fault(&e, hear(&e), ALERT_UNEXPECTED_MESSAGE);
    ends_part(&e);
}
END_TEST

START_TEST(empty_data_is_nothing)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(say_and_hear(&e, DATA, "", 0), RECORD_NOTHING);
    hear_text(&e, "hello");
    ends_part(&e);
}
END_TEST

START_TEST(other_types_are_unexpected)
{
    static const uint8_t types[] = {1, CHANGE_CIPHER_SPEC, 24, 255};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct ends e;
        ends_join(&e, (size_t)_i);
        ck_fault(&e, say_and_hear(&e, types[i], "\x01", 1), ALERT_UNEXPECTED_MESSAGE);
        ends_part(&e);
    }
}
END_TEST

/* ---- alerts ---- */

START_TEST(alerts_end_the_connection_as_they_say)
{
    static const struct {
        const char       *bytes;
        size_t            len;
        enum record_got   got_1_3, got_1_2;
        enum record_alert alert_1_3, alert_1_2;
    } cases[] = {{"\x01\x00", 2, RECORD_END, RECORD_END, 0, 0},
                 {"\x02\x00", 2, RECORD_END, RECORD_END, 0, 0},
                 {"\x02\x14", 2, RECORD_ALERT, RECORD_ALERT, 0, 0},
                 {"\x01\x14", 2, RECORD_ALERT, RECORD_NOTHING, 0, 0},
                 {"\x01\x5a", 2, RECORD_NOTHING, RECORD_NOTHING, 0, 0},
                 {"\x02\xee", 2, RECORD_ALERT, RECORD_ALERT, 0, 0},
                 {"\x01\x64", 2, RECORD_ALERT, RECORD_NOTHING, 0, 0},
                 {"\x03\x14", 2, RECORD_ALERT, RECORD_FAULT, 0, ALERT_ILLEGAL_PARAMETER},
                 {"\x01", 1, RECORD_FAULT, RECORD_FAULT, ALERT_DECODE_ERROR, ALERT_DECODE_ERROR},
                 {"\x01\x00\x01", 3, RECORD_FAULT, RECORD_FAULT, ALERT_DECODE_ERROR, ALERT_DECODE_ERROR},
                 {"", 0, RECORD_FAULT, RECORD_FAULT, ALERT_UNEXPECTED_MESSAGE, ALERT_DECODE_ERROR}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ends e;
        ends_join(&e, (size_t)_i);
        bool            is_1_3 = e.server.version == TLS_VERSION_1_3;
        enum record_got got = say_and_hear(&e, ALERT, cases[i].bytes, cases[i].len);
        ck_assert_int_eq(got, is_1_3 ? cases[i].got_1_3 : cases[i].got_1_2);
        if (got == RECORD_FAULT)
            ck_fault(&e, got, is_1_3 ? cases[i].alert_1_3 : cases[i].alert_1_2);
        if (got == RECORD_ALERT)
            ck_assert_str_ne(e.opened.why, "");
        ck_assert_int_eq(e.server.ended, got == RECORD_END);
        ends_part(&e);
    }
}
END_TEST

START_TEST(our_alerts_are_read_by_the_other_end)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    ck_assert(record_seal_alert(&e.server, e.aead, ALERT_RECORD_OVERFLOW, e.wire, &e.len));
    ck_assert_uint_le(e.len, RECORD_OVERHEAD + 2);
    ck_assert_int_eq(client_hears(&e), RECORD_ALERT);
    ck_assert_str_eq(e.opened.why, "alert record overflow");
    ck_assert(e.server.closed);
    ends_part(&e);
}
END_TEST

/* ---- new keys ---- */

/* The client goes on with new keys. */
static void client_renews(struct ends *e)
{
    /* That is what it does when it has been asked: the answer is a key update itself. */
    size_t len;
    e->client.update_due = true;
    ck_assert(record_answer(&e->client, e->aead, e->wire + e->len, &len));
    e->len += len;
}

START_TEST(the_peer_may_go_on_with_new_keys_as_often_as_it_likes)
{
    struct ends e;
    ends_join(&e, (size_t)_i);
    for (int i = 0; i < 5; i++) {
        hear_text(&e, "before");
        client_renews(&e);
        ck_assert_int_eq(hear(&e), RECORD_NOTHING);
        ck_assert(!record_has_answer(&e.server));
        ck_assert_uint_eq(e.server.in.seq, 0);
        hear_text(&e, "after");
    }
    server_says(&e, "still the old ones");
    ck_assert_int_eq(client_hears(&e), RECORD_DATA);
    ends_part(&e);
}
END_TEST

START_TEST(new_keys_that_are_asked_for_come_before_the_next_data)
{
    struct ends e;
    size_t      len;
    ends_join(&e, (size_t)_i);
    for (int i = 0; i < 3; i++) { /* asked often, answered once */
        struct record before = e.client;
        client_renews(&e);
        e.len = 0;
        struct record after = e.client;
        e.client = before; /* the same message with the other value, under the old key */
        say(&e, HANDSHAKE, slice_of("\x18\0\0\x01\x01", 5), 0);
        e.client = after;
        ck_assert_int_eq(hear(&e), RECORD_NOTHING);
    }
    ck_assert(record_has_answer(&e.server));
    ck_assert(record_answer(&e.server, e.aead, e.wire, &len));
    ck_assert_uint_le(len, RECORD_ANSWER_MAX);
    ck_assert(!record_has_answer(&e.server));
    ck_assert_uint_eq(e.server.out.seq, 0);
    e.len = len;
    server_says(&e, "new");
    ck_assert_int_eq(client_hears(&e), RECORD_NOTHING);
    ck_assert(!e.client.update_due);
    ck_assert_int_eq(client_hears(&e), RECORD_DATA);
    ck_assert(slice_eq(e.opened.data, slice_str("new")));
    ck_assert(record_answer(&e.server, e.aead, e.wire, &len));
    ck_assert_uint_eq(len, 0);
    ends_part(&e);
}
END_TEST

START_TEST(a_key_update_may_come_in_pieces)
{
    static const char update[] = "\x18\0\0\x01\0";
    for (unsigned cuts = 0; cuts < 16; cuts++) { /* a bit for each place where a record may end */
        struct ends e;
        ends_join(&e, TLS_1_3);
        size_t from = 0;
        for (size_t at = 1; at <= 5; at++) {
            if (at < 5 && (cuts >> (at - 1) & 1) == 0)
                continue;
            ck_assert_int_eq(say_and_hear(&e, HANDSHAKE, update + from, at - from), RECORD_NOTHING);
            from = at;
        }
        ck_assert_uint_eq(e.server.in.seq, 0);
        ck_assert_uint_eq(e.server.n_message, 0);
        ends_part(&e);
    }
}
END_TEST

START_TEST(what_is_no_key_update_is_refused)
{
    static const struct {
        const char       *bytes;
        size_t            len;
        enum record_alert alert;
    } cases[] = {{"\x18\0\0\x01\x02", 5, ALERT_ILLEGAL_PARAMETER},
                 {"\x18\0\0\x02\0\0", 6, ALERT_DECODE_ERROR},
                 {"\x18\0\0\0", 4, ALERT_DECODE_ERROR},
                 {"\x18\x01\0\x01", 4, ALERT_DECODE_ERROR},
                 {"\x18\0\0\x01\0\x18", 6, ALERT_UNEXPECTED_MESSAGE},
                 {"\x18\0\0\x01\0\x18\0\0\x01\0", 10, ALERT_UNEXPECTED_MESSAGE},
                 {"\x01\0\0\0", 4, ALERT_UNEXPECTED_MESSAGE},   /* ClientHello */
                 {"\x04\0\0\0", 4, ALERT_UNEXPECTED_MESSAGE},   /* NewSessionTicket */
                 {"\x0b", 1, ALERT_UNEXPECTED_MESSAGE},         /* Certificate */
                 {"\x14\0\0\x20", 4, ALERT_UNEXPECTED_MESSAGE}, /* Finished */
                 {"", 0, ALERT_UNEXPECTED_MESSAGE}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ends e;
        ends_join(&e, TLS_1_3);
        ck_fault(&e, say_and_hear(&e, HANDSHAKE, cases[i].bytes, cases[i].len), cases[i].alert);
        ends_part(&e);
    }
}
END_TEST

START_TEST(nothing_comes_between_the_pieces_of_a_message)
{
    static const uint8_t types[] = {DATA, ALERT};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct ends e;
        ends_join(&e, TLS_1_3);
        ck_assert_int_eq(say_and_hear(&e, HANDSHAKE, "\x18\0", 2), RECORD_NOTHING);
        ck_fault(&e, say_and_hear(&e, types[i], "\x01\0", 2), ALERT_UNEXPECTED_MESSAGE);
        ends_part(&e);
    }
}
END_TEST

START_TEST(a_key_is_replaced_before_it_is_worn_out)
{
    struct ends e;
    size_t      len;
    ends_join(&e, (size_t)_i);
    e.server.out.seq = e.client.in.seq = RECORD_KEY_USES - 1;
    ck_assert(!record_has_answer(&e.server));
    server_says(&e, "the last one");
    ck_assert_int_eq(client_hears(&e), RECORD_DATA);
    ck_assert(record_has_answer(&e.server));
    ck_assert(record_answer(&e.server, e.aead, e.wire, &len));
    e.len = len;
    server_says(&e, "the first one");
    ck_assert_int_eq(client_hears(&e), RECORD_NOTHING);
    ck_assert_int_eq(client_hears(&e), RECORD_DATA);
    ck_assert_uint_eq(e.server.out.seq, 1);
    ends_part(&e);
}
END_TEST

START_TEST(sequence_numbers_are_not_used_twice)
{
    struct ends e;
    size_t      len;
    ends_join(&e, TLS_1_2);
    e.server.out.seq = e.server.in.seq = e.client.out.seq = UINT64_MAX - 1;
    server_says(&e, "the last one");
    ck_assert(!record_seal(&e.server, e.aead, slice_str("x"), e.wire, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert(!record_has_answer(&e.server)); /* TLS 1.2 has no new keys to offer */
    e.len = 0;
    hear_text(&e, "the last one");
    say(&e, DATA, slice_str("x"), 0);
    ck_fault(&e, hear(&e), ALERT_BAD_RECORD_MAC);
    ends_part(&e);
}
END_TEST

START_TEST(nothing_is_answered_behind_close_notify)
{
    struct ends e;
    size_t      len;
    ends_join(&e, TLS_1_3);
    ck_assert(record_seal_alert(&e.server, e.aead, ALERT_CLOSE_NOTIFY, e.wire, &len));
    ck_assert_int_eq(say_and_hear(&e, HANDSHAKE, "\x18\0\0\x01\x01", 5), RECORD_NOTHING);
    ck_assert(!record_has_answer(&e.server));
    ck_assert(record_answer(&e.server, e.aead, e.wire, &len));
    ck_assert_uint_eq(len, 0);
    ends_part(&e);
}
END_TEST

/* ---- TLS 1.2: another handshake ---- */

START_TEST(another_handshake_is_refused_however_it_is_cut)
{
    enum { HELLO_LEN = 60 };
    char hello[HELLO_LEN] = "\x01\0\0\x38";
    for (size_t cut = 1; cut <= HELLO_LEN; cut++) {
        struct ends e;
        size_t      len;
        ends_join(&e, (size_t)_i);
        ck_assert_int_eq(say_and_hear(&e, HANDSHAKE, hello, cut), RECORD_NOTHING);
        if (cut < HELLO_LEN)
            ck_assert_int_eq(say_and_hear(&e, HANDSHAKE, hello + cut, HELLO_LEN - cut), RECORD_NOTHING);
        ck_assert(record_has_answer(&e.server));
        ck_assert(record_answer(&e.server, e.aead, e.wire, &len));
        ck_assert(!record_has_answer(&e.server));
        e.len = len;
        ck_assert_int_eq(client_hears(&e), RECORD_NOTHING); /* a warning, and the connection goes on */
        hear_text(&e, "hello");
        ck_fault(&e, say_and_hear(&e, HANDSHAKE, "\x10", 1), ALERT_UNEXPECTED_MESSAGE);
        ends_part(&e);
    }
}
END_TEST

START_TEST(many_connections_share_the_contexts)
{
    enum { MANY = AEAD_CONTEXTS + 64 };
    struct ends *e = calloc(MANY, sizeof *e);
    ck_assert_ptr_nonnull(e);
    for (size_t i = 0; i < MANY; i++)
        ends_join(&e[i], i % 16 == 0 ? i / 16 % ARRAY_LEN(suites) : 0);
    for (size_t i = 1; i < MANY; i++) {
        aead_free(e[i].aead);
        e[i].aead = e[0].aead;
    }
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < MANY; i++)
            hear_text(&e[i], "hello");
    for (size_t i = 1; i < MANY; i++) {
        record_fini(&e[i].server, e[i].aead);
        record_fini(&e[i].client, e[i].aead);
    }
    hear_text(&e[0], "and again");
    ends_part(&e[0]);
    free(e);
}
END_TEST

START_TEST(contexts_that_are_not_used_any_more_are_given_up)
{
    struct ends busy, idle;
    size_t      n = 0;
    ends_join(&busy, (size_t)_i);
    ends_join(&idle, (size_t)_i);
    aead_free(idle.aead);
    idle.aead = busy.aead;
    hear_text(&idle, "hello");
    for (int age = 0; age <= AEAD_AGES; age++) {
        hear_text(&busy, "hello");
        ck_assert_uint_eq(n, 0);
        n = aead_age(busy.aead);
    }
    ck_assert_uint_eq(n, 2); /* the client seals, the server opens */
    ck_assert(aead_has_contexts(busy.aead));
    hear_text(&idle, "again");
    for (int age = 0; age <= AEAD_AGES; age++)
        n += aead_age(busy.aead);
    ck_assert_uint_eq(n, 6);
    ck_assert(!aead_has_contexts(busy.aead));
    hear_text(&idle, "and again");
    record_fini(&idle.server, idle.aead);
    record_fini(&idle.client, idle.aead);
    ends_part(&busy);
}
END_TEST

TCase *record_tests(void)
{
    TCase *tests = tcase_create("record");
    int    all = (int)ARRAY_LEN(suites);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_records_of_rfc_8448_open);
    tcase_add_test(tests, the_records_of_rfc_8448_are_sealed);
    tcase_add_loop_test(tests, any_cut_of_a_record_asks_for_more, 0, all);
    tcase_add_loop_test(tests, data_comes_out_where_there_is_room_and_else_in_place, 0, all);
    tcase_add_loop_test(tests, what_is_sealed_opens_at_any_length, 0, all);
    tcase_add_loop_test(tests, any_wrong_bit_is_noticed, 0, all);
    tcase_add_loop_test(tests, a_wrong_header_is_told_by_its_first_bytes, 0, all);
    tcase_add_loop_test(tests, what_is_too_short_for_a_tag_is_a_bad_record, 0, all);
    tcase_add_loop_test(tests, content_has_its_limit, 0, all);
    tcase_add_loop_test(tests, padding_is_taken_off, TLS_1_3, TLS_1_2);
    tcase_add_loop_test(tests, nothing_but_padding_is_unexpected, TLS_1_3, TLS_1_2);
    tcase_add_loop_test(tests, empty_data_is_nothing, 0, all);
    tcase_add_loop_test(tests, other_types_are_unexpected, 0, all);
    tcase_add_loop_test(tests, alerts_end_the_connection_as_they_say, 0, all);
    tcase_add_loop_test(tests, our_alerts_are_read_by_the_other_end, 0, all);
    tcase_add_loop_test(tests, the_peer_may_go_on_with_new_keys_as_often_as_it_likes, TLS_1_3, TLS_1_2);
    tcase_add_loop_test(tests, new_keys_that_are_asked_for_come_before_the_next_data, TLS_1_3, TLS_1_2);
    tcase_add_test(tests, a_key_update_may_come_in_pieces);
    tcase_add_test(tests, what_is_no_key_update_is_refused);
    tcase_add_test(tests, nothing_comes_between_the_pieces_of_a_message);
    tcase_add_loop_test(tests, a_key_is_replaced_before_it_is_worn_out, TLS_1_3, TLS_1_2);
    tcase_add_test(tests, sequence_numbers_are_not_used_twice);
    tcase_add_test(tests, nothing_is_answered_behind_close_notify);
    tcase_add_loop_test(tests, another_handshake_is_refused_however_it_is_cut, TLS_1_2, all);
    tcase_add_test(tests, many_connections_share_the_contexts);
    tcase_add_loop_test(tests, contexts_that_are_not_used_any_more_are_given_up, 0, all);
    return tests;
}
