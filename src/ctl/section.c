#include "ctl/section.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ctl/cells.h"
#include "ctl/human.h"

enum what {
    WHAT_STAT_NAME, /* of a listener */
    WHAT_STAT_FULL_NAME,
    WHAT_STAT_STATUS,
    WHAT_STAT_CHECK,
    WHAT_STAT_NUMBER,
    WHAT_STAT_DURATION,
    WHAT_DENIED,
    WHAT_ERRORS,
    WHAT_IN,
    WHAT_OUT,
    WHAT_IN_OUT,
    WHAT_SOURCE,
    WHAT_LISTENER,
    WHAT_SERVER,
    WHAT_AGE,
    WHAT_BYTES,
    WHAT_DETAILS,
};

struct column {
    struct table_column look;
    enum what           what;
    enum stat_column    stat;
};

static const struct column listener_columns[] = {
    {{"LISTENERS", .keep = 99}, WHAT_STAT_NAME, STAT_PXNAME},
    {{"STATUS", .keep = 9}, WHAT_STAT_STATUS, STAT_STATUS},
    {{"SESS", .keep = 9, .right = true}, WHAT_STAT_NUMBER, STAT_SCUR},
    {{"MAX", .keep = 3, .right = true}, WHAT_STAT_NUMBER, STAT_SMAX},
    {{"LIMIT", .keep = 4, .right = true}, WHAT_STAT_NUMBER, STAT_SLIM},
    {{"SESS/S", .keep = 6, .right = true}, WHAT_STAT_NUMBER, STAT_RATE},
    {{"CONN/S", .keep = 2, .right = true}, WHAT_STAT_NUMBER, STAT_CONN_RATE},
    {{"IN/S", .keep = 8, .right = true}, WHAT_IN, STAT_BIN},
    {{"OUT/S", .keep = 8, .right = true}, WHAT_OUT, STAT_BOUT},
    {{"TOTAL", .keep = 5, .right = true}, WHAT_STAT_NUMBER, STAT_STOT},
    {{"DENIED", .keep = 5, .right = true}, WHAT_DENIED, STAT_DREQ},
    {{"ERRORS", .keep = 5, .right = true}, WHAT_ERRORS, STAT_EREQ},
};

static const struct column server_columns[] = {
    {{"SERVERS", .keep = 99}, WHAT_STAT_FULL_NAME, STAT_PXNAME},
    {{"STATUS", .keep = 9}, WHAT_STAT_STATUS, STAT_STATUS},
    {{"CHECK", .keep = 4}, WHAT_STAT_CHECK, STAT_CHECK_STATUS},
    {{"SESS", .keep = 9, .right = true}, WHAT_STAT_NUMBER, STAT_SCUR},
    {{"LIMIT", .keep = 2, .right = true}, WHAT_STAT_NUMBER, STAT_SLIM},
    {{"QUEUE", .keep = 3, .right = true}, WHAT_STAT_NUMBER, STAT_QCUR},
    {{"SESS/S", .keep = 6, .right = true}, WHAT_STAT_NUMBER, STAT_RATE},
    {{"IN/S", .keep = 8, .right = true}, WHAT_IN, STAT_BIN},
    {{"OUT/S", .keep = 8, .right = true}, WHAT_OUT, STAT_BOUT},
    {{"ERRORS", .keep = 5, .right = true}, WHAT_ERRORS, STAT_ECON},
    {{"WEIGHT", .keep = 1, .right = true}, WHAT_STAT_NUMBER, STAT_WEIGHT},
    {{"CHANGED", .keep = 5, .right = true}, WHAT_STAT_DURATION, STAT_LASTCHG},
};

static const struct column session_columns[] = {
    {{"SESSIONS", .keep = 99}, WHAT_SOURCE, STAT_COLUMNS},
    {{"LISTENER", .keep = 4}, WHAT_LISTENER, STAT_COLUMNS},
    {{"SERVER", .keep = 3}, WHAT_SERVER, STAT_COLUMNS},
    {{"AGE", .keep = 5, .right = true}, WHAT_AGE, STAT_COLUMNS},
    {{"BYTES/S", .keep = 9, .right = true}, WHAT_IN_OUT, STAT_COLUMNS},
    {{"IN/S", .keep = 7, .right = true}, WHAT_IN, STAT_COLUMNS},
    {{"OUT/S", .keep = 7, .right = true}, WHAT_OUT, STAT_COLUMNS},
    {{"BYTES", .keep = 6, .right = true}, WHAT_BYTES, STAT_COLUMNS},
    {{"CLIENT", .keep = 1, .shrinks = true}, WHAT_DETAILS, STAT_COLUMNS},
};
enum { SESSIONS_BY_RATE = 4 };

static const struct {
    const struct column *columns;
    size_t               n, sort;
} kinds[SECTIONS] = {
    [SECTION_LISTENERS] = {listener_columns, ARRAY_LEN(listener_columns), ARRAY_LEN(listener_columns)},
    [SECTION_SERVERS] = {server_columns, ARRAY_LEN(server_columns), ARRAY_LEN(server_columns)},
    [SECTION_SESSIONS] = {session_columns, ARRAY_LEN(session_columns), SESSIONS_BY_RATE},
};

void section_init(struct section *section, enum section_kind kind)
{
    *section = (struct section){.kind = kind, .sort = kinds[kind].sort};
    for (size_t i = 0; i < kinds[kind].n; i++)
        section->columns[i] = kinds[kind].columns[i].look;
    section->columns[0].title = section->title;
    table_init(&section->table, section->columns, kinds[kind].n);
}

void section_fini(struct section *section)
{
    free(section->rows);
    section->rows = NULL;
    section->n = 0;
    table_fini(&section->table);
}

void section_sort_next(struct section *section)
{
    section->sort = (section->sort + 1) % (kinds[section->kind].n + 1);
    section->reverse = false;
}

/* --- which rows, in which order -------------------------------------------------------------------------------------
 */

static bool has(struct slice text, const char *filter)
{
    size_t n = strlen(filter);
    for (; text.len >= n; text = slice_skip(text, 1)) {
        if (strncasecmp((const char *)text.ptr, filter, n) == 0)
            return true;
        if (text.len == 0)
            break;
    }
    return false;
}

static bool has_details(const struct show_sess *sess, const char *filter)
{
    struct text details = {.at = NULL};
    show_sess_details(sess, &details);
    bool found = has(slice_of(details.at, details.len), filter);
    text_fini(&details);
    return found;
}

static bool matches(const struct section_row *row, const char *filter)
{
    if (filter[0] == '\0')
        return true;
    if (!row->is_session)
        return has(row->stat->cell[STAT_PXNAME], filter) ||
               (!show_stat_is(row->stat, STAT_FRONTEND) && has(row->stat->cell[STAT_SVNAME], filter));
    const struct show_sess *sess = &row->session->sess;
    return has(sess->src, filter) || has(sess->fe, filter) || has(sess->be, filter) || has(sess->srv, filter) ||
           has_details(sess, filter);
}

static uint64_t stat_number(const struct show_stat_row *row, enum stat_column column)
{
    uint64_t n;
    return show_stat_number(row, column, &n) ? n : 0;
}

static uint64_t stat_sum(const struct show_stat_row *row, const enum stat_column *columns, size_t n)
{
    uint64_t sum;
    return show_stat_sum(row, columns, n, &sum) ? sum : 0;
}

/* What a column sorts by: a number, or else a text. */
static void key_of_stat(struct section_row *row, const struct column *column)
{
    switch (column->what) {
    case WHAT_DENIED:
        row->number = stat_sum(row->stat, cells_denied, ARRAY_LEN(cells_denied));
        break;
    case WHAT_ERRORS:
        row->number = stat_sum(row->stat, cells_errors, ARRAY_LEN(cells_errors));
        break;
    case WHAT_IN:
        row->number = row->rates.in;
        break;
    case WHAT_OUT:
        row->number = row->rates.out;
        break;
    default:
        row->number = stat_number(row->stat, column->stat);
        row->text = row->stat->cell[column->stat];
        break;
    }
}

static void key_of_session(struct section_row *row, const struct column *column)
{
    const struct show_sess *sess = &row->session->sess;
    switch (column->what) {
    case WHAT_IN:
        row->number = row->rates.in;
        break;
    case WHAT_OUT:
        row->number = row->rates.out;
        break;
    case WHAT_IN_OUT:
        row->number = row->rates.in + row->rates.out;
        break;
    case WHAT_AGE:
        row->number = sess->age_s;
        break;
    case WHAT_BYTES:
        row->number = sess->in + sess->out;
        break;
    case WHAT_SOURCE:
        row->text = sess->src;
        break;
    case WHAT_LISTENER:
        row->text = sess->fe;
        break;
    case WHAT_SERVER:
        row->text = sess->srv;
        break;
    default:
        row->text = sess->words;
        break;
    }
}

static int by_index(const struct section_row *a, const struct section_row *b)
{
    return a->index < b->index ? -1 : a->index > b->index;
}

static int by_number(const void *left, const void *right)
{
    const struct section_row *a = left, *b = right;
    if (a->number != b->number)
        return a->number > b->number ? -1 : 1;
    return by_index(a, b);
}

static int by_text(const void *left, const void *right)
{
    const struct section_row *a = left, *b = right;
    size_t                    n = a->text.len < b->text.len ? a->text.len : b->text.len;
    int                       order = n > 0 ? memcmp(a->text.ptr, b->text.ptr, n) : 0;
    if (order == 0 && a->text.len != b->text.len)
        order = a->text.len < b->text.len ? -1 : 1;
    return order != 0 ? order : by_index(a, b);
}

static void turn_round(struct section_row *rows, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct section_row row = rows[i];
        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = row;
    }
}

/* NULL: rows stay as they were told. */
static const struct column *sort_column(const struct section *section)
{
    return section->sort < kinds[section->kind].n ? &kinds[section->kind].columns[section->sort] : NULL;
}

/* Columns of numbers are those that are set to the right. */
static void sort(struct section *section)
{
    const struct column *column = sort_column(section);
    if (column != NULL)
        qsort(section->rows, section->n, sizeof *section->rows, column->look.right ? by_number : by_text);
    if (section->reverse)
        turn_round(section->rows, section->n);
}

static void select_row(struct section *section, struct section_row row, const char *filter)
{
    const struct column *column = sort_column(section);
    row.index = section->total++;
    if (!matches(&row, filter))
        return;
    if (column != NULL && row.is_session)
        key_of_session(&row, column);
    else if (column != NULL)
        key_of_stat(&row, column);
    section->rows[section->n++] = row;
}

static void select_sessions(struct section *section, const struct sample *sample, const char *filter)
{
    for (size_t i = 0; i < sample->n_sessions; i++) {
        const struct sample_session *session = &sample->sessions[i];
        select_row(section, (struct section_row){.is_session = true, .session = session, .rates = session->rates},
                   filter);
    }
}

static void select_stat(struct section *section, const struct sample *sample, const char *filter)
{
    enum stat_type type = section->kind == SECTION_LISTENERS ? STAT_FRONTEND : STAT_SERVER;
    for (size_t i = 0; i < sample->stat.n; i++) {
        const struct show_stat_row *row = &sample->stat.rows[i];
        if (show_stat_is(row, type))
            select_row(section, (struct section_row){.stat = row, .rates = sample->stat_rates[i]}, filter);
    }
}

void section_select(struct section *section, const struct sample *sample, const char *filter)
{
    bool sessions = section->kind == SECTION_SESSIONS;
    free(section->rows);
    section->n = section->total = 0;
    section->rows = calloc((sessions ? sample->n_sessions : sample->stat.n) + 1, sizeof *section->rows);
    if (section->rows == NULL)
        return;
    if (sessions)
        select_sessions(section, sample, filter);
    else
        select_stat(section, sample, filter);
    sort(section);
}

/* --- what is in them ------------------------------------------------------------------------------------------------
 */

static void put_server(struct table *table, const struct show_sess *sess)
{
    struct text name = {.at = NULL};
    text_put(&name, (const char *)sess->be.ptr, sess->be.len);
    text_puts(&name, "/");
    text_put(&name, (const char *)sess->srv.ptr, sess->srv.len);
    bool is_none = sess->be.len == 0 || sess->be.ptr[0] == '<' || name.failed; /* "<NONE>" */
    table_put(table, is_none ? slice_str("-") : slice_of(name.at, name.len), PAINT_PLAIN);
    text_fini(&name);
}

static void put_session_cell(struct table *table, const struct section_row *row, enum what what)
{
    const struct show_sess *sess = &row->session->sess;
    char                    age[HUMAN_MAX];
    struct text             details = {.at = NULL};
    switch (what) {
    case WHAT_SOURCE:
        table_put(table, sess->src, PAINT_PLAIN);
        break;
    case WHAT_LISTENER:
        table_put(table, sess->fe, PAINT_PLAIN);
        break;
    case WHAT_SERVER:
        put_server(table, sess);
        break;
    case WHAT_AGE:
        table_put(table, slice_str(human_duration(sess->age_s, age)), PAINT_PLAIN);
        break;
    case WHAT_IN:
        table_number(table, sess->has_bytes, row->rates.in, BYTES_EXACT_BELOW);
        break;
    case WHAT_OUT:
        table_number(table, sess->has_bytes, row->rates.out, BYTES_EXACT_BELOW);
        break;
    case WHAT_IN_OUT:
        table_number(table, sess->has_bytes, row->rates.in + row->rates.out, BYTES_EXACT_BELOW);
        break;
    case WHAT_BYTES:
        table_number(table, sess->has_bytes, sess->in + sess->out, BYTES_EXACT_BELOW);
        break;
    default:
        show_sess_details(sess, &details);
        table_put(table, slice_of(details.at, details.len), PAINT_PLAIN);
        text_fini(&details);
        break;
    }
}

static void put_stat_cell(struct table *table, const struct section_row *row, const struct column *column)
{
    switch (column->what) {
    case WHAT_STAT_NAME:
    case WHAT_STAT_FULL_NAME:
        cells_name(table, row->stat, column->what == WHAT_STAT_NAME);
        break;
    case WHAT_STAT_STATUS:
        cells_status(table, row->stat);
        break;
    case WHAT_STAT_CHECK:
        cells_check(table, row->stat);
        break;
    case WHAT_STAT_DURATION:
        cells_duration(table, row->stat, column->stat);
        break;
    case WHAT_DENIED:
        cells_sum(table, row->stat, cells_denied, ARRAY_LEN(cells_denied));
        break;
    case WHAT_ERRORS:
        cells_sum(table, row->stat, cells_errors, ARRAY_LEN(cells_errors));
        break;
    case WHAT_IN:
        table_number(table, true, row->rates.in, BYTES_EXACT_BELOW);
        break;
    case WHAT_OUT:
        table_number(table, true, row->rates.out, BYTES_EXACT_BELOW);
        break;
    default:
        cells_number(table, row->stat, column->stat);
        break;
    }
}

/* "LISTENERS 4", "SESSIONS 3/120" when some do not match; ">" where the keys act. */
static void set_title(struct section *section, bool focused)
{
    const char *name = kinds[section->kind].columns[0].look.title;
    if (section->n == section->total)
        snprintf(section->title, sizeof section->title, "%s%s %zu", focused ? ">" : "", name, section->n);
    else
        snprintf(section->title, sizeof section->title, "%s%s %zu/%zu", focused ? ">" : "", name, section->n,
                 section->total);
}

void section_fill(struct section *section, size_t first, size_t n, bool focused)
{
    const struct column *columns = kinds[section->kind].columns;
    set_title(section, focused);
    table_clear(&section->table);
    for (size_t i = first; i < section->n && i - first < n; i++) {
        for (size_t c = 0; c < kinds[section->kind].n; c++) {
            if (section->kind == SECTION_SESSIONS)
                put_session_cell(&section->table, &section->rows[i], columns[c].what);
            else
                put_stat_cell(&section->table, &section->rows[i], &columns[c]);
        }
    }
}
