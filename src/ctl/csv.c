#include "ctl/csv.h"

/* A quoted field from its opening quote at line[*at]; its text moves to where it begins. *at goes behind it, to a comma
 * or the end. What stands between a closing quote and the comma belongs to it too. */
static struct slice take_quoted(char *line, size_t len, size_t *at)
{
    size_t from = *at + 1, to = from, begin = from;
    bool   quoted = true;
    for (; from < len && (quoted || line[from] != ','); from++) {
        if (line[from] == '"') {
            bool doubled = quoted && from + 1 < len && line[from + 1] == '"';
            if (!doubled) {
                quoted = !quoted;
                continue;
            }
            from++;
        }
        line[to++] = line[from];
    }
    *at = from;
    return slice_of(line + begin, to - begin);
}

static struct slice take_plain(const char *line, size_t len, size_t *at)
{
    const char *comma = memchr(line + *at, ',', len - *at);
    size_t      begin = *at;
    *at = comma != NULL ? (size_t)(comma - line) : len;
    return slice_of(line + begin, *at - begin);
}

size_t csv_split(char *line, size_t len, struct slice *fields, size_t max)
{
    size_t at = 0, n = 0;
    for (;;) {
        bool         quoted = at < len && line[at] == '"';
        struct slice field = quoted ? take_quoted(line, len, &at) : take_plain(line, len, &at);
        if (n < max)
            fields[n] = field;
        n++;
        if (at >= len)
            return n;
        at++; /* the comma; a line that ends with one has an empty field behind it */
    }
}
