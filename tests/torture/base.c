/* Rooms without a file or a peer: buffers, log lines, counters, servers, deadlines. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/deadline.h"
#include "stats/counters.h"
#include "torture/scenario.h"
#include "upstream/pool.h"
#include "upstream/sources.h"

static bool buffers(void)
{
    enum { N = 40 }; /* more than a pool keeps */
    struct buf_pool pool;
    struct buf     *lent[N];
    size_t          n = 0;
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    while (n < N && (lent[n] = buf_take(&pool)) != NULL) {
        (void)EXPECT(buf_len(lent[n]) == 0 && buf_room(lent[n]) == BUF_CAPACITY);
        n++;
    }
    bool all = n == N;
    (void)EXPECT(pool.n_lent == n);
    while (n > 0)
        buf_give(lent[--n]);
    buf_pool_fini(&pool);
    return all;
}

static bool log_lines(void)
{
    struct log_settings settings = {.wake_fd = -1};
    char                line[LOG_LINE_MAX];
    enum log_severity   severity;
    struct log          log = {.settings = &settings, .ring = log_ring_new()};
    if (log.ring == NULL)
        return false;
    log_error(&log, "tick", LOG_STR("text", "a \"quoted\" one"), LOG_UINT("n", 7));
    (void)EXPECT(log_ring_take(log.ring, line, &severity) > 0);
    log_ring_free(log.ring);
    return true;
}

static bool numbers(void)
{
    struct counters *counters = counters_new(3, COUNTS);
    if (counters == NULL)
        return false;
    counter_add(&counters_slot(counters, 2)[COUNT_REQUEST_IN], 9);
    (void)EXPECT(counters_sum(counters, COUNT_REQUEST_IN) == 9);
    counters_free(counters);
    return true;
}

/* Three servers take one session each. */
static bool pick_and_wait(struct pool *pool)
{
    struct pool_waiter in[4] = {0};
    struct lease       leases[ARRAY_LEN(in)] = {0};
    size_t             n = 0;
    while (n < ARRAY_LEN(in) && pool_pick(pool, 1, &in[n], &leases[n]) == PICK_OK)
        n++;
    if (!EXPECT(n == 3 && pool_n_waiting(pool) == 1))
        return false;
    pool_leave(pool, 1, &in[n]);
    while (n > 0)
        (void)EXPECT(!pool_release(pool, &leases[--n]));
    return true;
}

static bool servers(void)
{
    const struct server_settings settings = {.name = "broker",
                                             .address = addr_from_ip4((const uint8_t[]){127, 0, 0, 1}, 1883),
                                             .max_connections = 1,
                                             .weight = 1};
    struct server               *all[3];
    struct pool                 *pool = NULL;
    size_t                       n = 0;
    while (n < ARRAY_LEN(all) && (all[n] = server_new(&settings, SERVER_UP)) != NULL)
        n++;
    if (n == ARRAY_LEN(all))
        pool = pool_new(BALANCE_LEASTCONN, all, n, 2, NULL);
    bool done = pool != NULL && pick_and_wait(pool);
    pool_free(pool);
    while (n > 0)
        server_unref(all[--n]);
    return done;
}

static bool sources(void)
{
    static const uint8_t       key[SIPHASH_KEY_BYTES] = {1};
    const struct source_limits one = {.connections = 1};
    struct addr                client = addr_from_ip4((const uint8_t[]){192, 0, 2, 1}, 1);
    uint32_t                   place, none;
    struct sources            *t = sources_new(SOURCES_DEFAULT_ENTRIES, key);
    if (t == NULL)
        return false;
    (void)EXPECT(sources_take(t, &client, &one, 1000, &place) == SOURCE_LET_IN);
    (void)EXPECT(sources_take(t, &client, &one, 1000, &none) == SOURCE_TOO_MANY);
    sources_give(t, place, 1000);
    sources_unref(t);
    return true;
}

/* Durations that were added before memory ran out go on working. */
static bool durations(void)
{
    static const uint32_t after_ms[] = {10, 20, 30, 20, 40};
    struct deadlines      all;
    struct deadline       d[ARRAY_LEN(after_ms)] = {0};
    size_t                n = 0;
    deadlines_init(&all);
    while (n < ARRAY_LEN(d) && deadlines_add(&all, after_ms[n])) {
        deadline_set(&all, &d[n], after_ms[n], 1000);
        n++;
    }
    for (size_t i = 0; i < n; i++)
        (void)EXPECT(deadlines_take_due(&all, 2000) != NULL);
    (void)EXPECT(deadlines_take_due(&all, 2000) == NULL);
    deadlines_fini(&all);
    return n == ARRAY_LEN(d);
}

static bool pieces(void)
{
    enum { N = 100, SIZE = 1000 }; /* several chunks of an arena */
    struct arena *arena = arena_new();
    size_t        n = 0;
    while (arena != NULL && n < N && arena_alloc(arena, 1, SIZE) != NULL)
        n++;
    char *text = n == N ? arena_strdup(arena, "the last of them") : NULL;
    if (text != NULL)
        (void)EXPECT(strcmp(text, "the last of them") == 0);
    arena_free(arena);
    return text != NULL;
}

const struct scenario base_scenarios[] = {{"an arena cuts pieces", pieces},
                                          {"a pool lends buffers", buffers},
                                          {"a log ring takes lines", log_lines},
                                          {"workers count", numbers},
                                          {"servers stand in a pool", servers},
                                          {"a table of sources counts", sources},
                                          {"deadlines of several durations", durations},
                                          {0}};
