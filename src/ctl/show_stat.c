#include "ctl/show_stat.h"

#include <stdlib.h>

#include "ctl/csv.h"
#include "ctl/human.h"
#include "ctl/lines.h"

enum { FIELDS_MAX = 512, ROWS_FIRST = 32 };

static const char *const names[STAT_COLUMNS] = {
    [STAT_PXNAME] = "pxname",
    [STAT_SVNAME] = "svname",
    [STAT_TYPE] = "type",
    [STAT_STATUS] = "status",
    [STAT_QCUR] = "qcur",
    [STAT_SCUR] = "scur",
    [STAT_SMAX] = "smax",
    [STAT_SLIM] = "slim",
    [STAT_STOT] = "stot",
    [STAT_BIN] = "bin",
    [STAT_BOUT] = "bout",
    [STAT_DREQ] = "dreq",
    [STAT_DRESP] = "dresp",
    [STAT_DCON] = "dcon",
    [STAT_DSES] = "dses",
    [STAT_EREQ] = "ereq",
    [STAT_ECON] = "econ",
    [STAT_ERESP] = "eresp",
    [STAT_WEIGHT] = "weight",
    [STAT_LASTCHG] = "lastchg",
    [STAT_RATE] = "rate",
    [STAT_RATE_MAX] = "rate_max",
    [STAT_CONN_RATE] = "conn_rate",
    [STAT_CHECK_STATUS] = "check_status",
    [STAT_CHECK_CODE] = "check_code",
    [STAT_CHECK_DURATION] = "check_duration",
};

/* Where each column is among the fields of a line; FIELDS_MAX: nowhere. */
struct places {
    size_t at[STAT_COLUMNS];
};

static bool read_header(struct slice line, struct places *places)
{
    const struct slice mark = slice_str("# ");
    struct slice       fields[FIELDS_MAX];
    if (!slice_starts(line, mark))
        return false;
    line = slice_skip(line, mark.len);
    size_t n = csv_split((char *)(uintptr_t)line.ptr, line.len, fields, FIELDS_MAX);
    for (size_t column = 0; column < STAT_COLUMNS; column++) {
        size_t i = 0;
        while (i < FIELDS_MAX && (i >= n || !slice_eq(fields[i], slice_str(names[column]))))
            i++;
        places->at[column] = i;
    }
    return places->at[STAT_PXNAME] < FIELDS_MAX && places->at[STAT_SVNAME] < FIELDS_MAX;
}

static void read_row(struct slice line, const struct places *places, struct show_stat_row *row)
{
    struct slice fields[FIELDS_MAX];
    size_t       n = csv_split((char *)(uintptr_t)line.ptr, line.len, fields, FIELDS_MAX);
    for (size_t column = 0; column < STAT_COLUMNS; column++) {
        size_t at = places->at[column];
        row->cell[column] = at < FIELDS_MAX && at < n ? fields[at] : slice_of(NULL, 0);
    }
}

static bool reserve(struct show_stat *stat, size_t *cap)
{
    if (stat->n < *cap)
        return true;
    size_t                more = *cap > 0 ? *cap * 2 : ROWS_FIRST;
    struct show_stat_row *rows = reallocarray(stat->rows, more, sizeof *rows);
    if (rows == NULL)
        return false;
    stat->rows = rows;
    *cap = more;
    return true;
}

bool show_stat_parse(struct show_stat *out, char *answer, size_t len)
{
    struct slice  text = slice_of(answer, len), line;
    struct places places;
    size_t        cap = 0;
    *out = (struct show_stat){.rows = NULL};
    if (!lines_next(&text, &line) || !read_header(line, &places))
        return false;
    while (out->n < SHOW_STAT_ROWS_MAX && lines_next(&text, &line)) {
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (!reserve(out, &cap)) {
            show_stat_fini(out);
            return false;
        }
        read_row(line, &places, &out->rows[out->n++]);
    }
    return true;
}

void show_stat_fini(struct show_stat *stat)
{
    free(stat->rows);
    *stat = (struct show_stat){.rows = NULL};
}

bool show_stat_number(const struct show_stat_row *row, enum stat_column column, uint64_t *out)
{
    return human_parse_number(row->cell[column], out);
}

bool show_stat_sum(const struct show_stat_row *row, const enum stat_column *columns, size_t n, uint64_t *out)
{
    uint64_t sum = 0, value;
    bool     any = false;
    for (size_t i = 0; i < n; i++) {
        if (!show_stat_number(row, columns[i], &value))
            continue;
        any = true;
        sum += value;
    }
    if (any)
        *out = sum;
    return any;
}

bool show_stat_is(const struct show_stat_row *row, enum stat_type type)
{
    uint64_t n;
    return show_stat_number(row, STAT_TYPE, &n) && n == type;
}

enum stat_state show_stat_state(struct slice status)
{
    static const struct {
        const char     *word;
        enum stat_state whole, more; /* when it is all of the status, and when something follows */
    } words[] = {
        {"UP", STATE_GOOD, STATE_CHANGING},
        {"OPEN", STATE_GOOD, STATE_GOOD},
        {"DOWN", STATE_BAD, STATE_BAD},
        {"STOP", STATE_BAD, STATE_BAD},
        {"FULL", STATE_CHANGING, STATE_CHANGING},
        {"WAITING", STATE_CHANGING, STATE_CHANGING},
        {"MAINT", STATE_SET_ASIDE, STATE_SET_ASIDE},
        {"DRAIN", STATE_SET_ASIDE, STATE_SET_ASIDE},
        {"NOLB", STATE_SET_ASIDE, STATE_SET_ASIDE},
        {"PAUSED", STATE_SET_ASIDE, STATE_SET_ASIDE},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct slice word = slice_str(words[i].word);
        if (slice_starts(status, word))
            return status.len == word.len ? words[i].whole : words[i].more;
    }
    return STATE_UNKNOWN;
}
