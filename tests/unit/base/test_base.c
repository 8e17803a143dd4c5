/* Unit tests of room base/. */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/logline.h"
#include "base/slab.h"
#include "base/text.h"
#include "support/unit.h"
#include "unit/base/suites.h"

START_TEST(an_address_is_written_as_it_was_read)
{
    static const char *const good[] = {"127.0.0.1:1883", "0.0.0.0:0", "[::1]:8883", "[2001:db8::7]:65535"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct addr a;
        char        text[ADDR_TEXT_MAX];
        ck_assert(addr_parse(good[i], &a));
        ck_assert_str_eq(addr_format(&a, text), good[i]);
    }
}
END_TEST

START_TEST(numbers_of_any_size_are_written_in_full)
{
    static const struct {
        uint64_t    n;
        const char *text;
    } numbers[] = {{0, "0"}, {9, "9"}, {10, "10"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct text t = {.at = NULL};
        text_put_uint(&t, numbers[i].n);
        ck_assert_str_eq(t.at, numbers[i].text);
        text_fini(&t);
    }
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
    static const char *const bad[] = {
        "",        "1883",  "localhost:1883", "127.0.0.1",    "127.0.0.1:", "1.2.3.4:65536",
        "::1:80",  "[::1]", "[::1]80",        "[1.2.3.4]:80", ":80",        "1.2.3.4:+80",
        "[::1:80", "]:80",  "1.2.3:80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct addr a;
        ck_assert_msg(!addr_parse(bad[i], &a), "%s", bad[i]);
    }
}
END_TEST

START_TEST(an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
    char                text[ADDR_TEXT_MAX];
    in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xFF;
    in6.sin6_addr.s6_addr[12] = 10;
    in6.sin6_addr.s6_addr[15] = 9;
    struct addr a = addr_from_sockaddr((const struct sockaddr *)&in6);
    ck_assert_str_eq(addr_format(&a, text), "10.0.0.9:7");
}
END_TEST

START_TEST(a_network_has_its_addresses_and_no_others)
{
    static const struct {
        const char *net, *ip;
        bool        in;
    } cases[] = {{"10.0.0.0/8", "10.255.0.1", true},
                 {"10.0.0.0/8", "11.0.0.1", false},
                 {"192.168.1.128/25", "192.168.1.200", true},
                 {"192.168.1.128/25", "192.168.1.127", false},
                 {"0.0.0.0/0", "8.8.8.8", true},
                 {"0.0.0.0/0", "::1", false},
                 {"::/0", "::1", true},
                 {"2001:db8::/33", "2001:db8:7fff::1", true},
                 {"2001:db8::/33", "2001:db8:8000::1", false},
                 {"127.0.0.1", "127.0.0.1", true},
                 {"127.0.0.1", "127.0.0.2", false},
                 {"::ffff:10.0.0.9", "10.0.0.9", true},
                 {"::ffff:10.0.0.0/104", "10.255.0.1", true},
                 {"::ffff:10.0.0.0/104", "11.0.0.1", false},
                 {"10.0.0.0/8", "::ffff:10.255.0.1", true},
                 {"10.0.0.0/8", "::ffff:11.0.0.1", false},
                 {"::/0", "::ffff:10.0.0.1", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct network net;
        struct addr    a;
        ck_assert(network_parse(cases[i].net, &net));
        ck_assert(addr_parse_ip(cases[i].ip, &a));
        ck_assert_msg(network_has(&net, &a) == cases[i].in, "%s in %s", cases[i].ip, cases[i].net);
    }
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
    static const char *const bad[] = {"",
                                      "10.0.0.0/33",
                                      "10.0.0.1/8",
                                      "::1/129",
                                      "::1/64",
                                      "10.0.0.0/",
                                      "host/8",
                                      "10.0.0.0/8/8",
                                      "10.0.0.0/-1",
                                      "::ffff:10.0.0.1/104",
                                      "::ffff:10.0.0.0/95"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct network net;
        ck_assert_msg(!network_parse(bad[i], &net), "%s", bad[i]);
    }
}
END_TEST

START_TEST(a_buffer_gives_back_what_was_put_in)
{
    struct buf_pool pool;
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    struct buf *b = buf_take(&pool);
    memcpy(buf_end(b), "hello world", 11);
    buf_added(b, 11);
    buf_consume(b, 6);
    ck_assert(slice_eq(buf_bytes(b), slice_str("world")));
    ck_assert_uint_eq(buf_room(b), BUF_CAPACITY - 11);
    buf_added(b, buf_room(b));
    ck_assert_uint_eq(buf_len(b), BUF_CAPACITY - 6);
    ck_assert_uint_eq(buf_room(b), 0);
    buf_consume(b, buf_len(b));
    ck_assert_uint_eq(buf_room(b), BUF_CAPACITY);
    buf_give(b);
    ck_assert_ptr_eq(buf_take(&pool), b);
    buf_give(b);
    buf_pool_fini(&pool);
}
END_TEST

START_TEST(only_an_empty_buffer_is_given_back_as_one)
{
    struct buf_pool pool;
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    struct buf *b = buf_take(&pool);
    buf_added(b, 2);
    buf_consume(b, 1);
    buf_give_empty(&b);
    ck_assert_ptr_nonnull(b);
    buf_consume(b, 1);
    buf_give_empty(&b);
    ck_assert_ptr_null(b);
    buf_give_empty(&b);
    ck_assert_uint_eq(pool.n_lent, 0);
    buf_pool_fini(&pool);
}
END_TEST

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE  *statm = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%*u %zu", &pages), 1);
    ck_assert_int_eq(fclose(statm), 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The thread sanitizer keeps a shadow of what was there, which is several times as large. */
static void ck_resident_below(size_t bytes)
{
#ifdef __SANITIZE_THREAD__
    (void)bytes;
#else
    ck_assert_uint_lt(resident_bytes(), bytes);
#endif
}

enum { MANY = 1000 };

static void take_many(struct buf_pool *pool, struct buf **many)
{
    for (int i = 0; i < MANY; i++) {
        many[i] = buf_take(pool);
        ck_assert_ptr_nonnull(many[i]);
        memset(many[i]->data, i & 0xff, BUF_CAPACITY);
        buf_added(many[i], BUF_CAPACITY);
    }
}

static void give_many(struct buf **many, int first, int step)
{
    for (int i = first; i < MANY; i += step)
        buf_give(many[i]);
}

static int shrink_all(struct buf_pool *pool)
{
    int calls = 0;
    for (; buf_pool_has_spare(pool); calls++)
        buf_pool_shrink(pool);
    return calls;
}

START_TEST(objects_of_any_size_are_zeroed_and_apart)
{
    struct slab slab;
    uint8_t    *at[SLAB_MAX + 1];
    slab_init(&slab);
    for (size_t size = 1; size <= SLAB_MAX; size++) {
        at[size] = slab_take(&slab, size);
        ck_assert_ptr_nonnull(at[size]);
        ck_assert_uint_eq((uintptr_t)at[size] % SLAB_STEP, 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(at[size][i], 0);
        memset(at[size], (int)(size % 251), size);
    }
    for (size_t size = 1; size <= SLAB_MAX; size++) {
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(at[size][i], size % 251);
        slab_give(at[size]);
    }
    slab_give(NULL);
    slab_fini(&slab);
}
END_TEST

START_TEST(places_are_used_again_and_are_zeroed_again)
{
    enum { N = 500 };
    struct slab slab;
    uint8_t    *at[N];
    slab_init(&slab);
    for (int turn = 0; turn < 20; turn++) {
        for (size_t i = 0; i < N; i++) {
            if (turn > 0 && (i * 7 + (size_t)turn) % 3 != 0)
                continue;
            if (turn > 0)
                slab_give(at[i]);
            at[i] = slab_take(&slab, 300);
            ck_assert_ptr_nonnull(at[i]);
            for (size_t k = 0; k < 300; k++)
                ck_assert_uint_eq(at[i][k], 0);
            memset(at[i], 0xff, 300);
        }
        ck_assert_uint_eq(slab.n, N);
    }
    for (size_t i = 0; i < N; i++)
        slab_give(at[i]);
    slab_fini(&slab);
}
END_TEST

START_TEST(the_memory_of_many_objects_goes_back_to_the_system)
{
    enum { N = 20000, SIZE = 500 };
    struct slab  slab;
    static void *at[N];
    slab_init(&slab);
    const size_t before = resident_bytes();
    for (size_t i = 0; i < N; i++) {
        at[i] = slab_take(&slab, SIZE);
        ck_assert_ptr_nonnull(at[i]);
    }
    ck_assert_uint_ge(resident_bytes(), before + N * SIZE);
    for (size_t i = 0; i < N; i++)
        slab_give(at[i]);
    ck_resident_below(before + N * SIZE / 2); /* the address sanitizer's shadow is an eighth */
    slab_fini(&slab);
}
END_TEST

START_TEST(the_memory_of_many_busy_buffers_goes_back_to_the_system)
{
    struct buf_pool pool;
    struct buf     *many[MANY];
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    const size_t before = resident_bytes(), all = (size_t)MANY * BUF_CAPACITY;
    take_many(&pool, many);
    ck_assert_uint_ge(resident_bytes(), before + all);
    give_many(many, 0, 1);
    ck_assert(buf_pool_has_spare(&pool));
    ck_assert_int_gt(shrink_all(&pool), 2); /* a part at a time */
    ck_resident_below(before + all / 4);
    buf_pool_fini(&pool);
}
END_TEST

START_TEST(the_memory_between_buffers_that_stay_busy_goes_back_too)
{
    struct buf_pool pool;
    struct buf     *many[MANY];
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    const size_t before = resident_bytes(), all = (size_t)MANY * BUF_CAPACITY;
    take_many(&pool, many);
    for (int i = 1; i < 10; i++)
        give_many(many, i, 10);
    (void)shrink_all(&pool);
    ck_resident_below(before + all / 2);
    for (int i = 0; i < MANY; i += 10) {
        ck_assert_uint_eq(buf_len(many[i]), BUF_CAPACITY);
        ck_assert_uint_eq(many[i]->data[0], i & 0xff);
        ck_assert_uint_eq(many[i]->data[BUF_CAPACITY - 1], i & 0xff);
    }
    give_many(many, 0, 10);
    take_many(&pool, many); /* those that were given back are as good as new */
    give_many(many, 0, 1);
    buf_pool_fini(&pool);
}
END_TEST

START_TEST(buffers_that_were_needed_since_the_last_time_are_kept)
{
    struct buf_pool pool;
    struct buf     *many[MANY];
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    take_many(&pool, many);
    give_many(many, 0, 1);
    for (int i = 0; i < 3; i++) {
        buf_pool_shrink(&pool);
        ck_assert_uint_eq(pool.n_free, MANY);
        take_many(&pool, many);
        give_many(many, 0, 1);
    }
    (void)shrink_all(&pool);
    ck_assert_uint_lt(pool.n_free, MANY / 10);
    ck_assert_uint_eq(pool.n_lent, 0);
    buf_pool_fini(&pool);
}
END_TEST

START_TEST(a_grown_buffer_keeps_its_bytes_and_is_not_lent_again)
{
    struct buf_pool pool;
    buf_pool_init(&pool, BUF_CAPACITY, BUF_KEEP);
    struct buf *b = buf_take(&pool);
    buf_added(b, buf_room(b));
    buf_end(b)[-1] = 'x';
    b = buf_grow(b, 3 * BUF_CAPACITY);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(buf_room(b), 2 * BUF_CAPACITY);
    ck_assert_uint_eq(buf_bytes(b).ptr[BUF_CAPACITY - 1], 'x');
    ck_assert_ptr_eq(buf_grow(b, BUF_CAPACITY), b);
    buf_give(b);
    ck_assert_uint_eq(pool.n_free, 1); /* the one that it outgrew */
    ck_assert_uint_eq(pool.n_lent, 0);
    buf_pool_fini(&pool);
}
END_TEST

static const char *format_line(enum log_format format, const struct log_field *fields)
{
    static char line[LOG_LINE_MAX];
    size_t      n = logline_format(line, format, 1763922961123u, LEVEL_INFO, "test", fields);
    ck_assert_uint_eq(n, strlen(line));
    return line;
}

START_TEST(logfmt_quotes_what_needs_it)
{
    struct addr a;
    ck_assert(addr_parse("10.0.0.1:5", &a));
    const struct log_field fields[] = {LOG_STR("plain", "abc"),
                                       LOG_STR("space", "a b"),
                                       LOG_STR("eq", "a=b"),
                                       LOG_STR("quote", "a\"b\\c"),
                                       LOG_STR("empty", ""),
                                       LOG_STR("absent", NULL),
                                       LOG_INT("neg", -5),
                                       LOG_UINT("big", UINT64_MAX),
                                       LOG_ADDR("addr", &a),
                                       LOG_HEX("id", 0x1f),
                                       LOG_STR("evil", "x\ny\x1b[31m\xff\xc2\x9b"),
                                       LOG_STR("utf8", "gr\xc3\xbc\xc3\x9f"),
                                       LOG_END};
    ck_assert_str_eq(format_line(FORMAT_LOGFMT, fields),
                     "ts=2025-11-23T18:36:01.123Z level=info event=test plain=abc space=\"a b\" eq=\"a=b\" "
                     "quote=\"a\\\"b\\\\c\" empty=\"\" neg=-5 big=18446744073709551615 addr=10.0.0.1:5 "
                     "id=000000000000001f evil=\"x\\ny\\x1b[31m\\xff\\x9b\" utf8=\"gr\xc3\xbc\xc3\x9f\"");
}
END_TEST

START_TEST(json_lines_are_json)
{
    const struct log_field fields[] = {LOG_STR("s", "a \"q\" \\ \n\x01\xff"), LOG_UINT("n", 7), LOG_END};
    ck_assert_str_eq(format_line(FORMAT_JSON, fields),
                     "{\"ts\":\"2025-11-23T18:36:01.123Z\",\"level\":\"info\",\"event\":\"test\","
                     "\"s\":\"a \\\"q\\\" \\\\ \\n\\u0001\\u00ff\",\"n\":7}");
}
END_TEST

START_TEST(tcplog_events_are_a_word_and_fields_without_time_and_level)
{
    const struct log_field fields[] = {LOG_STR("a", "b c"), LOG_UINT("n", 7), LOG_END}, none[] = {LOG_END};
    ck_assert_str_eq(format_line(FORMAT_TCPLOG, fields), "test a=\"b c\" n=7");
    ck_assert_str_eq(format_line(FORMAT_TCPLOG, none), "test");
}
END_TEST

START_TEST(a_ready_line_is_taken_as_it_is_with_its_severity)
{
    struct log_settings settings = {.level = LEVEL_INFO, .format = FORMAT_TCPLOG, .wake_fd = -1};
    struct log          log = {.settings = &settings, .ring = log_ring_new()};
    char                line[LOG_LINE_MAX], longest[LOG_LINE_MAX - 1];
    enum log_severity   severity;
    memset(longest, 'x', sizeof longest);
    log_line(&log, SYSLOG_ALERT, "down", 4);
    log_line(&log, SYSLOG_NOTICE, longest, sizeof longest);
    ck_assert_uint_eq(log_ring_take(log.ring, line, &severity), 4);
    ck_assert_int_eq(severity, SYSLOG_ALERT);
    ck_assert_mem_eq(line, "down", 4);
    ck_assert_uint_eq(log_ring_take(log.ring, line, &severity), sizeof longest);
    ck_assert_int_eq(severity, SYSLOG_NOTICE);
    ck_assert_mem_eq(line, longest, sizeof longest);
    log_ring_free(log.ring);
}
END_TEST

START_TEST(a_value_too_long_is_cut_and_the_line_stays_whole)
{
    static char long_text[3 * LOG_LINE_MAX];
    memset(long_text, _i == 0 ? 'x' : '"', sizeof long_text - 1);
    const struct log_field fields[] = {LOG_STR("a", long_text), LOG_STR("b", long_text), LOG_UINT("n", 7), LOG_END};
    const char            *line = format_line(FORMAT_JSON, fields);
    size_t                 len = strlen(line);
    ck_assert_uint_lt(len, LOG_LINE_MAX);
    ck_assert_int_eq(line[len - 1], '}');
    line = format_line(FORMAT_LOGFMT, fields);
    ck_assert_uint_lt(strlen(line), LOG_LINE_MAX);
}
END_TEST

START_TEST(a_plain_value_too_long_keeps_what_fits_behind_others)
{
    static char long_text[3 * LOG_LINE_MAX], first[LOG_LINE_MAX - 600];
    memset(long_text, 'x', sizeof long_text - 1);
    memset(first, 'y', sizeof first - 1);
    const struct log_field fields[] = {LOG_STR("a", first), LOG_STR("b", long_text), LOG_END};
    const char            *line = format_line(FORMAT_LOGFMT, fields), *b = strstr(line, " b=");
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq((size_t)(b - strstr(line, " a=y")), strlen(" a=") + sizeof first - 1);
    ck_assert_uint_gt(strlen(b), 400);
    ck_assert_uint_lt(strlen(line), LOG_LINE_MAX);
}
END_TEST

START_TEST(a_full_ring_drops_lines_and_counts_them)
{
    struct log_settings settings = {.wake_fd = -1};
    atomic_store(&settings.level, LEVEL_INFO);
    struct log        log = {.settings = &settings, .ring = log_ring_new()};
    char              line[LOG_LINE_MAX];
    uint64_t          taken = 0;
    const uint64_t    n = 20000;
    enum log_severity severity;
    for (uint64_t i = 0; i < n; i++)
        log_warn(&log, "tick", LOG_UINT("i", i));
    for (; log_ring_take(log.ring, line, &severity) > 0; taken++)
        ck_assert_int_eq(severity, SYSLOG_WARNING);
    uint64_t dropped = log_ring_dropped(log.ring);
    ck_assert_uint_gt(taken, 1000);
    ck_assert_uint_eq(taken + dropped, n);
    ck_assert_uint_eq(log_ring_dropped(log.ring), 0);
    log_debug(&log, "not_wanted");
    ck_assert_uint_eq(log_ring_take(log.ring, line, &severity), 0);
    for (int i = 0; i < 5000; i++) { /* across the ring's end many times */
        log_info(&log, "turn", LOG_INT("i", i));
        size_t len = log_ring_take(log.ring, line, &severity);
        ck_assert_uint_gt(len, 40);
        line[len] = '\0';
        ck_assert_int_eq((int)strtol(strstr(line, " i=") + 3, NULL, 10), i);
    }
    log_ring_free(log.ring);
}
END_TEST

/* One thread writes lines, the test reads them; done is set, and the reader woken, once all are written. */
struct scribe {
    struct log          log;
    struct log_settings settings;
    sem_t               taken; /* posted for each line read, where the writer waits for that */
    bool                waits;
    _Atomic bool        done;
};

enum { SCRIBE_LINES = 100000 };

static void *write_lines(void *arg)
{
    const uint64_t one = 1;
    struct scribe *s = arg;
    for (uint64_t i = 1; i <= SCRIBE_LINES; i++) {
        log_write(&s->log, i % 2 == 0 ? LEVEL_INFO : LEVEL_ERROR, "tick",
                  (const struct log_field[]){LOG_UINT("i", i), LOG_END});
        if (s->waits)
            (void)sem_wait(&s->taken);
    }
    atomic_store(&s->done, true);
    ck_assert_int_eq(write(s->settings.wake_fd, &one, sizeof one), sizeof one);
    return NULL;
}

static void sleep_until_lines_wait(struct scribe *s)
{
    uint64_t count;
    atomic_store(&s->settings.reader_sleeps, true);
    if (!log_ring_waits(s->log.ring) && !atomic_load(&s->done))
        ck_assert_int_eq(read(s->settings.wake_fd, &count, sizeof count), sizeof count);
    atomic_store(&s->settings.reader_sleeps, false);
}

/* Lockstep: a wake-up that is lost leaves both asleep, and the test ends by its timeout. */
START_TEST(lines_of_another_thread_arrive_whole_in_order_and_wake_their_reader)
{
    struct scribe s = {.settings.wake_fd = eventfd(0, EFD_CLOEXEC), .settings.level = LEVEL_INFO, .waits = _i == 1};
    char          line[LOG_LINE_MAX + 1];
    uint64_t      taken = 0, last = 0;
    pthread_t     writer;
    s.log = (struct log){.settings = &s.settings, .ring = log_ring_new()};
    ck_assert_int_eq(sem_init(&s.taken, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_lines, &s), 0);
    while (!atomic_load(&s.done) || log_ring_waits(s.log.ring)) {
        enum log_severity severity;
        size_t            len = log_ring_take(s.log.ring, line, &severity);
        if (len == 0) {
            sleep_until_lines_wait(&s);
            continue;
        }
        line[len] = '\0';
        uint64_t i = strtoull(strstr(line, " i=") + 3, NULL, 10);
        ck_assert_uint_gt(i, last);
        ck_assert_int_eq(severity, i % 2 == 0 ? SYSLOG_INFO : SYSLOG_ERR);
        last = i;
        taken++;
        if (s.waits)
            ck_assert_int_eq(sem_post(&s.taken), 0);
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_uint_eq(taken + log_ring_dropped(s.log.ring), SCRIBE_LINES);
    ck_assert_int_eq(sem_destroy(&s.taken), 0);
    ck_assert_int_eq(close(s.settings.wake_fd), 0);
    log_ring_free(s.log.ring);
}
END_TEST

START_TEST(an_error_grows_context_and_never_overflows)
{
    struct err err;
    err_system(&err, 2, "open %s", "/x");
    err_prefix(&err, "listener %s", "mqtt");
    ck_assert_str_eq(err.text, "listener mqtt: open /x: No such file or directory");
    for (int i = 0; i < 100; i++)
        err_prefix(&err, "one more layer of context");
    ck_assert_uint_lt(strlen(err.text), sizeof err.text);
    err_set(NULL, "nobody listens");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tc = tcase_create("base");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, an_address_is_written_as_it_was_read);
    tcase_add_test(tc, what_is_no_address_is_refused);
    tcase_add_test(tc, an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client);
    tcase_add_test(tc, a_network_has_its_addresses_and_no_others);
    tcase_add_test(tc, what_is_no_network_is_refused);
    tcase_add_test(tc, a_buffer_gives_back_what_was_put_in);
    tcase_add_test(tc, only_an_empty_buffer_is_given_back_as_one);
    tcase_add_test(tc, objects_of_any_size_are_zeroed_and_apart);
    tcase_add_test(tc, places_are_used_again_and_are_zeroed_again);
    tcase_add_test(tc, the_memory_of_many_objects_goes_back_to_the_system);
    tcase_add_test(tc, the_memory_of_many_busy_buffers_goes_back_to_the_system);
    tcase_add_test(tc, the_memory_between_buffers_that_stay_busy_goes_back_too);
    tcase_add_test(tc, buffers_that_were_needed_since_the_last_time_are_kept);
    tcase_add_test(tc, a_grown_buffer_keeps_its_bytes_and_is_not_lent_again);
    tcase_add_test(tc, logfmt_quotes_what_needs_it);
    tcase_add_test(tc, json_lines_are_json);
    tcase_add_test(tc, tcplog_events_are_a_word_and_fields_without_time_and_level);
    tcase_add_test(tc, a_ready_line_is_taken_as_it_is_with_its_severity);
    tcase_add_loop_test(tc, a_value_too_long_is_cut_and_the_line_stays_whole, 0, 2);
    tcase_add_test(tc, a_plain_value_too_long_keeps_what_fits_behind_others);
    tcase_add_test(tc, a_full_ring_drops_lines_and_counts_them);
    tcase_add_loop_test(tc, lines_of_another_thread_arrive_whole_in_order_and_wake_their_reader, 0, 2);
    tcase_add_test(tc, an_error_grows_context_and_never_overflows);
    tcase_add_test(tc, numbers_of_any_size_are_written_in_full);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, image_tcase());
    suite_add_tcase(suite, meter_tcase());
    suite_add_tcase(suite, tcplog_tcase());
    return unit_run(suite);
}
