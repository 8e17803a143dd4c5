#include "conf/options.h"

#include <stdio.h>
#include <string.h>

#include "conf/expand.h"
#include "conf/value.h"

struct walk {
    conf_option_fn *fn;
    void           *user;
};

static const char *type_text(enum option_type type)
{
    static const char *const texts[] = {[OPTION_BOOL] = "boolean",
                                        [OPTION_U32] = "number",
                                        [OPTION_DURATION] = "duration",
                                        [OPTION_SIZE] = "size",
                                        [OPTION_STRING] = "string",
                                        [OPTION_ENUM] = "word",
                                        [OPTION_ADDRESS] = "address",
                                        [OPTION_SOURCE] = "address",
                                        [OPTION_REF] = "name",
                                        [OPTION_ADDRESSES] = "address or array of addresses",
                                        [OPTION_NETWORKS] = "array of networks",
                                        [OPTION_STRINGS] = "array of strings",
                                        [OPTION_GROUP] = "group",
                                        [OPTION_LIST] = "list of groups"};
    return texts[type];
}

static void array_default_text(const char *def, struct words *out)
{
    words_add(out, "[");
    for (const char *p = def; *p != '\0'; p += strspn(p, " ")) {
        int len = (int)strcspn(p, " ");
        words_add(out, "%s\"%.*s\"", p == def ? " " : ", ", len, p);
        p += len;
    }
    words_add(out, " ]");
}

static void default_text(const struct option *option, struct words *out)
{
    if (option->def == NULL)
        return;
    if (value_is_array(option->type))
        array_default_text(option->def, out);
    else if (option->type == OPTION_BOOL || option->type == OPTION_U32)
        words_add(out, "%s", option->def);
    else
        words_add(out, "\"%s\"", option->def);
}

static void each(const struct walk *walk, const char *parent, bool inherited, const struct section *section)
{
    for (const struct option *o = section->options; o->name != NULL; o++) {
        struct words path = {0}, allowed = {0}, def = {0};
        words_add(&path, "%s%s%s", parent, parent[0] != '\0' ? "." : "", o->name);
        value_allowed(o, &allowed);
        if (inherited)
            words_add(&def, "as at the top level");
        else
            default_text(o, &def);
        walk->fn(walk->user, &(struct conf_option){.path = path.text,
                                                   .type = type_text(o->type),
                                                   .allowed = allowed.text,
                                                   .default_value = def.text,
                                                   .required = o->required,
                                                   .doc = o->doc});
        if (o->section != NULL)
            each(walk, path.text, o->inherits, o->section);
    }
}

void conf_options_each(conf_option_fn *fn, void *user)
{
    each(&(struct walk){fn, user}, "", false, &conf_section_root);
}

/* NULL: there is none. */
static const struct option *option_of(const char *path)
{
    const struct section *section = &conf_section_root;
    const struct option  *option = NULL;
    for (size_t len; *path != '\0'; path += len + (path[len] == '.')) {
        char name[64];
        len = strcspn(path, ".");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, path);
        option = section != NULL ? section_find(section, name) : NULL;
        if (option == NULL)
            return NULL;
        section = option->section;
    }
    return option;
}

static bool is_a_string(const struct option *option)
{
    return option->type != OPTION_BOOL && option->type != OPTION_U32;
}

static enum conf_fit value_fits(const struct option *option, const char *text, struct arena *arena)
{
    union {
        uint32_t       number;
        struct addr    addr;
        struct network network;
        const char    *string;
        bool           truth;
    } value;
    struct words problem = {0};
    const char  *expanded = is_a_string(option) ? expand(text, arena, &problem) : text;
    if (expanded == NULL)
        return problem.len > 0 ? CONF_FITS : CONF_FITS_NOT;
    return value_parse(option, expanded, arena, &value) == VALUE_OK ? CONF_FITS : CONF_FITS_NOT;
}

enum conf_fit conf_option_fits(const char *path, const char *text, char *allowed, size_t size)
{
    struct words         words = {0};
    const struct option *option = option_of(path);
    (void)snprintf(allowed, size, "%s", "");
    if (option == NULL)
        return CONF_FITS_NOT;
    value_element_allowed(option, &words);
    (void)snprintf(allowed, size, "%s", words.text);
    struct arena *arena = arena_new();
    enum conf_fit fit = arena != NULL ? value_fits(option, text, arena) : CONF_FITS_NOT;
    arena_free(arena);
    return fit;
}

size_t conf_option_most(const char *path)
{
    const struct option *option = option_of(path);
    bool                 many = option != NULL && (value_is_array(option->type) || option->type == OPTION_LIST);
    return many ? option->max : 0;
}
