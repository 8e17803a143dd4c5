/* Values and what they may be, as text. */
#include "conf/value.h"

#include <inttypes.h>
#include <string.h>

#include "conf/quantity.h"

/* libconfig's escapes; `${` is written so that it is not looked up in the environment. */
static void string_print(const char *text, FILE *to)
{
    (void)fputc('"', to);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (text[0] == '$' && text[1] == '{')
            (void)fputs("$$", to);
        else if (c == '"' || c == '\\')
            (void)fprintf(to, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            (void)fprintf(to, "\\x%02x", c);
        else
            (void)fputc(c, to);
    }
    (void)fputc('"', to);
}

static const char *enum_name(const struct option *option, unsigned value)
{
    const struct choice *c = option->choices;
    while (c->name != NULL && c->value != value)
        c++;
    return c->name != NULL ? c->name : "";
}

static void addr_print(const struct addr *addr, FILE *to)
{
    char text[ADDR_TEXT_MAX];
    (void)fprintf(to, "\"%s\"", addr_is_set(addr) ? addr_format(addr, text) : "");
}

static void network_print(const struct network *net, FILE *to)
{
    char text[ADDR_TEXT_MAX];
    (void)fprintf(to, "\"%s/%u\"", addr_format_ip(&net->base, text), net->bits);
}

static void quantity_print(const struct option *option, uint32_t n, FILE *to)
{
    char text[QUANTITY_TEXT_MAX];
    if (option->type == OPTION_U32)
        (void)fprintf(to, "%" PRIu32, n);
    else
        (void)fprintf(to, "\"%s\"", option->type == OPTION_SIZE ? size_format(n, text) : duration_format(n, text));
}

static void source_print(const struct addr *addr, FILE *to)
{
    char text[ADDR_TEXT_MAX];
    (void)fprintf(to, "\"%s\"", addr_is_set(addr) ? addr_format_ip(addr, text) : "auto");
}

/* What an OPTION_REF points to begins with its name. */
static const char *name_of(const void *at)
{
    const void *element;
    const char *name = NULL;
    memcpy(&element, at, sizeof element);
    if (element != NULL)
        memcpy(&name, element, sizeof name);
    return name != NULL ? name : "";
}

void value_print(const struct option *option, const void *at, FILE *to)
{
    switch (option->type) {
    case OPTION_BOOL:
        (void)fputs(*(const bool *)at ? "true" : "false", to);
        break;
    case OPTION_U32:
    case OPTION_DURATION:
    case OPTION_SIZE:
        quantity_print(option, *(const uint32_t *)at, to);
        break;
    case OPTION_ENUM:
        string_print(enum_name(option, *(const unsigned *)at), to);
        break;
    case OPTION_ADDRESS:
    case OPTION_ADDRESSES:
        addr_print(at, to);
        break;
    case OPTION_SOURCE:
        source_print(at, to);
        break;
    case OPTION_NETWORKS:
        network_print(at, to);
        break;
    case OPTION_STRING:
    case OPTION_STRINGS:
        string_print(*(const char *const *)at, to);
        break;
    case OPTION_REF:
        string_print(name_of(at), to);
        break;
    case OPTION_GROUP:
    case OPTION_LIST:
        break;
    }
}

static void choices_allowed(const struct option *option, struct words *words)
{
    for (const struct choice *c = option->choices; c->name != NULL; c++) {
        const char *after = c[1].name == NULL ? "" : c[2].name == NULL ? " or " : ", ";
        words_add(words, "\"%s\"%s", c->name, after);
    }
}

static void quantity_allowed(const struct option *option, struct words *words)
{
    char lo[QUANTITY_TEXT_MAX], hi[QUANTITY_TEXT_MAX];
    if (option->type == OPTION_SIZE) {
        words_add(words, "a size from \"%s\" to \"%s\", a string with its unit: B, KiB, MiB or GiB",
                  size_format(option->min, lo), size_format(option->max, hi));
        return;
    }
    words_add(words, "a duration from \"%s\" to \"%s\"%s, a string with its unit: ms, s, m or h",
              duration_format(option->min, lo), duration_format(option->max, hi),
              option->step == 1000 ? " in whole seconds" : "");
}

static void count_allowed(const struct option *option, struct words *words)
{
    if (option->min == option->max)
        words_add(words, "%" PRIu32, option->min);
    else
        words_add(words, "%" PRIu32 " to %" PRIu32, option->min, option->max);
}

void value_element_allowed(const struct option *option, struct words *words)
{
    switch (option->type) {
    case OPTION_ADDRESSES:
        words_add(words, "an IP address and port such as \"0.0.0.0:1883\" or \"[::]:1883\"");
        break;
    case OPTION_NETWORKS:
        words_add(words, "a network such as \"10.0.0.0/8\" or \"::1\", no bit set behind the prefix");
        break;
    case OPTION_STRINGS:
        words_add(words, "%s", option->allowed);
        break;
    case OPTION_LIST:
        words_add(words, "a group { ... }");
        break;
    default:
        value_allowed(option, words);
    }
}

static void array_allowed(const struct option *option, struct words *words)
{
    if (option->type == OPTION_ADDRESSES) {
        value_element_allowed(option, words);
        words_add(words, ", or an array of ");
        count_allowed(option, words);
        words_add(words, " of them");
        return;
    }
    words_add(words, "an array of ");
    count_allowed(option, words);
    words_add(words, ", each ");
    value_element_allowed(option, words);
}

void value_allowed(const struct option *option, struct words *words)
{
    switch (option->type) {
    case OPTION_BOOL:
        words_add(words, "true or false");
        break;
    case OPTION_U32:
        words_add(words, "a whole number from %" PRIu32 " to %" PRIu32, option->min, option->max);
        break;
    case OPTION_DURATION:
    case OPTION_SIZE:
        quantity_allowed(option, words);
        break;
    case OPTION_ENUM:
        choices_allowed(option, words);
        break;
    case OPTION_ADDRESS:
        words_add(words, "an IP address and port%s such as \"127.0.0.1:8080\" or \"[::1]:8080\", or \"\"",
                  option->min > 0 ? " other than 0" : "");
        break;
    case OPTION_SOURCE:
        words_add(words, "\"auto\", or an IP address such as \"10.0.0.1\"");
        break;
    case OPTION_ADDRESSES:
    case OPTION_NETWORKS:
    case OPTION_STRINGS:
        array_allowed(option, words);
        break;
    case OPTION_STRING:
        words_add(words, "%s", option->allowed);
        break;
    case OPTION_REF:
        words_add(words, "the name of a section of %s%s", option->refers,
                  option->def != NULL && option->needed == NULL ? ", or \"\"" : "");
        break;
    case OPTION_GROUP:
        words_add(words, "a group { ... }");
        break;
    case OPTION_LIST:
        words_add(words, "a list of ");
        count_allowed(option, words);
        words_add(words, " groups ( { ... }, ... )");
        break;
    }
}
