#include "fuzz.h"
#include "proto/ws_frames.h"

/* What was told, as one number: two inputs tell the same if it is the same. */
struct story {
    uint64_t told, told_at_end; /* of all; up to the end of the last frame that was whole */
    size_t   fed, fed_at_end;   /* bytes */
    size_t   n_frames;          /* whole ones */
    bool     begun;             /* a frame that is not at its end */
};

static void tell(struct story *s, unsigned what)
{
    s->told = (s->told ^ (what + 1)) * 0x100000001B3; /* FNV-1a */
}

static void tell_end(struct story *s, unsigned close_code)
{
    tell(s, 0x10000 + close_code);
    s->told_at_end = s->told;
    s->fed_at_end = s->fed;
    s->n_frames++;
}

static void tell_span(struct story *s, const struct ws_span *span)
{
    if (!s->begun)
        tell(s, 0x1000 + span->opcode);
    for (size_t i = 0; i < span->payload.len; i++)
        tell(s, ws_span_byte(span, i));
    if (span->frame_ends)
        tell_end(s, span->close_code);
    s->begun = !span->frame_ends;
}

static enum parse feed(struct ws_frames *f, struct slice in, struct story *s, enum ws_close *fault)
{
    struct ws_span span;
    enum parse     answer;
    size_t         used;
    while ((answer = ws_frames_next(f, in, &span, &used, fault)) == PARSE_OK) {
        FUZZ_CHECK(used <= in.len && fuzz_inside(span.payload, in));
        FUZZ_CHECK(span.payload.len > 0 || (span.frame_ends && used > 0));
        FUZZ_CHECK(span.frame_ends == (ws_frames_place(f) != WS_WITHIN_FRAME));
        s->fed += used;
        tell_span(s, &span);
        in = slice_skip(in, used);
    }
    s->fed += used;
    FUZZ_CHECK(answer == PARSE_BAD ? used < in.len && *fault != WS_CLOSE_NONE : used == in.len);
    return answer;
}

/* In pieces of which the lengths depend on the bytes; step 0: all at once. */
static enum parse feed_in_pieces(struct ws_frames *f, struct slice in, size_t step, struct story *s,
                                 enum ws_close *fault)
{
    enum parse answer = PARSE_MORE;
    *s = (struct story){0};
    for (size_t at = 0, n; at < in.len && answer == PARSE_MORE; at += n) {
        n = step == 0 ? in.len : step == 1 ? 1 : 1 + (in.ptr[at] + at) % step;
        n = n < in.len - at ? n : in.len - at;
        answer = feed(f, slice_of(in.ptr + at, n), s, fault);
    }
    return answer;
}

static uint64_t big_endian(struct slice bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | bytes.ptr[i];
    return number;
}

static void check_encoder(enum ws_opcode opcode, struct slice payload, const uint8_t *mask, struct slice frame)
{
    uint8_t out[WS_CONTROL_FRAME_MAX], clear[WS_CONTROL_MAX];
    for (size_t i = 0; i < payload.len; i++)
        clear[i] = payload.ptr[i] ^ (mask != NULL ? mask[i % 4] : 0);
    size_t len = ws_encode_control(opcode, slice_of(clear, payload.len), mask, out, sizeof out);
    FUZZ_CHECK(slice_eq(slice_of(out, len), frame));
}

/* One frame that is there whole, read in another way: false when it is not whole or not good. */
static bool read_frame(struct slice in, bool masked, unsigned *state, struct story *s)
{
    enum { IN_MESSAGE = 1, CLOSED = 2 };
    if (in.len < 2)
        return false;
    unsigned opcode = in.ptr[0] & 15, length = in.ptr[1] & 127, extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    size_t   header = 2 + extra + (masked ? 4 : 0);
    bool     fin = in.ptr[0] >= 0x80, control = opcode == 8 || opcode == 9 || opcode == 10;
    if ((in.ptr[0] & 0x70) != 0 || (in.ptr[1] >= 0x80) != masked || in.len < header)
        return false;
    uint64_t len = extra == 0 ? length : big_endian(slice_of(in.ptr + 2, extra));
    if ((extra == 2 && len < 126) || (extra == 8 && (len < 65536 || len >> 63 != 0)) || len > in.len - header)
        return false;
    if (control ? !fin || len > 125 || (opcode == 8 && len == 1)
                : (*state & CLOSED) != 0 || opcode != ((*state & IN_MESSAGE) != 0 ? 0U : 2U))
        return false;
    const uint8_t *mask = masked ? in.ptr + header - 4 : NULL, *payload = in.ptr + header;
    unsigned       code = opcode == 8 ? WS_CLOSE_NO_CODE : 0;
    tell(s, 0x1000 + opcode);
    for (size_t i = 0; i < len; i++)
        tell(s, payload[i] ^ (masked ? mask[i % 4] : 0U));
    if (opcode == 8 && len > 0)
        code = (payload[0] ^ (masked ? mask[0] : 0U)) * 256 + (payload[1] ^ (masked ? mask[1] : 0U));
    s->fed += header + (size_t)len;
    tell_end(s, code);
    if (control)
        check_encoder(opcode, slice_of(payload, len), mask, slice_of(in.ptr, header + (size_t)len));
    else
        *state = (*state & CLOSED) | (fin ? 0 : IN_MESSAGE);
    *state |= opcode == 8 ? CLOSED : 0;
    return true;
}

static void check_against_another_reading(struct slice in, bool masked, const struct story *told)
{
    struct story s = {0};
    unsigned     state = 0;
    while (read_frame(slice_skip(in, s.fed), masked, &state, &s))
        ;
    FUZZ_CHECK(s.n_frames == told->n_frames && s.fed_at_end == told->fed_at_end && s.told_at_end == told->told_at_end);
}

static bool is_same(const struct ws_frames *a, const struct ws_frames *b)
{
    return a->left == b->left && memcmp(a->mask, b->mask, sizeof a->mask) == 0 && a->close_code == b->close_code &&
           a->header_read == b->header_read && a->header_len == b->header_len && a->first == b->first &&
           a->passed == b->passed && a->masked == b->masked && a->in_message == b->in_message && a->closed == b->closed;
}

/* The first byte: whose frames. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 50};
    struct ws_frames    f, again;
    struct story        told, told_again;
    enum ws_close       fault = WS_CLOSE_NONE, fault_again = WS_CLOSE_NONE;
    if (size == 0)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    bool         masked = (data[0] & 1) != 0;
    ws_frames_init(&f, masked);
    enum parse answer = feed_in_pieces(&f, in, 0, &told, &fault);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        ws_frames_init(&again, masked);
        FUZZ_CHECK(feed_in_pieces(&again, in, steps[i], &told_again, &fault_again) == answer);
        FUZZ_CHECK(told.told == told_again.told && told.fed == told_again.fed && told.n_frames == told_again.n_frames);
        FUZZ_CHECK(fault == fault_again && is_same(&f, &again));
    }
    check_against_another_reading(in, masked, &told);
    return 0;
}
