#include "conf/print.h"

#include <string.h>

#include "conf/value.h"

static void section_print(const struct section *section, const void *base, int depth, FILE *to);

static void indent(int depth, FILE *to)
{
    (void)fprintf(to, "%*s", 2 * depth, "");
}

static void array_print(const struct option *option, const void *at, FILE *to)
{
    struct vector v;
    memcpy(&v, at, sizeof v);
    (void)fputs("[ ", to);
    for (size_t i = 0; i < v.n; i++) {
        (void)fputs(i > 0 ? ", " : "", to);
        value_print(option, (const char *)v.at + i * value_size(option->type), to);
    }
    (void)fputs(v.n > 0 ? " ]" : "]", to);
}

static void list_print(const struct option *option, const void *at, int depth, FILE *to)
{
    struct vector v;
    memcpy(&v, at, sizeof v);
    (void)fputs("(", to);
    for (size_t i = 0; i < v.n; i++) {
        (void)fputs(i > 0 ? ",\n" : "\n", to);
        indent(depth + 1, to);
        (void)fputs("{\n", to);
        section_print(option->section, (const char *)v.at + i * option->section->size, depth + 2, to);
        indent(depth + 1, to);
        (void)fputs("}", to);
    }
    if (v.n > 0) {
        (void)fputs("\n", to);
        indent(depth, to);
    } else {
        (void)fputs(" ", to);
    }
    (void)fputs(")", to);
}

static void option_print(const struct option *option, const void *at, int depth, FILE *to)
{
    indent(depth, to);
    (void)fprintf(to, option->type == OPTION_GROUP ? "%s: " : "%s = ", option->name);
    if (option->type == OPTION_GROUP) {
        (void)fputs("{\n", to);
        section_print(option->section, at, depth + 1, to);
        indent(depth, to);
        (void)fputs("}", to);
    } else if (option->type == OPTION_LIST) {
        list_print(option, at, depth, to);
    } else if (value_is_array(option->type)) {
        array_print(option, at, to);
    } else {
        value_print(option, at, to);
    }
    (void)fputs(";\n", to);
}

static void section_print(const struct section *section, const void *base, int depth, FILE *to)
{
    for (const struct option *o = section->options; o->name != NULL; o++)
        option_print(o, option_at_const(o, base), depth, to);
}

int conf_print(const struct conf *conf, FILE *to)
{
    section_print(&conf_section_root, conf, 0, to);
    return fflush(to) == 0 && !ferror(to) ? 0 : -1;
}
