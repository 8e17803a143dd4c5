#include "control/delay.h"

#include <string.h>

#include "base/macros.h"

static const uint64_t longest_us = (uint64_t)INT32_MAX * 1000000;

static uint64_t unit_us(const char *name, uint32_t default_ms)
{
    static const struct {
        const char *name;
        uint64_t    us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}};
    if (*name == '\0')
        return (uint64_t)default_ms * 1000;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(units[i].name, name) == 0)
            return units[i].us;
    }
    return 0;
}

bool delay_parse(const char *text, uint32_t unit_ms, uint64_t *ms)
{
    size_t   digits = strspn(text, "0123456789");
    uint64_t n = 0, us = unit_us(text + digits, unit_ms);
    if (digits == 0 || us == 0)
        return false;
    for (size_t i = 0; i < digits; i++) {
        n = n * 10 + (uint64_t)(text[i] - '0');
        if (n > longest_us / us)
            return false;
    }
    *ms = (n * us + 999) / 1000;
    return true;
}
