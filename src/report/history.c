#include "report/history.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

/* A series, and the counters as they were at its last point. */
struct track {
    struct series series;
    uint64_t      sessions, in, out, packets_in, packets_out;
    bool          seen; /* in this step */
};

struct history {
    struct track *tracks; /* owned */
    size_t        n_tracks;
    unsigned      ticks;
    uint64_t      step_ms; /* when the last step was taken */
    uint64_t      tick_ms; /* and the last tick */
    uint64_t      cpu_us, bytes_out;
    uint32_t      idle_pct;
    uint64_t      bytes_out_rate;
};

struct history *history_new(void)
{
    struct history *history = calloc(1, sizeof *history);
    if (history != NULL)
        history->idle_pct = 100;
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL)
        return;
    free(history->tracks);
    free(history);
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void look_at_process(struct history *h, const struct snapshot *snap, uint64_t now_ms)
{
    uint64_t cpu = cpu_us(), out = stats_sum(snap->stats, COUNT_RESPONSE_OUT), passed_ms = now_ms - h->tick_ms;
    uint64_t could_us = passed_ms * 1000 * snap->conf->global.workers;
    if (h->tick_ms != 0 && passed_ms > 0 && could_us > 0) {
        uint64_t busy_pct = (cpu - h->cpu_us) * 100 / could_us;
        h->idle_pct = busy_pct < 100 ? 100 - (uint32_t)busy_pct : 0;
        h->bytes_out_rate = (out - h->bytes_out) * 1000 / passed_ms;
    }
    h->cpu_us = cpu;
    h->bytes_out = out;
    h->tick_ms = now_ms;
}

static struct track *find(const struct history *h, uint32_t iid)
{
    for (size_t i = 0; i < h->n_tracks; i++) {
        if (h->tracks[i].series.iid == iid)
            return &h->tracks[i];
    }
    return NULL;
}

/* NULL when memory is out. */
static struct track *begin(struct history *h, uint32_t iid)
{
    struct track *tracks = reallocarray(h->tracks, h->n_tracks + 1, sizeof *tracks);
    if (tracks == NULL)
        return NULL;
    h->tracks = tracks;
    tracks[h->n_tracks] = (struct track){.series.iid = iid};
    return &tracks[h->n_tracks++];
}

static void add_point(struct series *series, const struct point *point)
{
    if (series->n == HISTORY_POINTS) {
        memmove(series->points, series->points + 1, (HISTORY_POINTS - 1) * sizeof series->points[0]);
        series->n--;
    }
    series->points[series->n++] = *point;
}

static uint64_t packets(const struct row *row, enum count from)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < MQTT_TYPES; i++)
        sum += row_ever(row, from + i);
    return sum;
}

/* The first look only remembers. */
static void step_row(struct history *h, const struct row *row, uint64_t passed_ms)
{
    struct track *t = find(h, row->iid);
    bool          first = t == NULL;
    if (first && (t = begin(h, row->iid)) == NULL)
        return;
    bool     client = row->kind == ROW_FRONTEND;
    uint64_t sessions = row_ever(row, COUNT_SESSIONS);
    uint64_t in = row_ever(row, client ? COUNT_REQUEST_IN : COUNT_REQUEST_OUT);
    uint64_t out = row_ever(row, client ? COUNT_RESPONSE_OUT : COUNT_RESPONSE_IN);
    uint64_t packets_in = packets(row, COUNT_MQTT_UP), packets_out = packets(row, COUNT_MQTT_DOWN);
    if (!first && passed_ms > 0) {
        const struct point point = {.sessions = gauge_now(&row->sessions),
                                    .session_rate = (uint32_t)((sessions - t->sessions) * 1000 / passed_ms),
                                    .in_rate = (in - t->in) * 1000 / passed_ms,
                                    .out_rate = (out - t->out) * 1000 / passed_ms,
                                    .packets_in_rate = (uint32_t)((packets_in - t->packets_in) * 1000 / passed_ms),
                                    .packets_out_rate = (uint32_t)((packets_out - t->packets_out) * 1000 / passed_ms)};
        add_point(&t->series, &point);
    }
    t->sessions = sessions;
    t->in = in;
    t->out = out;
    t->packets_in = packets_in;
    t->packets_out = packets_out;
    t->seen = true;
}

static void forget_unseen(struct history *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->n_tracks; i++) {
        if (!h->tracks[i].seen)
            continue;
        h->tracks[kept] = h->tracks[i];
        h->tracks[kept++].seen = false;
    }
    h->n_tracks = kept;
}

void history_tick(struct history *h, const struct snapshot *snap)
{
    uint64_t now_ms = clock_mono_ms();
    look_at_process(h, snap, now_ms);
    if (h->ticks++ % HISTORY_STEP_S != 0)
        return;
    for (size_t i = 0; i < snap->conf->n_listeners; i++)
        step_row(h, snap->listeners[i].row, now_ms - h->step_ms);
    for (size_t i = 0; i < snap->conf->n_backends; i++)
        step_row(h, snap->backends[i].row, now_ms - h->step_ms);
    forget_unseen(h);
    h->step_ms = now_ms;
}

const struct series *history_of(const struct history *history, uint32_t iid)
{
    const struct track *t = history != NULL ? find(history, iid) : NULL;
    return t != NULL && t->series.n > 0 ? &t->series : NULL;
}

uint32_t history_idle_pct(const struct history *history)
{
    return history != NULL ? history->idle_pct : 100;
}

uint64_t history_bytes_out_rate(const struct history *history)
{
    return history != NULL ? history->bytes_out_rate : 0;
}
