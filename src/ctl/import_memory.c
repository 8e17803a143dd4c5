#include "ctl/import_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/import.h"

void import_out_of_memory(void)
{
    (void)fputs("mqgatectl: out of memory\n", stderr);
    exit(IMPORT_FAILED);
}

void *import_alloc(struct arena *arena, size_t n, size_t size)
{
    void *at = arena_alloc(arena, n, size);
    if (at == NULL)
        import_out_of_memory();
    return at;
}

char *import_copy(struct arena *arena, const char *text, size_t len)
{
    char *at = arena_strndup(arena, text, len);
    if (at == NULL)
        import_out_of_memory();
    return at;
}

char *import_format(struct arena *arena, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *at = import_alloc(arena, len > 0 ? (size_t)len + 1 : 1, 1);
    va_start(ap, fmt);
    (void)vsnprintf(at, len > 0 ? (size_t)len + 1 : 1, fmt, ap);
    va_end(ap);
    return at;
}

void strings_add(struct arena *arena, struct strings *list, const char *text)
{
    if (list->n == list->cap) {
        size_t       cap = list->cap > 0 ? 2 * list->cap : 4;
        const char **at = import_alloc(arena, cap, sizeof *at);
        if (list->n > 0)
            memcpy(at, list->at, list->n * sizeof *at);
        list->at = at;
        list->cap = cap;
    }
    list->at[list->n++] = text;
}

bool strings_have(const struct strings *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->at[i], text) == 0)
            return true;
    }
    return false;
}
