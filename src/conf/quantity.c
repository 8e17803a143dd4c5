#include "conf/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

struct unit {
    const char *name;
    uint32_t    factor;
};

/* The greatest first. */
static const struct unit duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};
enum { N_UNITS = ARRAY_LEN(duration_units) };

bool digits_parse(const char *text, uint32_t *value, const char **end)
{
    uint64_t n = 0;
    *end = text;
    for (; **end >= '0' && **end <= '9'; (*end)++) {
        n = n * 10 + (uint64_t)(**end - '0');
        if (n > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)n;
    return *end != text;
}

static bool quantity_parse(const char *text, const struct unit units[N_UNITS], uint32_t *value)
{
    uint32_t    n;
    const char *unit;
    if (!digits_parse(text, &n, &unit))
        return false;
    for (size_t i = 0; i < N_UNITS; i++) {
        if (strcmp(units[i].name, unit) != 0)
            continue;
        if (n > UINT32_MAX / units[i].factor)
            return false;
        *value = n * units[i].factor;
        return true;
    }
    return false;
}

static const char *quantity_format(uint32_t value, const struct unit units[N_UNITS], const char *zero,
                                   char out[QUANTITY_TEXT_MAX])
{
    size_t i = 0;
    while (value % units[i].factor != 0)
        i++;
    if (value == 0)
        (void)snprintf(out, QUANTITY_TEXT_MAX, "%s", zero);
    else
        (void)snprintf(out, QUANTITY_TEXT_MAX, "%" PRIu32 "%s", value / units[i].factor, units[i].name);
    return out;
}

bool duration_parse(const char *text, uint32_t *ms)
{
    return quantity_parse(text, duration_units, ms);
}

const char *duration_format(uint32_t ms, char out[QUANTITY_TEXT_MAX])
{
    return quantity_format(ms, duration_units, "0s", out);
}

bool size_parse(const char *text, uint32_t *bytes)
{
    return quantity_parse(text, size_units, bytes);
}

const char *size_format(uint32_t bytes, char out[QUANTITY_TEXT_MAX])
{
    return quantity_format(bytes, size_units, "0B", out);
}
