#include "stats/row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "stats/registry.h"

struct stats *stats_new(unsigned n_workers)
{
    struct stats *stats = calloc(1, sizeof *stats);
    if (stats == NULL)
        return NULL;
    stats->n_workers = n_workers;
    stats->next_iid = 1;
    stats->workers = counters_new(n_workers, WORKER_COUNTERS);
    if (stats->workers != NULL)
        return stats;
    free(stats);
    return NULL;
}

struct totals *stats_totals(struct stats *stats)
{
    return &stats->totals;
}

struct counters *stats_workers(struct stats *stats)
{
    return stats->workers;
}

static struct entry *find(const struct stats *stats, const struct entry *proxy, enum row_kind kind, const char *name)
{
    struct entry *e;
    DL_FOREACH (stats->entries, e) {
        if (e->proxy == proxy && e->row.kind == kind && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static void free_entry(struct entry *e)
{
    counters_free(e->row.counters);
    free(e->name);
    free(e);
}

static struct entry *make(struct stats *stats, struct entry *proxy, enum row_kind kind, const char *name)
{
    struct entry *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->name = strdup(name);
    e->row.counters = counters_new(stats->n_workers + 1, COUNTS);
    if (e->name == NULL || e->row.counters == NULL) {
        free_entry(e);
        return NULL;
    }
    e->row.kind = kind;
    e->row.name = e->name;
    e->proxy = proxy;
    e->next_sid = 1;
    if (proxy != NULL) {
        e->row.iid = proxy->row.iid;
        e->row.sid = proxy->next_sid++;
        atomic_fetch_add(&proxy->refs, 1);
        DL_APPEND2(proxy->children, e, sibling_prev, sibling_next);
    } else {
        e->row.iid = stats->next_iid++;
    }
    DL_APPEND(stats->entries, e);
    return e;
}

struct entry *registry_entry(struct stats *stats, struct entry *proxy, enum row_kind kind, const char *name)
{
    struct entry *e = find(stats, proxy, kind, name);
    return e != NULL ? e : make(stats, proxy, kind, name);
}

static struct row *get(struct stats *stats, struct entry *proxy, enum row_kind kind, const char *name)
{
    struct entry *e = registry_entry(stats, proxy, kind, name);
    if (e == NULL)
        return NULL;
    atomic_fetch_add(&e->refs, 1);
    return &e->row;
}

struct row *stats_proxy(struct stats *stats, enum row_kind kind, const char *name)
{
    return get(stats, NULL, kind, name);
}

struct row *stats_child(struct stats *stats, struct row *proxy, const char *name)
{
    return get(stats, (struct entry *)proxy, proxy->kind == ROW_FRONTEND ? ROW_LISTENER : ROW_SERVER, name);
}

void row_unref(struct row *row)
{
    if (row != NULL)
        atomic_fetch_sub(&((struct entry *)row)->refs, 1);
}

static void forget(struct stats *stats, struct entry *e)
{
    struct entry *proxy = e->proxy;
    uint64_t     *gone = proxy != NULL ? proxy->gone : stats->gone;
    bool          is_summed = e->row.kind != ROW_BACKEND && !e->row.is_admin;
    for (enum count i = 0; is_summed && i < COUNTS; i++)
        gone[i] += row_ever(&e->row, i);
    if (proxy != NULL) {
        DL_DELETE2(proxy->children, e, sibling_prev, sibling_next);
        atomic_fetch_sub(&proxy->refs, 1);
    }
    DL_DELETE(stats->entries, e);
    free_entry(e);
}

void stats_sweep(struct stats *stats)
{
    enum row_kind order[] = {ROW_SERVER, ROW_LISTENER, ROW_BACKEND, ROW_FRONTEND}; /* who holds a reference first */
    struct entry *e, *next;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        DL_FOREACH_SAFE (stats->entries, e, next) {
            if (e->row.kind == order[i] && atomic_load(&e->refs) == 0)
                forget(stats, e);
        }
    }
}

void stats_free(struct stats *stats)
{
    if (stats == NULL)
        return;
    stats_sweep(stats);
    assert(stats->entries == NULL);
    counters_free(stats->workers);
    free(stats);
}

uint64_t stats_sum(const struct stats *stats, enum count which)
{
    const struct entry *e;
    uint64_t            sum = stats->gone[which];
    DL_FOREACH (stats->entries, e)
        sum += e->row.kind == ROW_FRONTEND && !e->row.is_admin ? row_ever(&e->row, which) : 0;
    return sum;
}

uint64_t row_ever(const struct row *row, enum count which)
{
    const struct entry *e = (const struct entry *)row, *child;
    uint64_t            sum = counters_sum(row->counters, which) + e->gone[which];
    DL_FOREACH2 (e->children, child, sibling_next)
        sum += counters_sum(child->row.counters, which);
    return sum;
}

uint64_t row_sum(const struct row *row, enum count which)
{
    return row_ever(row, which) - row->cleared[which];
}

/* The ends first: what begins and ends between the two looks must not be missing. */
uint64_t row_open(const struct row *row, enum count begun, enum count over)
{
    uint64_t ended = row_ever(row, over), all = row_ever(row, begun);
    return all > ended ? all - ended : 0;
}

void row_count(const struct stats *stats, struct row *row, enum count which, uint64_t n)
{
    counter_add(&counters_slot(row->counters, stats->n_workers)[which], n);
}

void row_count_session(struct row *row, uint64_t now_ms)
{
    rate_add(&row->session_rate, now_ms);
    atomic_store_explicit(&row->last_session_ms, now_ms, memory_order_relaxed);
}

void row_clear(struct row *row, bool all)
{
    gauge_forget_peak(&row->sessions);
    peak_forget(&row->connection_rate.peak);
    peak_forget(&row->session_rate.peak);
    peak_forget(&row->queue_ms.peak);
    peak_forget(&row->connect_ms.peak);
    peak_forget(&row->total_ms.peak);
    for (enum count i = 0; all && i < COUNTS; i++)
        row->cleared[i] = row_ever(row, i);
}
