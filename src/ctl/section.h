/* ctl/section.h: the tables of "top": which rows each has, in which order, and what is in their columns. */
#ifndef MQGATE_CTL_SECTION_H
#define MQGATE_CTL_SECTION_H

#include "ctl/sample.h"
#include "ctl/table.h"

enum section_kind { SECTION_LISTENERS, SECTION_SERVERS, SECTION_SESSIONS, SECTIONS };

struct section_row {
    bool                         is_session;
    const struct show_stat_row  *stat; /* of listeners and servers */
    const struct sample_session *session;
    struct meter_rates           rates;
    uint64_t                     number; /* what it is sorted by */
    struct slice                 text;
    size_t                       index; /* as it was told: the order of equals */
};

struct section {
    enum section_kind   kind;
    size_t              sort;    /* a column; the number of columns: as they were told */
    bool                reverse; /* the other way round than is usual: large numbers, or A, first */
    struct section_row *rows;    /* sorted, those that match; owned */
    size_t              n, total;
    struct table        table; /* those that are shown */
    struct table_column columns[TABLE_COLUMNS_MAX];
    char                title[48]; /* of the first column */
};

void section_init(struct section *section, enum section_kind kind);
void section_fini(struct section *section);
/* The next column to sort by. */
void section_sort_next(struct section *section);
/* Rows anew: those in whose names filter is found, whatever its case; "": all. Good until the sample changes. */
void section_select(struct section *section, const struct sample *sample, const char *filter);
/* The table anew, with n of the rows from first on; there may be fewer. */
void section_fill(struct section *section, size_t first, size_t n, bool focused);

#endif
