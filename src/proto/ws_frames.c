#include "proto/ws_frames.h"

#include <assert.h>

#include "proto/writer.h"

static_assert(sizeof(struct ws_frames) <= 24, "two of them in every session");

enum { /* section 5.2 */
       FIN = 0x80,
       RESERVED = 0x70,
       OPCODE = 0x0F,
       MASKED = 0x80,
       LENGTH = 0x7F,
       LENGTH_16 = 126, /* in LENGTH: two bytes of it follow */
       LENGTH_64 = 127  /* eight */
};

void ws_frames_init(struct ws_frames *f, bool masked)
{
    *f = (struct ws_frames){.header_len = 2, .masked = masked};
}

static enum ws_opcode opcode_of(const struct ws_frames *f)
{
    return f->first & OPCODE;
}

static bool is_control(enum ws_opcode opcode)
{
    return (opcode & 0x8) != 0;
}

/* What may begin a frame here. */
static enum ws_close fault_of_first(const struct ws_frames *f, uint8_t first)
{
    if ((first & RESERVED) != 0)
        return WS_CLOSE_PROTOCOL;
    switch (first & OPCODE) {
    case WS_CONTINUATION:
        return f->in_message && !f->closed ? WS_CLOSE_NONE : WS_CLOSE_PROTOCOL;
    case WS_TEXT:
        return f->in_message || f->closed ? WS_CLOSE_PROTOCOL : WS_CLOSE_UNACCEPTABLE;
    case WS_BINARY:
        return f->in_message || f->closed ? WS_CLOSE_PROTOCOL : WS_CLOSE_NONE;
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return (first & FIN) != 0 ? WS_CLOSE_NONE : WS_CLOSE_PROTOCOL;
    default:
        return WS_CLOSE_PROTOCOL;
    }
}

/* A close frame has no payload, or a code and perhaps a text: section 5.5.1. */
static enum ws_close fault_of_second(const struct ws_frames *f, uint8_t second)
{
    uint8_t length = second & LENGTH;
    if (((second & MASKED) != 0) != f->masked)
        return WS_CLOSE_PROTOCOL;
    if (is_control(opcode_of(f)) && length > WS_CONTROL_MAX)
        return WS_CLOSE_PROTOCOL;
    return opcode_of(f) == WS_CLOSE && length == 1 ? WS_CLOSE_PROTOCOL : WS_CLOSE_NONE;
}

/* Bytes of the length behind the second byte of the header. */
static uint8_t length_bytes(const struct ws_frames *f)
{
    return (uint8_t)(f->header_len - 2 - (f->masked ? 4 : 0));
}

/* The shortest form is asked for, and the highest bit of 64 is zero. Told at the byte that shows it. */
static enum ws_close fault_of_length(const struct ws_frames *f, uint64_t length, uint8_t n_read)
{
    uint8_t n = length_bytes(f);
    bool    bad =
        n == 2 ? n_read == 2 && length < LENGTH_16 : (n_read == 1 && length >= 0x80) || (n_read == 6 && length == 0);
    return bad ? WS_CLOSE_PROTOCOL : WS_CLOSE_NONE;
}

static enum ws_close take_first(struct ws_frames *f, uint8_t byte)
{
    enum ws_close fault = fault_of_first(f, byte);
    if (fault != WS_CLOSE_NONE)
        return fault;
    f->first = byte;
    f->left = 0;
    f->passed = 0;
    f->close_code = WS_CLOSE_NO_CODE;
    memset(f->mask, 0, sizeof f->mask);
    return WS_CLOSE_NONE;
}

static enum ws_close take_second(struct ws_frames *f, uint8_t byte)
{
    enum ws_close fault = fault_of_second(f, byte);
    uint8_t       length = byte & LENGTH;
    if (fault != WS_CLOSE_NONE)
        return fault;
    f->left = length < LENGTH_16 ? length : 0;
    f->header_len = (uint8_t)(2 + (length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0) + (f->masked ? 4 : 0));
    return WS_CLOSE_NONE;
}

static enum ws_close take_length(struct ws_frames *f, uint8_t byte)
{
    uint64_t      length = f->left << 8 | byte;
    enum ws_close fault = fault_of_length(f, length, (uint8_t)(f->header_read - 1));
    if (fault == WS_CLOSE_NONE)
        f->left = length;
    return fault;
}

/* The next byte of the header. */
static enum ws_close take_header(struct ws_frames *f, uint8_t byte)
{
    enum ws_close fault = WS_CLOSE_NONE;
    if (f->header_read == 0)
        fault = take_first(f, byte);
    else if (f->header_read == 1)
        fault = take_second(f, byte);
    else if (f->header_read < 2 + length_bytes(f))
        fault = take_length(f, byte);
    else
        f->mask[f->header_read - 2 - length_bytes(f)] = byte;
    if (fault == WS_CLOSE_NONE)
        f->header_read++;
    return fault;
}

/* The first two bytes of a close frame's payload are its code. */
static void read_close_code(struct ws_frames *f, const struct ws_span *span)
{
    for (size_t i = 0; i < span->payload.len && f->passed + i < 2; i++) {
        uint8_t byte = ws_span_byte(span, i);
        f->close_code = (uint16_t)(f->passed + i == 0 ? byte << 8 : f->close_code | byte);
    }
}

static void end_frame(struct ws_frames *f)
{
    if (opcode_of(f) == WS_CLOSE)
        f->closed = true;
    if (!is_control(opcode_of(f)))
        f->in_message = (f->first & FIN) == 0;
    f->header_read = 0;
    f->header_len = 2;
}

/* The header is read; payload is what is there of the rest of the frame. */
static void take_payload(struct ws_frames *f, struct slice payload, struct ws_span *out)
{
    *out = (struct ws_span){.opcode = opcode_of(f), .payload = payload, .phase = f->passed % 4};
    memcpy(out->mask, f->mask, sizeof out->mask);
    if (out->opcode == WS_CLOSE)
        read_close_code(f, out);
    f->left -= payload.len;
    f->passed = (uint8_t)(f->passed + payload.len);
    out->frame_ends = f->left == 0;
    if (out->frame_ends && out->opcode == WS_CLOSE)
        out->close_code = f->close_code;
    if (out->frame_ends)
        end_frame(f);
}

enum parse ws_frames_next(struct ws_frames *f, struct slice in, struct ws_span *out, size_t *used, enum ws_close *fault)
{
    size_t at = 0;
    for (; f->header_read < f->header_len && at < in.len; at++) {
        enum ws_close found = take_header(f, in.ptr[at]);
        if (found != WS_CLOSE_NONE) {
            *used = at;
            *fault = found;
            return PARSE_BAD;
        }
    }
    size_t n = in.len - at < f->left ? in.len - at : (size_t)f->left;
    *used = at;
    if (f->header_read < f->header_len || (n == 0 && f->left > 0))
        return PARSE_MORE;
    take_payload(f, slice_of(in.ptr + at, n), out);
    *used = at + n;
    return PARSE_OK;
}

enum ws_place ws_frames_place(const struct ws_frames *f)
{
    if (f->header_read > 0)
        return WS_WITHIN_FRAME;
    if (f->closed)
        return WS_CLOSED;
    return f->in_message ? WS_BETWEEN_FRAMES : WS_BETWEEN_MESSAGES;
}

void ws_span_unmask(const struct ws_span *span, uint8_t *out)
{
    for (size_t i = 0; i < span->payload.len; i++)
        out[i] = ws_span_byte(span, i);
}

static void put_header(struct writer *w, enum ws_opcode opcode, uint64_t len, const uint8_t *mask)
{
    uint8_t masked = mask != NULL ? MASKED : 0;
    writer_u8(w, (uint8_t)(FIN | opcode));
    if (len < LENGTH_16) {
        writer_u8(w, (uint8_t)(masked | len));
    } else if (len <= UINT16_MAX) {
        writer_u8(w, masked | LENGTH_16);
        writer_u16(w, (uint16_t)len);
    } else {
        writer_u8(w, masked | LENGTH_64);
        writer_u32(w, (uint32_t)(len >> 32));
        writer_u32(w, (uint32_t)len);
    }
    if (mask != NULL)
        writer_put(w, slice_of(mask, 4));
}

size_t ws_encode_header(enum ws_opcode opcode, uint64_t len, uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    if (len > INT64_MAX)
        return 0;
    put_header(&w, opcode, len, NULL);
    return writer_len(&w);
}

size_t ws_encode_control(enum ws_opcode opcode, struct slice payload, const uint8_t *mask, uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    if (payload.len > WS_CONTROL_MAX)
        return 0;
    put_header(&w, opcode, payload.len, mask);
    for (size_t i = 0; i < payload.len; i++)
        writer_u8(&w, payload.ptr[i] ^ (mask != NULL ? mask[i % 4] : 0));
    return writer_len(&w);
}

size_t ws_encode_close(enum ws_close code, struct slice reason, const uint8_t *mask, uint8_t *out, size_t cap)
{
    uint8_t       payload[WS_CONTROL_MAX];
    struct writer w = writer_of(payload, sizeof payload);
    writer_u16(&w, (uint16_t)code);
    writer_put(&w, reason);
    return writer_len(&w) == 0 ? 0 : ws_encode_control(WS_CLOSE, slice_of(payload, w.len), mask, out, cap);
}
