#include "ctl/show_info.h"

#include "ctl/human.h"
#include "ctl/lines.h"

bool show_info_next(struct slice *answer, struct slice *key, struct slice *value)
{
    struct slice line;
    while (lines_next(answer, &line)) {
        const uint8_t *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
        if (colon == NULL)
            continue;
        *key = slice_of(line.ptr, (size_t)(colon - line.ptr));
        *value = slice_skip(line, key->len + 1);
        if (slice_starts(*value, slice_str(" ")))
            *value = slice_skip(*value, 1);
        return true;
    }
    return false;
}

struct slice show_info_get(struct slice answer, const char *key)
{
    struct slice name, value;
    while (show_info_next(&answer, &name, &value)) {
        if (slice_eq(name, slice_str(key)))
            return value;
    }
    return slice_of(NULL, 0);
}

uint64_t show_info_number(struct slice answer, const char *key)
{
    uint64_t n;
    return human_parse_number(show_info_get(answer, key), &n) ? n : 0;
}
