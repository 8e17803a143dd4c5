#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

enum { KEEP_FREE = 32 }; /* half a MiB a worker: enough that a busy loop never calls malloc */

void buf_pool_init(struct buf_pool *pool, uint32_t capacity)
{
    *pool = (struct buf_pool){.capacity = capacity};
}

void buf_pool_fini(struct buf_pool *pool)
{
    assert(pool->n_lent == 0);
    while (pool->free != NULL) {
        struct buf *b = pool->free;
        pool->free = b->next;
        free(b);
    }
    pool->n_free = 0;
}

struct buf *buf_take(struct buf_pool *pool)
{
    struct buf *b = pool->free;
    if (b != NULL) {
        pool->free = b->next;
        pool->n_free--;
    } else {
        b = malloc(sizeof *b + pool->capacity);
        if (b == NULL)
            return NULL;
        b->capacity = pool->capacity;
    }
    b->head = b->tail = 0;
    b->next = NULL;
    pool->n_lent++;
    return b;
}

void buf_give(struct buf_pool *pool, struct buf *b)
{
    if (b == NULL)
        return;
    pool->n_lent--;
    if (pool->n_free >= KEEP_FREE || b->capacity != pool->capacity) {
        free(b);
        return;
    }
    b->next = pool->free;
    pool->free = b;
    pool->n_free++;
}

void buf_give_empty(struct buf_pool *pool, struct buf **b)
{
    if (buf_len(*b) > 0)
        return;
    buf_give(pool, *b);
    *b = NULL;
}

struct buf *buf_grow(struct buf *b, uint32_t capacity)
{
    if (capacity <= b->capacity)
        return b;
    struct buf *grown = realloc(b, sizeof *b + capacity);
    if (grown != NULL)
        grown->capacity = capacity;
    return grown;
}
