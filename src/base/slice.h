/* base/slice.h: a view of bytes that somebody else owns. A value; pass it by value. */
#ifndef MQGATE_BASE_SLICE_H
#define MQGATE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t         len; /* bytes */
};

static inline struct slice slice_of(const void *ptr, size_t len)
{
    return (struct slice){.ptr = ptr, .len = len};
}

static inline struct slice slice_str(const char *text)
{
    return slice_of(text, strlen(text));
}

/* n must not be larger than s.len. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return n == 0 ? s : slice_of(s.ptr + n, s.len - n);
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_of(s.ptr, prefix.len), prefix);
}

#endif
