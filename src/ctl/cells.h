/* ctl/cells.h: cells that several tables have in common. */
#ifndef MQGATE_CTL_CELLS_H
#define MQGATE_CTL_CELLS_H

#include "ctl/show_stat.h"
#include "ctl/table.h"

enum { EXACT_BELOW = 100000, BYTES_EXACT_BELOW = 1000 };

/* "proxy/server", or the proxy's name alone for a frontend where alone says so. */
void cells_name(struct table *table, const struct show_stat_row *row, bool alone);
void cells_status(struct table *table, const struct show_stat_row *row);
/* "L7OK/0 3ms" */
void cells_check(struct table *table, const struct show_stat_row *row);
void cells_number(struct table *table, const struct show_stat_row *row, enum stat_column column);
void cells_bytes(struct table *table, const struct show_stat_row *row, enum stat_column column);
void cells_sum(struct table *table, const struct show_stat_row *row, const enum stat_column *columns, size_t n);
void cells_duration(struct table *table, const struct show_stat_row *row, enum stat_column column);

extern const enum stat_column cells_denied[4], cells_errors[3];

#endif
