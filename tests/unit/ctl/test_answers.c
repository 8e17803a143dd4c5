#include <stdlib.h>
#include <string.h>

#include "ctl/csv.h"
#include "ctl/human.h"
#include "ctl/meter.h"
#include "ctl/sample.h"
#include "ctl/show_info.h"
#include "ctl/show_sess.h"
#include "ctl/show_stat.h"
#include "support/guarded.h"
#include "unit/ctl/suites.h"

#define ASSERT_SLICE(slice, text) ck_assert(slice_eq((slice), slice_str(text)))

/* --- csv -------------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *line;
    size_t      n;
    const char *fields[4];
} csv_vectors[] = {
    {"", 1, {""}},
    {"a", 1, {"a"}},
    {"a,b,", 3, {"a", "b", ""}},
    {",,", 3, {"", "", ""}},
    {"\"a,b\",c", 2, {"a,b", "c"}},
    {"\"say \"\"no\"\"\",c", 2, {"say \"no\"", "c"}},
    {"a\"b,c", 2, {"a\"b", "c"}}, /* a quote inside a field that does not begin with one is a character */
    {"\"\",\"\"", 2, {"", ""}},
    {"\"open,c", 1, {"open,c"}},
    {"\"a\"b,c", 2, {"ab", "c"}},
    {"\"a\"\"", 1, {"a\""}},
    {"a,b,c,d,e", 5, {"a", "b", "c", "d"}},
};

START_TEST(fields_come_without_their_quotes)
{
    struct slice fields[4];
    char        *line = strdup(csv_vectors[_i].line);
    size_t       n = csv_split(line, strlen(line), fields, 4);
    ck_assert_uint_eq(n, csv_vectors[_i].n);
    for (size_t i = 0; i < n && i < 4; i++)
        ASSERT_SLICE(fields[i], csv_vectors[_i].fields[i]);
    free(line);
}
END_TEST

START_TEST(a_line_that_is_cut_anywhere_stays_inside_itself)
{
    const char line[] = "a,\"b \"\"c\"\", d\",,\"e\"";
    for (size_t len = 0; len < sizeof line; len++) {
        struct slice fields[8], copy = guarded_copy(slice_of(line, len));
        size_t       n = csv_split((char *)(uintptr_t)copy.ptr, len, fields, 8);
        ck_assert(n >= 1 && n <= 5);
        guarded_free(copy);
    }
}
END_TEST

/* --- show stat -------------------------------------------------------------------------------------------------------
 */

START_TEST(columns_are_found_by_name_wherever_they_are)
{
    char             text[] = "# svname,new,status,pxname,type,scur,-,module,\n"
                              "FRONTEND,x,OPEN,mqtt,0,12,-,9,\n"
                              "s1,,\"no, check\",emqx,2,,-,9,\n"
                              "short,1\n"
                              "\n";
    struct show_stat stat;
    uint64_t         n = 7;
    ck_assert(show_stat_parse(&stat, text, strlen(text)));
    ck_assert_uint_eq(stat.n, 3);
    ASSERT_SLICE(stat.rows[0].cell[STAT_PXNAME], "mqtt");
    ASSERT_SLICE(stat.rows[0].cell[STAT_SVNAME], "FRONTEND");
    ck_assert(show_stat_number(&stat.rows[0], STAT_SCUR, &n) && n == 12);
    ck_assert(show_stat_is(&stat.rows[0], STAT_FRONTEND) && !show_stat_is(&stat.rows[0], STAT_SERVER));
    ASSERT_SLICE(stat.rows[1].cell[STAT_STATUS], "no, check");
    ck_assert(!show_stat_number(&stat.rows[1], STAT_SCUR, &n));
    ck_assert(!show_stat_number(&stat.rows[1], STAT_BIN, &n)); /* no such column */
    ASSERT_SLICE(stat.rows[2].cell[STAT_SVNAME], "short");
    ASSERT_SLICE(stat.rows[2].cell[STAT_PXNAME], "");
    ck_assert(!show_stat_is(&stat.rows[2], STAT_FRONTEND));
    show_stat_fini(&stat);
}
END_TEST

START_TEST(what_has_no_header_is_no_answer_to_show_stat)
{
    static const char *const texts[] = {"", "\n", "Permission denied\n", "# a,b,\n1,2,\n", "pxname,svname,\na,b,\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct show_stat stat;
        char            *text = strdup(texts[i]);
        ck_assert(!show_stat_parse(&stat, text, strlen(text)));
        ck_assert_ptr_null(stat.rows);
        free(text);
    }
}
END_TEST

START_TEST(rows_past_a_bound_are_passed_over)
{
    struct text text = {.at = NULL};
    text_puts(&text, "# pxname,svname,\n");
    for (int i = 0; i < SHOW_STAT_ROWS_MAX + 10; i++)
        text_puts(&text, "a,b,\n");
    struct show_stat stat;
    ck_assert(show_stat_parse(&stat, text.at, text.len));
    ck_assert_uint_eq(stat.n, SHOW_STAT_ROWS_MAX);
    show_stat_fini(&stat);
    text_fini(&text);
}
END_TEST

START_TEST(a_status_has_a_meaning_beyond_its_words)
{
    static const struct {
        const char     *status;
        enum stat_state state;
    } vectors[] = {
        {"UP", STATE_GOOD},         {"UP 1/3", STATE_CHANGING},    {"OPEN", STATE_GOOD},
        {"DOWN", STATE_BAD},        {"DOWN 1/2", STATE_BAD},       {"MAINT (via be/s)", STATE_SET_ASIDE},
        {"DRAIN", STATE_SET_ASIDE}, {"NOLB 1/2", STATE_SET_ASIDE}, {"no check", STATE_UNKNOWN},
        {"FULL", STATE_CHANGING},   {"", STATE_UNKNOWN},           {"STOP", STATE_BAD},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        ck_assert_int_eq(show_stat_state(slice_str(vectors[i].status)), vectors[i].state);
}
END_TEST

/* --- show info, show sess --------------------------------------------------------------------------------------------
 */

START_TEST(info_is_keys_and_values)
{
    struct slice info = slice_str(
        "\nName: mqgate\nno colon\nUnstoppable Jobs: 2\nBuild info: a: b\nempty:\nMaxconn: 18446744073709551616\n");
    ASSERT_SLICE(show_info_get(info, "Name"), "mqgate");
    ASSERT_SLICE(show_info_get(info, "Build info"), "a: b");
    ASSERT_SLICE(show_info_get(info, "empty"), "");
    ck_assert_uint_eq(show_info_get(info, "Nam").len, 0);
    ck_assert_uint_eq(show_info_number(info, "Unstoppable Jobs"), 2);
    ck_assert_uint_eq(show_info_number(info, "Maxconn"), 0); /* no number of 64 bits */
}
END_TEST

static const char SESSION[] =
    "0x00000000deadbeef: proto=tcpv4 src=192.0.2.1:50000 fe=mqtts be=emqx-mqtt srv=local age=2h3m state=relay in=1234 "
    "out=5678 idle=3s tls=TLSv1.3 client=\"a \\\" b=c\" new-key=1";
static const char HAPROXY_SESSION[] =
    "0x7fbb9802bea0: proto=tcpv4 src=127.0.0.1:5 fe=in be=<NONE> srv=<none> ts=00 epoch=0x1 age=1d4h calls=1 rate=1 "
    "cpu=0 lat=0 rq[f=c48202h,i=0,an=00h,rx=10s,wx=,ax=] rp[f=80048202h] scf=[8,0h,fd=13] scb=[8,1h,fd=-1] exp=9s rc=0 "
    "c_exp=";

START_TEST(a_session_is_known_by_its_keys)
{
    struct show_sess sess;
    struct text      details = {.at = NULL};
    ck_assert(show_sess_parse(slice_str(SESSION), &sess));
    ck_assert_uint_eq(sess.id, 0xdeadbeef);
    ASSERT_SLICE(sess.src, "192.0.2.1:50000");
    ASSERT_SLICE(sess.fe, "mqtts");
    ASSERT_SLICE(sess.be, "emqx-mqtt");
    ASSERT_SLICE(sess.srv, "local");
    ck_assert_uint_eq(sess.age_s, 7380);
    ck_assert(sess.has_bytes && sess.in == 1234 && sess.out == 5678);
    show_sess_details(&sess, &details);
    ck_assert_str_eq(details.at, "tls=TLSv1.3 client=\"a \\\" b=c\" new-key=1 state=relay idle=3s");
    text_fini(&details);
}
END_TEST

START_TEST(a_session_of_haproxy_is_one_without_bytes)
{
    struct show_sess sess;
    struct text      details = {.at = NULL};
    ck_assert(show_sess_parse(slice_str(HAPROXY_SESSION), &sess));
    ck_assert(!sess.has_bytes);
    ck_assert_uint_eq(sess.age_s, 100800);
    ASSERT_SLICE(sess.be, "<NONE>");
    show_sess_details(&sess, &details);
    ck_assert_uint_eq(details.len, 0);
    text_fini(&details);
}
END_TEST

START_TEST(what_has_no_id_is_no_session)
{
    static const char *const lines[] = {"",          "Permission denied",          "0x: src=a",
                                        "0x1 src=a", "0x12345678901234567: src=a", "0xZ:"};
    struct show_sess         sess;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        ck_assert(!show_sess_parse(slice_str(lines[i]), &sess));
    ck_assert(show_sess_parse(slice_str("0x1:"), &sess) && sess.src.len == 0);
}
END_TEST

START_TEST(a_session_that_is_cut_anywhere_is_read_no_further)
{
    for (size_t len = 0; len < sizeof SESSION; len++) {
        struct show_sess sess;
        struct slice     copy = guarded_copy(slice_of(SESSION, len));
        if (show_sess_parse(copy, &sess))
            ck_assert_uint_eq(sess.id, 0xdeadbeef);
        guarded_free(copy);
    }
}
END_TEST

/* --- numbers ---------------------------------------------------------------------------------------------------------
 */

START_TEST(numbers_are_short)
{
    static const struct {
        uint64_t    n, exact_below;
        const char *text;
    } vectors[] = {
        {0, 1000, "0"},           {999, 1000, "999"},          {1000, 1000, "1.00k"},       {1999, 1000, "1.99k"},
        {12345, 1000, "12.3k"},   {999999, 1000, "999k"},      {1000000, 1000, "1.00M"},    {99999, 100000, "99999"},
        {100000, 100000, "100k"}, {5000000000, 1000, "5.00G"}, {UINT64_MAX, 1000, "18.4E"},
    };
    char text[HUMAN_MAX];
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        ck_assert_str_eq(human_number(vectors[i].n, vectors[i].exact_below, text), vectors[i].text);
}
END_TEST

START_TEST(durations_are_two_units_and_are_read_back)
{
    static const struct {
        uint64_t    seconds, back;
        const char *text;
    } vectors[] = {
        {0, 0, "0s"},           {59, 59, "59s"},      {60, 60, "1m0s"},
        {3599, 3599, "59m59s"}, {7385, 7380, "2h3m"}, {277201, 277200, "3d5h"},
    };
    char     text[HUMAN_MAX];
    uint64_t back;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        ck_assert_str_eq(human_duration(vectors[i].seconds, text), vectors[i].text);
        ck_assert(human_parse_duration(slice_str(text), &back));
        ck_assert_uint_eq(back, vectors[i].back);
    }
    static const char *const bad[] = {
        "", "5", "s", "5x", "5s3m", "5m5m", "999999999999999999999s", "99999999999999999d"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert(!human_parse_duration(slice_str(bad[i]), &back));
}
END_TEST

/* --- rates -----------------------------------------------------------------------------------------------------------
 */

START_TEST(a_rate_is_what_was_added_since_the_last_reading)
{
    struct meter             meter = {.entries = NULL};
    const struct slice       a = slice_str("a"), b = slice_str("b");
    const struct meter_rates none = {.in = 0};
    struct meter_rates       rates;
    meter_begin(&meter, 1000);
    rates = meter_read(&meter, a, 100, 1000);
    ck_assert_uint_eq(rates.in + rates.out, 0); /* nothing to compare with */
    meter_end(&meter);
    meter_begin(&meter, 3000);
    rates = meter_read(&meter, a, 300, 500);
    ck_assert_uint_eq(rates.in, 100);
    ck_assert_uint_eq(rates.out, none.out); /* it went back */
    (void)meter_read(&meter, b, 1, 1);
    meter_end(&meter);
    meter_begin(&meter, 4000);
    rates = meter_read(&meter, b, UINT64_MAX, 1);
    ck_assert_uint_gt(rates.in, UINT64_MAX / 2);
    meter_end(&meter); /* a is forgotten */
    meter_begin(&meter, 5000);
    rates = meter_read(&meter, a, 1000000, 1000000);
    ck_assert_uint_eq(rates.in + rates.out, 0);
    meter_end(&meter);
    meter_fini(&meter);
}
END_TEST

static void give(struct sample *sample, void (*take)(struct sample *, struct text *, uint64_t), uint64_t at_ms,
                 const char *string)
{
    struct text text = {.at = NULL};
    text_puts(&text, string);
    take(sample, &text, at_ms);
    ck_assert_ptr_null(text.at);
}

START_TEST(a_sample_has_the_rates_of_each_and_of_all_listeners)
{
    struct sample sample = {.n_sessions = 0};
    give(&sample, sample_take_stat, 1000,
         "# pxname,svname,type,bin,bout,\na,FRONTEND,0,0,0,\nb,FRONTEND,0,0,0,\nc,s,2,0,0,\n");
    give(&sample, sample_take_sess, 1000, "0x1: src=a in=0 out=0\n0x2: src=b in=0 out=0\n");
    give(&sample, sample_take_stat, 3000,
         "# pxname,svname,type,bin,bout,\nb,FRONTEND,0,20,40,\na,FRONTEND,0,2,4,\nc,s,2,200,400,\n");
    give(&sample, sample_take_sess, 3000, "0x2: src=b in=50 out=10\n0x3: src=c in=9 out=9\n");
    ck_assert_uint_eq(sample.stat_rates[0].in, 10);
    ck_assert_uint_eq(sample.stat_rates[2].out, 200);
    ck_assert_uint_eq(sample.total.in, 11);
    ck_assert_uint_eq(sample.total.out, 22);
    ck_assert_uint_eq(sample.n_sessions, 2);
    ck_assert_uint_eq(sample.sessions[0].rates.in, 25);
    ck_assert_uint_eq(sample.sessions[1].rates.in, 0);
    give(&sample, sample_take_sess, 4000, "Permission denied\n");
    ck_assert(!sample.has_sessions && sample.n_sessions == 0);
    give(&sample, sample_take_sess, 5000, "");
    ck_assert(sample.has_sessions && sample.n_sessions == 0);
    give(&sample, sample_take_stat, 5000, "");
    ck_assert_uint_eq(sample.stat.n, 0);
    sample_fini(&sample);
}
END_TEST

TCase *answers_tcase(void)
{
    TCase *tc = tcase_create("answers");
    tcase_add_loop_test(tc, fields_come_without_their_quotes, 0, ARRAY_LEN(csv_vectors));
    tcase_add_test(tc, a_line_that_is_cut_anywhere_stays_inside_itself);
    tcase_add_test(tc, columns_are_found_by_name_wherever_they_are);
    tcase_add_test(tc, what_has_no_header_is_no_answer_to_show_stat);
    tcase_add_test(tc, rows_past_a_bound_are_passed_over);
    tcase_add_test(tc, a_status_has_a_meaning_beyond_its_words);
    tcase_add_test(tc, info_is_keys_and_values);
    tcase_add_test(tc, a_session_is_known_by_its_keys);
    tcase_add_test(tc, a_session_of_haproxy_is_one_without_bytes);
    tcase_add_test(tc, what_has_no_id_is_no_session);
    tcase_add_test(tc, a_session_that_is_cut_anywhere_is_read_no_further);
    tcase_add_test(tc, numbers_are_short);
    tcase_add_test(tc, durations_are_two_units_and_are_read_back);
    tcase_add_test(tc, a_rate_is_what_was_added_since_the_last_reading);
    tcase_add_test(tc, a_sample_has_the_rates_of_each_and_of_all_listeners);
    return tc;
}
