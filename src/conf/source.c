#include "conf/source.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

enum {
    DEPTH_MAX = 10,       /* files that include each other */
    INCLUDES_MAX = 1000,  /* of a whole configuration */
    BYTES_MAX = 16 << 20, /* of a whole configuration */
    INT_DIGITS = 9,       /* decimal digits that always fit an int */
    HEX_DIGITS = 7        /* the same for hexadecimal ones */
};

enum lexis { IN_CODE, IN_STRING, IN_LINE_COMMENT, IN_COMMENT };

/* One file on its way into the source. */
struct reader {
    struct source *source;
    const char    *name;
    const char    *at;   /* what is left of its text, NUL-terminated */
    unsigned       line; /* of at, from 1 */
    unsigned       depth;
    bool           is_file; /* may include */
    enum lexis     lexis;
    struct err    *err;
};

void source_init(struct source *source, struct arena *arena)
{
    *source = (struct source){.arena = arena};
}

void source_fini(struct source *source)
{
    free(source->text);
    free(source->pieces);
}

static bool out_of_memory(struct err *err)
{
    err_set(err, "%s", "");
    return false;
}

static bool grow(struct source *source, size_t more, struct err *err)
{
    if (source->room - source->len > more)
        return true;
    size_t room = 2 * source->room + more + 1;
    char  *text = realloc(source->text, room);
    if (text == NULL)
        return out_of_memory(err);
    source->text = text;
    source->room = room;
    return true;
}

/* The caller has called grow(). */
static void append(struct source *source, const char *text, size_t len)
{
    memcpy(source->text + source->len, text, len);
    source->len += len;
    source->text[source->len] = '\0';
    for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))) != NULL; p++)
        source->n_lines++;
}

static bool add_piece(const struct reader *r)
{
    struct source       *source = r->source;
    struct source_piece *pieces = realloc(source->pieces, (source->n_pieces + 1) * sizeof *pieces);
    if (pieces == NULL)
        return out_of_memory(r->err);
    source->pieces = pieces;
    pieces[source->n_pieces++] = (struct source_piece){source->n_lines + 1, r->name, r->line};
    return true;
}

static bool take(struct reader *r, size_t len)
{
    if (r->source->len + len > BYTES_MAX) {
        err_set(r->err, "%s:%u: the configuration is longer than 16 MiB", r->name, r->line);
        return false;
    }
    if (!grow(r->source, len, r->err))
        return false;
    unsigned before = r->source->n_lines;
    append(r->source, r->at, len);
    r->line += r->source->n_lines - before;
    r->at += len;
    return true;
}

/* libconfig 1.5 reads a number with atoi(3) unless an L marks it as long, and so makes 4294967297 a 1. */
static bool take_number(struct reader *r)
{
    bool   hex = r->at[0] == '0' && (r->at[1] == 'x' || r->at[1] == 'X');
    size_t prefix = hex ? 2 : 0;
    size_t digits = strspn(r->at + prefix, hex ? "0123456789abcdefABCDEF" : "0123456789");
    char   next = r->at[prefix + digits];
    bool   fraction = r->source->len > 0 && r->source->text[r->source->len - 1] == '.';
    if (!take(r, prefix + digits))
        return false;
    bool is_long = digits > (hex ? HEX_DIGITS : INT_DIGITS);
    if (!is_long || fraction || next == 'L' || next == '.' || next == 'e' || next == 'E')
        return true;
    if (!grow(r->source, 1, r->err))
        return false;
    append(r->source, "L", 1);
    return true;
}

static bool read_into(struct source *source, const char *path, const char *text, unsigned depth, bool is_file,
                      struct err *err);

/* Everything of an open file; NULL and *err. Free with free(). */
static char *read_stream(FILE *f, struct err *err)
{
    size_t len = 0, room = 0;
    char  *text = NULL;
    do {
        if (room - len < 2) {
            char *more = realloc(text, room = 2 * room + 4096);
            if (more == NULL) {
                (void)out_of_memory(err);
                free(text);
                return NULL;
            }
            text = more;
        }
        len += fread(text + len, 1, room - len - 1, f);
    } while (!feof(f) && !ferror(f) && len <= BYTES_MAX);
    text[len] = '\0';
    if (!ferror(f) && len <= BYTES_MAX && strlen(text) == len)
        return text;
    if (ferror(f))
        err_system(err, errno, "cannot be read");
    else
        err_set(err, len > BYTES_MAX ? "longer than 16 MiB" : "holds a NUL byte; a configuration is text");
    free(text);
    return NULL;
}

static char *read_whole(const char *path, struct err *err)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        err_system(err, errno, "cannot be opened");
        return NULL;
    }
    char *text = read_stream(f, err);
    (void)fclose(f);
    return text;
}

/* from: who includes it; NULL for the file that the operator named. */
static bool read_file(struct source *source, const char *path, const struct reader *from, struct err *err)
{
    char *text = read_whole(path, err);
    if (text == NULL) {
        if (err->text[0] != '\0' && from != NULL)
            err_prefix(err, "%s:%u: @include \"%s\"", from->name, from->line, path);
        else if (err->text[0] != '\0')
            err_prefix(err, "%s", path);
        return false;
    }
    bool ok = read_into(source, path, text, from != NULL ? from->depth + 1 : 1, true, err);
    free(text);
    return ok;
}

/* A relative path counts from the directory of the file that includes. */
static const char *included_path(const struct reader *r, struct slice written)
{
    const char *slash = strrchr(r->name, '/');
    size_t      dir = slash == NULL || written.ptr[0] == '/' ? 0 : (size_t)(slash - r->name) + 1;
    char       *path = arena_alloc(r->source->arena, dir + written.len + 1, 1);
    if (path == NULL)
        return NULL;
    memcpy(path, r->name, dir);
    memcpy(path + dir, written.ptr, written.len);
    return path;
}

static bool include(struct reader *r, struct slice written)
{
    if (!r->is_file) {
        err_set(r->err, "%s:%u: @include stands in files only", r->name, r->line);
        return false;
    }
    if (r->depth >= DEPTH_MAX || ++r->source->n_includes > INCLUDES_MAX) {
        err_set(r->err, "%s:%u: @include nested deeper than %d files, or more than %d of them", r->name, r->line,
                DEPTH_MAX, INCLUDES_MAX);
        return false;
    }
    const char *path = included_path(r, written);
    if (path == NULL)
        return out_of_memory(r->err);
    return read_file(r->source, path, r, r->err) && add_piece(r);
}

/* At a line's begin: true when it is an @include; then *written is the path in it and *len the bytes up to behind it.
 */
static bool is_include(const char *line, struct slice *written, size_t *len)
{
    static const char word[] = "@include";
    const char       *p = line + strspn(line, " \t");
    if (strncmp(p, word, sizeof word - 1) != 0)
        return false;
    p += sizeof word - 1;
    p += strspn(p, " \t");
    size_t path = *p == '"' ? strcspn(p + 1, "\"\n") : 0;
    if (path == 0 || p[1 + path] != '"')
        return false;
    *written = slice_of((const uint8_t *)p + 1, path);
    *len = (size_t)(p - line) + path + 2;
    return true;
}

static bool take_line_start(struct reader *r)
{
    struct slice written;
    size_t       len;
    if (r->lexis != IN_CODE || !is_include(r->at, &written, &len))
        return true;
    r->at += len;
    return include(r, written);
}

/* libconfig 1.5 leaks a string that its grammar does not want, so where a string may stand is looked at before. */
static bool string_may_stand(const struct reader *r)
{
    const struct source *source = r->source;
    bool                 in_sequence = source->depth > 0 && source->open[source->depth - 1] != '{';
    if (source->last != '\0' && strchr("=:[(\"", source->last) != NULL)
        return true;
    if (source->last == ',' && in_sequence)
        return true;
    err_set(r->err, "%s:%u: found a string where none can be; a string stands behind =, or in a list or array", r->name,
            r->line);
    return false;
}

/* Brackets are only counted: whether they match is libconfig's business. */
static bool note_bracket(const struct reader *r, char c)
{
    struct source *source = r->source;
    if (strchr("{[(", c) != NULL) {
        if (source->depth == SOURCE_NESTING_MAX) {
            err_set(r->err, "%s:%u: brackets nested deeper than %d", r->name, r->line, SOURCE_NESTING_MAX);
            return false;
        }
        source->open[source->depth++] = c;
    } else if (strchr("}])", c) != NULL && source->depth > 0) {
        source->depth--;
    }
    return true;
}

static bool take_word(struct reader *r)
{
    size_t n = 1;
    while (isalnum((unsigned char)r->at[n]) || r->at[n] == '-' || r->at[n] == '_' || r->at[n] == '*')
        n++;
    return take(r, n);
}

/* Takes the token, or the one character, that r->at begins with. */
static bool take_code(struct reader *r)
{
    const char *p = r->at;
    if (*p == '#' || (p[0] == '/' && p[1] == '/')) {
        r->lexis = IN_LINE_COMMENT;
        return take(r, 1);
    }
    if (p[0] == '/' && p[1] == '*') {
        r->lexis = IN_COMMENT;
        return take(r, 2);
    }
    if (*p == '@') {
        err_set(r->err, "%s:%u: found an @; it only begins @include \"path\", first on its line", r->name, r->line);
        return false;
    }
    if (*p == '"') {
        if (!string_may_stand(r))
            return false;
        r->lexis = IN_STRING;
    }
    if (!note_bracket(r, *p))
        return false;
    if (!isspace((unsigned char)*p))
        r->source->last = *p;
    if (isdigit((unsigned char)*p))
        return take_number(r);
    return isalpha((unsigned char)*p) || *p == '_' || *p == '*' ? take_word(r) : take(r, 1);
}

static bool take_other(struct reader *r)
{
    const char *p = r->at;
    if (r->lexis == IN_STRING && p[0] == '\\' && p[1] != '\0')
        return take(r, 2);
    if (r->lexis == IN_COMMENT && p[0] == '*' && p[1] == '/') {
        r->lexis = IN_CODE;
        return take(r, 2);
    }
    if ((r->lexis == IN_STRING && *p == '"') || (r->lexis == IN_LINE_COMMENT && *p == '\n'))
        r->lexis = IN_CODE;
    return take(r, 1);
}

static bool finish(struct reader *r)
{
    if (r->lexis == IN_STRING || r->lexis == IN_COMMENT) {
        err_set(r->err, "%s:%u: the file ends inside a %s", r->name, r->line,
                r->lexis == IN_STRING ? "string" : "comment");
        return false;
    }
    r->at = "\n"; /* what follows an @include is never on the included file's last line */
    return take(r, 1);
}

static bool read_into(struct source *source, const char *path, const char *text, unsigned depth, bool is_file,
                      struct err *err)
{
    const char   *name = arena_strdup(source->arena, path);
    struct reader r = {source, name, text, 1, depth, is_file, IN_CODE, err};
    bool          ok = name != NULL ? add_piece(&r) && take_line_start(&r) : out_of_memory(err);
    while (ok && *r.at != '\0') {
        bool ends_line = *r.at == '\n';
        ok = r.lexis == IN_CODE ? take_code(&r) : take_other(&r);
        if (ok && ends_line)
            ok = take_line_start(&r);
    }
    return ok && finish(&r);
}

bool source_read_file(struct source *source, const char *path, struct err *err)
{
    return read_file(source, path, NULL, err);
}

bool source_read_text(struct source *source, const char *name, const char *text, struct err *err)
{
    return read_into(source, name, text, 1, false, err);
}

struct source_piece source_locate(const struct source *source, unsigned line)
{
    struct source_piece found = {line, "", line};
    for (size_t i = 0; i < source->n_pieces && source->pieces[i].first <= line; i++) {
        found = source->pieces[i];
        found.line += line - found.first;
    }
    return found;
}
