#include "base/events.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct events {
    uint64_t n; /* ever added */
    char     lines[EVENTS_KEPT][EVENT_LINE_MAX];
};

struct events *events_new(void)
{
    return calloc(1, sizeof(struct events));
}

void events_free(struct events *events)
{
    free(events);
}

void events_add(struct events *events, const char *line, size_t len)
{
    char *to = events->lines[events->n++ % EVENTS_KEPT];
    len = len < EVENT_LINE_MAX ? len : EVENT_LINE_MAX - 1;
    memcpy(to, line, len);
    to[len] = '\0';
}

void events_show(const struct events *events, struct text *out)
{
    uint64_t first = events->n > EVENTS_KEPT ? events->n - EVENTS_KEPT : 0;
    for (uint64_t i = first; i < events->n; i++) {
        text_put_line_part(out, events->lines[i % EVENTS_KEPT]);
        text_put(out, "\n", 1);
    }
}
