/* stats/registry.h: rows as the registry keeps them. Private to stats/. */
#ifndef MQGATE_STATS_REGISTRY_H
#define MQGATE_STATS_REGISTRY_H

#include "stats/row.h"

/* A row with what only the registry knows of it. */
struct entry {
    struct row       row; /* first: a row is its entry */
    struct entry    *prev, *next;
    struct entry    *proxy;                       /* of a server or listener: who holds a reference of it */
    struct entry    *children;                    /* of a proxy */
    struct entry    *sibling_prev, *sibling_next; /* among them */
    uint64_t         gone[COUNTS];                /* of children that are no more */
    _Atomic uint32_t refs;     /* only the main thread takes one; the last session of a snapshot may give it back */
    uint32_t         next_sid; /* of a proxy */
    char            *name;     /* owned */
};

struct stats {
    unsigned         n_workers;
    struct totals    totals;
    struct counters *workers; /* owned */
    struct entry    *entries; /* a proxy before its children */
    uint32_t         next_iid;
    uint64_t         gone[COUNTS]; /* of frontends that are no more */
};

/* The one of this name, made when there is none; nobody holds it for that. proxy: NULL for a proxy. NULL when memory is
 * out. */
struct entry *registry_entry(struct stats *stats, struct entry *proxy, enum row_kind kind, const char *name);

#endif
