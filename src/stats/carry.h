/* stats/carry.h: the statistics as an image has them, from one process to the next. */
#ifndef MQGATE_STATS_CARRY_H
#define MQGATE_STATS_CARRY_H

#include "base/image.h"
#include "stats/row.h"

/* Everything but what is open now, which those who come over make anew: gauges are carried by their peaks. Counters of
 * what began and was over are carried both, so that a session that comes over is not to be counted again. */
void stats_carry(const struct stats *stats, struct image_writer *w);

/* Adds what the record says; records of other rooms are left alone. stats is new, and no thread runs. Rows that nobody
 * asks for by name are swept as others are; those of kinds that this version does not know are left out. False: memory
 * is out, or the record is not to be understood; *err says which. */
bool stats_adopt(struct stats *stats, const struct image_record *record, struct err *err) MUST_CHECK;

#endif
