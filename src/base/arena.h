/* base/arena.h: memory that is taken in many small pieces and given back all at once. */
#ifndef MQGATE_BASE_ARENA_H
#define MQGATE_BASE_ARENA_H

#include <stddef.h>

#include "base/macros.h"

struct arena;

/* NULL when memory is out. */
struct arena *arena_new(void);
/* Every piece is gone with it. NULL is fine. */
void arena_free(struct arena *arena);

/* n elements of size bytes, zeroed, aligned for any type. NULL when memory is out or n * size overflows; never NULL for
 * want of bytes: an empty piece has an address too. */
void *arena_alloc(struct arena *arena, size_t n, size_t size) MUST_CHECK;
/* A copy that lives as long as the arena; NULL when memory is out. */
char *arena_strdup(struct arena *arena, const char *text) MUST_CHECK;
/* The first len bytes of text, and a NUL behind them. */
char *arena_strndup(struct arena *arena, const char *text, size_t len) MUST_CHECK;

#endif
