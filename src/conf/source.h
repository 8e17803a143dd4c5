/* conf/source.h: the text of a configuration with all that it includes, and which file each line came from.
 *
 * @include is resolved here and not by libconfig: its scanner ends the process when a file cannot be read (a directory
 * is enough), and a daemon that reloads must live. One text also gives all lines one order. Private to conf/. */
#ifndef MQGATE_CONF_SOURCE_H
#define MQGATE_CONF_SOURCE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* Lines of the text from `first` on come from `file`, its line `line` being the first of them. */
struct source_piece {
    unsigned    first;
    const char *file;
    unsigned    line;
};

enum { SOURCE_NESTING_MAX = 32 }; /* brackets in brackets */

struct source {
    char                *text; /* ends with NUL; owned */
    size_t               len, room;
    unsigned             n_lines; /* complete ones */
    struct source_piece *pieces;  /* owned */
    size_t               n_pieces;
    unsigned             n_includes;
    struct arena        *arena; /* file names; the caller's */
    /* Where the scan is: the first character of the last token, and the brackets that are open. */
    char     last, open[SOURCE_NESTING_MAX];
    unsigned depth;
};

void source_init(struct source *source, struct arena *arena);
void source_fini(struct source *source);

/* False: *err says "file:line: what"; its text is "" when memory is out. */
bool source_read_file(struct source *source, const char *path, struct err *err) MUST_CHECK;
/* As if a file called name held text. It may include nothing. */
bool source_read_text(struct source *source, const char *name, const char *text, struct err *err) MUST_CHECK;

/* Where a line of the text, counted from 1, came from. */
struct source_piece source_locate(const struct source *source, unsigned line);

#endif
