/* carry/memory.h: the memory that an image lies in: a file without a name (memfd_create(2)), which goes from one
 * process to the next with its descriptor. It holds keys: it is in no file system, its size is sealed, and it is wiped.
 */
#ifndef MQGATE_CARRY_MEMORY_H
#define MQGATE_CARRY_MEMORY_H

#include "base/image.h"

/* ---- writing ---- */

struct carry_memory {
    struct image_writer writer; /* writes to it */
    int                 fd;     /* close-on-exec; owned */
};

/* 0, or -1 and *err. */
int carry_memory_open(struct carry_memory *m, struct err *err) MUST_CHECK;
/* After image_end(): its size stays. 0, or -1 and *err. */
int carry_memory_seal(struct carry_memory *m, struct err *err) MUST_CHECK;
/* Another descriptor of it, that nothing can be written through; close-on-exec. -1 and *err. */
int carry_memory_reader(const struct carry_memory *m, struct err *err) MUST_CHECK;
/* Wiped and gone. */
void carry_memory_close(struct carry_memory *m);

/* ---- reading ---- */

/* All that lies in fd, to be given to carry_memory_unmap(); no bytes and *err when it is none of ours. */
struct slice carry_memory_map(int fd, struct err *err);
/* Wipes what fd can be written through, unmaps it and closes fd. */
void carry_memory_unmap(struct slice bytes, int fd);

#endif
