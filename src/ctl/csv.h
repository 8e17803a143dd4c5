/* ctl/csv.h: one line of comma-separated values, as RFC 4180 quotes them. */
#ifndef MQGATE_CTL_CSV_H
#define MQGATE_CTL_CSV_H

#include "base/slice.h"

/* Splits line, len bytes without its line end, and takes the quotes off where they are: the fields point into it.
 * Returns how many fields there are; those past max are counted and not kept. An empty line has one empty field. */
size_t csv_split(char *line, size_t len, struct slice *fields, size_t max);

#endif
