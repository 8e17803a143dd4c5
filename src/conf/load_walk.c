/* The walk over libconfig's tree, led by the option table. */
#include "conf/load_walk.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/arena.h"
#include "conf/expand.h"
#include "conf/syntax.h"
#include "conf/value.h"

enum { NUMBER_TEXT_MAX = 24 }; /* bytes of a 64-bit number, NUL included */

static void read_section(struct loader *l, const struct place *at, const struct section *section,
                         const config_setting_t *setting, void *base);

static void out_of_memory(struct loader *l)
{
    l->errors->out_of_memory = true;
}

/* In the arena, for an error that can only be told later. NULL when memory is out. */
static const char *keep_path(struct loader *l, const struct place *at)
{
    char path[PLACE_TEXT_MAX];
    place_format(at, path);
    return arena_strdup(l->conf->arena, path);
}

static void note_reference(struct loader *l, const struct place *at, const struct option *option,
                           const config_setting_t *setting, const char *name, void *target)
{
    struct reference *ref = arena_alloc(l->conf->arena, 1, sizeof *ref);
    const char       *path = keep_path(l, at);
    if (ref == NULL || path == NULL) {
        out_of_memory(l);
        return;
    }
    *ref = (struct reference){NULL, NULL, option, name, target, path, line_of(setting)};
    DL_APPEND(l->references, ref);
    if (name[0] != '\0') /* something for now, so that rules see that there is one */
        memcpy(target, &name, sizeof name);
}

static void note_binding(struct loader *l, const struct place *at, const config_setting_t *setting,
                         const struct addr *addr)
{
    char            text[ADDR_TEXT_MAX];
    struct binding *binding = arena_alloc(l->conf->arena, 1, sizeof *binding);
    const char     *path = keep_path(l, at);
    if (binding == NULL || path == NULL) {
        out_of_memory(l);
        return;
    }
    for (const struct binding *b = l->bindings; b != NULL; b = b->next) {
        if (!addr_overlaps(&b->at, addr))
            continue;
        struct source_piece where = source_locate(l->source, b->line);
        complain(l, line_of(setting), path, "found \"%s\", which %s has at %s:%u; allowed is an address of its own",
                 addr_format(addr, text), b->path, where.file, where.line);
        return;
    }
    *binding = (struct binding){l->bindings, *addr, path, line_of(setting)};
    l->bindings = binding;
}

static bool type_fits(const struct option *option, const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    if (option->type == OPTION_BOOL)
        return type == CONFIG_TYPE_BOOL;
    if (option->type == OPTION_U32)
        return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
    return type == CONFIG_TYPE_STRING;
}

/* A scalar as value_parse() wants it. NULL: told already. */
static const char *text_of(struct loader *l, const struct place *at, const config_setting_t *setting,
                           char number[NUMBER_TEXT_MAX])
{
    struct words problem = {0};
    if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
        return config_setting_get_bool(setting) ? "true" : "false";
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        (void)snprintf(number, NUMBER_TEXT_MAX, "%lld", config_setting_get_int64(setting));
        return number;
    }
    const char *text = expand(config_setting_get_string(setting), l->conf->arena, &problem);
    if (text != NULL)
        return text;
    if (problem.len > 0)
        complain_at(l, at, setting, problem.text);
    else
        out_of_memory(l);
    return NULL;
}

static void read_value(struct loader *l, const struct place *at, const struct option *option,
                       const config_setting_t *setting, void *target)
{
    char        number[NUMBER_TEXT_MAX];
    const char *name = NULL; /* of a section: its pointer comes when all are read */
    bool        refers = option->type == OPTION_REF;
    if (!type_fits(option, setting)) {
        complain_wrong(l, at, option, setting, NULL);
        return;
    }
    const char *text = text_of(l, at, setting, number);
    if (text == NULL)
        return;
    switch (value_parse(option, text, l->conf->arena, refers ? (void *)&name : target)) {
    case VALUE_BAD:
        complain_wrong(l, at, option, setting, text);
        return;
    case VALUE_OUT_OF_MEMORY:
        out_of_memory(l);
        return;
    case VALUE_OK:
        break;
    }
    if (refers)
        note_reference(l, at, option, setting, name, target);
    if (option->listens && addr_is_set(target))
        note_binding(l, at, setting, target);
}

static bool count_fits(const struct option *option, const config_setting_t *setting)
{
    unsigned n = (unsigned)config_setting_length(setting);
    return n >= option->min && n <= option->max;
}

static const config_setting_t *element(const config_setting_t *setting, unsigned index)
{
    /* libconfig 1.5 gives strings no elements but wants no const either. */
    return setting->value.list->elements[index];
}

static bool vector_new(struct loader *l, struct vector *v, size_t n, size_t size, void *target)
{
    *v = (struct vector){arena_alloc(l->conf->arena, n, size), n};
    if (v->at == NULL) {
        out_of_memory(l);
        return false;
    }
    memcpy(target, v, sizeof *v);
    return true;
}

static void read_array(struct loader *l, const struct place *at, const struct option *option,
                       const config_setting_t *setting, void *target)
{
    struct vector v;
    size_t        size = value_size(option->type);
    bool          is_many = config_setting_is_array(setting) || config_setting_is_list(setting);
    bool          is_one = option->type == OPTION_ADDRESSES && config_setting_type(setting) == CONFIG_TYPE_STRING;
    if (is_one) {
        if (vector_new(l, &v, 1, size, target))
            read_value(l, at, option, setting, v.at);
        return;
    }
    if (!is_many || !count_fits(option, setting)) {
        complain_wrong(l, at, option, setting, NULL);
        return;
    }
    if (!vector_new(l, &v, (size_t)config_setting_length(setting), size, target))
        return;
    for (unsigned i = 0; i < v.n; i++) {
        struct place each = {.parent = at, .index = i};
        read_value(l, &each, option, element(setting, i), (char *)v.at + i * size);
    }
}

/* Fills in every default, so that reading only has to overwrite. */
static void section_defaults(struct loader *l, const struct section *section, void *base)
{
    for (const struct option *o = section->options; o->name != NULL; o++) {
        void *target = option_at(o, base);
        if (o->type == OPTION_GROUP && o->inherits)
            memcpy(target, option_at(section_find(&conf_section_root, o->name), l->conf), o->section->size);
        else if (o->type == OPTION_GROUP)
            section_defaults(l, o->section, target);
        else if (o->type == OPTION_REF)
            memset(target, 0, sizeof(void *));
        else if (o->def != NULL && value_default(o, l->conf->arena, target) != VALUE_OK)
            out_of_memory(l);
    }
}

static const config_setting_t *member(const config_setting_t *group, const char *name)
{
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = element(group, i);
        if (strcmp(config_setting_name(setting), name) == 0)
            return setting;
    }
    return NULL;
}

/* The name that errors call an element by: as written, when it is one. */
static const char *shown_name(const config_setting_t *setting)
{
    const config_setting_t *name = config_setting_is_group(setting) ? member(setting, "name") : NULL;
    if (name == NULL || config_setting_type(name) != CONFIG_TYPE_STRING)
        return NULL;
    const char *text = config_setting_get_string(name);
    return syntax_name(text) == VALUE_OK ? text : NULL;
}

/* Structs of sections with a name begin with it. */
static const char *name_at(const struct vector *v, size_t size, size_t index)
{
    const char *name;
    memcpy(&name, (const char *)v->at + index * size, sizeof name);
    return name;
}

static void check_name(struct loader *l, const struct place *at, const config_setting_t *list, const struct vector *v,
                       size_t size)
{
    struct place key = {.parent = at, .key = "name"};
    const char  *name = name_at(v, size, at->index);
    char         path[PLACE_TEXT_MAX];
    for (unsigned i = 0; name != NULL && i < at->index; i++) {
        const char *other = name_at(v, size, i);
        if (other == NULL || strcmp(name, other) != 0)
            continue;
        struct source_piece where = source_locate(l->source, line_of(member(element(list, i), "name")));
        place_format(&key, path);
        complain(l, line_of(member(element(list, at->index), "name")), path,
                 "found \"%s\", which is taken at %s:%u; allowed is a name of its own", name, where.file, where.line);
        return;
    }
}

static void read_list(struct loader *l, const struct place *at, const struct option *option,
                      const config_setting_t *setting, void *target)
{
    struct vector v;
    size_t        size = option->section->size;
    bool          has_names = section_find(option->section, "name") != NULL;
    if (!config_setting_is_list(setting) || !count_fits(option, setting)) {
        complain_wrong(l, at, option, setting, NULL);
        return;
    }
    if (!vector_new(l, &v, (size_t)config_setting_length(setting), size, target))
        return;
    for (unsigned i = 0; i < v.n; i++) {
        const config_setting_t *each = element(setting, i);
        struct place            place = {.parent = at, .name = shown_name(each), .index = i};
        if (!config_setting_is_group(each)) {
            complain_wrong(l, &place, option, each, NULL);
            continue;
        }
        section_defaults(l, option->section, (char *)v.at + i * size);
        read_section(l, &place, option->section, each, (char *)v.at + i * size);
        if (has_names)
            check_name(l, &place, setting, &v, size);
    }
}

static void read_option(struct loader *l, const struct place *at, const struct option *option,
                        const config_setting_t *setting, void *target)
{
    if (option->type == OPTION_LIST)
        read_list(l, at, option, setting, target);
    else if (value_is_array(option->type))
        read_array(l, at, option, setting, target);
    else if (option->type != OPTION_GROUP)
        read_value(l, at, option, setting, target);
    else if (config_setting_is_group(setting))
        read_section(l, at, option->section, setting, target);
    else
        complain_wrong(l, at, option, setting, NULL);
}

static void missing_option(struct loader *l, const struct place *at, const struct option *option,
                           const config_setting_t *group)
{
    struct words words = {0};
    words_add(&words, "missing; required is ");
    value_allowed(option, &words);
    complain_at(l, at, group, words.text);
}

static void check_rules(struct loader *l, const struct place *at, const struct section *section,
                        const config_setting_t *group, const void *base)
{
    for (const struct rule *rule = section->rules; rule != NULL && rule->key != NULL; rule++) {
        struct place            key = {.parent = at, .key = rule->key};
        const config_setting_t *setting = member(group, rule->key);
        if (!rule->holds(base))
            complain_at(l, &key, setting != NULL ? setting : group, rule->text);
    }
}

/* In the table's order: what others inherit is read before them, wherever it stands. */
static void read_section(struct loader *l, const struct place *at, const struct section *section,
                         const config_setting_t *group, void *base)
{
    size_t errors_before = l->errors->n;
    for (const struct option *o = section->options; o->name != NULL; o++) {
        struct place            key = {.parent = at, .key = o->name};
        const config_setting_t *setting = member(group, o->name);
        if (setting != NULL)
            read_option(l, &key, o, setting, option_at(o, base));
        else if (o->required || (o->needed != NULL && o->needed(base)))
            missing_option(l, &key, o, group);
        if (setting != NULL && o->noted != 0)
            *(bool *)((char *)base + o->noted) = true;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = element(group, i);
        struct place            key = {.parent = at, .key = config_setting_name(setting)};
        if (section_find(section, key.key) == NULL)
            complain_unknown(l, &key, section, setting);
    }
    if (l->errors->n == errors_before && !l->errors->out_of_memory)
        check_rules(l, at, section, group, base);
}

static void undefined_name(struct loader *l, const struct reference *ref, const struct vector *v, size_t size)
{
    struct words words = {0};
    words_add(&words, "found ");
    words_quote(&words, ref->name);
    words_add(&words, "; %s of %s", v->n == 0 ? "there is no section" : "allowed are the sections",
              ref->option->refers);
    for (size_t i = 0; i < v->n; i++) {
        const char *name = name_at(v, size, i);
        if (name != NULL)
            words_add(&words, "%s \"%s\"", i == 0 ? ":" : ",", name);
    }
    complain(l, ref->line, ref->path, "%s", words.text);
}

static void follow(struct loader *l, const struct reference *ref)
{
    const struct option *list = section_find(&conf_section_root, ref->option->refers);
    size_t               size = list->section->size;
    struct vector        v;
    memcpy(&v, option_at(list, l->conf), sizeof v);
    if (ref->name[0] == '\0' && !ref->option->required)
        return;
    for (size_t i = 0; i < v.n; i++) {
        const char *name = name_at(&v, size, i);
        const void *found = (const char *)v.at + i * size;
        if (name != NULL && strcmp(name, ref->name) == 0) {
            memcpy(ref->at, &found, sizeof found);
            return;
        }
    }
    undefined_name(l, ref, &v, size);
}

void walk_root(struct loader *l, config_setting_t *root)
{
    section_defaults(l, &conf_section_root, l->conf);
    read_section(l, NULL, &conf_section_root, root, l->conf);
    for (const struct reference *ref = l->references; ref != NULL; ref = ref->next)
        follow(l, ref);
}
