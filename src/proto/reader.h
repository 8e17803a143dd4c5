/* proto/reader.h: a walk through bytes of which only the beginning may have arrived. Reads never leave what is there.
 * The first failure sticks and later reads give zeros, so a parser checks the status once a step and not once a byte.
 */
#ifndef MQGATE_PROTO_READER_H
#define MQGATE_PROTO_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/parse.h"

struct reader {
    const uint8_t *at;
    size_t         have;   /* bytes that are there */
    size_t         limit;  /* bytes that belong here, arrived or not; never less than have */
    enum parse     status; /* MORE: ran out of what is there. BAD: ran into the limit, or reader_require() said so */
};

/* The first limit bytes that in begins. SIZE_MAX when their number is not known. */
static inline struct reader reader_of(struct slice in, size_t limit)
{
    return (struct reader){.at = in.ptr, .have = in.len < limit ? in.len : limit, .limit = limit, .status = PARSE_OK};
}

static inline bool reader_ok(const struct reader *r)
{
    return r->status == PARSE_OK;
}

/* Nothing is wrong and the limit is not reached. */
static inline bool reader_goes_on(const struct reader *r)
{
    return r->status == PARSE_OK && r->limit > 0;
}

/* What was read must satisfy a rule, else BAD. Without effect once a failure sticks: zeros are not judged. */
static inline void reader_require(struct reader *r, bool good)
{
    if (!good && r->status == PARSE_OK)
        r->status = PARSE_BAD;
}

/* The next n bytes; an empty slice when they cannot be had. */
static inline struct slice reader_take(struct reader *r, size_t n)
{
    reader_require(r, n <= r->limit);
    if (r->status == PARSE_OK && n > r->have)
        r->status = PARSE_MORE;
    if (r->status != PARSE_OK)
        return slice_of(NULL, 0);
    struct slice taken = slice_of(r->at, n);
    if (n > 0)
        r->at += n;
    r->have -= n;
    r->limit -= n;
    return taken;
}

/* An unsigned number of n bytes, the highest first; n <= 4. */
static inline uint32_t reader_number(struct reader *r, size_t n)
{
    struct slice bytes = reader_take(r, n);
    uint32_t     number = 0;
    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | bytes.ptr[i];
    return number;
}

static inline uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)reader_number(r, 1);
}

static inline uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)reader_number(r, 2);
}

static inline uint32_t reader_u32(struct reader *r)
{
    return reader_number(r, 4);
}

/* The next n bytes as a reader of their own, also while only some of them are there. The outer one stands behind them
 * and learns what became of the inner one by reader_leave(). */
static inline struct reader reader_enter(struct reader *r, size_t n)
{
    reader_require(r, n <= r->limit);
    struct reader inner = {.at = r->at, .status = r->status};
    if (r->status == PARSE_OK) {
        inner.have = n < r->have ? n : r->have;
        inner.limit = n;
        if (inner.have > 0)
            r->at += inner.have;
        r->have -= inner.have;
        r->limit -= n;
    }
    return inner;
}

/* The outer reader shares the fate of the inner one, which must have been read to its limit. */
static inline void reader_leave(struct reader *r, struct reader *inner)
{
    reader_require(inner, inner->limit == 0);
    if (r->status == PARSE_OK)
        r->status = inner->status;
}

#endif
