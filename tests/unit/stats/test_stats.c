/* Unit tests of room stats/. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "base/macros.h"
#include "stats/carry.h"
#include "stats/row.h"
#include "support/image.h"
#include "support/unit.h"

enum { WORKERS = 3, CACHE_LINE = 64 };

START_TEST(slots_of_two_workers_share_no_cache_line)
{
    const size_t     n = (size_t)_i + 1;
    struct counters *counters = counters_new(WORKERS, n);
    ck_assert_ptr_nonnull(counters);
    for (unsigned w = 0; w < WORKERS; w++) {
        uintptr_t first = (uintptr_t)&counters_slot(counters, w)[0];
        uintptr_t last = (uintptr_t)&counters_slot(counters, w)[n - 1];
        ck_assert_uint_eq(first % CACHE_LINE, 0);
        if (w + 1 < WORKERS)
            ck_assert_uint_lt(last / CACHE_LINE, (uintptr_t)counters_slot(counters, w + 1) / CACHE_LINE);
    }
    counters_free(counters);
    counters_free(NULL);
}
END_TEST

START_TEST(a_sum_is_over_all_workers_and_one_number)
{
    struct counters *counters = counters_new(WORKERS, COUNTS);
    for (size_t i = 0; i < COUNTS; i++)
        ck_assert_uint_eq(counters_sum(counters, i), 0);
    counter_add(&counters_slot(counters, 0)[COUNT_REQUEST_IN], UINT32_MAX);
    counter_add(&counters_slot(counters, 1)[COUNT_REQUEST_IN], 2);
    counter_add(&counters_slot(counters, 2)[COUNT_RESPONSE_OUT], 7);
    counter_add(&counters_slot(counters, 2)[COUNT_RESPONSE_OUT], 8);
    for (size_t i = 0; i < COUNTS; i++) {
        uint64_t expected = i == COUNT_REQUEST_IN ? UINT32_MAX + 2ull : i == COUNT_RESPONSE_OUT ? 15 : 0;
        ck_assert_uint_eq(counters_sum(counters, i), expected);
    }
    counters_free(counters);
}
END_TEST

START_TEST(every_worker_counter_has_a_name_of_its_own)
{
    for (size_t i = 0; i < WORKER_COUNTERS; i++) {
        ck_assert_ptr_nonnull(worker_counter_names[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(worker_counter_names[i], worker_counter_names[j]);
    }
}
END_TEST

enum { ADDS = 200000 };
static const uint64_t STEP = (1ull << 33) + 1; /* both halves of the word move at each step */

static void *add_many(void *slot)
{
    for (int i = 0; i < ADDS; i++)
        counter_add(slot, STEP);
    return NULL;
}

START_TEST(a_reader_sees_sums_that_only_grow_and_end_exact)
{
    struct counters *counters = counters_new(WORKERS, 1);
    pthread_t        threads[WORKERS];
    const uint64_t   total = WORKERS * ADDS * STEP;
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(pthread_create(&threads[w], NULL, add_many, counters_slot(counters, w)), 0);
    for (uint64_t sum = 0, before = 0; sum < total; before = sum) {
        sum = counters_sum(counters, 0);
        ck_assert_uint_ge(sum, before);
        ck_assert_uint_eq(sum % STEP, 0);
    }
    for (unsigned w = 0; w < WORKERS; w++)
        ck_assert_int_eq(pthread_join(threads[w], NULL), 0);
    ck_assert_uint_eq(counters_sum(counters, 0), total);
    counters_free(counters);
}
END_TEST

/* ---- rows ---- */

static void add(struct row *row, enum count which, uint64_t n)
{
    counter_add(&counters_slot(row->counters, 0)[which], n);
}

START_TEST(a_proxy_sums_its_own_and_its_children_and_remembers_those_that_are_gone)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *frontend = stats_proxy(stats, ROW_FRONTEND, "mqtt");
    struct row   *first = stats_child(stats, frontend, "sock-1"), *second = stats_child(stats, frontend, "sock-2");
    add(frontend, COUNT_REQUEST_IN, 1);
    add(first, COUNT_REQUEST_IN, 10);
    add(second, COUNT_REQUEST_IN, 100);
    ck_assert_uint_eq(row_sum(frontend, COUNT_REQUEST_IN), 111);
    ck_assert_uint_eq(row_sum(first, COUNT_REQUEST_IN), 10);
    row_unref(second);
    stats_sweep(stats);
    ck_assert_uint_eq(row_sum(frontend, COUNT_REQUEST_IN), 111);
    row_unref(first);
    row_unref(frontend);
    stats_sweep(stats);
    ck_assert_uint_eq(stats_sum(stats, COUNT_REQUEST_IN), 111);
    stats_free(stats);
}
END_TEST

START_TEST(a_name_that_comes_again_goes_on_counting_and_ids_are_never_shared)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *before = stats_proxy(stats, ROW_BACKEND, "emqx"), *server = stats_child(stats, before, "s1");
    struct row   *frontend = stats_proxy(stats, ROW_FRONTEND, "emqx"); /* a name of another kind is another row */
    add(server, COUNT_PICKS, 5);
    struct row *after = stats_proxy(stats, ROW_BACKEND, "emqx");
    ck_assert_ptr_eq(after, before);
    ck_assert_ptr_ne(frontend, before);
    ck_assert_uint_ne(frontend->iid, before->iid);
    ck_assert_uint_eq(server->iid, before->iid);
    ck_assert_uint_eq(server->sid, 1);
    ck_assert_uint_eq(before->sid, 0);
    row_unref(before);
    stats_sweep(stats); /* still held once, and by its server */
    ck_assert_uint_eq(row_sum(after, COUNT_PICKS), 5);
    row_unref(after);
    row_unref(server);
    row_unref(frontend);
    stats_free(stats);
}
END_TEST

START_TEST(clearing_forgets_counts_and_peaks_but_not_what_is_open)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *row = stats_proxy(stats, ROW_FRONTEND, "mqtt");
    gauge_add(&row->sessions);
    gauge_add(&row->sessions);
    gauge_sub(&row->sessions);
    add(row, COUNT_CONNECTIONS, 2);
    row_clear(row, false);
    ck_assert_uint_eq(row_sum(row, COUNT_CONNECTIONS), 2);
    ck_assert_uint_eq(peak_read(&row->sessions.peak), 1);
    row_clear(row, true);
    ck_assert_uint_eq(row_sum(row, COUNT_CONNECTIONS), 0);
    ck_assert_uint_eq(row_ever(row, COUNT_CONNECTIONS), 2);
    ck_assert_uint_eq(gauge_now(&row->sessions), 1);
    add(row, COUNT_HANDSHAKES, 5);
    add(row, COUNT_TLS_CLOSED, 3);
    row_clear(row, true);
    ck_assert_uint_eq(row_open(row, COUNT_HANDSHAKES, COUNT_TLS_CLOSED), 2);
    row_unref(row);
    stats_free(stats);
}
END_TEST

/* ---- from one process to the next ---- */

/* What stats carries, taken up by a process with so many workers. The image is dropped with image_drop(). */
static struct stats *carried_over(const struct stats *stats, unsigned n_workers, struct image_writer *image)
{
    struct stats       *next = stats_new(n_workers);
    struct image_record record;
    struct err          err = {0};
    *image = image_start();
    stats_carry(stats, image);
    struct image_reader r = image_reread(image);
    while (image_next(&r, &record))
        ck_assert_msg(stats_adopt(next, &record, &err), "%s", err.text);
    return next;
}

START_TEST(every_counter_of_a_row_goes_over_into_the_same)
{
    struct image_writer image;
    struct stats       *before = stats_new(WORKERS);
    struct row         *row = stats_proxy(before, ROW_FRONTEND, "mqtt");
    for (enum count i = 0; i < COUNTS; i++) {
        counter_add(&counters_slot(row->counters, 0)[i], i + 1);
        counter_add(&counters_slot(row->counters, 2)[i], UINT32_MAX);
        row_count(before, row, i, 1);
    }
    struct stats *after = carried_over(before, 1, &image);
    struct row   *same = stats_proxy(after, ROW_FRONTEND, "mqtt");
    for (enum count i = 0; i < COUNTS; i++)
        ck_assert_uint_eq(row_ever(same, i), i + 2 + (uint64_t)UINT32_MAX);
    row_unref(row);
    row_unref(same);
    stats_free(before);
    stats_free(after);
    image_drop(&image);
}
END_TEST

/* mqtt with a listener, core with servers a and (gone) b, the admin row, and one that was swept. */
static struct stats *busy_stats(void)
{
    struct stats *stats = stats_new(WORKERS);
    struct row   *swept = stats_proxy(stats, ROW_FRONTEND, "swept"), *mqtt = stats_proxy(stats, ROW_FRONTEND, "mqtt");
    struct row   *core = stats_proxy(stats, ROW_BACKEND, "core"), *admin = stats_proxy(stats, ROW_FRONTEND, "admin");
    struct row   *socket = stats_child(stats, mqtt, "sock-1"), *b = stats_child(stats, core, "b");
    struct row   *a = stats_child(stats, core, "a");
    admin->is_admin = true;
    add(swept, COUNT_CONNECTIONS, 1000);
    add(socket, COUNT_CONNECTIONS, 3);
    add(socket, COUNT_CLOSED, 1);
    add(admin, COUNT_CONNECTIONS, 77);
    add(a, COUNT_CONNECTS, 5);
    add(b, COUNT_CONNECTS, 7);
    row_clear(mqtt, true);
    add(socket, COUNT_CONNECTIONS, 2);
    gauge_add(&mqtt->sessions);
    gauge_add(&mqtt->sessions);
    gauge_sub(&mqtt->sessions);
    rate_add(&mqtt->connection_rate, 5000);
    rate_add(&mqtt->connection_rate, 5001);
    row_count_session(a, 4321);
    average_add(&a->queue_ms, 10);
    average_add(&a->connect_ms, 20);
    average_add(&a->total_ms, 30);
    average_add(&a->total_ms, 60);
    rate_add(&stats_totals(stats)->key_rate, 5000);
    counter_add(&counters_slot(stats_workers(stats), 0)[WORKER_TURNS], 1);
    counter_add(&counters_slot(stats_workers(stats), 1)[WORKER_TURNS], 10);
    counter_add(&counters_slot(stats_workers(stats), 2)[WORKER_TURNS], 100);
    counter_add(&counters_slot(stats_workers(stats), 2)[WORKER_ACCEPTED], 1000);
    struct row *all[] = {swept, b, mqtt, core, admin, socket, a};
    row_unref(all[0]);
    row_unref(all[1]);
    stats_sweep(stats);
    for (size_t i = 2; i < ARRAY_LEN(all); i++)
        row_unref(all[i]);
    return stats;
}

START_TEST(a_process_goes_on_with_the_rows_of_the_one_before)
{
    struct image_writer image;
    struct stats       *before = busy_stats(), *after = carried_over(before, WORKERS, &image);
    struct row *mqtt = stats_proxy(after, ROW_FRONTEND, "mqtt"), *core = stats_proxy(after, ROW_BACKEND, "core");
    struct row *socket = stats_child(after, mqtt, "sock-1"), *a = stats_child(after, core, "a");
    struct row *fresh = stats_proxy(after, ROW_BACKEND, "fresh"), *c = stats_child(after, core, "c");
    ck_assert_uint_eq(row_ever(mqtt, COUNT_CONNECTIONS), 5);
    ck_assert_uint_eq(row_sum(mqtt, COUNT_CONNECTIONS), 2); /* it was cleared at 3 */
    ck_assert_uint_eq(row_open(socket, COUNT_CONNECTIONS, COUNT_CLOSED), 4);
    ck_assert_uint_eq(row_ever(core, COUNT_CONNECTS), 12);
    ck_assert_uint_eq(stats_sum(after, COUNT_CONNECTIONS), 1005);
    ck_assert_uint_eq(gauge_now(&mqtt->sessions), 0);
    ck_assert_uint_eq(peak_read(&mqtt->sessions.peak), 2);
    ck_assert_uint_eq(rate_read(&mqtt->connection_rate, 5002), 2);
    ck_assert_uint_eq(peak_read(&mqtt->connection_rate.peak), 2);
    ck_assert_uint_eq(rate_read(&stats_totals(after)->key_rate, 5002), 1);
    ck_assert_uint_eq(rate_read(&a->session_rate, 4400), 1);
    ck_assert_uint_eq(a->last_session_ms, 4321);
    ck_assert_uint_eq(average_read(&a->queue_ms), 10);
    ck_assert_uint_eq(average_read(&a->connect_ms), 20);
    ck_assert_uint_eq(average_read(&a->total_ms), 45);
    ck_assert_uint_eq(peak_read(&a->total_ms.peak), 60);
    ck_assert_uint_eq(mqtt->iid, 2); /* ids are what they were, and none comes again */
    ck_assert_uint_eq(socket->iid, 2);
    ck_assert_uint_eq(socket->sid, 1);
    ck_assert_uint_eq(core->iid, 3);
    ck_assert_uint_eq(a->sid, 2);
    ck_assert_uint_eq(fresh->iid, 5);
    ck_assert_uint_eq(c->sid, 3);
    struct row *all[] = {mqtt, core, socket, a, fresh, c};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        row_unref(all[i]);
    stats_free(before);
    stats_free(after);
    image_drop(&image);
}
END_TEST

START_TEST(rows_that_nobody_asks_for_are_swept_and_stay_in_the_sums)
{
    struct image_writer image;
    struct stats       *before = busy_stats(), *after = carried_over(before, WORKERS, &image);
    stats_sweep(after);
    struct row *mqtt = stats_proxy(after, ROW_FRONTEND, "mqtt");
    ck_assert_uint_eq(row_ever(mqtt, COUNT_CONNECTIONS), 0);
    ck_assert_uint_eq(stats_sum(after, COUNT_CONNECTIONS), 1005);
    row_unref(mqtt);
    stats_free(before);
    stats_free(after);
    image_drop(&image);
}
END_TEST

START_TEST(what_workers_counted_that_are_no_more_is_the_first_ones)
{
    struct image_writer image;
    struct stats       *before = busy_stats(), *after = carried_over(before, (unsigned)_i, &image);
    struct counters    *workers = stats_workers(after);
    ck_assert_uint_eq(counters_sum(workers, WORKER_TURNS), 111);
    ck_assert_uint_eq(counters_of(workers, 0, WORKER_TURNS), _i == 1 ? 111 : _i == 2 ? 101 : 1);
    ck_assert_uint_eq(counters_of(workers, _i > 2 ? 2 : 0, WORKER_ACCEPTED), 1000);
    stats_free(before);
    stats_free(after);
    image_drop(&image);
}
END_TEST

START_TEST(a_row_costs_no_more_than_what_it_has_counted)
{
    struct image_writer image;
    struct stats       *before = stats_new(WORKERS);
    struct row         *row = stats_proxy(before, ROW_FRONTEND, "mqtt");
    struct stats       *after = carried_over(before, WORKERS, &image);
    ck_assert_uint_lt(image.len, 200);
    row_unref(row);
    stats_free(before);
    stats_free(after);
    image_drop(&image);
}
END_TEST

/* A row of a kind, a counter and a field that no version has, as another version would have written them. */
struct strange_counts {
    uint64_t connections, unknown;
};
struct strange_row {
    uint32_t              kind;
    struct slice          name;
    struct strange_counts counted;
    uint32_t              unknown;
};

static const struct image_field strange_counts_fields[] = {
    IMAGE_FIELD(5, IMAGE_UINT, struct strange_counts, connections),
    IMAGE_FIELD(0x3FF, IMAGE_UINT, struct strange_counts, unknown),
};
static const struct image_kind  strange_counts = {"counts", 0, strange_counts_fields, 2};
static const struct image_field strange_row_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct strange_row, kind),
    IMAGE_FIELD(3, IMAGE_SLICE, struct strange_row, name),
    IMAGE_FIELD_GROUP(14, &strange_counts, struct strange_row, counted),
    IMAGE_FIELD(0x7000, IMAGE_UINT, struct strange_row, unknown),
};
static const struct image_kind strange_kind = {"row", IMAGE_ROW, strange_row_fields, ARRAY_LEN(strange_row_fields)};
static const struct image_kind unknown_kind = {"unknown", 0x7777, NULL, 0};

START_TEST(what_another_version_has_counted_is_left_out_where_it_is_not_known)
{
    struct strange_row strange = {ROW_FRONTEND, slice_str("mqtt"), {9, 1}, 1},
                       alien = {99, slice_str("mqtt"), {9, 1}, 1};
    struct image_writer image = image_start();
    struct stats       *stats = stats_new(WORKERS);
    struct image_record record;
    struct err          err = {0};
    image_put(&image, &unknown_kind, &strange);
    image_put(&image, &strange_kind, &alien);
    image_put(&image, &strange_kind, &strange);
    struct image_reader r = image_reread(&image);
    while (image_next(&r, &record))
        ck_assert_msg(stats_adopt(stats, &record, &err), "%s", err.text);
    struct row *row = stats_proxy(stats, ROW_FRONTEND, "mqtt");
    ck_assert_uint_eq(row_ever(row, COUNT_CONNECTIONS), 9);
    ck_assert_uint_eq(stats_sum(stats, COUNT_CONNECTIONS), 9);
    row_unref(row);
    stats_free(stats);
    image_drop(&image);
}
END_TEST

/* Each byte of each record in turn is another one: the record is understood or refused. */
START_TEST(no_record_that_is_damaged_does_harm)
{
    struct image_writer image;
    struct stats       *before = busy_stats(), *after = carried_over(before, 1, &image);
    struct image_reader r = image_reread(&image);
    struct image_record record;
    stats_free(after);
    while (image_next(&r, &record)) {
        for (size_t i = 0; i < record.fields.len; i++) {
            uint8_t      *at = image.at + (record.fields.ptr + i - image.at);
            struct err    err = {0};
            const uint8_t was = *at;
            *at = (uint8_t)(was + 1 + i % 255);
            after = stats_new(1);
            if (!stats_adopt(after, &record, &err))
                ck_assert_str_ne(err.text, "");
            stats_free(after);
            *at = was;
        }
    }
    stats_free(before);
    image_drop(&image);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("counters");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, slots_of_two_workers_share_no_cache_line, 0, 20);
    tcase_add_test(tc, a_sum_is_over_all_workers_and_one_number);
    tcase_add_test(tc, every_worker_counter_has_a_name_of_its_own);
    tcase_add_test(tc, a_reader_sees_sums_that_only_grow_and_end_exact);
    tcase_add_test(tc, a_proxy_sums_its_own_and_its_children_and_remembers_those_that_are_gone);
    tcase_add_test(tc, a_name_that_comes_again_goes_on_counting_and_ids_are_never_shared);
    tcase_add_test(tc, clearing_forgets_counts_and_peaks_but_not_what_is_open);
    suite_add_tcase(suite, tc);
    tc = tcase_create("carry");
    tcase_add_test(tc, every_counter_of_a_row_goes_over_into_the_same);
    tcase_add_test(tc, a_process_goes_on_with_the_rows_of_the_one_before);
    tcase_add_test(tc, rows_that_nobody_asks_for_are_swept_and_stay_in_the_sums);
    tcase_add_loop_test(tc, what_workers_counted_that_are_no_more_is_the_first_ones, 1, 5);
    tcase_add_test(tc, a_row_costs_no_more_than_what_it_has_counted);
    tcase_add_test(tc, what_another_version_has_counted_is_left_out_where_it_is_not_known);
    tcase_add_test(tc, no_record_that_is_damaged_does_harm);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
