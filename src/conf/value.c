#include "conf/value.h"

#include <assert.h>
#include <string.h>

#include "conf/quantity.h"

/* value_parse() writes enums as unsigned, and arrays as struct vector. */
_Static_assert(sizeof(enum conf_verify) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(offsetof(struct conf_strings, n) == offsetof(struct vector, n), "conf_strings is a vector");
_Static_assert(offsetof(struct conf_networks, n) == offsetof(struct vector, n), "conf_networks is a vector");
_Static_assert(offsetof(struct conf_listener, n_bind) - offsetof(struct conf_listener, bind) ==
                   offsetof(struct vector, n),
               "bind and n_bind are a vector");
_Static_assert(offsetof(struct conf_resolver, n_servers) - offsetof(struct conf_resolver, servers) ==
                   offsetof(struct vector, n),
               "servers and n_servers are a vector");

bool value_is_array(enum option_type type)
{
    return type == OPTION_ADDRESSES || type == OPTION_NETWORKS || type == OPTION_STRINGS;
}

size_t value_size(enum option_type type)
{
    switch (type) {
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_U32:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return sizeof(uint32_t);
    case OPTION_ENUM:
        return sizeof(unsigned);
    case OPTION_ADDRESS:
    case OPTION_SOURCE:
    case OPTION_ADDRESSES:
        return sizeof(struct addr);
    case OPTION_NETWORKS:
        return sizeof(struct network);
    case OPTION_STRING:
    case OPTION_STRINGS:
    case OPTION_REF:
        return sizeof(char *);
    case OPTION_GROUP:
    case OPTION_LIST:
        break;
    }
    return 0;
}

static enum value_result bool_parse(const char *text, bool *at)
{
    *at = strcmp(text, "true") == 0;
    return *at || strcmp(text, "false") == 0 ? VALUE_OK : VALUE_BAD;
}

static enum value_result number_parse(const struct option *option, const char *text, uint32_t *at)
{
    uint32_t    n;
    const char *end;
    bool        good = option->type == OPTION_DURATION ? duration_parse(text, &n)
                       : option->type == OPTION_SIZE   ? size_parse(text, &n)
                                                       : digits_parse(text, &n, &end) && *end == '\0';
    if (!good || n < option->min || n > option->max || (option->step != 0 && n % option->step != 0))
        return VALUE_BAD;
    *at = n;
    return VALUE_OK;
}

static enum value_result enum_parse(const struct option *option, const char *text, unsigned *at)
{
    for (const struct choice *c = option->choices; c->name != NULL; c++) {
        if (strcmp(c->name, text) == 0) {
            *at = c->value;
            return VALUE_OK;
        }
    }
    return VALUE_BAD;
}

static enum value_result string_parse(const struct option *option, const char *text, struct arena *arena,
                                      const char **at)
{
    bool one_of_many = option->type == OPTION_STRINGS; /* then max is their number */
    if (option->type == OPTION_STRING && strlen(text) > option->max)
        return VALUE_BAD;
    if (one_of_many && text[0] == '\0')
        return VALUE_BAD;
    enum value_result result = option->check != NULL ? option->check(text) : VALUE_OK;
    if (result != VALUE_OK)
        return result;
    *at = arena_strdup(arena, text);
    return *at != NULL ? VALUE_OK : VALUE_OUT_OF_MEMORY;
}

static enum value_result address_parse(const struct option *option, const char *text, struct addr *at)
{
    static const struct addr none;
    bool                     required = option->type == OPTION_ADDRESSES || option->def == NULL;
    if (text[0] == '\0' && !required) {
        *at = none;
        return VALUE_OK;
    }
    if (!addr_parse(text, at))
        return VALUE_BAD;
    bool any_port = option->type == OPTION_ADDRESSES;
    return any_port || (addr_port(at) >= option->min && addr_port(at) <= option->max) ? VALUE_OK : VALUE_BAD;
}

static enum value_result source_parse(const char *text, struct addr *at)
{
    static const struct addr none;
    if (strcmp(text, "auto") == 0) {
        *at = none;
        return VALUE_OK;
    }
    return addr_parse_ip(text, at) ? VALUE_OK : VALUE_BAD;
}

enum value_result value_parse(const struct option *option, const char *text, struct arena *arena, void *at)
{
    switch (option->type) {
    case OPTION_BOOL:
        return bool_parse(text, at);
    case OPTION_U32:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return number_parse(option, text, at);
    case OPTION_ENUM:
        return enum_parse(option, text, at);
    case OPTION_ADDRESS:
    case OPTION_ADDRESSES:
        return address_parse(option, text, at);
    case OPTION_SOURCE:
        return source_parse(text, at);
    case OPTION_NETWORKS:
        return network_parse(text, at) ? VALUE_OK : VALUE_BAD;
    case OPTION_STRING:
    case OPTION_STRINGS:
    case OPTION_REF:
        return string_parse(option, text, arena, at);
    case OPTION_GROUP:
    case OPTION_LIST:
        break;
    }
    return VALUE_BAD;
}

static size_t count_words(const char *text)
{
    size_t n = 0;
    for (const char *p = text + strspn(text, " "); *p != '\0'; p += strspn(p, " ")) {
        p += strcspn(p, " ");
        n++;
    }
    return n;
}

static enum value_result array_default(const struct option *option, struct arena *arena, void *at)
{
    size_t            size = value_size(option->type);
    struct vector     v = {.n = count_words(option->def)};
    const char       *p = option->def + strspn(option->def, " ");
    enum value_result result = VALUE_OK;
    v.at = arena_alloc(arena, v.n, size);
    if (v.at == NULL)
        return VALUE_OUT_OF_MEMORY;
    for (size_t i = 0; i < v.n && result == VALUE_OK; i++, p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        char  *word = arena_strndup(arena, p, len);
        result = word == NULL ? VALUE_OUT_OF_MEMORY : value_parse(option, word, arena, (char *)v.at + i * size);
        p += len;
    }
    memcpy(at, &v, sizeof v);
    return result;
}

enum value_result value_default(const struct option *option, struct arena *arena, void *at)
{
    assert(option->def != NULL);
    return value_is_array(option->type) ? array_default(option, arena, at)
                                        : value_parse(option, option->def, arena, at);
}
