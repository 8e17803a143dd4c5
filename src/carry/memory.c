#include "carry/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t first_cap = (size_t)1 << 20; /* bytes; it doubles */

static bool grow(struct image_writer *w, size_t least)
{
    const struct carry_memory *m = CONTAINER_OF(w, struct carry_memory, writer);
    size_t                     cap = w->cap > 0 ? w->cap : first_cap;
    while (cap < least)
        cap *= 2;
    if (ftruncate(m->fd, (off_t)cap) != 0)
        return false;
    void *at = w->at == NULL ? mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0)
                             : mremap(w->at, w->cap, cap, MREMAP_MAYMOVE);
    if (at == MAP_FAILED)
        return false;
    (void)madvise(at, cap, MADV_DONTDUMP); /* as no core is written anyway */
    w->at = at;
    w->cap = cap;
    return true;
}

int carry_memory_open(struct carry_memory *m, struct err *err)
{
    *m = (struct carry_memory){.writer = {.grow = grow}, .fd = memfd_create("mqgate", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (m->fd >= 0)
        return 0;
    err_system(err, errno, "memory for the sessions");
    return -1;
}

int carry_memory_seal(struct carry_memory *m, struct err *err)
{
    if (ftruncate(m->fd, (off_t)m->writer.len) == 0 &&
        fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return 0;
    err_system(err, errno, "memory for the sessions");
    return -1;
}

int carry_memory_reader(const struct carry_memory *m, struct err *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", m->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        err_system(err, errno, "memory for the sessions: %s", path);
    return fd;
}

void carry_memory_close(struct carry_memory *m)
{
    if (m->writer.at != NULL) {
        explicit_bzero(m->writer.at, m->writer.len);
        (void)munmap(m->writer.at, m->writer.cap);
    }
    if (m->fd >= 0)
        (void)close(m->fd);
    *m = (struct carry_memory){.fd = -1};
}

struct slice carry_memory_map(int fd, struct err *err)
{
    struct stat there;
    const int   flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &there) != 0 || there.st_size <= 0) {
        err_set(err, "descriptor %d holds no image", fd);
        return slice_of(NULL, 0);
    }
    bool  writable = (flags & O_ACCMODE) == O_RDWR;
    void *at = mmap(NULL, (size_t)there.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) {
        (void)madvise(at, (size_t)there.st_size, MADV_DONTDUMP);
        return slice_of(at, (size_t)there.st_size);
    }
    err_system(err, errno, "map the image");
    return slice_of(NULL, 0);
}

void carry_memory_unmap(struct slice bytes, int fd)
{
    void *at = (void *)(uintptr_t)bytes.ptr;
    if (at != NULL && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
        explicit_bzero(at, bytes.len);
    if (at != NULL)
        (void)munmap(at, bytes.len);
    (void)close(fd);
}
