/* Conditions: mqgate has none, but a few have their place in its options. */
#include <string.h>

#include "ctl/import_translate.h"

/* Words of an acl or of what stands in braces, without the acl's name. */
struct words_of {
    const char *const *at;
    size_t             n;
};

static bool starts(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

static bool mentions(struct words_of w, const char *what)
{
    for (size_t i = 0; i < w.n; i++) {
        if (strstr(w.at[i], what) != NULL)
            return true;
    }
    return false;
}

static bool add_networks(struct import *im, struct words_of w, struct strings *networks)
{
    for (size_t i = 1; i < w.n; i++) {
        const char *network = import_network(im, w.at[i]);
        if (strcmp(w.at[i], "--") == 0)
            continue;
        if (network == NULL || im->tests_left == 0)
            return false;
        im->tests_left--;
        strings_add(im->arena, networks, network);
    }
    return networks->n > 0;
}

/* "nbsrv(backend) lt 1", "nbsrv eq 0": no server is up. */
static bool is_no_server(struct words_of w)
{
    if (w.n < 2 || !starts(w.at[0], "nbsrv"))
        return false;
    const char *last = w.at[w.n - 1], *how = w.n == 3 ? w.at[1] : "eq";
    return (strcmp(how, "lt") == 0 && strcmp(last, "1") == 0) || (strcmp(how, "le") == 0 && strcmp(last, "0") == 0) ||
           (strcmp(how, "eq") == 0 && strcmp(last, "0") == 0);
}

/* One test; networks are added to those that are there. */
static void test_read(struct import *im, struct words_of w, struct condition *c)
{
    c->kind = CONDITION_OTHER;
    if (w.n == 0 || im->tests_left == 0)
        return;
    im->tests_left--;
    if (mentions(w, "mqtt_is_valid"))
        c->kind = CONDITION_MQTT;
    else if (strcmp(w.at[0], "src") == 0 && add_networks(im, w, &c->networks))
        c->kind = CONDITION_SOURCE;
    else if (strcmp(w.at[0], "path") == 0 && w.n == 2 && w.at[1][0] == '/') {
        c->kind = CONDITION_PATH;
        c->path = w.at[1];
    } else if (is_no_server(w)) {
        c->kind = CONDITION_SERVERS;
    }
}

static void named_read(struct import *im, const struct proxy *proxy, const char *name, struct condition *c)
{
    bool found = false;
    if (strcmp(name, "TRUE") == 0 || strcmp(name, "WAIT_END") == 0)
        c->kind = CONDITION_ALWAYS;
    else
        c->kind = CONDITION_OTHER;
    for (size_t i = 0; i < proxy->acls.n; i++) {
        struct line *acl = proxy->acls.at[i];
        if (strcmp(line_word(acl, 1), name) != 0 || acl->words.n < 3)
            continue;
        enum condition_kind before = c->kind;
        test_read(im, (struct words_of){acl->words.at + 2, acl->words.n - 2}, c);
        if (found && !(before == CONDITION_SOURCE && c->kind == CONDITION_SOURCE))
            c->kind = CONDITION_OTHER;
        found = true;
        lines_add(im->arena, &c->acls, acl);
        if (c->kind == CONDITION_OTHER)
            return;
    }
}

/* One term from word *n on: name, !name, { test }, !{ test }, ! { test }. *n is behind it afterwards. */
static void term_read(struct import *im, const struct proxy *proxy, const struct line *line, size_t *n,
                      struct condition *c)
{
    const char *word = line_word(line, *n);
    c->not = false;
    while (*word == '!') {
        c->not = !c->not ;
        word++;
        if (*word == '\0')
            word = line_word(line, ++*n);
    }
    if (strcmp(word, "{") != 0) {
        named_read(im, proxy, word, c);
        ++*n;
        return;
    }
    size_t begin = ++*n;
    while (*n < line->words.n && strcmp(line_word(line, *n), "}") != 0)
        ++*n;
    test_read(im, (struct words_of){line->words.at + begin, *n - begin}, c);
    ++*n;
}

struct condition condition_read(struct import *im, const struct proxy *proxy, const struct line *line, size_t n)
{
    struct condition c = {.kind = CONDITION_ALWAYS};
    bool             unless = strcmp(line_word(line, n), "unless") == 0, first = true;
    if (n >= line->words.n)
        return c;
    if (!unless && strcmp(line_word(line, n), "if") != 0) {
        c.kind = CONDITION_OTHER;
        return c;
    }
    for (n++; n < line->words.n; first = false) {
        struct condition before = c;
        bool             either = strcmp(line_word(line, n), "||") == 0 || strcmp(line_word(line, n), "or") == 0;
        if (!first)
            n += either;
        term_read(im, proxy, line, &n, &c);
        bool is_union =
            either && before.kind == CONDITION_SOURCE && c.kind == CONDITION_SOURCE && !before.not &&!c.not ;
        if (!first && !is_union)
            c.kind = CONDITION_OTHER;
    }
    c.not = c.not != unless;
    return c;
}

void condition_used(const struct condition *condition)
{
    for (size_t i = 0; i < condition->acls.n; i++)
        condition->acls.at[i]->used = true;
}

void acls_unused(struct import *im, struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->acls.n; i++) {
        if (!proxy->acls.at[i]->used)
            line_lose(im->arena, proxy->acls.at[i], "no rule that was carried over needs it");
    }
}
