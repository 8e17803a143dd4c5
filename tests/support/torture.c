#include "support/torture.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1 << 16 }; /* blocks alive at one time, at most */

static struct {
    bool          working; /* work() runs: the test library links with the same calls and must not fail */
    unsigned long n;       /* allocations of this run so far */
    unsigned long fail_at; /* the one that fails; 0: none */
    bool          failed;
    size_t        n_live;
    void         *live[SLOTS]; /* open addressing, so that a block from inside a library is told from ours */
} state;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void  __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void  __wrap_free(void *block);

static bool fails_now(void)
{
    if (!state.working || ++state.n != state.fail_at)
        return false;
    state.failed = true;
    errno = ENOMEM;
    return true;
}

static size_t home_of(const void *block)
{
    return ((uintptr_t)block >> 4) % SLOTS;
}

static void *remember(void *block)
{
    if (block == NULL)
        return NULL;
    if (state.n_live == SLOTS - 1)
        abort();
    size_t at = home_of(block);
    while (state.live[at] != NULL)
        at = (at + 1) % SLOTS;
    state.live[at] = block;
    state.n_live++;
    return block;
}

/* Closes the gap by moving up what would otherwise no longer be found. */
static void close_gap(size_t gap)
{
    for (size_t at = (gap + 1) % SLOTS; state.live[at] != NULL; at = (at + 1) % SLOTS) {
        size_t wanted = home_of(state.live[at]);
        if ((at - wanted) % SLOTS >= (at - gap) % SLOTS) {
            state.live[gap] = state.live[at];
            gap = at;
        }
    }
    state.live[gap] = NULL;
}

static void forget(const void *block)
{
    for (size_t at = home_of(block); state.live[at] != NULL; at = (at + 1) % SLOTS) {
        if (state.live[at] == block) {
            close_gap(at);
            state.n_live--;
            return;
        }
    }
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : remember(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : remember(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (fails_now())
        return NULL;
    forget(old);
    return remember(__real_realloc(old, size));
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    if (fails_now())
        return NULL;
    forget(old);
    return remember(__real_reallocarray(old, n, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : remember(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *s)
{
    return fails_now() ? NULL : remember(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails_now() ? NULL : remember(__real_strndup(s, n));
}

void __wrap_free(void *block)
{
    forget(block);
    __real_free(block);
}

void torture(bool (*work)(void))
{
    do {
        const size_t before = state.n_live;
        state.n = 0;
        state.fail_at++;
        state.failed = false;
        state.working = true;
        bool done = work();
        state.working = false;
        bool had_all = !state.failed;
        ck_assert_msg(done || !had_all, "gave up with no allocation failed");
        ck_assert_msg(state.n_live == before, "allocation %lu failed: %zu blocks left behind", state.fail_at,
                      state.n_live - before);
    } while (state.failed);
    ck_assert_msg(state.fail_at > 1, "the work allocates nothing");
    state.fail_at = 0;
}
