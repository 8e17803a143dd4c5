#include <stdio.h>
#include <stdlib.h>

#include "proto/ws_frames.h"
#include "proto_tests.h"
#include "support/guarded.h"

enum { CLIENT = 1, SERVER = 0 }; /* whose frames: masked or not */

/* What was told of some input, in words: for each frame its kind, its payload (its length when that is longer than
 * SHOWN), a close's code, and '|' at its end. */
enum { SHOWN = 16 };

struct story {
    struct ws_frames frames;
    char             words[400];
    size_t           len;   /* of words */
    size_t           begun; /* payload bytes of the frame that is not at its end */
    size_t           fed;   /* bytes that were taken */
    enum ws_close    fault;
};

static void tell(struct story *s, struct slice text)
{
    ck_assert_uint_lt(s->len + text.len, sizeof s->words);
    memcpy(s->words + s->len, text.ptr, text.len);
    s->len += text.len;
    s->words[s->len] = '\0';
}

static void tell_end(struct story *s, const struct ws_span *span)
{
    char text[40];
    if (s->begun > SHOWN) {
        s->len -= SHOWN;
        (void)snprintf(text, sizeof text, "<%zu>", s->begun);
        tell(s, slice_str(text));
    }
    (void)snprintf(text, sizeof text, span->opcode == WS_CLOSE ? "=%u|" : "|", span->close_code);
    tell(s, slice_str(text));
}

static void tell_span(struct story *s, const struct ws_span *span, bool continues)
{
    static const char kinds[] = {
        [WS_CONTINUATION] = 'c', [WS_BINARY] = 'b', [WS_CLOSE] = 'x', [WS_PING] = 'i', [WS_PONG] = 'o'};
    if (!continues) {
        s->begun = 0;
        tell(s, slice_of(&kinds[span->opcode], 1));
    }
    ck_assert_uint_eq(span->phase, s->begun % 4);
    for (size_t i = 0; i < span->payload.len; i++, s->begun++) {
        uint8_t byte = ws_span_byte(span, i);
        if (s->begun < SHOWN)
            tell(s, slice_of(&byte, 1));
    }
    if (span->frame_ends)
        tell_end(s, span);
}

static bool continues(const struct story *s)
{
    return s->len > 0 && s->words[s->len - 1] != '|';
}

/* Feeds a piece that ends at an unreadable page. */
static enum parse feed(struct story *s, struct slice piece)
{
    struct slice   copy = guarded_copy(piece), rest = copy;
    struct ws_span span;
    enum parse     answer;
    size_t         used;
    for (;;) {
        answer = ws_frames_next(&s->frames, rest, &span, &used, &s->fault);
        ck_assert_uint_le(used, rest.len);
        s->fed += used;
        if (answer != PARSE_OK)
            break;
        ck_assert_ptr_eq(span.payload.ptr + span.payload.len, rest.ptr + used);
        tell_span(s, &span, continues(s));
        rest = slice_skip(rest, used);
    }
    ck_assert(answer == PARSE_BAD || used == rest.len);
    guarded_free(copy);
    return answer;
}

static struct story story_of(bool masked)
{
    struct story s = {.fault = WS_CLOSE_NONE};
    ws_frames_init(&s.frames, masked);
    return s;
}

#define MASK "\x37\xFA\x21\x3D"

/* The masked and unmasked examples of RFC 6455 section 5.7, and what is made of them. */
static const struct good_vector {
    bool          masked;
    struct slice  bytes; /* without the zeros that are its end */
    size_t        zeros; /* more payload */
    const char   *words;
    enum ws_place place; /* behind it */
} good[] = {
    {SERVER, LITERAL("\x89\5Hello"), 0, "iHello|", WS_BETWEEN_MESSAGES},
    {CLIENT, LITERAL("\x8A\x85" MASK "\x7F\x9F\x4D\x51\x58"), 0, "oHello|", WS_BETWEEN_MESSAGES},
    {CLIENT, LITERAL("\x82\x85" MASK "\x7F\x9F\x4D\x51\x58"), 0, "bHello|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x02\3Hel\x80\2lo"), 0, "bHel|clo|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x82\x7E\1\0"), 256, "b<256>|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x82\x7F\0\0\0\0\0\1\0\0"), 65536, "b<65536>|", WS_BETWEEN_MESSAGES},
    /* lengths at their limits */
    {SERVER, LITERAL("\x82\0\x82\x7D"), 125, "b|b<125>|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x82\x7E\0\x7E"), 126, "b<126>|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x82\x7E\xFF\xFF"), 65535, "b<65535>|", WS_BETWEEN_MESSAGES},
    {CLIENT, LITERAL("\x82\xFE\0\x7E" MASK), 126, "b<126>|", WS_BETWEEN_MESSAGES},
    {CLIENT, LITERAL("\x82\xFF\0\0\0\0\0\1\0\0" MASK), 65536, "b<65536>|", WS_BETWEEN_MESSAGES},
    {CLIENT, LITERAL("\x82\x80" MASK), 0, "b|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x8A\x7D"), 125, "o<125>|", WS_BETWEEN_MESSAGES},
    /* control frames between fragments, empty fragments, a mask of its own in each */
    {SERVER, LITERAL("\x02\3Hel\x89\0\x8A\2ab\x80\2lo\x82\1!"), 0, "bHel|i|oab|clo|b!|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x02\0\0\0\0\1x\x80\0"), 0, "b|c|cx|c|", WS_BETWEEN_MESSAGES},
    {SERVER, LITERAL("\x02\1x\0\1y"), 0, "bx|cy|", WS_BETWEEN_FRAMES},
    {SERVER, LITERAL("\x02\1x\x89\0"), 0, "bx|i|", WS_BETWEEN_FRAMES},
    {CLIENT, LITERAL("\2\x83" MASK "\x7F\x9F\x4D\x89\x81zzzz;\x80\x82\1\2\3\4mm"), 0, "bHel|iA|clo|",
     WS_BETWEEN_MESSAGES},
    /* the end */
    {SERVER, LITERAL("\x88\0"), 0, "x=1005|", WS_CLOSED},
    {SERVER, LITERAL("\x88\2\3\xE9"), 0, "x\3\xE9=1001|", WS_CLOSED},
    {SERVER, LITERAL("\x88\5\3\xF3why"), 0, "x\3\xF3why=1011|", WS_CLOSED},
    {SERVER, LITERAL("\x88\2\0\0"), 0, NULL, WS_CLOSED}, /* a code that nobody may send: the peers' own matter */
    {CLIENT, LITERAL("\x88\x82" MASK "\x34\x12"), 0, "x\3\xE8=1000|", WS_CLOSED},
    {SERVER, LITERAL("\x02\1x\x88\0\x89\0"), 0, "bx|x=1005|i|", WS_CLOSED},
};

static void assert_told(const struct story *s, const struct good_vector *v)
{
    if (v->words != NULL)
        ck_assert_str_eq(s->words, v->words);
    ck_assert_uint_eq(s->fed, v->bytes.len + v->zeros);
    ck_assert_int_eq(ws_frames_place(&s->frames), v->place);
}

static struct slice whole_of(const struct good_vector *v)
{
    uint8_t *whole = calloc(1, v->bytes.len + v->zeros);
    ck_assert_ptr_nonnull(whole);
    memcpy(whole, v->bytes.ptr, v->bytes.len);
    return slice_of(whole, v->bytes.len + v->zeros);
}

START_TEST(good_frames_tell_the_same_wherever_they_are_cut)
{
    const struct good_vector *v = &good[_i];
    struct slice              whole = whole_of(v);
    for (size_t cut = 0; cut <= whole.len; cut++) {
        struct story s = story_of(v->masked);
        if (cut > 300 && cut < whole.len - 3)
            cut = whole.len - 3;
        ck_assert_int_eq(feed(&s, slice_of(whole.ptr, cut)), PARSE_MORE);
        ck_assert_uint_eq(s.fed, cut);
        ck_assert_int_eq(feed(&s, slice_skip(whole, cut)), PARSE_MORE);
        assert_told(&s, v);
    }
    free((void *)(uintptr_t)whole.ptr);
}
END_TEST

START_TEST(good_frames_tell_the_same_byte_by_byte)
{
    const struct good_vector *v = &good[_i];
    struct slice              whole = whole_of(v);
    struct story              s = story_of(v->masked);
    size_t                    n = whole.len > 300 ? 300 : whole.len; /* and the rest at once */
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(feed(&s, slice_of(whole.ptr + i, 1)), PARSE_MORE);
        ck_assert_uint_eq(s.fed, i + 1);
    }
    ck_assert_int_eq(feed(&s, slice_skip(whole, n)), PARSE_MORE);
    assert_told(&s, v);
    free((void *)(uintptr_t)whole.ptr);
}
END_TEST

/* The last byte of each shows it. */
static const struct {
    bool          masked;
    struct slice  bytes;
    enum ws_close fault;
} bad[] = {
    {SERVER, LITERAL("\x81"), WS_CLOSE_UNACCEPTABLE}, /* text: "Hello" of RFC 6455 */
    {CLIENT, LITERAL("\x01"), WS_CLOSE_UNACCEPTABLE},
    {SERVER, LITERAL("\x82\x85"), WS_CLOSE_PROTOCOL}, /* masked, but a server's */
    {CLIENT, LITERAL("\x82\5"), WS_CLOSE_PROTOCOL},
    {CLIENT, LITERAL("\x88\0"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\xC2"), WS_CLOSE_PROTOCOL}, /* reserved bits: compressed */
    {SERVER, LITERAL("\xA2"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x92"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\xC9"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x83"), WS_CLOSE_PROTOCOL}, /* opcodes that nobody gave a meaning */
    {SERVER, LITERAL("\x87"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x8B"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x8F"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x09"), WS_CLOSE_PROTOCOL}, /* control frames in fragments */
    {SERVER, LITERAL("\x08"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x89\x7E"), WS_CLOSE_PROTOCOL}, /* and too long */
    {SERVER, LITERAL("\x8A\x7F"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x88\1"), WS_CLOSE_PROTOCOL}, /* half a code */
    {SERVER, LITERAL("\x80"), WS_CLOSE_PROTOCOL},   /* a continuation of nothing */
    {SERVER, LITERAL("\x82\1x\x80"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x02\1x\x80\1y\0"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x02\1x\x82"), WS_CLOSE_PROTOCOL}, /* a message in a message */
    {SERVER, LITERAL("\x02\1x\x89\0\x02"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x02\1x\x81"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x82\x7E\0\x7D"), WS_CLOSE_PROTOCOL}, /* lengths longer than they need be */
    {CLIENT, LITERAL("\x82\xFE\0\0"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x82\x7F\0\0\0\0\0\0"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x82\x7F\x80"), WS_CLOSE_PROTOCOL}, /* and of 64 bits */
    {SERVER, LITERAL("\x88\0\x82"), WS_CLOSE_PROTOCOL},   /* data behind a close */
    {SERVER, LITERAL("\x88\0\x81"), WS_CLOSE_PROTOCOL},
    {SERVER, LITERAL("\x02\1x\x88\0\x80"), WS_CLOSE_PROTOCOL},
};

START_TEST(bad_frames_are_bad_at_the_byte_that_shows_it)
{
    struct slice whole = bad[_i].bytes;
    for (size_t cut = 0; cut < whole.len; cut++) {
        struct story s = story_of(bad[_i].masked);
        ck_assert_int_eq(feed(&s, slice_of(whole.ptr, cut)), PARSE_MORE);
        ck_assert_int_eq(s.fault, WS_CLOSE_NONE);
        for (int again = 0; again < 2; again++) {
            ck_assert_int_eq(feed(&s, slice_skip(whole, s.fed)), PARSE_BAD);
            ck_assert_uint_eq(s.fed, whole.len - 1);
            ck_assert_int_eq(s.fault, bad[_i].fault);
        }
    }
}
END_TEST

START_TEST(the_longest_frame_is_followed_in_pieces)
{
    static const char header[] = "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1\2\3\4";
    struct ws_frames  f;
    struct ws_span    span;
    size_t            used;
    enum ws_close     fault;
    ws_frames_init(&f, CLIENT);
    ck_assert_int_eq(ws_frames_next(&f, BYTES(header), &span, &used, &fault), PARSE_MORE);
    ck_assert_int_eq(ws_frames_place(&f), WS_WITHIN_FRAME);
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_int_eq(ws_frames_next(&f, BYTES("abcde"), &span, &used, &fault), PARSE_OK);
        ck_assert_uint_eq(used, 5);
        ck_assert_uint_eq(span.payload.len, 5);
        ck_assert_uint_eq(span.phase, i * 5 % 4);
        ck_assert_uint_eq(ws_span_byte(&span, 0), 'a' ^ (1 + i * 5 % 4));
        ck_assert(!span.frame_ends);
    }
    ck_assert_uint_eq(f.left, INT64_MAX - 5000);
}
END_TEST

START_TEST(where_others_may_put_frames_is_told)
{
    static const char          bytes[] = "\x02\1x\x89\0\x80\0\x88\0";
    static const enum ws_place behind[] = {WS_WITHIN_FRAME,     WS_WITHIN_FRAME,   WS_BETWEEN_FRAMES,
                                           WS_WITHIN_FRAME,     WS_BETWEEN_FRAMES, WS_WITHIN_FRAME,
                                           WS_BETWEEN_MESSAGES, WS_WITHIN_FRAME,   WS_CLOSED};
    struct story               s = story_of(SERVER);
    ck_assert_int_eq(ws_frames_place(&s.frames), WS_BETWEEN_MESSAGES);
    for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
        ck_assert_int_eq(feed(&s, slice_of(bytes + i, 1)), PARSE_MORE);
        ck_assert_int_eq(ws_frames_place(&s.frames), behind[i]);
    }
}
END_TEST

START_TEST(a_span_is_unmasked_from_any_phase)
{
    struct ws_span span;
    size_t         used;
    uint8_t        out[6];
    for (size_t cut = 0; cut < 5; cut++) {
        struct story s = story_of(CLIENT);
        (void)feed(&s, slice_of("\x82\x85" MASK "\x7F\x9F\x4D\x51", 6 + cut));
        struct slice rest = slice_of(&"\x7F\x9F\x4D\x51\x58"[cut], 5 - cut);
        ck_assert_int_eq(ws_frames_next(&s.frames, rest, &span, &used, &s.fault), PARSE_OK);
        memset(out, '#', sizeof out);
        ws_span_unmask(&span, out);
        ck_assert_mem_eq(out, &"Hello"[cut], 5 - cut);
        ck_assert_uint_eq(out[5 - cut], '#');
    }
}
END_TEST

static const struct {
    uint64_t     len;
    struct slice bytes;
} headers[] = {
    {0, LITERAL("\x82\0")},
    {125, LITERAL("\x82\x7D")},
    {126, LITERAL("\x82\x7E\0\x7E")},
    {65535, LITERAL("\x82\x7E\xFF\xFF")},
    {65536, LITERAL("\x82\x7F\0\0\0\0\0\1\0\0")},
    {INT64_MAX, LITERAL("\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF")},
};

START_TEST(a_header_has_the_shortest_length)
{
    uint8_t      out[WS_FRAME_HEADER_MAX];
    struct slice wanted = headers[_i].bytes;
    ck_assert_uint_eq(ws_encode_header(WS_BINARY, headers[_i].len, out, sizeof out), wanted.len);
    ck_assert_mem_eq(out, wanted.ptr, wanted.len);
    ck_assert_uint_eq(ws_encode_header(WS_BINARY, headers[_i].len, out, wanted.len), wanted.len);
    ck_assert_uint_eq(ws_encode_header(WS_BINARY, headers[_i].len, out, wanted.len - 1), 0);
}
END_TEST

START_TEST(a_length_of_64_bits_is_refused)
{
    uint8_t out[WS_FRAME_HEADER_MAX];
    ck_assert_uint_eq(ws_encode_header(WS_BINARY, (uint64_t)INT64_MAX + 1, out, sizeof out), 0);
}
END_TEST

START_TEST(control_frames_are_those_of_rfc_6455)
{
    uint8_t out[WS_CONTROL_FRAME_MAX];
    ck_assert_uint_eq(ws_encode_control(WS_PING, BYTES("Hello"), NULL, out, sizeof out), 7);
    ck_assert_mem_eq(out, "\x89\5Hello", 7);
    ck_assert_uint_eq(ws_encode_control(WS_PONG, BYTES("Hello"), (const uint8_t *)MASK, out, sizeof out), 11);
    ck_assert_mem_eq(out, "\x8A\x85" MASK "\x7F\x9F\x4D\x51\x58", 11);
    ck_assert_uint_eq(ws_encode_close(WS_CLOSE_GOING_AWAY, BYTES(""), NULL, out, sizeof out), 4);
    ck_assert_mem_eq(out, "\x88\2\3\xE9", 4);
    ck_assert_uint_eq(ws_encode_close(WS_CLOSE_NORMAL, BYTES(""), (const uint8_t *)MASK, out, sizeof out), 8);
    ck_assert_mem_eq(out, "\x88\x82" MASK "\x34\x12", 8);
    ck_assert_uint_eq(ws_encode_close(WS_CLOSE_UNEXPECTED, BYTES("why"), NULL, out, 7), 7);
    ck_assert_mem_eq(out, "\x88\5\3\xF3why", 7);
    ck_assert_uint_eq(ws_encode_close(WS_CLOSE_UNEXPECTED, BYTES("why"), NULL, out, 6), 0);
}
END_TEST

START_TEST(a_control_frame_is_never_longer_than_it_may_be)
{
    static const uint8_t zeros[WS_CONTROL_MAX + 1];
    uint8_t              out[WS_CONTROL_FRAME_MAX];
    struct slice         payload = slice_of(zeros, WS_CONTROL_MAX), reason = slice_of(zeros, WS_CLOSE_REASON_MAX);
    ck_assert_uint_eq(ws_encode_control(WS_PONG, payload, zeros, out, sizeof out), sizeof out);
    ck_assert_uint_eq(ws_encode_close(WS_CLOSE_NORMAL, reason, zeros, out, sizeof out), sizeof out);
    payload.len++;
    reason.len++;
    ck_assert_uint_eq(ws_encode_control(WS_PONG, payload, zeros, out, sizeof out), 0);
    ck_assert_uint_eq(ws_encode_close(WS_CLOSE_NORMAL, reason, zeros, out, sizeof out), 0);
}
END_TEST

TCase *ws_frames_tests(void)
{
    TCase *tc = tcase_create("ws_frames");
    tcase_add_loop_test(tc, good_frames_tell_the_same_wherever_they_are_cut, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, good_frames_tell_the_same_byte_by_byte, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, bad_frames_are_bad_at_the_byte_that_shows_it, 0, ARRAY_LEN(bad));
    tcase_add_test(tc, the_longest_frame_is_followed_in_pieces);
    tcase_add_test(tc, where_others_may_put_frames_is_told);
    tcase_add_test(tc, a_span_is_unmasked_from_any_phase);
    tcase_add_loop_test(tc, a_header_has_the_shortest_length, 0, ARRAY_LEN(headers));
    tcase_add_test(tc, a_length_of_64_bits_is_refused);
    tcase_add_test(tc, control_frames_are_those_of_rfc_6455);
    tcase_add_test(tc, a_control_frame_is_never_longer_than_it_may_be);
    return tc;
}
