/* base/buf.h: bytes in hand, and the pool that one thread borrows them from.
 * A session owns a buf only while bytes wait in it; an idle session holds a NULL pointer and no memory. After a time
 * when many were busy at once the pool's memory goes back to the system, see buf_pool_shrink(). */
#ifndef MQGATE_BASE_BUF_H
#define MQGATE_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { BUF_CAPACITY = 16384 }; /* bytes; one TLS record's plaintext. What most pools' buffers have */
enum { BUF_KEEP = 4 };         /* free ones that most pools keep: a loop that is not behind has them at hand */

struct buf_block;

struct buf {
    uint32_t          head, tail; /* bytes wait in data[head..tail) */
    uint32_t          capacity;   /* bytes */
    struct buf       *next;       /* in the pool's free list, else unused */
    struct buf_pool  *pool;       /* it was taken from */
    struct buf_block *block;      /* it is cut from; NULL: a grown buffer, which has memory of its own */
    uint8_t           data[];
};

struct buf_pool {
    struct buf       *free;
    struct buf_block *blocks;   /* those that buffers can be cut from */
    size_t            page;     /* bytes */
    size_t            stride;   /* bytes from one buffer of a block to the next: whole pages */
    uint32_t          capacity; /* bytes, of every buffer but a grown one */
    uint32_t          keep;     /* free ones that are never spare */
    uint32_t          n_free;
    uint32_t          n_lent;
    uint32_t          least_free; /* the lowest n_free since the last buf_pool_shrink() */
};

/* One thread only. */
void buf_pool_init(struct buf_pool *pool, uint32_t capacity, uint32_t keep);
/* Every buffer must have been given back. */
void buf_pool_fini(struct buf_pool *pool);

/* There are more free buffers than the few that the pool keeps for good. */
bool buf_pool_has_spare(const struct buf_pool *pool);
/* To be called now and then while that is so: the memory of those that were not needed since the last call goes back to
 * the system, of a few hundred at a time. */
void buf_pool_shrink(struct buf_pool *pool);

/* An empty buffer, or NULL when memory is out. Give it back with buf_give(), by the same thread. */
struct buf *buf_take(struct buf_pool *pool);
/* b may be NULL. Its bytes are gone. */
void buf_give(struct buf *b);
/* A buffer that no bytes wait in is given back, and *b becomes NULL; it may be that already. */
void buf_give_empty(struct buf **b);
/* The same bytes in a buffer of at least this capacity, which takes b's place; NULL when memory is out: then b is as it
 * was. For what must lie in one piece; a grown buffer is not kept for reuse. */
struct buf *buf_grow(struct buf *b, uint32_t capacity) MUST_CHECK;

static inline struct slice buf_bytes(const struct buf *b)
{
    return b == NULL ? slice_of(NULL, 0) : slice_of(b->data + b->head, b->tail - b->head);
}

static inline uint32_t buf_len(const struct buf *b)
{
    return b == NULL ? 0 : b->tail - b->head;
}

/* Bytes that fit behind the waiting ones. */
static inline uint32_t buf_room(const struct buf *b)
{
    return b->capacity - b->tail;
}

static inline uint8_t *buf_end(struct buf *b)
{
    return b->data + b->tail;
}

/* n bytes were written at buf_end(); n <= buf_room(). */
static inline void buf_added(struct buf *b, uint32_t n)
{
    b->tail += n;
}

/* Makes all the room that there can be behind the waiting bytes. */
static inline void buf_pack(struct buf *b)
{
    memmove(b->data, b->data + b->head, b->tail - b->head);
    b->tail -= b->head;
    b->head = 0;
}

/* The first n waiting bytes are done with; n <= buf_len(). */
static inline void buf_consume(struct buf *b, uint32_t n)
{
    b->head += n;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

/* The last n waiting bytes are gone; n <= buf_len(). */
static inline void buf_drop(struct buf *b, uint32_t n)
{
    b->tail -= n;
}

#endif
