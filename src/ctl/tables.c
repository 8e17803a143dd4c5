#include "ctl/tables.h"

#include <stdio.h>

#include "ctl/ask.h"
#include "ctl/cells.h"
#include "ctl/paint.h"
#include "ctl/show_info.h"
#include "ctl/show_stat.h"
#include "ctl/table.h"
#include "ctl/visible.h"

static const struct table_column stat_columns[] = {
    {.title = "NAME"},
    {.title = "STATUS"},
    {.title = "CHECK"},
    {.title = "CUR", .right = true},
    {.title = "MAX", .right = true},
    {.title = "LIMIT", .right = true},
    {.title = "RATE", .right = true},
    {.title = "RMAX", .right = true},
    {.title = "TOTAL", .right = true},
    {.title = "IN", .right = true},
    {.title = "OUT", .right = true},
    {.title = "DENIED", .right = true},
    {.title = "ERRORS", .right = true},
    {.title = "QUEUE", .right = true},
    {.title = "WEIGHT", .right = true},
    {.title = "CHANGED", .right = true},
};

static void add_stat_row(struct table *table, const struct show_stat_row *row)
{
    static const enum stat_column sessions[] = {STAT_SCUR, STAT_SMAX, STAT_SLIM, STAT_RATE, STAT_RATE_MAX, STAT_STOT};
    cells_name(table, row, false);
    cells_status(table, row);
    cells_check(table, row);
    for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
        cells_number(table, row, sessions[i]);
    cells_bytes(table, row, STAT_BIN);
    cells_bytes(table, row, STAT_BOUT);
    cells_sum(table, row, cells_denied, ARRAY_LEN(cells_denied));
    cells_sum(table, row, cells_errors, ARRAY_LEN(cells_errors));
    cells_number(table, row, STAT_QCUR);
    cells_number(table, row, STAT_WEIGHT);
    cells_duration(table, row, STAT_LASTCHG);
}

static void print_piece(void *colours, size_t col, enum paint paint, struct slice text)
{
    const char *code = colours != NULL ? paint_code(paint) : "";
    printf("%s%s%.*s%s", col > 0 ? " " : "", code, (int)text.len, (const char *)text.ptr,
           code[0] != '\0' ? "\033[0m" : "");
}

static enum ctl_status print_table(const struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX];
    bool   colours = paint_is_wanted();
    table_layout(table, TABLE_WIDTH_ANY, widths);
    table_draw_head(table, widths, SIZE_MAX, print_piece, colours ? &colours : NULL);
    putchar('\n');
    for (size_t row = 0; row < table_rows(table); row++) {
        table_draw_row(table, widths, row, print_piece, colours ? &colours : NULL);
        putchar('\n');
    }
    return !table->failed && fflush(stdout) == 0 && !ferror(stdout) ? CTL_OK : CTL_FAILED;
}

/* An answer that is not what was asked for is a message: it is shown. */
static enum ctl_status fail(const struct text *message)
{
    struct text visible = {.at = NULL};
    size_t      len = message->len;
    if (len > 0 && message->at[len - 1] == '\n')
        len--;
    (void)visible_put(&visible, slice_of(message->at, len));
    fprintf(stderr, "mqgatectl: %s\n", visible.len > 0 ? visible.at : "mqgate gave no answer");
    text_fini(&visible);
    return CTL_FAILED;
}

static enum ctl_status fetch(const char *socket, const char *command, struct text *answer)
{
    struct err      err;
    enum ctl_status status = ask_fetch(socket, command, answer, &err);
    if (status != CTL_OK)
        fprintf(stderr, "mqgatectl: %s\n", err.text);
    return status;
}

static enum ctl_status print_stat(const struct show_stat *stat, const char *proxy)
{
    struct table table;
    table_init(&table, stat_columns, ARRAY_LEN(stat_columns));
    for (size_t i = 0; i < stat->n; i++) {
        if (proxy == NULL || slice_eq(stat->rows[i].cell[STAT_PXNAME], slice_str(proxy)))
            add_stat_row(&table, &stat->rows[i]);
    }
    enum ctl_status status = CTL_FAILED;
    if (proxy != NULL && table_rows(&table) == 0)
        fprintf(stderr, "mqgatectl: there is no proxy %s\n", proxy);
    else
        status = print_table(&table);
    table_fini(&table);
    return status;
}

enum ctl_status tables_stat(const char *socket, int argc, char **argv)
{
    struct text      answer = {.at = NULL};
    struct show_stat stat;
    if (argc > 1) {
        fputs("usage: mqgatectl stat [PROXY]\n", stderr);
        return CTL_BAD_USAGE;
    }
    enum ctl_status status = fetch(socket, "show stat", &answer);
    if (status == CTL_OK) {
        if (show_stat_parse(&stat, answer.at, answer.len)) {
            status = print_stat(&stat, argc > 0 ? argv[0] : NULL);
            show_stat_fini(&stat);
        } else {
            status = fail(&answer);
        }
    }
    text_fini(&answer);
    return status;
}

static const struct table_column info_columns[] = {{.title = "KEY"}, {.title = "VALUE"}};

static enum ctl_status print_info(const struct text *answer)
{
    struct table table;
    struct slice rest = slice_of(answer->at, answer->len), key, value;
    table_init(&table, info_columns, ARRAY_LEN(info_columns));
    while (show_info_next(&rest, &key, &value)) {
        table_put(&table, key, PAINT_HEAD);
        table_put(&table, value, PAINT_PLAIN);
    }
    enum ctl_status status = table_rows(&table) > 0 ? print_table(&table) : fail(answer);
    table_fini(&table);
    return status;
}

enum ctl_status tables_info(const char *socket, int argc, char **argv)
{
    struct text answer = {.at = NULL};
    (void)argv;
    if (argc > 0) {
        fputs("usage: mqgatectl info\n", stderr);
        return CTL_BAD_USAGE;
    }
    enum ctl_status status = fetch(socket, "show info", &answer);
    if (status == CTL_OK)
        status = print_info(&answer);
    text_fini(&answer);
    return status;
}
