#include "torture/allocations.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { LIVE_MAX = 1 << 16 };

static struct {
    unsigned long n, fail_at;
    bool          on, failed;
    void         *live[LIVE_MAX];
    size_t        n_live;
} state;

void allocations_fail_at(unsigned long n, bool on)
{
    state.n = 0;
    state.fail_at = n;
    state.on = on;
    state.failed = false;
}

bool allocations_have_failed(void)
{
    return state.failed;
}

size_t allocations_live(void)
{
    return state.n_live;
}

static bool fails(void)
{
    state.n++;
    if (state.fail_at == 0 || state.n < state.fail_at || (state.n > state.fail_at && !state.on))
        return false;
    state.failed = true;
    errno = ENOMEM;
    return true;
}

static void *born(void *p)
{
    if (p == NULL)
        return NULL;
    if (state.n_live == LIVE_MAX)
        abort();
    state.live[state.n_live++] = p;
    return p;
}

/* Newest first, as most memory is short-lived. Unknown memory was allocated inside another library. */
static void died(const void *p)
{
    for (size_t i = state.n_live; i-- > 0;) {
        if (state.live[i] != p)
            continue;
        state.live[i] = state.live[--state.n_live];
        return;
    }
}

/* ld --wrap=NAME sends calls of NAME to __wrap_NAME, and __real_NAME to the C library. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void  __real_free(void *p);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void  __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : born(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : born(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    return __wrap_reallocarray(p, 1, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    if (fails())
        return NULL;
    died(p);
    return born(__real_reallocarray(p, n, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : born(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : born(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t n)
{
    return fails() ? NULL : born(__real_strndup(text, n));
}

void __wrap_free(void *p)
{
    died(p);
    __real_free(p);
}
