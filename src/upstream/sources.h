/* upstream/sources.h: who the clients of a listener are: connections now, ever and a second, for each IPv4 address and
 * each /64 of IPv6, and limits on them. IPv4 in IPv6 is IPv4.
 *
 * A table of fixed size that all workers share without a lock; no call waits for another. Memory is bounded whatever
 * comes, and untouched parts of the table cost none. A source for which there is no place is let in and not counted. */
#ifndef MQGATE_UPSTREAM_SOURCES_H
#define MQGATE_UPSTREAM_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/meter.h"
#include "base/siphash.h"

enum { SOURCES_SILENT_MS = 30 * 1000 };   /* how long an entry without connections is shown */
enum { SOURCES_CONNECTIONS = 1000000 };   /* the most that are counted of one source */
enum { SOURCES_BUCKET = 8 };              /* entries: a source has its place among so many */
enum { SOURCES_DEFAULT_ENTRIES = 65536 }; /* 4 MiB once all have been used */

struct sources;

/* entries: a power of two, at least SOURCES_BUCKET. The key is secret and random, so that nobody can choose sources
 * that meet in one place. NULL when memory is out. */
struct sources *sources_new(uint32_t entries, const uint8_t key[SIPHASH_KEY_BYTES]); /* with one reference */
struct sources *sources_ref(struct sources *t);
void            sources_unref(struct sources *t); /* NULL is fine */

struct source_limits {
    uint32_t connections; /* at a time; 0: any number */
    uint32_t rate;        /* a second; 0: any number */
};

enum source_verdict {
    SOURCE_LET_IN,
    SOURCE_UNTRACKED, /* let in too; there is no place to count it in */
    SOURCE_TOO_MANY,
    SOURCE_TOO_FAST
};

/* One more connection from client, an IP address whose port does not matter. *place: for sources_give(); 0 unless the
 * verdict is SOURCE_LET_IN. now_ms is monotonic in all calls; threads may differ a bit. */
enum source_verdict sources_take(struct sources *t, const struct addr *client, const struct source_limits *limits,
                                 uint64_t now_ms, uint32_t *place) MUST_CHECK;
/* That connection is over. Place 0: nothing. */
void sources_give(struct sources *t, uint32_t place, uint64_t now_ms);

struct source {
    uint32_t    place;
    struct addr address; /* of IPv6 the first of the /64; port 0 */
    uint32_t    connections;
    uint32_t    connections_ever; /* that were let in */
    uint32_t    refused;          /* by the limits */
    uint32_t    rate;             /* connections let in a second */
    uint32_t    expires_ms;       /* until it is no longer shown, if nothing changes */
    uint64_t    seen;             /* for sources_forget() */
};

uint32_t sources_size(const struct sources *t);
/* The entry at place, from 1 to sources_size(), and the one of client. False: there is none, or it has no connections
 * and has been silent for SOURCES_SILENT_MS. What changes meanwhile may be missing, never wrong. */
bool sources_at(const struct sources *t, uint32_t place, uint64_t now_ms, struct source *out) MUST_CHECK;
bool sources_find(const struct sources *t, const struct addr *client, uint64_t now_ms, struct source *out) MUST_CHECK;
/* Forgets an entry as it was seen. False: it has connections, or had one since. */
bool sources_forget(struct sources *t, const struct source *seen, uint64_t now_ms) MUST_CHECK;

/* What an upgrade carries of a source. */
struct source_past {
    struct addr address; /* as in struct source */
    uint32_t    connections_ever, refused;
    uint64_t    changed_ms; /* when a connection last came or went */
    struct rate rate;
};

/* Of the entry at place. False: there is none to be shown. */
bool sources_past(const struct sources *t, uint32_t place, uint64_t now_ms, struct source_past *out) MUST_CHECK;
/* The source has this past, if there is a place for it. While no other thread uses the table. */
void sources_recall(struct sources *t, const struct source_past *past, uint64_t now_ms);
/* A connection that another process let in is here now: no limit applies, and nothing but that is counted. Its place,
 * for sources_give(). */
uint32_t sources_resume(struct sources *t, const struct addr *client, uint64_t now_ms) MUST_CHECK;

#endif
