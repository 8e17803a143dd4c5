#include "base/slab.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>
#include <utlist.h>

enum { BLOCK_LEN = 64 * 1024 }; /* bytes; and a block begins at a multiple of that, so that its objects find it */
enum { WORDS = BLOCK_LEN / SLAB_STEP / 64 };

struct slab_block {
    struct slab       *slab;
    struct slab_block *prev, *next; /* in the slab's list; in none while it is full */
    uint32_t           size;        /* bytes, of each of its objects */
    uint32_t           n, most;     /* objects, and how many there is room for */
    uint64_t           used[WORDS]; /* a bit for each */
};

/* Behind the block's head. */
static const size_t FIRST = (sizeof(struct slab_block) + SLAB_STEP - 1) / SLAB_STEP * SLAB_STEP;

void slab_init(struct slab *slab)
{
    *slab = (struct slab){.n = 0};
}

static struct slab_block **list_of(struct slab *slab, size_t size)
{
    return &slab->room[size / SLAB_STEP - 1];
}

/* BLOCK_LEN bytes at a multiple of that; NULL when memory is out. */
static void *map_aligned(void)
{
    uint8_t *at = mmap(NULL, 2 * BLOCK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    const size_t before = (BLOCK_LEN - (uintptr_t)at % BLOCK_LEN) % BLOCK_LEN;
    if (before > 0)
        (void)munmap(at, before);
    (void)munmap(at + before + BLOCK_LEN, BLOCK_LEN - before);
    return at + before;
}

static struct slab_block *block_new(struct slab *slab, size_t size)
{
    struct slab_block *block = map_aligned();
    if (block == NULL)
        return NULL;
    block->slab = slab;
    block->size = (uint32_t)size;
    block->most = (uint32_t)((BLOCK_LEN - FIRST) / size);
    ASAN_POISON_MEMORY_REGION((uint8_t *)block + FIRST, BLOCK_LEN - FIRST);
    DL_PREPEND(*list_of(slab, size), block);
    return block;
}

static void block_free(struct slab_block *block)
{
    DL_DELETE(*list_of(block->slab, block->size), block);
    ASAN_UNPOISON_MEMORY_REGION(block, BLOCK_LEN);
    (void)munmap(block, BLOCK_LEN);
}

void slab_fini(struct slab *slab)
{
    assert(slab->n == 0);
    for (size_t i = 0; i < SLAB_CLASSES; i++)
        if (slab->room[i] != NULL)
            block_free(slab->room[i]);
}

/* Of a block that has room. */
static uint32_t take_place(struct slab_block *block)
{
    uint32_t word = 0;
    while (block->used[word] == UINT64_MAX)
        word++;
    uint32_t bit = (uint32_t)__builtin_ctzll(~block->used[word]);
    block->used[word] |= 1ull << bit;
    if (++block->n == block->most)
        DL_DELETE(*list_of(block->slab, block->size), block);
    return word * 64 + bit;
}

void *slab_take(struct slab *slab, size_t size)
{
    const size_t whole = (size + SLAB_STEP - 1) / SLAB_STEP * SLAB_STEP;
    assert(size > 0 && whole <= SLAB_MAX);
    struct slab_block *block = *list_of(slab, whole);
    if (block == NULL && (block = block_new(slab, whole)) == NULL)
        return NULL;
    void *object = (uint8_t *)block + FIRST + take_place(block) * whole;
    slab->n++;
    ASAN_UNPOISON_MEMORY_REGION(object, size);
    return memset(object, 0, size);
}

void slab_give(void *object)
{
    if (object == NULL)
        return;
    const size_t       at = (uintptr_t)object % BLOCK_LEN;
    struct slab_block *block = (struct slab_block *)((uint8_t *)object - at),
                      **list = list_of(block->slab, block->size);
    const size_t place = (at - FIRST) / block->size;
    assert((block->used[place / 64] & 1ull << place % 64) != 0);
    ASAN_POISON_MEMORY_REGION(object, block->size);
    block->used[place / 64] &= ~(1ull << place % 64);
    block->slab->n--;
    if (block->n-- == block->most)
        DL_PREPEND(*list, block);
    if (block->n == 0 && (*list)->next != NULL) /* else it is the only one: the next object would need it again */
        block_free(block);
}
