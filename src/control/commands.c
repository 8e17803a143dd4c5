#include "control/commands.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 256, WIDTH_MAX = 45, WORD_COMPARED_MAX = 24 };

void commands_add(struct commands *commands, const struct command *table, void *owner)
{
    size_t at = 0;
    while (at < commands->n && commands->tables[at].table != table)
        at++;
    assert(at < COMMAND_TABLES_MAX);
    commands->tables[at].table = table;
    commands->tables[at].owner = owner;
    if (at == commands->n)
        commands->n++;
}

/* How many words the command has when words begin with all of them, else 0. */
static size_t count_if_called(const struct command *command, char *const *words)
{
    size_t n = 0;
    for (const char *p = command->words; *p != '\0'; p += strspn(p, " "), n++) {
        size_t len = strcspn(p, " ");
        if (words[n] == NULL || strlen(words[n]) != len || memcmp(words[n], p, len) != 0)
            return 0;
        p += len;
    }
    return n;
}

const struct command *commands_find(const struct commands *commands, char *const *words, size_t *n, void **owner)
{
    const struct command *found = NULL;
    *n = 0;
    for (size_t i = 0; i < commands->n; i++) {
        for (const struct command *c = commands->tables[i].table; c->words != NULL; c++) {
            size_t count = count_if_called(c, words);
            if (count > *n) {
                found = c;
                *n = count;
                *owner = commands->tables[i].owner;
            }
        }
    }
    return found;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes to insert, remove or change to get from one word to the other (Levenshtein). Longer words are cut. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[WORD_COMPARED_MAX + 1];
    a_len = least(a_len, WORD_COMPARED_MAX);
    b_len = least(b_len, WORD_COMPARED_MAX);
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

/* A word that was typed against one of a command: 3 the same, 2 the beginning of it, 1 mistyped, 0 another. */
static unsigned likeness(const char *typed, const char *word, size_t len)
{
    size_t typed_len = strlen(typed);
    if (typed_len <= len && memcmp(typed, word, typed_len) == 0)
        return typed_len == len ? 3 : 2;
    return distance(typed, typed_len, word, len) <= len / 3 ? 1 : 0;
}

/* How well words fit the command's own: each that fits counts, the first that does not ends it. */
static unsigned fitness(const struct command *command, char *const *words)
{
    unsigned sum = 0;
    size_t   n = 0;
    for (const char *p = command->words; *p != '\0' && words[n] != NULL; p += strspn(p, " "), n++) {
        size_t   len = strcspn(p, " ");
        unsigned like = likeness(words[n], p, len);
        if (like == 0)
            return sum;
        sum += like;
        p += len;
    }
    return sum;
}

/* help, prompt and quit close every list, as an operator of HAProxy expects. */
static bool closes_lists(const struct command *command)
{
    return strcmp(command->words, "help") == 0 || strcmp(command->words, "prompt") == 0 ||
           strcmp(command->words, "quit") == 0;
}

static int by_place(const void *a, const void *b)
{
    const struct command *const *x = a, *const *y = b;
    int                          last = (int)closes_lists(*x) - (int)closes_lists(*y);
    return last != 0 ? last : strcmp((*x)->words, (*y)->words);
}

struct listing {
    const struct command *at[SHOWN_MAX];
    size_t                n;
    bool                  is_all; /* nothing fits better than anything else */
};

static void listing_add(struct listing *listing, const struct commands *commands, enum command_level level,
                        char *const *words, unsigned least_fitness)
{
    for (size_t i = 0; i < commands->n; i++) {
        for (const struct command *c = commands->tables[i].table; c->words != NULL; c++) {
            bool wanted = closes_lists(c) || fitness(c, words) >= least_fitness;
            if (wanted && c->level <= level && listing->n < SHOWN_MAX)
                listing->at[listing->n++] = c;
        }
    }
    qsort(listing->at, listing->n, sizeof *listing->at, by_place);
}

static struct listing list(const struct commands *commands, enum command_level level, char *const *words)
{
    struct listing listing = {.n = 0};
    unsigned       best = 0;
    for (size_t i = 0; i < commands->n; i++) {
        for (const struct command *c = commands->tables[i].table; c->words != NULL; c++) {
            unsigned fits = c->level <= level ? fitness(c, words) : 0;
            best = fits > best ? fits : best;
        }
    }
    listing.is_all = best == 0;
    listing_add(&listing, commands, level, words, best);
    return listing;
}

static size_t width_of(const struct command *command)
{
    return strlen(command->words) + (command->args[0] != '\0' ? 1 + strlen(command->args) : 0);
}

static void write_listing(const struct listing *listing, struct text *out)
{
    size_t width = 0;
    for (size_t i = 0; i < listing->n; i++) {
        size_t own = width_of(listing->at[i]);
        width = own > width && own <= WIDTH_MAX ? own : width;
    }
    for (size_t i = 0; i < listing->n; i++) {
        const struct command *c = listing->at[i];
        int                   pad = width > width_of(c) ? (int)(width - width_of(c)) : 0;
        text_add(out, "  %s%s%s%*s : %s\n", c->words, c->args[0] != '\0' ? " " : "", c->args, pad, "", c->help);
    }
}

void commands_help(const struct commands *commands, enum command_level level, char *const *words, struct text *out)
{
    struct listing listing = list(commands, level, words);
    text_puts(out, "The following commands are valid at this level:\n");
    write_listing(&listing, out);
}

void commands_unknown(const struct commands *commands, enum command_level level, char *const *words, struct text *out)
{
    struct listing listing = list(commands, level, words);
    text_puts(out, "Unknown command");
    if (words[0] != NULL) {
        text_puts(out, ": '");
        text_put_line_part(out, words[0]);
        text_puts(out, "'");
    }
    text_puts(out, listing.is_all ? ". Please enter one of the following commands only:\n"
                                  : ", but maybe one of the following ones is a better match:\n");
    write_listing(&listing, out);
}
