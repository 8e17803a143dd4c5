#include "ctl/human.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    uint8_t  letter;
    uint64_t seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

const char *human_number(uint64_t n, uint64_t exact_below, char out[HUMAN_MAX])
{
    static const char prefixes[] = "kMGTPE";
    uint64_t          unit = 1000;
    size_t            i = 0;
    if (n < exact_below) {
        snprintf(out, HUMAN_MAX, "%" PRIu64, n);
        return out;
    }
    for (; n / unit >= 1000; unit *= 1000)
        i++;
    uint64_t whole = n / unit, thousandths = n % unit / (unit / 1000);
    if (whole >= 100)
        snprintf(out, HUMAN_MAX, "%" PRIu64 "%c", whole, prefixes[i]);
    else if (whole >= 10)
        snprintf(out, HUMAN_MAX, "%" PRIu64 ".%" PRIu64 "%c", whole, thousandths / 100, prefixes[i]);
    else
        snprintf(out, HUMAN_MAX, "%" PRIu64 ".%02" PRIu64 "%c", whole, thousandths / 10, prefixes[i]);
    return out;
}

const char *human_duration(uint64_t seconds, char out[HUMAN_MAX])
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && seconds < units[i].seconds)
        i++;
    uint64_t first = seconds / units[i].seconds, rest = seconds % units[i].seconds;
    if (i + 1 == ARRAY_LEN(units))
        snprintf(out, HUMAN_MAX, "%" PRIu64 "s", first);
    else
        snprintf(out, HUMAN_MAX, "%" PRIu64 "%c%" PRIu64 "%c", first, units[i].letter, rest / units[i + 1].seconds,
                 units[i + 1].letter);
    return out;
}

/* The digits that text begins with; how many, 0 when there are none or they make too large a number. */
static size_t leading_number(struct slice text, uint64_t *out)
{
    size_t n = 0;
    for (*out = 0; n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9'; n++) {
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, text.ptr[n] - '0', out))
            return 0;
    }
    return n;
}

bool human_parse_number(struct slice text, uint64_t *out)
{
    uint64_t n;
    if (text.len == 0 || leading_number(text, &n) != text.len)
        return false;
    *out = n;
    return true;
}

bool human_parse_duration(struct slice text, uint64_t *out)
{
    uint64_t total = 0, n, seconds;
    size_t   unit = 0;
    if (text.len == 0)
        return false;
    while (text.len > 0) {
        size_t digits = leading_number(text, &n);
        if (digits == 0 || digits == text.len)
            return false;
        while (unit < ARRAY_LEN(units) && units[unit].letter != text.ptr[digits])
            unit++;
        if (unit == ARRAY_LEN(units) || __builtin_mul_overflow(n, units[unit].seconds, &seconds) ||
            __builtin_add_overflow(total, seconds, &total))
            return false;
        text = slice_skip(text, digits + 1);
        unit++; /* units only get smaller */
    }
    *out = total;
    return true;
}
