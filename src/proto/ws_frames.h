/* proto/ws_frames.h: WebSocket frames (RFC 6455, section 5) that carry MQTT, followed on their way past. */
#ifndef MQGATE_PROTO_WS_FRAMES_H
#define MQGATE_PROTO_WS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"
#include "proto/parse.h"

enum ws_opcode { /* section 5.2 */
                 WS_CONTINUATION = 0x0,
                 WS_TEXT = 0x1,
                 WS_BINARY = 0x2,
                 WS_CLOSE = 0x8,
                 WS_PING = 0x9,
                 WS_PONG = 0xA
};

enum ws_close {                    /* section 7.4.1 */
                WS_CLOSE_NONE = 0, /* there is nothing to close for */
                WS_CLOSE_NORMAL = 1000,
                WS_CLOSE_GOING_AWAY = 1001,
                WS_CLOSE_PROTOCOL = 1002,
                WS_CLOSE_UNACCEPTABLE = 1003, /* data of a type that is not taken */
                WS_CLOSE_NO_CODE = 1005,      /* never sent: a close frame said nothing */
                WS_CLOSE_POLICY = 1008,
                WS_CLOSE_TOO_BIG = 1009,
                WS_CLOSE_UNEXPECTED = 1011
};

enum {
    WS_FRAME_HEADER_MAX = 14,                      /* bytes */
    WS_CONTROL_MAX = 125,                          /* bytes of payload, section 5.5 */
    WS_CLOSE_REASON_MAX = WS_CONTROL_MAX - 2,      /* bytes */
    WS_CONTROL_FRAME_MAX = 2 + 4 + WS_CONTROL_MAX, /* bytes, masked */
};

/* One direction: where in a frame and in a message it stands. All facts, nothing points anywhere; no byte is kept but
 * the mask. */
struct ws_frames {
    uint64_t left;           /* bytes of this frame's payload that are to come; in a header its length as far as read */
    uint8_t  mask[4];        /* of this frame */
    uint16_t close_code;     /* of this frame, a close, as far as read */
    uint8_t  header_read;    /* bytes of this frame's header that are read; 0: between two frames */
    uint8_t  header_len;     /* bytes of the header as far as it is known: 2 before its second byte */
    uint8_t  first;          /* first byte of the header */
    uint8_t  passed;         /* bytes of this frame's payload that went by, modulo 256 */
    bool     masked : 1;     /* every frame is, or none */
    bool     in_message : 1; /* a message is begun and not ended */
    bool     closed : 1;     /* a close frame went by */
};

/* masked: what comes from a client must be, what comes from a server must not (section 5.1). */
void ws_frames_init(struct ws_frames *f, bool masked);

/* Payload that lies together in the input. */
struct ws_span {
    enum ws_opcode opcode;  /* of the frame. WS_BINARY and WS_CONTINUATION carry MQTT, the others are control frames */
    struct slice   payload; /* points into the input, masked as it came; may be empty */
    uint8_t        mask[4]; /* byte i of the payload is payload.ptr[i] ^ mask[(phase + i) % 4]; zeros when unmasked */
    uint8_t        phase;   /* 0..3 */
    bool           frame_ends; /* with the last byte of the payload */
    uint16_t       close_code; /* when a close frame ends: its code, WS_CLOSE_NO_CODE when it has none */
};

/* Follows `in`, the bytes behind those it was given before, which may be cut anywhere; it neither keeps nor changes
 * them. OK: *out tells the next span, which ends with in.ptr[*used - 1]; call again with what is behind. MORE: all of
 * `in` was header or there is nothing in it, *used = in.len. BAD: in.ptr[*used] cannot be, *fault is the code to close
 * with; asked again from that byte on it answers the same.
 * Checked: masking, no reserved bit (no extension is ever agreed on), opcodes, lengths in their shortest form and below
 * 2^63, control frames whole and short (5.2, 5.5), the order of fragments (5.4), nothing but control frames behind a
 * close (5.5.1), and that data is binary as MQTT asks (section 6.0 in 3.1.1 and 5). The code and the text of a close
 * are the peers' own. */
enum parse ws_frames_next(struct ws_frames *f, struct slice in, struct ws_span *out, size_t *used,
                          enum ws_close *fault);

/* What another sender may put in where this direction stands. */
enum ws_place {
    WS_WITHIN_FRAME,     /* nothing */
    WS_BETWEEN_FRAMES,   /* of one message: a control frame */
    WS_BETWEEN_MESSAGES, /* any frame */
    WS_CLOSED            /* nothing any more: a close frame went by */
};

enum ws_place ws_frames_place(const struct ws_frames *f);

/* Byte i of the payload as it was before it was masked. i < span->payload.len. */
static inline uint8_t ws_span_byte(const struct ws_span *span, size_t i)
{
    return span->payload.ptr[i] ^ span->mask[(span->phase + i) % 4];
}

/* All of them into out, which has room for span->payload.len bytes. */
void ws_span_unmask(const struct ws_span *span, uint8_t *out);

/* The header of an unmasked frame that is a whole message with len bytes of payload. Returns its length; 0 when cap is
 * too small (WS_FRAME_HEADER_MAX always does) or len is 2^63 or more. */
size_t ws_encode_header(enum ws_opcode opcode, uint64_t len, uint8_t *out, size_t cap) MUST_CHECK;

/* A whole frame that is as short as a control frame: at most WS_CONTROL_MAX bytes of payload. mask: four bytes that the
 * peer could not guess (section 5.3) towards a server, NULL towards a client. Returns its length; 0 when cap is too
 * small (WS_CONTROL_FRAME_MAX always does) or the payload too long. */
size_t ws_encode_control(enum ws_opcode opcode, struct slice payload, const uint8_t *mask, uint8_t *out,
                         size_t cap) MUST_CHECK;
/* The same for a close frame; reason: at most WS_CLOSE_REASON_MAX bytes of UTF-8. */
size_t ws_encode_close(enum ws_close code, struct slice reason, const uint8_t *mask, uint8_t *out,
                       size_t cap) MUST_CHECK;

#endif
