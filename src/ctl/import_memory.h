/* ctl/import_memory.h: memory of one import, all of it in one arena and given back at once. Private to ctl/import*.
 *
 * When memory is out the program ends with a line on standard error: a tool that runs once has nothing better to do,
 * and nothing was written yet. */
#ifndef MQGATE_CTL_IMPORT_MEMORY_H
#define MQGATE_CTL_IMPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/macros.h"

/* n zeroed elements; never NULL. */
void *import_alloc(struct arena *arena, size_t n, size_t size) __attribute__((returns_nonnull));
char *import_copy(struct arena *arena, const char *text, size_t len) __attribute__((returns_nonnull));
char *import_format(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((returns_nonnull));
void  import_out_of_memory(void) __attribute__((noreturn));

/* A list of strings that belong to the arena, as the list does. */
struct strings {
    const char **at;
    size_t       n, cap;
};

void strings_add(struct arena *arena, struct strings *list, const char *text);
bool strings_have(const struct strings *list, const char *text);

#endif
