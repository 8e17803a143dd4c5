/* Values of HAProxy's as values of mqgate's, which its option table has the last word on. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "conf/quantity.h"
#include "ctl/import_translate.h"
#include "ctl/import_words.h"

enum { ALLOWED_MAX = 256, NAME_MAX_LEN = 64 };

const char *import_fit(struct import *im, struct line *line, const char *path, const char *text)
{
    char allowed[ALLOWED_MAX];
    if (text == NULL)
        return NULL;
    if (conf_option_fits(path, text, allowed, sizeof allowed) == CONF_FITS)
        return text;
    line_lose(im->arena, line, "\"%s\" is not what %s may be: %s", text, path, allowed);
    return NULL;
}

bool import_can(const char *path, const char *text)
{
    char allowed[ALLOWED_MAX];
    return conf_option_fits(path, text, allowed, sizeof allowed) == CONF_FITS;
}

static bool number_of(const char *word, uint64_t *n, const char **end)
{
    *n = 0;
    for (*end = word; isdigit((unsigned char)**end); (*end)++) {
        if (*n > UINT64_MAX / 10 - 10)
            return false;
        *n = *n * 10 + (uint64_t)(**end - '0');
    }
    return *end != word;
}

const char *import_number(struct import *im, struct line *line, const char *path, const char *word)
{
    uint64_t    n;
    const char *end;
    if (word == NULL)
        return NULL;
    if (import_has_variable(word)) {
        line_lose(im->arena, line, "a number does not come from the environment; write %s yourself", path);
        return NULL;
    }
    if (!number_of(word, &n, &end) || *end != '\0') {
        line_lose(im->arena, line, "\"%s\" is no number", word);
        return NULL;
    }
    return import_fit(im, line, path, import_format(im->arena, "%" PRIu64, n));
}

const char *import_ms(struct import *im, struct line *line, const char *path, const char *ms)
{
    char text[QUANTITY_TEXT_MAX];
    if (ms == NULL)
        return NULL;
    uint64_t n = strtoull(ms, NULL, 10);
    (void)duration_format(n > UINT32_MAX ? UINT32_MAX : (uint32_t)n, text);
    return import_fit(im, line, path, import_copy(im->arena, text, strlen(text)));
}

const char *import_duration(struct import *im, struct line *line, const char *word, uint64_t unit_ms)
{
    static const struct {
        const char *name;
        uint64_t    ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t    n;
    const char *unit;
    bool        good = number_of(word, &n, &unit) && n <= UINT64_MAX / 86400000, micro = strcmp(unit, "us") == 0;
    if (good && micro) {
        n = (n + 999) / 1000;
        unit_ms = 1;
    } else if (good && *unit != '\0') {
        unit_ms = 0;
        for (size_t i = 0; i < ARRAY_LEN(units); i++)
            unit_ms = strcmp(units[i].name, unit) == 0 ? units[i].ms : unit_ms;
    }
    if (!good || unit_ms == 0) {
        line_lose(im->arena, line, "\"%s\" is no duration", word);
        return NULL;
    }
    return import_format(im->arena, "%" PRIu64, n * unit_ms);
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-_.:", c) != NULL);
}

const char *import_name(struct import *im, struct strings *taken, const char *wanted)
{
    enum { ROOM_FOR_NUMBER = 6 };
    char name[NAME_MAX_LEN + 1], made[NAME_MAX_LEN + 1];
    (void)snprintf(name, sizeof name, "%s", wanted[0] != '\0' ? wanted : "unnamed");
    for (char *p = name; *p != '\0'; p++) {
        if (!is_name_char(*p))
            *p = '-';
    }
    memcpy(made, name, sizeof made);
    for (unsigned i = 2; strings_have(taken, made); i++)
        (void)snprintf(made, sizeof made, "%.*s-%u", NAME_MAX_LEN - ROOM_FOR_NUMBER, name, i);
    strings_add(im->arena, taken, import_copy(im->arena, made, strlen(made)));
    return taken->at[taken->n - 1];
}

bool import_has_room(struct import *im, struct line *line, const char *path, size_t n)
{
    size_t most = conf_option_most(path);
    if (n < most)
        return true;
    line_lose(im->arena, line, "mqgate takes at most %zu of %s", most, path);
    return false;
}
