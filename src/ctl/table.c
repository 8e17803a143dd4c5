#include "ctl/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/human.h"
#include "ctl/visible.h"

enum { CELLS_FIRST = 128, NAME_COLS = 20, READABLE_COLS = 12 };

void table_init(struct table *table, const struct table_column *columns, size_t n)
{
    *table = (struct table){.columns = columns, .n_columns = n};
}

void table_fini(struct table *table)
{
    free(table->cells);
    text_fini(&table->text);
    table_init(table, table->columns, table->n_columns);
}

void table_clear(struct table *table)
{
    table->n_cells = 0;
    table->failed = false;
    text_fini(&table->text);
}

static struct table_cell *next_cell(struct table *table)
{
    if (table->n_cells == table->cap) {
        size_t             cap = table->cap > 0 ? table->cap * 2 : CELLS_FIRST;
        struct table_cell *cells = reallocarray(table->cells, cap, sizeof *cells);
        if (cells == NULL)
            return NULL;
        table->cells = cells;
        table->cap = cap;
    }
    return &table->cells[table->n_cells];
}

void table_put(struct table *table, struct slice text, enum paint paint)
{
    size_t             at = table->text.len;
    struct table_cell *cell = next_cell(table);
    size_t             cols = cell != NULL ? visible_put(&table->text, text) : 0;
    table->failed |= cell == NULL || table->text.failed;
    if (table->failed)
        return;
    *cell = (struct table_cell){.at = at, .len = table->text.len - at, .cols = cols, .paint = paint};
    table->n_cells++;
}

void table_add(struct table *table, const char *fmt, ...)
{
    char    text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    table_put(table, slice_str(text), PAINT_PLAIN);
}

void table_number(struct table *table, bool has, uint64_t n, uint64_t exact_below)
{
    char text[HUMAN_MAX];
    table_put(table, slice_str(has ? human_number(n, exact_below, text) : "-"), PAINT_PLAIN);
}

size_t table_rows(const struct table *table)
{
    return table->n_cells / table->n_columns;
}

static size_t natural_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->columns[column].title), rows = table_rows(table);
    for (size_t row = 0; row < rows; row++) {
        size_t cols = table->cells[row * table->n_columns + column].cols;
        width = cols > width ? cols : width;
    }
    return width;
}

static size_t total_width(const size_t *widths, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += widths[i] > 0 ? widths[i] + (total > 0) : 0;
    return total;
}

/* The column to go next, or 0 when only the first is left. Of two that are kept as long, the one further right. */
static size_t least_kept(const struct table *table, const size_t *widths)
{
    size_t least = 0;
    for (size_t i = 1; i < table->n_columns; i++) {
        if (widths[i] > 0 && (least == 0 || table->columns[i].keep <= table->columns[least].keep))
            least = i;
    }
    return least;
}

/* Narrows the column by what is too much, if at least so much is left of it. */
static bool narrow(size_t *width, size_t too_much, size_t least)
{
    if (*width < least || *width - least < too_much)
        return false;
    *width -= too_much;
    return true;
}

/* The first column names the row: it is narrowed before another goes, and when all have gone it has what there is. */
void table_layout(const struct table *table, size_t width, size_t widths[TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = natural_width(table, i);
    for (;;) {
        size_t total = total_width(widths, table->n_columns), least = least_kept(table, widths);
        if (width == TABLE_WIDTH_ANY || total <= width)
            return;
        if (table->columns[least].shrinks && narrow(&widths[least], total - width, READABLE_COLS))
            return;
        if (narrow(&widths[0], total - width, NAME_COLS))
            return;
        if (least == 0) {
            widths[0] = width;
            return;
        }
        widths[least] = 0;
    }
}

struct pen {
    table_draw  draw;
    void       *to;
    size_t      col;
    size_t      last; /* the last column that has room: no blanks behind it */
    struct text line; /* of the piece */
};

static struct pen pen_for(const struct table *table, const size_t *widths, table_draw draw, void *to)
{
    struct pen pen = {.draw = draw, .to = to, .last = table->n_columns - 1};
    while (pen.last > 0 && widths[pen.last] == 0)
        pen.last--;
    return pen;
}

static void draw_piece(struct pen *pen, const struct table *table, size_t column, size_t width, struct slice text,
                       size_t cols, enum paint paint)
{
    bool   right = table->columns[column].right;
    size_t used = cols;
    if (cols > width)
        text.len = visible_cut(text, width, &used);
    int blanks = (int)(width - used);
    text_cut(&pen->line, 0);
    text_add(&pen->line, "%*s", right ? blanks : 0, "");
    text_put(&pen->line, (const char *)text.ptr, text.len);
    text_add(&pen->line, "%*s", right || column == pen->last ? 0 : blanks, "");
    if (!pen->line.failed)
        pen->draw(pen->to, pen->col, paint, slice_of(pen->line.at, pen->line.len));
    pen->col += width + 1;
}

void table_draw_head(const struct table *table, const size_t *widths, size_t sorted_by, table_draw draw, void *to)
{
    struct pen pen = pen_for(table, widths, draw, to);
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *title = table->columns[i].title;
        if (widths[i] > 0)
            draw_piece(&pen, table, i, widths[i], slice_str(title), strlen(title),
                       i == sorted_by ? PAINT_FOCUS : PAINT_HEAD);
    }
    text_fini(&pen.line);
}

void table_draw_row(const struct table *table, const size_t *widths, size_t row, table_draw draw, void *to)
{
    struct pen pen = pen_for(table, widths, draw, to);
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct table_cell *c = &table->cells[row * table->n_columns + i];
        if (widths[i] > 0)
            draw_piece(&pen, table, i, widths[i], slice_of(table->text.at + c->at, c->len), c->cols, c->paint);
    }
    text_fini(&pen.line);
}
