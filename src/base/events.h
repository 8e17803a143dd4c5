/* base/events.h: the last events of the process's life, in memory: what the main thread logs at level info and above,
 * whatever log.level says and wherever lines go. One thread only. */
#ifndef MQGATE_BASE_EVENTS_H
#define MQGATE_BASE_EVENTS_H

#include <stddef.h>

#include "base/text.h"

enum { EVENTS_KEPT = 256, EVENT_LINE_MAX = 512 }; /* longer lines are cut */

struct events;

/* NULL when memory is out. */
struct events *events_new(void);
void           events_free(struct events *events); /* NULL is fine */
void           events_add(struct events *events, const char *line, size_t len);
/* The last one is 0 events old. NULL: there is none so old. Only looks, so that a signal handler may ask,
 * in any thread. */
const char *events_line(const struct events *events, size_t age);
/* Oldest first, a line each. */
void events_show(const struct events *events, struct text *out);

#endif
