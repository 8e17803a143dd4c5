/* What is said about a setting that cannot be taken. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/load_walk.h"
#include "conf/report.h"
#include "conf/value.h"

void complain(struct loader *l, unsigned line, const char *path, const char *fmt, ...)
{
    struct words        words = {0};
    char                text[WORDS_MAX];
    va_list             ap;
    struct source_piece at = source_locate(l->source, line);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    words_add(&words, "%s:%u: %s%s%s", at.file, at.line, path, path[0] != '\0' ? ": " : "", text);
    report_add(l->errors, line, words.text);
}

static void add_path(struct words *words, const struct place *at)
{
    if (at == NULL)
        return;
    add_path(words, at->parent);
    const char *dot = words->len > 0 ? "." : "";
    if (at->key != NULL)
        words_add(words, "%s%.100s", dot, at->key);
    else if (at->name != NULL)
        words_add(words, "%s%s", dot, at->name);
    else
        words_add(words, "[%u]", at->index);
}

void place_format(const struct place *at, char path[PLACE_TEXT_MAX])
{
    struct words words = {0};
    add_path(&words, at);
    (void)snprintf(path, PLACE_TEXT_MAX, "%.*s", PLACE_TEXT_MAX - 1, words.text);
}

unsigned line_of(const config_setting_t *setting)
{
    unsigned line = config_setting_source_line(setting);
    return line > 0 ? line : 1;
}

void complain_at(struct loader *l, const struct place *at, const config_setting_t *setting, const char *text)
{
    char path[PLACE_TEXT_MAX];
    place_format(at, path);
    complain(l, line_of(setting), path, "%s", text);
}

/* text: what the environment made of the string; NULL when it was not looked at. */
static void add_string(struct words *words, const char *written, const char *text)
{
    bool expanded = text != NULL && strcmp(written, text) != 0;
    words_quote(words, expanded ? text : written);
    if (expanded) {
        words_add(words, " from ");
        words_quote(words, written);
    }
}

static void add_found(struct words *words, const config_setting_t *setting, const char *text, bool secret)
{
    words_add(words, "found ");
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        words_add(words, "a group { ... }");
        break;
    case CONFIG_TYPE_LIST:
        words_add(words, "a list ( ... ) of %d", config_setting_length(setting));
        break;
    case CONFIG_TYPE_ARRAY:
        words_add(words, "an array [ ... ] of %d", config_setting_length(setting));
        break;
    case CONFIG_TYPE_BOOL:
        words_add(words, "%s", config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        words_add(words, "the number %lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        words_add(words, "the number %g", config_setting_get_float(setting));
        break;
    default:
        if (secret)
            words_add(words, "a string (not shown)");
        else
            add_string(words, config_setting_get_string(setting), text);
    }
}

void complain_unknown(struct loader *l, const struct place *at, const struct section *section,
                      const config_setting_t *setting)
{
    struct words         words = {0};
    const struct option *near = NULL;
    unsigned             least = WORDS_NEAR + 1;
    for (const struct option *o = section->options; o->name != NULL; o++) {
        unsigned d = words_distance(at->key, o->name);
        if (d < least) {
            least = d;
            near = o;
        }
    }
    if (near != NULL) {
        words_add(&words, "unknown key; did you mean \"%s\"?", near->name);
    } else {
        words_add(&words, "unknown key; allowed are");
        const char *before = " ";
        for (const struct option *o = section->options; o->name != NULL; o++) {
            words_add(&words, "%s%s", before, o->name);
            before = ", ";
        }
    }
    complain_at(l, at, setting, words.text);
}

void complain_wrong(struct loader *l, const struct place *at, const struct option *option,
                    const config_setting_t *setting, const char *text)
{
    struct words words = {0};
    add_found(&words, setting, text, option->secret);
    words_add(&words, "; allowed is ");
    if (at->key == NULL)
        value_element_allowed(option, &words);
    else
        value_allowed(option, &words);
    complain_at(l, at, setting, words.text);
}
