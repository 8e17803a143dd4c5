/* ctl/import_file.h: an HAProxy configuration as sections of lines, and what there is to say about each line. Pure. */
#ifndef MQGATE_CTL_IMPORT_FILE_H
#define MQGATE_CTL_IMPORT_FILE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"
#include "ctl/import_memory.h"

/* Past them a file is refused: nobody writes such a thing by hand, and work grows with the square of them. The words of
 * a line are as many as HAProxy takes. */
enum { IMPORT_LINES_MAX = 5000, IMPORT_SECTIONS_MAX = 1000, IMPORT_BYTES_MAX = 1 << 20, IMPORT_WORDS_MAX = 64 };

struct remark {
    bool           lost; /* the line, or a part of it, could not be carried over */
    const char    *text;
    struct remark *next;
};

struct line {
    unsigned       number;
    const char    *shown; /* as written, without its ends; a password in it is masked */
    struct strings words;
    struct remark *remarks; /* in the order that they were made */
    bool           used;    /* of an acl: something that was carried over needs it */
};

struct section_lines {
    const char   *kind;  /* "frontend" */
    const char   *name;  /* "" where there is none */
    const char   *from;  /* "defaults" that are named; "" for those above */
    struct line  *head;  /* "frontend NAME" */
    struct line **lines; /* without it */
    size_t        n;
};

struct import_file {
    struct arena         *arena; /* owns all of it */
    struct line          *lines; /* those with words, and those with a fault */
    size_t                n_lines;
    struct section_lines *sections;
    size_t                n_sections;
};

/* text ends with NUL. False: *err says why nothing can be made of it. */
bool import_file_parse(struct import_file *file, struct arena *arena, const char *text, struct err *err) MUST_CHECK;

/* The n-th word, "" when there are less. */
const char *line_word(const struct line *line, size_t n);
/* Whether the words from the first on are those of text, which has one blank between them. */
bool line_begins(const struct line *line, const char *text);
/* Whether a word from n on is this one. */
bool line_has(const struct line *line, size_t n, const char *word);

/* Says once that the line was not carried over, and why. */
void line_lose(struct arena *arena, struct line *line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Says once what the operator should know of a line that was. */
void line_note(struct arena *arena, struct line *line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Every remark as "name:line: text: why", in the file's order. Returns how many lines were not carried over. */
size_t import_file_remarks(const struct import_file *file, const char *name, struct text *out);

#endif
