#include "support/guarded.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t pages_for(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (len + page - 1) / page * page;
}

struct slice guarded_copy(struct slice bytes)
{
    size_t   page = (size_t)sysconf(_SC_PAGESIZE);
    size_t   room = pages_for(bytes.len);
    uint8_t *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
        abort();
    uint8_t *at = base + room - bytes.len;
    if (bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
    return slice_of(at, bytes.len);
}

void guarded_free(struct slice copy)
{
    size_t   page = (size_t)sysconf(_SC_PAGESIZE);
    size_t   room = pages_for(copy.len);
    uint8_t *base = (uint8_t *)(uintptr_t)copy.ptr - (room - copy.len);
    if (munmap(base, room + page) != 0)
        abort();
}
