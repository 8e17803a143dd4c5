#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ctl/table.h"
#include "ctl/view.h"
#include "ctl/visible.h"
#include "unit/ctl/suites.h"

/* --- text from elsewhere ---------------------------------------------------------------------------------------------
 */

START_TEST(nothing_that_steers_a_terminal_gets_through)
{
    static const struct {
        const char *text, *visible;
        size_t      cols;
    } vectors[] = {
        {"plain", "plain", 5},
        {"a\033[2Jb\r\n\x7f", "a?[2Jb???", 9},
        {"\xc2\x9b"
         "2J",
         "?2J", 3},             /* CSI in one character */
        {"\xcc\x81z", "?z", 2}, /* a mark that fills no column, as those that turn a line round */
        {"\xff\xc3", "??", 2},  /* no UTF-8 */
        {"\xe6\xb8\xa9\xc3\xa9", "\xe6\xb8\xa9\xc3\xa9", 3}, /* one of two columns, one of one */
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct text out = {.at = NULL};
        ck_assert_uint_eq(visible_put(&out, slice_str(vectors[i].text)), vectors[i].cols);
        ck_assert_str_eq(out.at, vectors[i].visible);
        text_fini(&out);
    }
}
END_TEST

START_TEST(a_cut_is_between_characters)
{
    size_t       cols;
    struct slice text = slice_str("a\xe6\xb8\xa9z");
    ck_assert_uint_eq(visible_cut(text, 0, &cols), 0);
    ck_assert_uint_eq(visible_cut(text, 2, &cols), 1);
    ck_assert_uint_eq(cols, 1);
    ck_assert_uint_eq(visible_cut(text, 3, &cols), 4);
    ck_assert_uint_eq(cols, 3);
    ck_assert_uint_eq(visible_cut(text, 9, &cols), 5);
}
END_TEST

/* --- tables ----------------------------------------------------------------------------------------------------------
 */

static const struct table_column columns[] = {
    {"NAME", .keep = 99},
    {"N", .keep = 5, .right = true},
    {"TEXT", .keep = 1, .shrinks = true},
    {"X", .keep = 9},
};

static void append(void *to, size_t col, enum paint paint, struct slice text)
{
    struct text *line = to;
    (void)paint;
    while (line->len < col)
        text_puts(line, " ");
    text_put(line, (const char *)text.ptr, text.len);
}

static void assert_table(size_t width, const char *head, const char *row)
{
    struct table table;
    struct text  line = {.at = NULL};
    size_t       widths[TABLE_COLUMNS_MAX];
    table_init(&table, columns, ARRAY_LEN(columns));
    table_put(&table, slice_str("a-name-of-twenty-four-cs"), PAINT_PLAIN);
    table_number(&table, true, 12345, 1000);
    table_add(&table, "%s", "fifteen columns");
    table_number(&table, false, 0, 1000);
    ck_assert_uint_eq(table_rows(&table), 1);
    table_layout(&table, width, widths);
    table_draw_head(&table, widths, 0, append, &line);
    ck_assert_str_eq(line.at, head);
    text_cut(&line, 0);
    table_draw_row(&table, widths, 0, append, &line);
    ck_assert_str_eq(line.at, row);
    text_fini(&line);
    table_fini(&table);
}

START_TEST(a_table_fits_its_width)
{
    const char *all_head = "NAME                         N TEXT            X";
    const char *all_row = "a-name-of-twenty-four-cs 12.3k fifteen columns -";
    assert_table(TABLE_WIDTH_ANY, all_head, all_row);
    assert_table(48, all_head, all_row);
    /* what shrinks goes first, then names, then columns by how long they are kept */
    assert_table(46, "NAME                         N TEXT          X",
                 "a-name-of-twenty-four-cs 12.3k fifteen colum -");
    assert_table(44, "NAME                     N TEXT            X", "a-name-of-twenty-fou 12.3k fifteen columns -");
    assert_table(32, "NAME                         N X", "a-name-of-twenty-four-cs 12.3k -");
    assert_table(24, "NAME                   X", "a-name-of-twenty-four- -");
    assert_table(10, "NAME", "a-name-of-");
    assert_table(1, "N", "a");
}
END_TEST

/* --- the screen of top -----------------------------------------------------------------------------------------------
 */

enum { LINES_MAX = 60, COLS_MAX = 200 };

/* Lines as they would stand on a terminal. */
struct paper {
    char   lines[LINES_MAX][COLS_MAX + 1];
    size_t n_lines, n_cols;
};

static void write_piece(void *to, size_t line, size_t col, enum paint paint, struct slice text)
{
    struct paper *paper = to;
    (void)paint;
    ck_assert_uint_lt(line, paper->n_lines);
    ck_assert_uint_le(col + text.len, paper->n_cols);
    if (text.len > 0)
        memcpy(&paper->lines[line][col], text.ptr, text.len);
}

static void draw(struct view *view, const struct sample *sample, struct paper *paper, size_t lines, size_t cols)
{
    memset(paper->lines, ' ', sizeof paper->lines);
    paper->n_lines = lines;
    paper->n_cols = cols;
    view_draw(view, sample, lines, cols, write_piece, paper);
    for (size_t i = 0; i < LINES_MAX; i++)
        paper->lines[i][cols] = '\0';
}

/* The line in which text stands first; SIZE_MAX: in none. */
static size_t line_with(const struct paper *paper, const char *text)
{
    for (size_t i = 0; i < paper->n_lines; i++) {
        if (strstr(paper->lines[i], text) != NULL)
            return i;
    }
    return SIZE_MAX;
}

static void take(struct sample *sample, uint64_t at_ms, unsigned sessions)
{
    struct text info = {.at = NULL}, stat = {.at = NULL}, sess = {.at = NULL};
    text_puts(&info,
              "Name: mqgate\nVersion: 1.2.3\nnode: n1\nUptime_sec: 3700\nStopping: 0\nCurrConns: 5\nMaxconn: 100\n");
    text_puts(&stat, "# pxname,svname,type,status,scur,bin,bout,\nmqtt,FRONTEND,0,OPEN,3,0,0,\n"
                     "mqtts,FRONTEND,0,OPEN,9,0,0,\nemqx,one,2,UP,3,0,0,\nemqx,two,2,DOWN,0,0,0,\n");
    for (unsigned i = 0; i < sessions; i++)
        text_add(&sess, "0x%x: src=192.0.2.%u:5000 fe=mqtt be=emqx srv=one age=1m0s in=%u out=0 tls=TLSv1.3\n", i + 1,
                 i, (unsigned)(at_ms / 1000) * i * 10);
    sample_take_info(sample, &info);
    sample_take_stat(sample, &stat, at_ms);
    sample_take_sess(sample, &sess, at_ms);
}

static struct sample sample;
static struct view   view;
static struct paper  paper;

static void set_up(void)
{
    sample = (struct sample){.n_sessions = 0};
    take(&sample, 1000, 40);
    take(&sample, 2000, 40);
    view_init(&view, 2000);
}

static void tear_down(void)
{
    view_fini(&view);
    sample_fini(&sample);
}

START_TEST(the_screen_shows_process_tables_and_the_heaviest_sessions_first)
{
    draw(&view, &sample, &paper, 24, 80);
    ck_assert_ptr_nonnull(strstr(paper.lines[0], "mqgate 1.2.3  n1  up 1h1m  running  every 2.0s"));
    ck_assert_ptr_nonnull(strstr(paper.lines[1], "conns 5/100"));
    ck_assert_uint_eq(line_with(&paper, "LISTENERS 2"), 2);
    ck_assert_uint_lt(line_with(&paper, "emqx/two"), line_with(&paper, ">SESSIONS 40"));
    ck_assert_uint_eq(line_with(&paper, "192.0.2.39:5000"), line_with(&paper, ">SESSIONS 40") + 1);
    ck_assert_ptr_nonnull(strstr(paper.lines[line_with(&paper, "192.0.2.39:5000")], "390"));
    ck_assert_ptr_nonnull(strstr(paper.lines[line_with(&paper, "192.0.2.39:5000")], "tls=TLSv1.3"));
    ck_assert_uint_eq(line_with(&paper, "q quit"), 23);
}
END_TEST

START_TEST(any_size_will_do)
{
    for (size_t lines = 0; lines <= 30; lines++) {
        for (size_t cols = 0; cols <= 100; cols++)
            draw(&view, &sample, &paper, lines, cols);
    }
    view_key(&view, '?');
    for (size_t lines = 0; lines <= 30; lines++)
        draw(&view, &sample, &paper, lines, lines);
}
END_TEST

static void press(const char *keys)
{
    for (; *keys != '\0'; keys++)
        view_key(&view, *keys);
    draw(&view, &sample, &paper, 24, 80);
}

START_TEST(keys_sort_and_reverse_the_focused_table)
{
    press("r");
    ck_assert_uint_eq(line_with(&paper, "192.0.2.0:5000"), line_with(&paper, "SESSIONS") + 1);
    press("\t"); /* listeners: as told, then by name, by status, by sessions */
    ck_assert_uint_lt(line_with(&paper, "mqtt "), line_with(&paper, "mqtts "));
    press("r");
    ck_assert_uint_gt(line_with(&paper, "mqtt "), line_with(&paper, "mqtts "));
    press("s");
    ck_assert_uint_lt(line_with(&paper, "mqtt "), line_with(&paper, "mqtts "));
    press("ss");
    ck_assert_uint_gt(line_with(&paper, "mqtt "), line_with(&paper, "mqtts "));
}
END_TEST

START_TEST(a_filter_narrows_every_table_until_it_is_dropped)
{
    press("/MQTTSx");
    view_key(&view, VIEW_KEY_BACKSPACE);
    press("\n");
    ck_assert_uint_ne(line_with(&paper, "LISTENERS 1/2"), SIZE_MAX);
    ck_assert_uint_ne(line_with(&paper, "SESSIONS 0/40"), SIZE_MAX);
    ck_assert_uint_ne(line_with(&paper, "filter: MQTTS"), SIZE_MAX);
    press("\033");
    ck_assert_uint_ne(line_with(&paper, "SESSIONS 40"), SIZE_MAX);
    press("/2.11:q");
    ck_assert(!view.quits);
    ck_assert_uint_ne(line_with(&paper, "SESSIONS 0/40"), SIZE_MAX);
    for (int i = 0; i < 2 * VIEW_FILTER_MAX; i++)
        view_key(&view, 'a');
    ck_assert_uint_eq(strlen(view.filter), VIEW_FILTER_MAX - 1);
}
END_TEST

START_TEST(scrolling_stops_at_both_ends)
{
    draw(&view, &sample, &paper, 24, 80);
    view_key(&view, VIEW_KEY_UP);
    view_key(&view, VIEW_KEY_END);
    view_key(&view, VIEW_KEY_PAGE_DOWN);
    press("");
    ck_assert_uint_ne(line_with(&paper, "192.0.2.0:5000"), SIZE_MAX);
    ck_assert_uint_eq(line_with(&paper, "192.0.2.39:5000"), SIZE_MAX);
    view_key(&view, VIEW_KEY_HOME);
    view_key(&view, VIEW_KEY_DOWN);
    press("");
    ck_assert_uint_eq(line_with(&paper, "192.0.2.39:5000"), SIZE_MAX);
    ck_assert_uint_ne(line_with(&paper, "192.0.2.38:5000"), SIZE_MAX);
    view_key(&view, VIEW_KEY_PAGE_UP);
    press("");
    ck_assert_uint_ne(line_with(&paper, "192.0.2.39:5000"), SIZE_MAX);
}
END_TEST

START_TEST(tables_can_be_hidden_all_of_them)
{
    press("lv");
    ck_assert_uint_eq(line_with(&paper, "LISTENERS"), SIZE_MAX);
    ck_assert_uint_eq(line_with(&paper, "SESSIONS"), 2);
    press("x\tr"); /* nothing left to focus on */
    ck_assert_uint_eq(line_with(&paper, "SESSIONS"), SIZE_MAX);
    press("v");
    view_key(&view, VIEW_KEY_BACK_TAB);
    press("");
    ck_assert_uint_eq(line_with(&paper, ">SERVERS"), 2);
}
END_TEST

START_TEST(the_interval_goes_by_steps_and_has_ends)
{
    press("+");
    ck_assert_uint_eq(view.interval_ms, 1000);
    press("--");
    ck_assert_uint_eq(view.interval_ms, 5000);
    press("++++++++++");
    ck_assert_uint_eq(view.interval_ms, VIEW_INTERVAL_MIN_MS);
    view.interval_ms = 1500;
    press("-");
    ck_assert_uint_eq(view.interval_ms, 2000);
    view.interval_ms = 3600000;
    press("-");
    ck_assert_uint_eq(view.interval_ms, 3600000);
}
END_TEST

START_TEST(help_pause_trouble_and_quit_show)
{
    press("p");
    ck_assert_ptr_nonnull(strstr(paper.lines[0], "paused"));
    press("?");
    ck_assert_uint_ne(line_with(&paper, "scroll"), SIZE_MAX);
    press("q"); /* leaves the help only */
    ck_assert(!view.quits);
    ck_assert_uint_eq(line_with(&paper, "the next table"), SIZE_MAX);
    snprintf(view.trouble, sizeof view.trouble, "lost: \033[31mgone");
    press("");
    ck_assert_ptr_nonnull(strstr(paper.lines[0], "lost: ?[31mgone"));
    press("q");
    ck_assert(view.quits);
}
END_TEST

START_TEST(a_refusal_stands_in_the_place_of_sessions)
{
    struct text refusal = {.at = NULL};
    text_puts(&refusal, "Permission denied\n");
    sample_take_sess(&sample, &refusal, 3000);
    press("");
    ck_assert_uint_eq(line_with(&paper, "Permission denied"), line_with(&paper, "SESSIONS") + 1);
}
END_TEST

START_TEST(lines_are_shared_by_need)
{
    static const struct {
        size_t needs[3], lines, shares[3];
    } vectors[] = {
        {{3, 3, 100}, 20, {3, 3, 14}}, {{50, 50, 50}, 30, {10, 10, 10}}, {{50, 2, 2}, 30, {26, 2, 2}},
        {{2, 50, 2}, 30, {2, 26, 2}},  {{1, 1, 1}, 30, {1, 1, 1}},       {{5, 5, 5}, 2, {0, 1, 1}},
        {{5, 5, 5}, 0, {0, 0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        size_t shares[3];
        view_share(vectors[i].needs, 3, vectors[i].lines, shares);
        for (size_t part = 0; part < 3; part++)
            ck_assert_uint_eq(shares[part], vectors[i].shares[part]);
    }
}
END_TEST

TCase *screen_tcase(void)
{
    TCase *tc = tcase_create("screen");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, nothing_that_steers_a_terminal_gets_through);
    tcase_add_test(tc, a_cut_is_between_characters);
    tcase_add_test(tc, a_table_fits_its_width);
    tcase_add_test(tc, the_screen_shows_process_tables_and_the_heaviest_sessions_first);
    tcase_add_test(tc, any_size_will_do);
    tcase_add_test(tc, keys_sort_and_reverse_the_focused_table);
    tcase_add_test(tc, a_filter_narrows_every_table_until_it_is_dropped);
    tcase_add_test(tc, scrolling_stops_at_both_ends);
    tcase_add_test(tc, tables_can_be_hidden_all_of_them);
    tcase_add_test(tc, the_interval_goes_by_steps_and_has_ends);
    tcase_add_test(tc, help_pause_trouble_and_quit_show);
    tcase_add_test(tc, a_refusal_stands_in_the_place_of_sessions);
    tcase_add_test(tc, lines_are_shared_by_need);
    return tc;
}
