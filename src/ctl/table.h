/* ctl/table.h: rows of short texts set in columns, and how they fit a width. Draws nothing. */
#ifndef MQGATE_CTL_TABLE_H
#define MQGATE_CTL_TABLE_H

#include "base/macros.h"
#include "base/slice.h"
#include "base/text.h"

enum { TABLE_COLUMNS_MAX = 24, TABLE_WIDTH_ANY = 0 };

enum paint { PAINT_PLAIN, PAINT_GOOD, PAINT_CHANGING, PAINT_BAD, PAINT_SET_ASIDE, PAINT_HEAD, PAINT_FOCUS, PAINTS };

struct table_column {
    const char *title;   /* ASCII */
    uint8_t     keep;    /* where width is short, columns with the least go first; the first column never goes */
    bool        right;   /* set to the right, as numbers are */
    bool        shrinks; /* is cut as long as something worth reading is left of it, before it goes */
};

struct table_cell {
    size_t     at, len; /* bytes, in the table's text */
    size_t     cols;    /* columns of the terminal */
    enum paint paint;
};

struct table {
    const struct table_column *columns;
    size_t                     n_columns;
    struct table_cell         *cells; /* row by row; owned */
    size_t                     n_cells, cap;
    struct text                text;
    bool                       failed; /* memory ran out; what came after is missing */
};

/* columns must outlive it. Free with table_fini(). */
void table_init(struct table *table, const struct table_column *columns, size_t n);
void table_fini(struct table *table);
/* Without rows again. */
void table_clear(struct table *table);

/* The next cell; a row is full after as many as there are columns. Text from elsewhere is made fit for a terminal. */
void table_put(struct table *table, struct slice text, enum paint paint);
void table_add(struct table *table, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "-" when there is no value. */
void   table_number(struct table *table, bool has, uint64_t n, uint64_t exact_below);
size_t table_rows(const struct table *table);

/* The width of each column, one blank between them: as wide as what is in it, and together at most width (any:
 * TABLE_WIDTH_ANY). 0: the column has no room. */
void table_layout(const struct table *table, size_t width, size_t widths[TABLE_COLUMNS_MAX]);

/* Each piece of a line, its columns filled up with blanks. col: where it begins. */
typedef void (*table_draw)(void *to, size_t col, enum paint paint, struct slice text);
void table_draw_head(const struct table *table, const size_t *widths, size_t sorted_by, table_draw draw, void *to);
void table_draw_row(const struct table *table, const size_t *widths, size_t row, table_draw draw, void *to);

#endif
