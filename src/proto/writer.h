/* proto/writer.h: bytes put one after another into the caller's memory. What does not fit sticks: nothing more is
 * written, and writer_len() says 0. */
#ifndef MQGATE_PROTO_WRITER_H
#define MQGATE_PROTO_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct writer {
    uint8_t *out; /* the caller's */
    size_t   cap, len;
    bool     failed;
};

static inline struct writer writer_of(uint8_t *out, size_t cap)
{
    return (struct writer){.out = out, .cap = cap};
}

/* Bytes written; 0 when something did not fit. */
static inline size_t writer_len(const struct writer *w)
{
    return w->failed ? 0 : w->len;
}

static inline void writer_put(struct writer *w, struct slice bytes)
{
    w->failed = w->failed || bytes.len > w->cap - w->len;
    if (w->failed || bytes.len == 0)
        return;
    memcpy(w->out + w->len, bytes.ptr, bytes.len);
    w->len += bytes.len;
}

static inline void writer_u8(struct writer *w, uint8_t value)
{
    writer_put(w, slice_of(&value, 1));
}

static inline void writer_u16(struct writer *w, uint16_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    writer_put(w, slice_of(bytes, sizeof bytes));
}

static inline void writer_u32(struct writer *w, uint32_t value)
{
    writer_u16(w, (uint16_t)(value >> 16));
    writer_u16(w, (uint16_t)value);
}

/* Leaves room for a 16-bit length and returns where; writer_end16() fills it with the bytes written since. */
static inline size_t writer_begin16(struct writer *w)
{
    writer_u16(w, 0);
    return w->len;
}

static inline void writer_end16(struct writer *w, size_t begin)
{
    w->failed = w->failed || w->len - begin > UINT16_MAX;
    if (w->failed)
        return;
    w->out[begin - 2] = (uint8_t)((w->len - begin) >> 8);
    w->out[begin - 1] = (uint8_t)(w->len - begin);
}

#endif
