/* base/slab.h: small objects that live long, of one thread, apart from malloc()'s heap. There they would come to lie
 * among what is needed for a moment, such as OpenSSL's of a handshake, and each would keep a page of that for as long
 * as it lives. Blocks without objects go back to the system at once. */
#ifndef MQGATE_BASE_SLAB_H
#define MQGATE_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { SLAB_STEP = 32, SLAB_MAX = 2048, SLAB_CLASSES = SLAB_MAX / SLAB_STEP }; /* bytes, but for the last */

struct slab_block;

struct slab {
    struct slab_block *room[SLAB_CLASSES]; /* by size: blocks that have room for more */
    size_t             n;                  /* objects */
};

/* All zero is a slab without objects, too. */
void slab_init(struct slab *slab);
/* Every object must have been given back. */
void slab_fini(struct slab *slab);

/* Zeroed; aligned as SLAB_STEP says. size: bytes, at most SLAB_MAX, at least 1. NULL when memory is out. Give it back
 * with slab_give(), by the same thread. */
void *slab_take(struct slab *slab, size_t size);
/* object may be NULL. */
void slab_give(void *object);

#endif
