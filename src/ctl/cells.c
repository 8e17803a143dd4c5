#include "ctl/cells.h"

#include "ctl/human.h"
#include "ctl/paint.h"

const enum stat_column cells_denied[4] = {STAT_DREQ, STAT_DRESP, STAT_DCON, STAT_DSES};
const enum stat_column cells_errors[3] = {STAT_EREQ, STAT_ECON, STAT_ERESP};

static void put_joined(struct table *table, struct slice a, const char *between, struct slice b)
{
    struct text text = {.at = NULL};
    text_put(&text, (const char *)a.ptr, a.len);
    text_puts(&text, between);
    text_put(&text, (const char *)b.ptr, b.len);
    table_put(table, slice_of(text.at, text.failed ? 0 : text.len), PAINT_PLAIN);
    text_fini(&text);
}

void cells_name(struct table *table, const struct show_stat_row *row, bool alone)
{
    if (alone)
        table_put(table, row->cell[STAT_PXNAME], PAINT_PLAIN);
    else
        put_joined(table, row->cell[STAT_PXNAME], "/", row->cell[STAT_SVNAME]);
}

void cells_status(struct table *table, const struct show_stat_row *row)
{
    struct slice status = row->cell[STAT_STATUS];
    table_put(table, status, paint_of_state(show_stat_state(status)));
}

void cells_check(struct table *table, const struct show_stat_row *row)
{
    const struct slice *cell = row->cell;
    struct text         text = {.at = NULL};
    text_put(&text, (const char *)cell[STAT_CHECK_STATUS].ptr, cell[STAT_CHECK_STATUS].len);
    if (text.len > 0 && cell[STAT_CHECK_CODE].len > 0) {
        text_puts(&text, "/");
        text_put(&text, (const char *)cell[STAT_CHECK_CODE].ptr, cell[STAT_CHECK_CODE].len);
    }
    if (text.len > 0 && cell[STAT_CHECK_DURATION].len > 0) {
        text_puts(&text, " ");
        text_put(&text, (const char *)cell[STAT_CHECK_DURATION].ptr, cell[STAT_CHECK_DURATION].len);
        text_puts(&text, "ms");
    }
    if (text.len == 0)
        text_puts(&text, "-");
    table_put(table, slice_of(text.at, text.failed ? 0 : text.len), PAINT_PLAIN);
    text_fini(&text);
}

void cells_number(struct table *table, const struct show_stat_row *row, enum stat_column column)
{
    uint64_t n = 0;
    bool     has = show_stat_number(row, column, &n);
    table_number(table, has, n, EXACT_BELOW);
}

void cells_bytes(struct table *table, const struct show_stat_row *row, enum stat_column column)
{
    uint64_t n = 0;
    bool     has = show_stat_number(row, column, &n);
    table_number(table, has, n, BYTES_EXACT_BELOW);
}

void cells_sum(struct table *table, const struct show_stat_row *row, const enum stat_column *columns, size_t n)
{
    uint64_t sum = 0;
    bool     has = show_stat_sum(row, columns, n, &sum);
    table_number(table, has, sum, EXACT_BELOW);
}

void cells_duration(struct table *table, const struct show_stat_row *row, enum stat_column column)
{
    char     text[HUMAN_MAX];
    uint64_t n;
    bool     has = show_stat_number(row, column, &n);
    table_put(table, slice_str(has ? human_duration(n, text) : "-"), PAINT_PLAIN);
}
