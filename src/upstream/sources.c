/* The table: buckets of a few entries; the keyed hash of a source names its bucket and gives its fingerprint.
 *
 * What an entry is, is one word: fingerprint, second of the last change, connections now. Every change is one
 * compare-and-swap of it, and so
 * - to claim an entry and to count the first connection in it is one step: nobody sees it claimed and free.
 * - an entry with connections keeps its fingerprint: only words without connections are replaced or forgotten, and
 *   the swap fails if a connection came in between. A place that a session holds is its own until it gives it back.
 * - an entry that was silent when a thread looked is replaced only if it still is: whoever took and gave it meanwhile
 *   has put the second of that into the word, so that it is not the same word again.
 * - the details behind the word are touched only by those who hold a connection in the entry, or have their proof of
 *   whose they are with them: a count carries its fingerprint, and begins anew with another; a rate is over two seconds
 *   after its last event, before anybody else may claim the entry (PAUSE_S); the address hashes to the fingerprint, and
 *   is not shown when it does not (its claimer has not yet written it). The last holder writes nothing after its give.
 *
 * A source has one entry. Who finds none claims the one that has been silent the longest. Threads whose clocks differ
 * agree on which that is, since all silences are longer by the same for one of them; and whatever happens to an entry
 * ends its silence. So if two threads that look for the same new source choose differently, then the choice of one of
 * them was no longer what it had seen: its swap fails, it looks again and finds the other's. The exception is an entry
 * whose silence seems over to one thread and not yet to the other (below). Then the source may get a second entry: new
 * connections all go to the first, and the second fades with the few that it has.
 *
 * An entry without connections is shown for 30 seconds, but gives way to a newcomer after PAUSE_S, so that a flood of
 * sources does not leave those that come next without limits. Its silence seems to begin anew when the second in its
 * word comes round, after 68 minutes; it is not shown again then, as the details have the whole time.
 *
 * Two sources of one bucket with the same 32 bits of fingerprint would be counted as one. Nobody can aim at that
 * without the key, and by chance a newcomer meets it once in 500 million times. */
#include "upstream/sources.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_BITS = 20, SECOND_BITS = 12 };
enum { SECONDS = 1 << SECOND_BITS }; /* after which the second of a word comes round again, for a moment */
enum { CLOCKS_APART_S = 16 };        /* a change that is in the future by less was just now, on another clock */
enum { PAUSE_S = 3 };                /* of an entry that was left, until its rate is over */
enum { NEVER_USED, FORGOTTEN };      /* fingerprints that no source has */

struct entry {
    uint32_t fingerprint;
    uint32_t second; /* of the last change, modulo SECONDS */
    uint32_t connections;
};

struct details {
    _Atomic uint64_t bits; /* of the address: IPv4's 32, IPv6's first 64 */
    _Atomic bool     is_ip6;
    _Atomic uint64_t ever; /* fingerprint, connections let in */
    _Atomic uint64_t refused;
    _Atomic uint64_t changed_ms;
    struct rate      rate;
};

/* The words of a bucket are beside each other, as most are only looked at. */
struct bucket {
    _Atomic uint64_t words[SOURCES_BUCKET];
    struct details   details[SOURCES_BUCKET];
};

struct sources {
    _Atomic uint32_t refs;
    uint8_t          key[SIPHASH_KEY_BYTES];
    uint32_t         n_buckets;
    struct bucket    buckets[];
};

/* What is looked for. */
struct wanted {
    uint64_t bits;
    bool     is_ip6;
    uint32_t fingerprint;
    uint32_t bucket;
};

static struct entry unpack(uint64_t word)
{
    return (struct entry){(uint32_t)(word >> (SECOND_BITS + CONNECTIONS_BITS)),
                          (uint32_t)(word >> CONNECTIONS_BITS) & (SECONDS - 1),
                          (uint32_t)word & ((1u << CONNECTIONS_BITS) - 1)};
}

static uint64_t pack(uint32_t fingerprint, uint64_t now_ms, uint32_t connections)
{
    return (uint64_t)fingerprint << (SECOND_BITS + CONNECTIONS_BITS) |
           (now_ms / 1000 & (SECONDS - 1)) << CONNECTIONS_BITS | connections;
}

static uint32_t silent_s(const struct entry *e, uint64_t now_ms)
{
    uint32_t passed = (uint32_t)(now_ms / 1000 - e->second) & (SECONDS - 1);
    return passed > SECONDS - CLOCKS_APART_S ? 0 : passed;
}

/* How ready an entry is to be claimed; 0: it is not. */
static uint32_t readiness(uint64_t word, uint64_t now_ms)
{
    struct entry e = unpack(word);
    uint32_t     silent = silent_s(&e, now_ms);
    if (e.fingerprint == NEVER_USED)
        return SECONDS;
    return e.connections > 0 || silent < PAUSE_S ? 0 : silent;
}

struct sources *sources_new(uint32_t entries, const uint8_t key[SIPHASH_KEY_BYTES])
{
    uint32_t        n = entries / SOURCES_BUCKET;
    struct sources *t = calloc(1, sizeof *t + n * sizeof t->buckets[0]);
    if (t == NULL)
        return NULL;
    memcpy(t->key, key, sizeof t->key);
    t->n_buckets = n;
    atomic_init(&t->refs, 1);
    return t;
}

struct sources *sources_ref(struct sources *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void sources_unref(struct sources *t)
{
    if (t != NULL && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        free(t);
}

/* ---- addresses ---- */

static uint64_t big_endian(const uint8_t *bytes, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word = word << 8 | bytes[i];
    return word;
}

static uint64_t hash(const struct sources *t, uint64_t bits, bool is_ip6)
{
    uint8_t bytes[sizeof bits + 1];
    memcpy(bytes, &bits, sizeof bits);
    bytes[sizeof bits] = is_ip6;
    return siphash(t->key, bytes, sizeof bytes);
}

static uint32_t fingerprint_of(uint64_t hashed)
{
    uint32_t fingerprint = (uint32_t)(hashed >> 32);
    return fingerprint > FORGOTTEN ? fingerprint : FORGOTTEN + 1;
}

static struct wanted look_for(const struct sources *t, const struct addr *client)
{
    const struct addr a = addr_from_sockaddr(&client->sa); /* a PROXY header may tell of IPv4 in IPv6 */
    struct wanted     w = {.is_ip6 = a.sa.sa_family == AF_INET6};
    if (w.is_ip6)
        w.bits = big_endian(a.in6.sin6_addr.s6_addr, 8);
    else
        w.bits = ntohl(a.in.sin_addr.s_addr);
    uint64_t hashed = hash(t, w.bits, w.is_ip6);
    w.fingerprint = fingerprint_of(hashed);
    w.bucket = (uint32_t)hashed & (t->n_buckets - 1);
    return w;
}

static struct addr address_of(uint64_t bits, bool is_ip6)
{
    uint8_t ip[16] = {0};
    for (size_t i = 0; i < 8; i++)
        ip[i] = (uint8_t)(bits >> (56 - 8 * i));
    return is_ip6 ? addr_from_ip6(ip, 0) : addr_from_ip4(ip + 4, 0);
}

/* ---- taking and giving ---- */

/* Places are counted from 1 over all buckets. */
static uint32_t place_of(uint32_t bucket, uint32_t i)
{
    return bucket * SOURCES_BUCKET + i + 1;
}

/* The entry that has the fingerprint, or else the one that is readiest to be claimed, or SOURCES_BUCKET. *word is what
 * it was when looked at. */
static uint32_t choose(const struct sources *t, const struct wanted *w, uint64_t now_ms, uint64_t *word)
{
    uint32_t chosen = SOURCES_BUCKET, readiest = 0;
    for (uint32_t i = 0; i < SOURCES_BUCKET; i++) {
        uint64_t there = atomic_load(&t->buckets[w->bucket].words[i]);
        if (unpack(there).fingerprint == w->fingerprint) {
            *word = there;
            return i;
        }
        uint32_t ready = readiness(there, now_ms);
        if (ready > readiest) {
            readiest = ready;
            *word = there;
            chosen = i;
        }
    }
    return chosen;
}

static void count(_Atomic uint64_t *counter, uint32_t fingerprint)
{
    uint64_t was = atomic_load_explicit(counter, memory_order_relaxed), now;
    do {
        if (was >> 32 != fingerprint)
            now = (uint64_t)fingerprint << 32 | 1;
        else
            now = (uint32_t)was < UINT32_MAX ? was + 1 : was;
    } while (!atomic_compare_exchange_weak_explicit(counter, &was, now, memory_order_relaxed, memory_order_relaxed));
}

static uint32_t counted(const _Atomic uint64_t *counter, uint32_t fingerprint)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    return now >> 32 == fingerprint ? (uint32_t)now : 0;
}

static void set_address(struct details *d, const struct wanted *w)
{
    atomic_store_explicit(&d->bits, w->bits, memory_order_relaxed);
    atomic_store_explicit(&d->is_ip6, w->is_ip6, memory_order_relaxed);
}

/* The place is taken: what hangs on it. */
static enum source_verdict count_taken(struct sources *t, const struct wanted *w, uint32_t i, uint32_t most_a_second,
                                       uint64_t now_ms, uint32_t *place)
{
    struct details *d = &t->buckets[w->bucket].details[i];
    set_address(d, w);
    atomic_store_explicit(&d->changed_ms, now_ms, memory_order_relaxed);
    if (!rate_take(&d->rate, most_a_second, now_ms)) {
        count(&d->refused, w->fingerprint);
        sources_give(t, place_of(w->bucket, i), now_ms);
        return SOURCE_TOO_FAST;
    }
    count(&d->ever, w->fingerprint);
    *place = place_of(w->bucket, i);
    return SOURCE_LET_IN;
}

enum source_verdict sources_take(struct sources *t, const struct addr *client, const struct source_limits *limits,
                                 uint64_t now_ms, uint32_t *place)
{
    const struct wanted w = look_for(t, client);
    struct bucket      *bucket = &t->buckets[w.bucket];
    *place = 0;
    for (;;) { /* again only when another thread has got somewhere with the same entry */
        uint64_t word;
        uint32_t i = choose(t, &w, now_ms, &word);
        if (i == SOURCES_BUCKET)
            return SOURCE_UNTRACKED;
        struct entry e = unpack(word);
        if (e.fingerprint == w.fingerprint && limits->connections != 0 && e.connections >= limits->connections) {
            count(&bucket->details[i].refused, w.fingerprint);
            return SOURCE_TOO_MANY;
        }
        if (e.connections >= SOURCES_CONNECTIONS)
            return SOURCE_UNTRACKED;
        if (atomic_compare_exchange_strong(&bucket->words[i], &word, pack(w.fingerprint, now_ms, e.connections + 1)))
            return count_taken(t, &w, i, limits->rate, now_ms, place);
    }
}

void sources_give(struct sources *t, uint32_t place, uint64_t now_ms)
{
    if (place == 0)
        return;
    uint32_t          index = place - 1;
    struct bucket    *bucket = &t->buckets[index / SOURCES_BUCKET];
    _Atomic uint64_t *at = &bucket->words[index % SOURCES_BUCKET];
    uint64_t          word = atomic_load(at), less;
    atomic_store_explicit(&bucket->details[index % SOURCES_BUCKET].changed_ms, now_ms, memory_order_relaxed);
    do {
        struct entry e = unpack(word);
        less = pack(e.fingerprint, now_ms, e.connections - 1);
    } while (!atomic_compare_exchange_weak(at, &word, less));
}

/* ---- looking ---- */

uint32_t sources_size(const struct sources *t)
{
    return t->n_buckets * SOURCES_BUCKET;
}

bool sources_at(const struct sources *t, uint32_t place, uint64_t now_ms, struct source *out)
{
    const struct bucket  *bucket = &t->buckets[(place - 1) / SOURCES_BUCKET];
    const struct details *d = &bucket->details[(place - 1) % SOURCES_BUCKET];
    uint64_t              word = atomic_load(&bucket->words[(place - 1) % SOURCES_BUCKET]);
    struct entry          e = unpack(word);
    if (e.fingerprint <= FORGOTTEN)
        return false;
    uint64_t bits = atomic_load(&d->bits), changed_ms = atomic_load(&d->changed_ms);
    uint64_t silent_ms = now_ms > changed_ms ? now_ms - changed_ms : 0;
    bool     is_ip6 = atomic_load(&d->is_ip6);
    if ((e.connections == 0 && silent_ms >= SOURCES_SILENT_MS) ||
        fingerprint_of(hash(t, bits, is_ip6)) != e.fingerprint)
        return false;
    *out = (struct source){
        .place = place,
        .address = address_of(bits, is_ip6),
        .connections = e.connections,
        .connections_ever = counted(&d->ever, e.fingerprint),
        .refused = counted(&d->refused, e.fingerprint),
        .rate = rate_read(&d->rate, now_ms),
        .expires_ms = silent_ms < SOURCES_SILENT_MS ? SOURCES_SILENT_MS - (uint32_t)silent_ms : 0,
        .seen = word,
    };
    return true;
}

bool sources_find(const struct sources *t, const struct addr *client, uint64_t now_ms, struct source *out)
{
    const struct wanted w = look_for(t, client);
    for (uint32_t i = 0; i < SOURCES_BUCKET; i++) {
        uint64_t word = atomic_load(&t->buckets[w.bucket].words[i]);
        if (unpack(word).fingerprint == w.fingerprint)
            return sources_at(t, place_of(w.bucket, i), now_ms, out);
    }
    return false;
}

bool sources_forget(struct sources *t, const struct source *seen, uint64_t now_ms)
{
    struct bucket  *bucket = &t->buckets[(seen->place - 1) / SOURCES_BUCKET];
    struct details *d = &bucket->details[(seen->place - 1) % SOURCES_BUCKET];
    uint64_t        word = seen->seen;
    if (unpack(word).connections > 0 ||
        !atomic_compare_exchange_strong(&bucket->words[(seen->place - 1) % SOURCES_BUCKET], &word,
                                        pack(FORGOTTEN, now_ms, 0)))
        return false;
    /* Nobody claims it before PAUSE_S. A thread that was held up here for longer would only lessen counts for show. */
    atomic_store_explicit(&d->ever, 0, memory_order_relaxed);
    atomic_store_explicit(&d->refused, 0, memory_order_relaxed);
    return true;
}

/* ---- from one process to the next ---- */

bool sources_past(const struct sources *t, uint32_t place, uint64_t now_ms, struct source_past *out)
{
    const struct details *d = &t->buckets[(place - 1) / SOURCES_BUCKET].details[(place - 1) % SOURCES_BUCKET];
    struct source         now;
    if (!sources_at(t, place, now_ms, &now))
        return false;
    *out = (struct source_past){.address = now.address,
                                .connections_ever = now.connections_ever,
                                .refused = now.refused,
                                .changed_ms = d->changed_ms,
                                .rate = d->rate};
    return true;
}

/* Its word says that it changed just now, so that its place is still there when its connections come. */
void sources_recall(struct sources *t, const struct source_past *past, uint64_t now_ms)
{
    if (!addr_is_set(&past->address))
        return;
    const struct wanted w = look_for(t, &past->address);
    uint64_t            word;
    uint32_t            i = choose(t, &w, now_ms, &word);
    if (i == SOURCES_BUCKET)
        return;
    struct entry    e = unpack(word);
    struct details *d = &t->buckets[w.bucket].details[i];
    atomic_store(&t->buckets[w.bucket].words[i],
                 pack(w.fingerprint, now_ms, e.fingerprint == w.fingerprint ? e.connections : 0));
    set_address(d, &w);
    d->ever = (uint64_t)w.fingerprint << 32 | past->connections_ever;
    d->refused = (uint64_t)w.fingerprint << 32 | past->refused;
    d->changed_ms = past->changed_ms;
    d->rate = past->rate;
}

uint32_t sources_resume(struct sources *t, const struct addr *client, uint64_t now_ms)
{
    const struct wanted w = look_for(t, client);
    for (;;) { /* as in sources_take() */
        uint64_t word;
        uint32_t i = choose(t, &w, now_ms, &word);
        if (i == SOURCES_BUCKET)
            return 0;
        struct entry    e = unpack(word);
        struct details *d = &t->buckets[w.bucket].details[i];
        if (e.connections >= SOURCES_CONNECTIONS)
            return 0;
        if (!atomic_compare_exchange_strong(&t->buckets[w.bucket].words[i], &word,
                                            pack(w.fingerprint, now_ms, e.connections + 1)))
            continue;
        set_address(d, &w);
        if (e.fingerprint != w.fingerprint)
            atomic_store_explicit(&d->changed_ms, now_ms, memory_order_relaxed);
        return place_of(w.bucket, i);
    }
}
