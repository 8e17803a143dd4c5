#include "ctl/import_words.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

enum { VARIABLE_LEN_MAX = 127 }; /* bytes of a name; mqgate knows no longer ones */

struct lexer {
    const char *p;
    struct text word;
    bool        in_word, single, twice; /* in 'single' or in "double" quotes */
    const char *problem;
};

static void put_literal(struct lexer *x, char c)
{
    /* The dollar sign is there already. */
    if (c == '{' && x->word.len > 0 && x->word.at[x->word.len - 1] == '$')
        text_put(&x->word, "$", 1);
    text_put(&x->word, &c, 1);
}

static int hex_of(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* At a backslash; it stays itself in front of what it does not escape. */
static void put_escape(struct lexer *x)
{
    static const char names[] = " \\#\"'$nrt", meanings[] = " \\#\"'$\n\r\t";
    const char       *name = x->p[1] != '\0' ? strchr(names, x->p[1]) : NULL;
    if (name != NULL && !(*name == '$' && !x->twice)) {
        put_literal(x, meanings[name - names]);
        x->p += 2;
    } else if (x->p[1] == 'x' && hex_of(x->p[2]) >= 0 && hex_of(x->p[3]) >= 0) {
        char byte = (char)(16 * hex_of(x->p[2]) + hex_of(x->p[3]));
        if (byte == '\0')
            x->problem = "holds a NUL byte";
        put_literal(x, byte);
        x->p += 4;
    } else {
        put_literal(x, *x->p++);
    }
}

static size_t name_len(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    return isdigit((unsigned char)p[0]) ? 0 : n;
}

/* p is at "$NAME", "${NAME}" or "${NAME-default}". Returns the bytes that it takes, 0 when it is none of them. */
static size_t variable_put(const char *p, struct text *out)
{
    bool   braces = p[1] == '{';
    size_t start = braces ? 2 : 1, len = name_len(p + start), end = start + len;
    if (len == 0 || len > VARIABLE_LEN_MAX)
        return 0;
    if (braces && p[end] == '-')
        end += strcspn(p + end, "}");
    if (braces && p[end] != '}')
        return 0;
    text_add(out, "${%.*s", (int)len, p + start);
    if (braces && end > start + len)
        text_add(out, ":-%.*s", (int)(end - (start + len) - 1), p + start + len + 1);
    text_puts(out, "}");
    return braces ? end + 1 : end;
}

static void put_variable(struct lexer *x)
{
    if (x->word.len > 0 && x->word.at[x->word.len - 1] == '$')
        x->problem = "a dollar sign right in front of a variable, which mqgate cannot write";
    size_t len = variable_put(x->p, &x->word);
    if (len == 0)
        x->problem = "a variable in a form that mqgate does not have; write \"${NAME}\" or \"${NAME-default}\"";
    x->p += len > 0 ? len : 1;
}

static void end_word(struct lexer *x, struct arena *arena, struct strings *words)
{
    if (x->in_word)
        strings_add(arena, words, x->word.len > 0 ? import_copy(arena, x->word.at, x->word.len) : "");
    text_cut(&x->word, 0);
    x->in_word = false;
}

static void put_next(struct lexer *x)
{
    char c = *x->p;
    x->in_word = true;
    if (c == '"' && !x->single)
        x->twice = !x->twice, x->p++;
    else if (c == '\'' && !x->twice)
        x->single = !x->single, x->p++;
    else if (c == '\\' && !x->single)
        put_escape(x);
    else if (c == '$' && x->twice)
        put_variable(x);
    else
        put_literal(x, *x->p++);
}

const char *import_words(struct arena *arena, const char *line, struct strings *words)
{
    struct lexer x = {.p = line};
    while (*x.p != '\0' && x.problem == NULL) {
        bool quoted = x.single || x.twice;
        if (!quoted && *x.p == '#')
            break;
        if (!quoted && isspace((unsigned char)*x.p)) {
            end_word(&x, arena, words);
            x.p++;
        } else {
            put_next(&x);
        }
    }
    end_word(&x, arena, words);
    if (x.problem == NULL && (x.single || x.twice))
        x.problem = "a quote that does not end";
    if (x.word.failed)
        import_out_of_memory();
    text_fini(&x.word);
    if (x.problem != NULL)
        words->n = 0;
    return x.problem;
}

const char *import_address_word(struct arena *arena, const char *word)
{
    struct text out = {0};
    while (*word != '\0') {
        const char *p = strncmp(word, "$${", 3) == 0 ? word + 1 : word;
        size_t      len = *p == '$' && strncmp(word, "${", 2) != 0 ? variable_put(p, &out) : 0;
        if (len > 0) {
            word = p + len;
        } else {
            text_put(&out, word, 1);
            word++;
        }
    }
    char *made = text_take(&out);
    if (made == NULL)
        import_out_of_memory();
    char *copy = import_copy(arena, made, strlen(made));
    text_fini(&(struct text){.at = made});
    return copy;
}

bool import_has_variable(const char *word)
{
    for (const char *p = strstr(word, "${"); p != NULL; p = strstr(p + 2, "${")) {
        if (p == word || p[-1] != '$')
            return true;
    }
    return false;
}
