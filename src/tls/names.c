#include "tls/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 253, LABEL_MAX = 63 }; /* bytes, RFC 1035 section 2.3.4 as text */

bool name_is_host(struct slice name)
{
    size_t label = 0;
    if (name.len > HOST_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (c == '.' && label > 0)
            label = 0;
        else if ((isalnum(c) && c < 0x80) || c == '-' || c == '_')
            label++;
        else
            return false;
        if (label > LABEL_MAX)
            return false;
    }
    return label > 0;
}

static bool is_wildcard(struct slice name)
{
    return slice_starts(name, slice_str("*."));
}

bool name_is_pattern(struct slice name)
{
    return name_is_host(is_wildcard(name) ? slice_skip(name, 2) : name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

static struct name_entry *find_pattern(const struct name_table *table, const char *pattern)
{
    const struct name_entry key = {.name = pattern};
    return table->n == 0 ? NULL : bsearch(&key, table->entries, table->n, sizeof key, by_name);
}

/* The left-most label alone is what a wildcard stands for. pattern is room for name and a star. */
static struct name_entry *find_wildcard(const struct name_table *table, const char *name, char *pattern)
{
    const char *dot = strchr(name, '.');
    if (dot == NULL || dot == name)
        return NULL;
    pattern[0] = '*';
    memcpy(pattern + 1, dot, strlen(dot) + 1);
    return find_pattern(table, pattern);
}

const struct name_entry *name_table_find(const struct name_table *table, const char *name)
{
    char   lower[HOST_MAX + 1], pattern[HOST_MAX + 2];
    size_t len = strlen(name);
    if (!name_is_host(slice_of(name, len)))
        return NULL;
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    const struct name_entry *exact = find_pattern(table, lower);
    return exact != NULL ? exact : find_wildcard(table, lower, pattern);
}

/* Kinds that set lacks are taken from more. */
static void set_complete(struct certificate_set *set, const struct certificate_set *more)
{
    for (int i = 0; i < CERTIFICATE_KINDS; i++)
        if (set->of_kind[i] == NULL)
            set->of_kind[i] = more->of_kind[i];
}

static struct certificate_set set_of(const struct certificate *c)
{
    struct certificate_set set = {0};
    set.of_kind[c->kind] = c;
    return set;
}

/* One entry for each name of each certificate, a stable order for equal names being that of the certificates. */
static void list_names(struct name_table *table, const struct certificate *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < all[i].n_names; k++)
            table->entries[table->n++] = (struct name_entry){.name = all[i].names[k], .set = set_of(&all[i])};
}

static int by_name_then_rank(const void *a, const void *b)
{
    int order = by_name(a, b);
    if (order != 0)
        return order;
    const struct name_entry *x = a, *y = b;
    for (int i = 0; i < CERTIFICATE_KINDS; i++) /* certificates stand in one array: addresses are their order */
        if (x->set.of_kind[i] != y->set.of_kind[i])
            return (uintptr_t)x->set.of_kind[i] < (uintptr_t)y->set.of_kind[i] ? -1 : 1;
    return 0;
}

static void merge_equal_names(struct name_table *table)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->n; i++) {
        if (kept > 0 && by_name(&table->entries[kept - 1], &table->entries[i]) == 0)
            set_complete(&table->entries[kept - 1].set, &table->entries[i].set);
        else
            table->entries[kept++] = table->entries[i];
    }
    table->n = kept;
}

bool name_table_init(struct name_table *table, const struct certificate *all, size_t n)
{
    size_t names = 0;
    for (size_t i = 0; i < n; i++)
        names += all[i].n_names;
    *table = (struct name_table){.entries = calloc(names + 1, sizeof *table->entries)};
    if (table->entries == NULL)
        return false;
    list_names(table, all, n);
    qsort(table->entries, table->n, sizeof *table->entries, by_name_then_rank);
    merge_equal_names(table);
    for (size_t i = 0; i < table->n; i++) {
        char                     pattern[HOST_MAX + 4];
        const struct name_entry *wild = find_wildcard(table, table->entries[i].name, pattern);
        if (wild != NULL && wild != &table->entries[i])
            set_complete(&table->entries[i].set, &wild->set);
    }
    return true;
}

void name_table_fini(struct name_table *table)
{
    free(table->entries);
    *table = (struct name_table){0};
}

static bool has_name(const struct certificate *c, const char *name)
{
    for (size_t i = 0; i < c->n_names; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

static bool has_names_of(const struct certificate *c, const struct certificate *other)
{
    for (size_t i = 0; i < other->n_names; i++)
        if (!has_name(c, other->names[i]))
            return false;
    return other->n_names > 0;
}

struct certificate_set certificate_set_default(const struct certificate *all, size_t n)
{
    struct certificate_set set = set_of(&all[0]);
    for (size_t i = 1; i < n; i++) {
        struct certificate_set one = set_of(&all[i]);
        if (has_names_of(&all[i], &all[0]))
            set_complete(&set, &one);
    }
    return set;
}
