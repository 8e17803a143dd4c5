#include "conf/options.h"

#include <string.h>

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

static void refused_words(const struct option *option, struct words *out)
{
    for (const struct choice *c = option->choices; c != NULL && c->name != NULL; c++) {
        if (c->not_available)
            words_add(out, "%s\"%s\"", out->len > 0 ? ", " : "", c->name);
    }
}

static void each(const struct walk *walk, const char *parent, bool available, bool inherited,
                 const struct section *section)
{
    for (const struct option *o = section->options; o->name != NULL; o++) {
        struct words path = {0}, allowed = {0}, def = {0}, refused = {0};
        bool         here = available && !o->not_available;
        words_add(&path, "%s%s%s", parent, parent[0] != '\0' ? "." : "", o->name);
        value_allowed(o, &allowed);
        if (inherited)
            words_add(&def, "as at the top level");
        else
            default_text(o, &def);
        refused_words(o, &refused);
        walk->fn(walk->user, &(struct conf_option){.path = path.text,
                                                   .type = type_text(o->type),
                                                   .allowed = allowed.text,
                                                   .default_value = def.text,
                                                   .required = o->required,
                                                   .available = here,
                                                   .not_available_values = refused.text,
                                                   .doc = o->doc});
        if (o->section != NULL)
            each(walk, path.text, here, o->inherits, o->section);
    }
}

void conf_options_each(conf_option_fn *fn, void *user)
{
    each(&(struct walk){fn, user}, "", true, false, &conf_section_root);
}
