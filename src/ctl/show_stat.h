/* ctl/show_stat.h: the answer to "show stat", with those of its columns that are shown here. They are found by their
 * names: a column that is not there is empty in every row, and one that is not known is passed over. */
#ifndef MQGATE_CTL_SHOW_STAT_H
#define MQGATE_CTL_SHOW_STAT_H

#include "base/macros.h"
#include "base/slice.h"

enum stat_column {
    STAT_PXNAME,
    STAT_SVNAME,
    STAT_TYPE,
    STAT_STATUS,
    STAT_QCUR,
    STAT_SCUR,
    STAT_SMAX,
    STAT_SLIM,
    STAT_STOT,
    STAT_BIN,
    STAT_BOUT,
    STAT_DREQ,
    STAT_DRESP,
    STAT_DCON,
    STAT_DSES,
    STAT_EREQ,
    STAT_ECON,
    STAT_ERESP,
    STAT_WEIGHT,
    STAT_LASTCHG,
    STAT_RATE,
    STAT_RATE_MAX,
    STAT_CONN_RATE,
    STAT_CHECK_STATUS,
    STAT_CHECK_CODE,
    STAT_CHECK_DURATION,
    STAT_COLUMNS
};

/* What column "type" says. */
enum stat_type { STAT_FRONTEND, STAT_BACKEND, STAT_SERVER, STAT_LISTENER };

/* How a status is to be taken, whatever its words. */
enum stat_state { STATE_UNKNOWN, STATE_GOOD, STATE_CHANGING, STATE_BAD, STATE_SET_ASIDE };

struct show_stat_row {
    struct slice cell[STAT_COLUMNS];
};

struct show_stat {
    struct show_stat_row *rows; /* owned; their cells point into the answer */
    size_t                n;
};

enum { SHOW_STAT_ROWS_MAX = 20000 };

/* The len bytes at answer are changed and must live as long as *out. False: no such answer, or no memory; *out is empty
 * then. Rows past SHOW_STAT_ROWS_MAX are passed over. */
bool show_stat_parse(struct show_stat *out, char *answer, size_t len) MUST_CHECK;
void show_stat_fini(struct show_stat *stat);

/* False: the cell is empty or no number. */
bool show_stat_number(const struct show_stat_row *row, enum stat_column column, uint64_t *out) MUST_CHECK;
/* The sum of those of the n columns that are numbers; false when none is. */
bool show_stat_sum(const struct show_stat_row *row, const enum stat_column *columns, size_t n,
                   uint64_t *out) MUST_CHECK;
bool show_stat_is(const struct show_stat_row *row, enum stat_type type);

enum stat_state show_stat_state(struct slice status);

#endif
