#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { FIRST_CAP = 256 };

/* Room for n more bytes and a NUL. */
static bool reserve(struct text *t, size_t n)
{
    size_t need = t->len + n + 1, cap = t->cap > 0 ? t->cap : FIRST_CAP;
    if (t->failed || need <= t->cap)
        return !t->failed;
    while (cap < need)
        cap *= 2;
    char *at = realloc(t->at, cap);
    if (at == NULL) {
        t->failed = true;
        return false;
    }
    t->at = at;
    t->cap = cap;
    return true;
}

void text_add(struct text *t, const char *fmt, ...)
{
    enum { FITS_MOSTLY = 120 };
    va_list ap;
    if (!reserve(t, FITS_MOSTLY))
        return;
    size_t room = t->cap - t->len;
    va_start(ap, fmt);
    int n = vsnprintf(t->at + t->len, room, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n >= room) {
        if (!reserve(t, (size_t)n))
            return;
        va_start(ap, fmt);
        n = vsnprintf(t->at + t->len, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    t->len += n > 0 ? (size_t)n : 0;
}

void text_put(struct text *t, const char *bytes, size_t len)
{
    if (!reserve(t, len))
        return;
    if (len > 0)
        memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = '\0';
}

void text_puts(struct text *t, const char *string)
{
    text_put(t, string, strlen(string));
}

/* Not printf(): statistics are mostly numbers, thousands of them in an answer. */
void text_put_uint(struct text *t, uint64_t n)
{
    char   digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    text_put(t, digits + at, sizeof digits - at);
}

void text_put_line_part(struct text *t, const char *string)
{
    for (struct slice s = slice_str(string); s.len > 0;) {
        size_t n = utf8_char_len(s);
        if (n == 0 || utf8_is_control(s))
            text_put(t, "?", 1);
        else
            text_put(t, (const char *)s.ptr, n);
        s = slice_skip(s, n > 0 ? n : 1);
    }
}

void text_put_json(struct text *t, const char *string)
{
    text_put(t, "\"", 1);
    for (struct slice s = slice_str(string); s.len > 0;) {
        size_t n = utf8_char_len(s);
        if (n == 0)
            text_puts(t, "\\ufffd");
        else if (n == 1 && (s.ptr[0] < ' ' || s.ptr[0] == '"' || s.ptr[0] == '\\'))
            text_add(t, "\\u%04x", s.ptr[0]);
        else
            text_put(t, (const char *)s.ptr, n);
        s = slice_skip(s, n > 0 ? n : 1);
    }
    text_put(t, "\"", 1);
}

void text_put_age(struct text *t, uint64_t seconds)
{
    static const struct {
        uint32_t seconds;
        char     unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int left = 2;
    for (size_t i = 0; i < ARRAY_LEN(units) && left > 0; i++) {
        uint64_t n = seconds / units[i].seconds;
        seconds %= units[i].seconds;
        if (n > 0)
            left--;
        if (n > 0 || (units[i].unit == 's' && left == 2))
            text_add(t, "%" PRIu64 "%c", n, units[i].unit);
    }
}

void text_cut(struct text *t, size_t len)
{
    if (len >= t->len)
        return;
    t->len = len;
    t->at[len] = '\0';
}

char *text_take(struct text *t)
{
    char *at = reserve(t, 0) ? t->at : NULL;
    if (at == NULL)
        free(t->at);
    else
        at[t->len] = '\0';
    *t = (struct text){.at = NULL};
    return at;
}

void text_fini(struct text *t)
{
    free(t->at);
    *t = (struct text){.at = NULL};
}
