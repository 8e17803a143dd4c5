#include "ctl/import_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/import_words.h"

enum { SHOWN_MAX = 160 }; /* bytes of a line that a remark repeats */

static const char *const kinds[] = {"global",    "defaults",    "frontend",  "listen",   "backend",
                                    "peers",     "mailers",     "resolvers", "userlist", "cache",
                                    "program",   "http-errors", "ring",      "fcgi-app", "log-forward",
                                    "crt-store", "log-profile", "acme",      "traces"};

const char *line_word(const struct line *line, size_t n)
{
    return n < line->words.n ? line->words.at[n] : "";
}

bool line_begins(const struct line *line, const char *text)
{
    for (size_t i = 0; *text != '\0'; i++) {
        size_t len = strcspn(text, " ");
        if (i >= line->words.n || strlen(line->words.at[i]) != len || strncmp(line->words.at[i], text, len) != 0)
            return false;
        text += len + (text[len] == ' ');
    }
    return true;
}

bool line_has(const struct line *line, size_t n, const char *word)
{
    for (; n < line->words.n; n++) {
        if (strcmp(line->words.at[n], word) == 0)
            return true;
    }
    return false;
}

static void PRINTF_LIKE(4, 0) remark_va(struct arena *arena, struct line *line, bool lost, const char *fmt, va_list ap)
{
    char            text[1024];
    struct remark **end = &line->remarks;
    (void)vsnprintf(text, sizeof text, fmt, ap);
    for (; *end != NULL; end = &(*end)->next) {
        if (strcmp((*end)->text, text) == 0)
            return;
    }
    *end = import_alloc(arena, 1, sizeof **end);
    **end = (struct remark){lost, import_copy(arena, text, strlen(text)), NULL};
}

void line_lose(struct arena *arena, struct line *line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    remark_va(arena, line, true, fmt, ap);
    va_end(ap);
}

void line_note(struct arena *arena, struct line *line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    remark_va(arena, line, false, fmt, ap);
    va_end(ap);
}

static const char *shown_of(struct arena *arena, const char *text, size_t len)
{
    static const char blanks[] = " \t\r\v\f";
    while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
        len--;
    while (len > 0 && strchr(blanks, *text) != NULL) {
        text++;
        len--;
    }
    return import_copy(arena, text, len);
}

/* What must not be repeated: the password of "stats auth", and, of a line that is no words, all but the first. */
static const char *masked(struct arena *arena, const struct line *line)
{
    const char *word = line_word(line, 2);
    if (line->words.n == 0)
        return import_format(arena, "%.*s ...", (int)strcspn(line->shown, " \t"), line->shown);
    if (line_begins(line, "stats auth"))
        return import_format(arena, "stats auth %.*s:...", (int)strcspn(word, ":"), word);
    return line->shown;
}

/* Reads the lines of text; those without words and without a fault are forgotten. */
static bool read_lines(struct import_file *file, const char *text, struct err *err)
{
    size_t n = 1;
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        n++;
    if (n > IMPORT_LINES_MAX) {
        err_set(err, "it has %zu lines; at most %d are read", n, IMPORT_LINES_MAX);
        return false;
    }
    file->lines = import_alloc(file->arena, n, sizeof *file->lines);
    for (unsigned number = 1; *text != '\0'; number++) {
        struct line *line = &file->lines[file->n_lines];
        size_t       len = strcspn(text, "\n");
        *line = (struct line){.number = number, .shown = shown_of(file->arena, text, len)};
        const char *fault = import_words(file->arena, line->shown, &line->words);
        if (line->words.n > IMPORT_WORDS_MAX) {
            fault = "more words than HAProxy takes";
            line->words.n = 0;
        }
        if (fault != NULL)
            line_lose(file->arena, line, "%s", fault);
        line->shown = masked(file->arena, line);
        if (fault != NULL || line->words.n > 0)
            file->n_lines++;
        text += len + (text[len] == '\n');
    }
    return true;
}

/* lines[i] is ".if": the index behind its ".endif", or behind the last line. */
static size_t skip_conditional(struct import_file *file, size_t i)
{
    struct line *begin = &file->lines[i];
    unsigned     depth = 0;
    for (; i < file->n_lines; i++) {
        const char *word = line_word(&file->lines[i], 0);
        depth += strcmp(word, ".if") == 0;
        depth -= strcmp(word, ".endif") == 0;
        if (depth == 0)
            break;
    }
    unsigned last = i < file->n_lines ? file->lines[i].number : file->lines[file->n_lines - 1].number;
    line_lose(file->arena, begin,
              "conditions are not evaluated: nothing was read up to line %u; write what is wanted without .if", last);
    return i < file->n_lines ? i + 1 : i;
}

static bool is_section_head(const struct line *line)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(line_word(line, 0), kinds[i]) == 0)
            return true;
    }
    return false;
}

static struct section_lines section_begin(struct line *head)
{
    struct section_lines section = {.kind = line_word(head, 0), .name = line_word(head, 1), .from = "", .head = head};
    size_t               from = 2;
    if (strcmp(section.name, "from") == 0 && strcmp(section.kind, "defaults") == 0) {
        section.name = "";
        from = 1;
    }
    if (strcmp(line_word(head, from), "from") == 0)
        section.from = line_word(head, from + 1);
    return section;
}

static void line_without_section(struct arena *arena, struct line *line)
{
    if (line->words.n > 0)
        line_lose(arena, line, "it belongs to no section");
}

/* Conditions and messages to the person who starts HAProxy: lines that begin with a dot. */
static bool is_directive(const struct line *line)
{
    return line_word(line, 0)[0] == '.';
}

/* pointers has room for every line of the file. */
static void split_sections(struct import_file *file, struct line **pointers)
{
    struct section_lines *section = NULL;
    for (size_t i = 0; i < file->n_lines;) {
        struct line *line = &file->lines[i];
        if (strcmp(line_word(line, 0), ".if") == 0) {
            i = skip_conditional(file, i);
            continue;
        }
        i++;
        if (is_directive(line)) {
            line_lose(file->arena, line, "HAProxy's directives are not carried out");
        } else if (is_section_head(line)) {
            section = &file->sections[file->n_sections++];
            *section = section_begin(line);
            section->lines = pointers;
        } else if (section == NULL) {
            line_without_section(file->arena, line);
        } else if (line->words.n > 0) {
            *pointers++ = line;
            section->n++;
        }
    }
}

bool import_file_parse(struct import_file *file, struct arena *arena, const char *text, struct err *err)
{
    *file = (struct import_file){.arena = arena};
    if (strlen(text) > IMPORT_BYTES_MAX) {
        err_set(err, "it is longer than %d bytes", IMPORT_BYTES_MAX);
        return false;
    }
    if (!read_lines(file, text, err))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < file->n_lines; i++)
        n += is_section_head(&file->lines[i]);
    if (n > IMPORT_SECTIONS_MAX) {
        err_set(err, "it has %zu sections; at most %d are read", n, IMPORT_SECTIONS_MAX);
        return false;
    }
    file->sections = import_alloc(arena, n, sizeof *file->sections);
    split_sections(file, import_alloc(arena, file->n_lines, sizeof(struct line *)));
    return true;
}

size_t import_file_remarks(const struct import_file *file, const char *name, struct text *out)
{
    size_t lost = 0;
    for (size_t i = 0; i < file->n_lines; i++) {
        const struct line *line = &file->lines[i];
        bool               is_lost = false;
        for (const struct remark *r = line->remarks; r != NULL; r = r->next) {
            char shown[SHOWN_MAX];
            (void)snprintf(shown, sizeof shown, "%s", line->shown);
            text_put_line_part(out, name);
            text_add(out, ":%u: ", line->number);
            text_put_line_part(out, shown);
            text_add(out, ": %s", r->lost ? "" : "note: ");
            text_put_line_part(out, r->text);
            text_puts(out, "\n");
            is_lost = is_lost || r->lost;
        }
        lost += is_lost;
    }
    return lost;
}
