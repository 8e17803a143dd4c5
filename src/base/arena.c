#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 8192 };

struct chunk {
    struct chunk *next;
    size_t        size, used; /* bytes of data */
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct chunk *chunks; /* the first is the one that pieces are cut from */
};

struct arena *arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    for (struct chunk *c = arena->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(arena);
}

static struct chunk *chunk_add(struct arena *arena, size_t bytes)
{
    size_t        size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct chunk *c = calloc(1, sizeof *c + size);
    if (c == NULL)
        return NULL;
    c->size = size;
    c->next = arena->chunks;
    arena->chunks = c;
    return c;
}

void *arena_alloc(struct arena *arena, size_t n, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size != 0 && n > (SIZE_MAX / 2) / size)
        return NULL;
    size_t        bytes = (n * size + align - 1) / align * align;
    struct chunk *c = arena->chunks;
    if (c == NULL || c->size - c->used < bytes)
        c = chunk_add(arena, bytes);
    if (c == NULL)
        return NULL;
    void *piece = c->data + c->used;
    c->used += bytes;
    return piece;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? arena_alloc(arena, len + 1, 1) : NULL;
    return copy == NULL ? NULL : memcpy(copy, text, len);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}
