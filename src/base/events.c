#include "base/events.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct events {
    _Atomic uint64_t n; /* ever added; a line is whole before it counts */
    char             lines[EVENTS_KEPT][EVENT_LINE_MAX];
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
    uint64_t n = atomic_load_explicit(&events->n, memory_order_relaxed);
    char    *to = events->lines[n % EVENTS_KEPT];
    len = len < EVENT_LINE_MAX ? len : EVENT_LINE_MAX - 1;
    memcpy(to, line, len);
    to[len] = '\0';
    atomic_store_explicit(&events->n, n + 1, memory_order_release);
}

const char *events_line(const struct events *events, size_t age)
{
    uint64_t n = atomic_load_explicit(&events->n, memory_order_acquire);
    if (age >= n || age >= EVENTS_KEPT)
        return NULL;
    return events->lines[(n - 1 - age) % EVENTS_KEPT];
}

void events_show(const struct events *events, struct text *out)
{
    for (size_t age = EVENTS_KEPT; age-- > 0;) {
        const char *line = events_line(events, age);
        if (line == NULL)
            continue;
        text_put_line_part(out, line);
        text_put(out, "\n", 1);
    }
}
