#include "conf/expand.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { VARIABLE_MAX = 128 }; /* bytes of a name, NUL included */

/* Where expanded text goes; without room it only counts. */
struct sink {
    char  *at;
    size_t len;
};

static void put(struct sink *out, const char *text, size_t len)
{
    if (out->at != NULL)
        memcpy(out->at + out->len, text, len);
    out->len += len;
}

static size_t name_len(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return isdigit((unsigned char)text[0]) ? 0 : n;
}

/* *text is behind "${", and behind "}" afterwards. */
static bool put_variable(struct sink *out, const char **text, struct words *problem)
{
    char        name[VARIABLE_MAX];
    size_t      len = name_len(*text);
    const char *rest = *text + len, *end = strchr(rest, '}');
    bool        has_default = strncmp(rest, ":-", 2) == 0;
    if (end == NULL || len == 0 || len >= sizeof name || (!has_default && end != rest)) {
        words_add(problem, "found a \"${\" that begins no ${NAME} or ${NAME:-default}; write $${ for a plain ${");
        return false;
    }
    memcpy(name, *text, len);
    name[len] = '\0';
    const char *value = getenv(name);
    if (value == NULL && !has_default) {
        words_add(problem, "found ${%s}, which the environment does not have; set it, or write ${%s:-default}", name,
                  name);
        return false;
    }
    if (has_default && (value == NULL || value[0] == '\0'))
        put(out, rest + 2, (size_t)(end - rest) - 2);
    else
        put(out, value, strlen(value));
    *text = end + 1;
    return true;
}

static bool put_all(struct sink *out, const char *text, struct words *problem)
{
    while (*text != '\0') {
        if (strncmp(text, "$${", 3) == 0) {
            put(out, "${", 2);
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            text += 2;
            if (!put_variable(out, &text, problem))
                return false;
        } else {
            put(out, text++, 1);
        }
    }
    return true;
}

const char *expand(const char *text, struct arena *arena, struct words *problem)
{
    struct sink out = {0};
    if (!put_all(&out, text, problem))
        return NULL;
    out.at = arena_alloc(arena, out.len + 1, 1);
    if (out.at == NULL)
        return NULL;
    out.len = 0;
    return put_all(&out, text, problem) ? out.at : NULL;
}
