/* The table of sources: what it counts, what it forgets, and that threads do not get in each other's way. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "unit/upstream/suites.h"
#include "upstream/sources.h"

static const uint8_t              key[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct source_limits unlimited = {0};
enum { START = 1000 * 1000 };

static struct addr at(const char *ip)
{
    struct addr a;
    ck_assert_msg(addr_parse_ip(ip, &a), "%s", ip);
    return a;
}

/* 10.x.x.x */
static struct addr nth(uint32_t n)
{
    return addr_from_ip4((const uint8_t[]){10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}, 1883);
}

static struct sources *table_of(uint32_t entries)
{
    struct sources *t = sources_new(entries, key);
    ck_assert_ptr_nonnull(t);
    return t;
}

static enum source_verdict take(struct sources *t, struct addr client, struct source_limits limits, uint64_t now_ms,
                                uint32_t *place)
{
    enum source_verdict verdict = sources_take(t, &client, &limits, now_ms, place);
    ck_assert(*place == 0 || verdict == SOURCE_LET_IN);
    return verdict;
}

static uint32_t let_in(struct sources *t, struct addr client, uint64_t now_ms)
{
    uint32_t place;
    ck_assert_int_eq(take(t, client, unlimited, now_ms, &place), SOURCE_LET_IN);
    ck_assert_uint_ne(place, 0);
    return place;
}

static void come_and_go(struct sources *t, struct addr client, uint64_t now_ms)
{
    sources_give(t, let_in(t, client, now_ms), now_ms);
}

static struct source found(struct sources *t, struct addr client, uint64_t now_ms)
{
    struct source s;
    ck_assert(sources_find(t, &client, now_ms, &s));
    return s;
}

/* Entries that are shown. */
static uint32_t used(const struct sources *t, uint64_t now_ms)
{
    struct source s;
    uint32_t      n = 0;
    for (uint32_t place = 1; place <= sources_size(t); place++)
        n += sources_at(t, place, now_ms, &s);
    return n;
}

static bool knows(struct sources *t, struct addr client, uint64_t now_ms)
{
    struct source s;
    return sources_find(t, &client, now_ms, &s);
}

START_TEST(an_entry_tells_of_its_source)
{
    struct sources *t = table_of(64);
    char            text[ADDR_TEXT_MAX];
    ck_assert(!knows(t, at("192.0.2.1"), START));
    uint32_t first = let_in(t, at("192.0.2.1"), START), second = let_in(t, at("192.0.2.1"), START + 100);
    ck_assert_uint_eq(first, second);
    sources_give(t, first, START + 5000);
    struct source s = found(t, at("192.0.2.1"), START + 15000);
    ck_assert_str_eq(addr_format_ip(&s.address, text), "192.0.2.1");
    ck_assert_uint_eq(s.connections, 1);
    ck_assert_uint_eq(s.connections_ever, 2);
    ck_assert_uint_eq(s.rate, 0);
    ck_assert_uint_eq(s.expires_ms, 20000);
    ck_assert_uint_eq(found(t, at("192.0.2.1"), START + 500).rate, 2);
    ck_assert_uint_eq(found(t, at("192.0.2.1"), START + 10001).expires_ms, 24999);
    ck_assert_uint_eq(found(t, at("192.0.2.1"), START + 3600 * 1000).expires_ms, 0);
    ck_assert_uint_eq(used(t, START), 1);
    sources_unref(t);
}
END_TEST

START_TEST(past_its_limits_a_source_is_not_let_in_and_not_counted)
{
    struct sources            *t = table_of(64);
    const struct source_limits two = {.connections = 2}, three_a_second = {.rate = 3};
    struct addr                a = at("192.0.2.1"), b = at("192.0.2.2");
    uint32_t                   place, none;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(take(t, a, two, START, &place), SOURCE_LET_IN);
    ck_assert_int_eq(take(t, a, two, START, &none), SOURCE_TOO_MANY);
    sources_give(t, place, START);
    ck_assert_int_eq(take(t, a, two, START, &place), SOURCE_LET_IN);
    ck_assert_uint_eq(found(t, a, START).connections_ever, 3);
    ck_assert_uint_eq(found(t, a, START).refused, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(take(t, b, three_a_second, START, &place), SOURCE_LET_IN);
    ck_assert_int_eq(take(t, b, three_a_second, START + 999, &none), SOURCE_TOO_FAST);
    ck_assert_uint_eq(found(t, b, START).connections, 3);
    ck_assert_uint_eq(found(t, b, START).connections_ever, 3);
    ck_assert_uint_eq(found(t, b, START).refused, 1);
    ck_assert_int_eq(take(t, b, three_a_second, START + 1500, &place), SOURCE_LET_IN);
    sources_unref(t);
}
END_TEST

START_TEST(a_64_is_one_source_and_families_do_not_meet)
{
    static const struct {
        const char *one, *other;
        bool        same;
    } pairs[] = {
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "0:0:c000:201::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct sources *t = table_of(64);
        come_and_go(t, at(pairs[i].one), START);
        ck_assert_msg(knows(t, at(pairs[i].other), START) == pairs[i].same, "%s", pairs[i].other);
        sources_unref(t);
    }
    struct sources *t = table_of(64);
    char            text[ADDR_TEXT_MAX];
    come_and_go(t, addr_from_ip6((const uint8_t[16]){[10] = 0xff, 0xff, 192, 0, 2, 1}, 1), START);
    ck_assert(knows(t, at("192.0.2.1"), START));
    come_and_go(t, at("2001:db8:1:2::99"), START);
    struct source s = found(t, at("2001:db8:1:2::5"), START);
    ck_assert_str_eq(addr_format_ip(&s.address, text), "2001:db8:1:2::");
    sources_unref(t);
}
END_TEST

START_TEST(where_there_is_no_place_a_source_is_let_in_and_not_counted)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    uint32_t        place, places[SOURCES_BUCKET];
    for (uint32_t i = 0; i < SOURCES_BUCKET; i++)
        places[i] = let_in(t, nth(i), START);
    ck_assert_int_eq(take(t, nth(99), (struct source_limits){1, 1}, START, &place), SOURCE_UNTRACKED);
    ck_assert_int_eq(take(t, nth(99), (struct source_limits){1, 1}, START + 3600 * 1000, &place), SOURCE_UNTRACKED);
    sources_give(t, place, START);
    sources_give(t, places[3], START + 5000);
    ck_assert_int_eq(take(t, nth(99), unlimited, START + 7000, &place), SOURCE_UNTRACKED); /* its rate is remembered */
    ck_assert_uint_eq(let_in(t, nth(99), START + 8000), places[3]);
    ck_assert(!knows(t, nth(3), START + 8000));
    struct source s = found(t, nth(99), START + 8000);
    ck_assert_uint_eq(s.connections_ever, 1);
    ck_assert_uint_eq(s.refused, 0);
    ck_assert_uint_eq(s.rate, 1);
    sources_unref(t);
}
END_TEST

START_TEST(the_longest_silent_source_gives_way)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    for (uint32_t i = 0; i < SOURCES_BUCKET; i++)
        come_and_go(t, nth(i), START + (i ^ 5) * 1000);
    (void)let_in(t, nth(5), START + 8000); /* it was the first to come */
    for (uint32_t n = 1; n < SOURCES_BUCKET - 2; n++) {
        (void)let_in(t, nth(100 + n), START + 12000);
        for (uint32_t i = 0; i < SOURCES_BUCKET; i++)
            ck_assert_int_eq(knows(t, nth(i), START + 12000), i == 5 || (i ^ 5) > n);
    }
    sources_unref(t);
}
END_TEST

START_TEST(an_entry_is_shown_for_half_a_minute_and_never_again)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    come_and_go(t, nth(1), START);
    ck_assert_uint_eq(used(t, START + SOURCES_SILENT_MS - 1), 1);
    for (uint64_t s = SOURCES_SILENT_MS / 1000; s < 10000; s++) /* a word knows time modulo 4096 seconds */
        ck_assert_uint_eq(used(t, START + s * 1000), 0);
    sources_unref(t);
}
END_TEST

START_TEST(a_clock_that_is_behind_replaces_nobody)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    uint32_t        place;
    for (uint32_t i = 0; i < SOURCES_BUCKET; i++)
        come_and_go(t, nth(i), START);
    ck_assert_int_eq(take(t, nth(99), unlimited, START - 1500, &place), SOURCE_UNTRACKED);
    ck_assert_uint_eq(used(t, START - 1500), SOURCES_BUCKET);
    sources_unref(t);
}
END_TEST

START_TEST(no_number_of_sources_makes_the_table_grow)
{
    enum { ENTRIES = 1024, SOURCES = 200000 };
    struct sources *t = table_of(ENTRIES);
    uint32_t        place, n = 0;
    for (uint32_t i = 0; i < SOURCES; i++) {
        n += take(t, nth(i), unlimited, START, &place) == SOURCE_LET_IN;
        ck_assert_uint_le(place, ENTRIES);
        sources_give(t, place, START);
    }
    ck_assert_uint_eq(n, ENTRIES); /* each was taken once, and no time has passed */
    ck_assert_uint_eq(used(t, START), sources_size(t));
    sources_unref(t);
}
END_TEST

START_TEST(past_what_can_be_counted_of_one_source_it_is_let_in)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    uint32_t        place;
    for (uint32_t i = 0; i < SOURCES_CONNECTIONS; i++)
        place = let_in(t, nth(1), START);
    ck_assert_int_eq(take(t, nth(1), unlimited, START, &place), SOURCE_UNTRACKED);
    ck_assert_uint_eq(found(t, nth(1), START).connections, SOURCES_CONNECTIONS);
    sources_unref(t);
}
END_TEST

static bool forget(struct sources *t, struct addr client, uint64_t now_ms)
{
    const struct source seen = found(t, client, now_ms);
    return sources_forget(t, &seen, now_ms);
}

START_TEST(who_has_no_connections_can_be_forgotten)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    for (uint32_t i = 0; i < 5; i++)
        come_and_go(t, nth(i), START);
    uint32_t place = let_in(t, nth(1), START);
    ck_assert(!forget(t, nth(1), START));
    ck_assert(forget(t, nth(2), START));
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_int_eq(knows(t, nth(i), START), i != 2);
    ck_assert_uint_eq(used(t, START), 4);
    ck_assert_uint_eq(found(t, nth(1), START).connections, 1);
    sources_give(t, place, START);
    sources_unref(t);
}
END_TEST

START_TEST(an_entry_is_forgotten_only_as_it_was_seen)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    come_and_go(t, nth(1), START);
    const struct source seen = found(t, nth(1), START);
    uint32_t            place = let_in(t, nth(1), START + 1000);
    ck_assert(!sources_forget(t, &seen, START + 1000));
    sources_give(t, place, START + 1000);
    ck_assert(!sources_forget(t, &seen, START + 1000));
    ck_assert(forget(t, nth(1), START + 1000));
    ck_assert(!sources_forget(t, &seen, START + 1000));
    sources_unref(t);
}
END_TEST

/* Nothing of a forgotten source is left to the one that comes to its place. */
START_TEST(a_forgotten_source_begins_anew)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    for (uint64_t now_ms = START; now_ms < START + 100 * 1000; now_ms += 1000) {
        uint32_t place;
        ck_assert_int_eq(take(t, nth(1), (struct source_limits){.rate = 1}, now_ms, &place), SOURCE_LET_IN);
        ck_assert_uint_eq(found(t, nth(1), now_ms).connections_ever, 1);
        ck_assert_uint_eq(found(t, nth(1), now_ms).rate, 1);
        sources_give(t, place, now_ms);
        ck_assert(forget(t, nth(1), now_ms));
    }
    sources_unref(t);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 100000, LIMIT = 2 };

struct contest {
    struct sources  *t;
    _Atomic uint32_t holders, most, refused;
};

static void *contend(void *arg)
{
    const struct source_limits limits = {.connections = LIMIT};
    struct contest            *c = arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t place;
        if (take(c->t, nth(1), limits, START, &place) != SOURCE_LET_IN) {
            atomic_fetch_add(&c->refused, 1);
            continue;
        }
        uint32_t now = atomic_fetch_add(&c->holders, 1) + 1, most = atomic_load(&c->most);
        while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
            continue;
        atomic_fetch_sub(&c->holders, 1);
        sources_give(c->t, place, START);
    }
    return NULL;
}

static void run_threads(void *(*fn)(void *arg), void *arg)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, arg), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(many_threads_never_hold_more_than_the_limit_of_a_source)
{
    struct contest c = {.t = table_of(SOURCES_BUCKET)};
    run_threads(contend, &c);
    ck_assert_uint_le(atomic_load(&c.most), LIMIT);
    struct source s = found(c.t, nth(1), START);
    ck_assert_uint_eq(s.connections, 0);
    ck_assert_uint_eq(s.connections_ever, THREADS * ROUNDS - atomic_load(&c.refused));
    ck_assert_uint_eq(s.refused, atomic_load(&c.refused));
    ck_assert_uint_eq(used(c.t, START), 1);
    sources_unref(c.t);
}
END_TEST

/* Twice as many sources as there are places, on a clock that runs so fast that places are replaced all the time, and
 * forgotten, and shown. */
struct crowd {
    struct sources  *t;
    _Atomic uint32_t rounds, untracked, shown;
};

static void check_shown(struct crowd *c, const struct source *source)
{
    uint32_t ip = ntohl(source->address.in.sin_addr.s_addr);
    ck_assert_int_eq(source->address.sa.sa_family, AF_INET);
    ck_assert_uint_eq(ip >> 8, 10 << 16);
    ck_assert_uint_lt(ip & 0xff, 2 * SOURCES_BUCKET);
    ck_assert_uint_le(source->connections, 3 * THREADS);
    atomic_fetch_add(&c->shown, 1);
}

static void look_around(struct crowd *c, uint64_t now_ms, bool forget_them)
{
    struct source source;
    for (uint32_t place = 1; place <= SOURCES_BUCKET; place++) {
        if (!sources_at(c->t, place, now_ms, &source))
            continue;
        check_shown(c, &source);
        if (forget_them && sources_forget(c->t, &source, now_ms))
            ck_assert_uint_eq(source.connections, 0);
    }
}

static void *crowd_in(void *arg)
{
    enum { HELD = 3 };
    struct crowd *c = arg;
    uint32_t      places[HELD] = {0};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t round = atomic_fetch_add(&c->rounds, 1);
        uint64_t now_ms = START + (uint64_t)round * 500;
        sources_give(c->t, places[i % HELD], now_ms);
        uint32_t who = round * 2654435761u >> 28;
        if (take(c->t, nth(who), unlimited, now_ms, &places[i % HELD]) == SOURCE_UNTRACKED)
            atomic_fetch_add(&c->untracked, 1);
        if (i % 64 == 0)
            look_around(c, now_ms, i % 1024 == 0);
    }
    for (uint32_t i = 0; i < HELD; i++)
        sources_give(c->t, places[i], START + (uint64_t)c->rounds * 500);
    return NULL;
}

START_TEST(places_change_hands_among_threads_and_none_is_lost)
{
    struct crowd c = {.t = table_of(SOURCES_BUCKET)};
    run_threads(crowd_in, &c);
    uint64_t end_ms = START + (uint64_t)c.rounds * 500;
    ck_assert_uint_gt(c.shown, 0);
    ck_assert_uint_lt(c.untracked, c.rounds);
    for (uint32_t who = 0; who < 2 * SOURCES_BUCKET; who++)
        ck_assert(!knows(c.t, nth(who), end_ms) || found(c.t, nth(who), end_ms).connections == 0);
    ck_assert_uint_eq(used(c.t, end_ms + 60 * 1000), 0);
    sources_unref(c.t);
}
END_TEST

/* New sources all the time, to each of which all threads come at once on clocks that differ by a second, while others'
 * places become free, and are forgotten. A barrier, as a thread that was held up would bring a clock of long ago. */
enum { RUSHES = ROUNDS / THREADS };
struct rush {
    struct sources   *t;
    pthread_barrier_t together;
    _Atomic uint32_t  holders[RUSHES];
    _Atomic uint32_t  threads, let_in;
};

static void *rush_in(void *arg)
{
    const struct source_limits one = {.connections = 1};
    struct rush               *r = arg;
    uint32_t                   thread = atomic_fetch_add(&r->threads, 1), place;
    for (uint32_t who = 0; who < RUSHES; who++) {
        uint64_t now_ms = START + who * 500ull + (thread + who) % THREADS * 300;
        (void)pthread_barrier_wait(&r->together);
        if (take(r->t, nth(who), one, now_ms, &place) != SOURCE_LET_IN)
            continue;
        ck_assert_uint_eq(atomic_fetch_add(&r->holders[who], 1), 0);
        atomic_fetch_add(&r->let_in, 1);
        atomic_fetch_sub(&r->holders[who], 1);
        sources_give(r->t, place, now_ms);
        struct source seen;
        if (who % 3 == 0 && sources_at(r->t, place, now_ms, &seen) && sources_forget(r->t, &seen, now_ms))
            ck_assert_uint_eq(seen.connections, 0);
    }
    return NULL;
}

START_TEST(a_new_source_that_comes_to_all_threads_at_once_is_one_source)
{
    static struct rush r;
    r.t = table_of(SOURCES_BUCKET);
    ck_assert_int_eq(pthread_barrier_init(&r.together, NULL, THREADS), 0);
    run_threads(rush_in, &r);
    ck_assert_uint_ge(atomic_load(&r.let_in), RUSHES);
    (void)pthread_barrier_destroy(&r.together);
    sources_unref(r.t);
}
END_TEST

/* ---- from one process to the next ---- */

/* What t shows, in a table of another key. */
static struct sources *recalled(const struct sources *t, uint64_t now_ms)
{
    static const uint8_t other[SIPHASH_KEY_BYTES] = "another key.....";
    struct sources      *next = sources_new(sources_size(t), other);
    struct source_past   past;
    for (uint32_t place = 1; place <= sources_size(t); place++) {
        if (sources_past(t, place, now_ms, &past))
            sources_recall(next, &past, now_ms);
    }
    return next;
}

START_TEST(a_source_is_known_in_the_next_process_and_its_connections_come_by_themselves)
{
    struct sources            *t = table_of(64);
    const struct source_limits one = {.connections = 1}, two_a_second = {.rate = 2};
    struct addr                a = at("192.0.2.1"), b = at("2001:db8::1"), gone = at("192.0.2.9");
    uint32_t                   none;
    come_and_go(t, gone, START);
    uint32_t place = let_in(t, a, START + 40 * 1000);
    ck_assert_int_eq(take(t, a, one, START + 40 * 1000, &none), SOURCE_TOO_MANY);
    come_and_go(t, b, START + 40 * 1000);
    come_and_go(t, b, START + 40 * 1000);
    struct sources *next = recalled(t, START + 40 * 1000 + 100);
    ck_assert(!knows(next, gone, START + 40 * 1000 + 100));
    struct source s = found(next, a, START + 40 * 1000 + 100);
    ck_assert_uint_eq(s.connections, 0);
    ck_assert_uint_eq(s.connections_ever, 1);
    ck_assert_uint_eq(s.refused, 1);
    ck_assert_uint_eq(s.expires_ms, SOURCES_SILENT_MS - 100);
    ck_assert_int_eq(take(next, b, two_a_second, START + 40 * 1000 + 100, &none), SOURCE_TOO_FAST);
    sources_give(t, place, START + 40 * 1000);
    place = sources_resume(next, &a, START + 40 * 1000 + 200);
    ck_assert_uint_eq(place, s.place);
    s = found(next, a, START + 40 * 1000 + 200);
    ck_assert_uint_eq(s.connections, 1);
    ck_assert_uint_eq(s.connections_ever, 1);
    ck_assert_int_eq(take(next, a, one, START + 41 * 1000, &none), SOURCE_TOO_MANY);
    sources_give(next, place, START + 42 * 1000);
    ck_assert_uint_eq(found(next, a, START + 42 * 1000).connections, 0);
    sources_unref(t);
    sources_unref(next);
}
END_TEST

START_TEST(a_connection_comes_over_even_where_its_source_is_not_known)
{
    struct sources *t = table_of(SOURCES_BUCKET);
    struct addr     a = at("192.0.2.1");
    uint32_t        place = sources_resume(t, &a, START);
    ck_assert_uint_ne(place, 0);
    ck_assert_uint_eq(sources_resume(t, &a, START), place);
    ck_assert_uint_eq(found(t, a, START).connections, 2);
    ck_assert_uint_eq(found(t, a, START).connections_ever, 0);
    for (uint32_t i = 1; i < SOURCES_BUCKET; i++)
        (void)let_in(t, nth(i), START);
    a = at("192.0.2.2");
    ck_assert_uint_eq(sources_resume(t, &a, START), 0); /* no place */
    sources_unref(t);
}
END_TEST

START_TEST(a_past_of_nobody_or_of_tomorrow_does_no_harm)
{
    struct sources    *t = table_of(SOURCES_BUCKET);
    struct source_past past = {.connections_ever = UINT32_MAX, .refused = UINT32_MAX, .changed_ms = UINT64_MAX};
    past.rate.word = UINT64_MAX;
    sources_recall(t, &past, START);
    ck_assert_uint_eq(used(t, START), 0);
    for (uint32_t i = 0; i < 2 * SOURCES_BUCKET; i++) {
        past.address = nth(i);
        sources_recall(t, &past, START);
    }
    ck_assert_uint_eq(used(t, START), SOURCES_BUCKET);
    ck_assert_uint_eq(found(t, nth(0), START).connections_ever, UINT32_MAX);
    come_and_go(t, nth(0), START + 1);
    ck_assert_uint_eq(found(t, nth(0), START + 1).connections_ever, UINT32_MAX);
    sources_unref(t);
}
END_TEST

TCase *sources_tcase(void)
{
    TCase *tc = tcase_create("sources");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, an_entry_tells_of_its_source);
    tcase_add_test(tc, past_its_limits_a_source_is_not_let_in_and_not_counted);
    tcase_add_test(tc, a_64_is_one_source_and_families_do_not_meet);
    tcase_add_test(tc, where_there_is_no_place_a_source_is_let_in_and_not_counted);
    tcase_add_test(tc, the_longest_silent_source_gives_way);
    tcase_add_test(tc, an_entry_is_shown_for_half_a_minute_and_never_again);
    tcase_add_test(tc, a_clock_that_is_behind_replaces_nobody);
    tcase_add_test(tc, no_number_of_sources_makes_the_table_grow);
    tcase_add_test(tc, past_what_can_be_counted_of_one_source_it_is_let_in);
    tcase_add_test(tc, who_has_no_connections_can_be_forgotten);
    tcase_add_test(tc, an_entry_is_forgotten_only_as_it_was_seen);
    tcase_add_test(tc, a_forgotten_source_begins_anew);
    tcase_add_test(tc, many_threads_never_hold_more_than_the_limit_of_a_source);
    tcase_add_test(tc, places_change_hands_among_threads_and_none_is_lost);
    tcase_add_test(tc, a_new_source_that_comes_to_all_threads_at_once_is_one_source);
    tcase_add_test(tc, a_source_is_known_in_the_next_process_and_its_connections_come_by_themselves);
    tcase_add_test(tc, a_connection_comes_over_even_where_its_source_is_not_known);
    tcase_add_test(tc, a_past_of_nobody_or_of_tomorrow_does_no_harm);
    return tc;
}
