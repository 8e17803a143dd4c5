/* Buffers are cut from blocks of address space. What malloc() has once taken for buffers of many sessions it would
 * keep, as other pieces come to lie among them; of a block's memory each buffer's goes back to the system by itself. */
#include "base/buf.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utlist.h>

enum { SHRINK_MAX = 256 }; /* buffers a call: a millisecond of the thread's time */
enum { BLOCK_BUFS = 64 };
static const uint64_t ALL_COLD = UINT64_MAX; /* a bit for each of them */

/* The first page of its own memory, in front of its buffers. */
struct buf_block {
    struct buf_block *prev, *next; /* in the pool's list; in none while no buffer is cold */
    uint64_t          cold;        /* which buffers are neither lent nor free: the system has their memory */
};

void buf_pool_init(struct buf_pool *pool, uint32_t capacity, uint32_t keep)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *pool = (struct buf_pool){.capacity = capacity,
                              .keep = keep,
                              .page = page,
                              .stride = (sizeof(struct buf) + capacity + page - 1) / page * page};
}

static size_t block_bytes(const struct buf_pool *pool)
{
    return pool->page + BLOCK_BUFS * pool->stride;
}

static struct buf_block *block_new(struct buf_pool *pool)
{
    void *at = mmap(NULL, block_bytes(pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    (void)madvise(at, block_bytes(pool), MADV_NOHUGEPAGE); /* one buffer would keep the whole of it */
    struct buf_block *block = at;
    block->cold = ALL_COLD;
    ASAN_POISON_MEMORY_REGION((uint8_t *)at + pool->page, block_bytes(pool) - pool->page);
    DL_PREPEND(pool->blocks, block);
    return block;
}

static bool block_is_freed(struct buf_pool *pool, struct buf_block *block)
{
    DL_DELETE(pool->blocks, block);
    ASAN_UNPOISON_MEMORY_REGION(block, block_bytes(pool));
    if (munmap(block, block_bytes(pool)) == 0)
        return true;
    DL_PREPEND(pool->blocks, block); /* the kernel has no memory to split what it keeps as one mapping */
    return false;
}

/* A buffer that has not been used lately, or never. NULL when memory is out. */
static struct buf *warm(struct buf_pool *pool)
{
    struct buf_block *block = pool->blocks != NULL ? pool->blocks : block_new(pool);
    if (block == NULL)
        return NULL;
    size_t      i = (size_t)__builtin_ctzll(block->cold);
    struct buf *b = (struct buf *)((uint8_t *)block + pool->page + i * pool->stride);
    block->cold &= block->cold - 1;
    if (block->cold == 0)
        DL_DELETE(pool->blocks, block);
    ASAN_UNPOISON_MEMORY_REGION(b, sizeof *b + pool->capacity);
    b->capacity = pool->capacity;
    b->pool = pool;
    b->block = block;
    return b;
}

static void cool(struct buf_pool *pool, struct buf *b)
{
    struct buf_block *block = b->block;
    size_t            i = ((size_t)((uint8_t *)b - (uint8_t *)block) - pool->page) / pool->stride;
    if (block->cold == 0)
        DL_PREPEND(pool->blocks, block);
    block->cold |= 1ull << i;
    if (block->cold == ALL_COLD && block_is_freed(pool, block))
        return;
    (void)madvise(b, pool->stride, MADV_DONTNEED);
    ASAN_POISON_MEMORY_REGION(b, pool->stride);
}

static struct buf *take_free(struct buf_pool *pool)
{
    struct buf *b = pool->free;
    pool->free = b->next;
    pool->n_free--;
    return b;
}

void buf_pool_fini(struct buf_pool *pool)
{
    assert(pool->n_lent == 0);
    while (pool->free != NULL)
        cool(pool, take_free(pool));
}

bool buf_pool_has_spare(const struct buf_pool *pool)
{
    return pool->n_free > pool->keep;
}

void buf_pool_shrink(struct buf_pool *pool)
{
    uint32_t spare = pool->least_free > pool->keep ? pool->least_free - pool->keep : 0;
    for (uint32_t n = spare < SHRINK_MAX ? spare : SHRINK_MAX; n > 0; n--)
        cool(pool, take_free(pool));
    pool->least_free = pool->n_free;
}

struct buf *buf_take(struct buf_pool *pool)
{
    struct buf *b = pool->free != NULL ? take_free(pool) : warm(pool);
    if (b == NULL)
        return NULL;
    if (pool->n_free < pool->least_free)
        pool->least_free = pool->n_free;
    b->head = b->tail = 0;
    b->next = NULL;
    pool->n_lent++;
    return b;
}

void buf_give(struct buf *b)
{
    if (b == NULL)
        return;
    struct buf_pool *pool = b->pool;
    pool->n_lent--;
    if (b->block == NULL) {
        free(b);
        return;
    }
    b->next = pool->free;
    pool->free = b;
    pool->n_free++;
}

void buf_give_empty(struct buf **b)
{
    if (buf_len(*b) > 0)
        return;
    buf_give(*b);
    *b = NULL;
}

struct buf *buf_grow(struct buf *b, uint32_t capacity)
{
    if (capacity <= b->capacity)
        return b;
    struct buf *grown = malloc(sizeof *grown + capacity);
    if (grown == NULL)
        return NULL;
    *grown = (struct buf){.tail = buf_len(b), .capacity = capacity, .pool = b->pool};
    memcpy(grown->data, b->data + b->head, grown->tail);
    b->pool->n_lent++;
    buf_give(b);
    return grown;
}
