/* Framing: what a client gets, byte for byte. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "control/client.h"
#include "support/descriptors.h"
#include "unit/control/suites.h"
#include "unit/control/world.h"

static void setup(void)
{
    world_open();
    struct control_settings settings = world_settings();
    world_start(&settings);
}

#define FAILS "No such server.\n"

static const struct {
    const char *typed, *answer;
    bool        stays; /* the connection stays open */
} talks[] = {
    /* one line */
    {"fail\n", FAILS "\n", false},
    {"fail\r\n", FAILS "\n", false},
    {"nothing\n", "\n", false},
    {"fail;nothing;warn\n", FAILS "\n\ncareful\n\n", false},
    {" fail ;\tnothing \n", FAILS "\n\n", false},
    {"fail\nwarn\n", FAILS "\ncareful\n\n", false},
    {"fail\nwarn", FAILS "\n", true}, /* the second line may still come */
    {"gaps\n", "a\nb\n\n", false},
    {"open end\n", "no line end\n\n", false},
    {"echo a\\;b  c\\ d\n", "a;b c d\n\n", false},
    {"echo a\\\nb\n", "a?b\n\n", false},
    {"echo\n", "\n", false},
    {"echo \\\\\n", "\\\n\n", false},
    {"fail", "", true},
    {"fail;warn", "", true},
    {"", "", true},
    {"echo \x01\xff\xc3\xa9\n", "?\?\xc3\xa9\n\n", false},
    /* quit */
    {"quit\n", "", false},
    {"fail;quit;warn\n", FAILS "\n", false},
    {"fail\nquit\nwarn\n", FAILS "\n", false},
    /* prompt */
    {"prompt\n", "\n> ", true},
    {"prompt\nfail\n", "\n> " FAILS "\n> ", true},
    {"prompt\r\nnothing\r\n", "\n> \n> ", true},
    {"prompt\nfail;nothing;fail\n", "\n> " FAILS "\n\n" FAILS "\n> ", true},
    {"prompt;fail\n", "\n" FAILS "\n> ", true},
    {"prompt\nfail\nquit\n", "\n> " FAILS "\n> ", false},
    {"prompt\nprompt\n", "\n> \n", false},
    {"prompt\nprompt\nfail\n", "\n> \n" FAILS "\n", false},
    {"prompt;prompt;fail\n", "\n\n" FAILS "\n", false},
    {"prompt p\nprompt p\nfail\n", "\n> \n> " FAILS "\n> ", true},
    {"prompt i\nfail\nfail\n", "\n" FAILS "\n" FAILS "\n", true},
    {"prompt i;prompt n\n", "\n\n", false},
    {"prompt x\n", "'prompt' expects nothing, 'n' (one line), 'i' (lines) or 'p' (lines and a prompt).\n\n", false},
    /* severities */
    {"set severity-output number;fail;warn;gaps;nothing\n", "\n[3]: " FAILS "\n[4]: careful\n\na\nb\n\n\n", false},
    {"set severity-output string;fail;warn\n", "\n[err]: " FAILS "\n[warning]: careful\n\n", false},
    {"set severity-output string;set severity-output none;fail\n", "\n\n" FAILS "\n", false},
    {"set severity-output number;echo x;show cli level\n", "\n[6]: x\n\n[6]: admin\n\n", false},
    {"set severity-output\n", "one of 'none', 'number', 'string' is a required argument\n\n", false},
    {"set severity-output x\n", "one of 'none', 'number', 'string' is a required argument\n\n", false},
    /* levels */
    {"show cli level;operator;show cli level;user;show cli level\n", "admin\n\n\noperator\n\n\nuser\n\n", false},
    {"change;operator;change\n", "\n\nPermission denied\n\n", false},
    {"user;nothing secret;nothing;change\n", "\nPermission denied\n\n\nPermission denied\n\n", false},
    {"user;operator;show cli level\n", "\nPermission denied\n\nuser\n\n", false},
    /* time */
    {"set timeout\n", "'set timeout' only supports 'cli'.\n\n", false},
    {"set timeout x\n", "'set timeout' only supports 'cli'.\n\n", false},
    {"set timeout cli\n", "Expects an integer value.\n\n", false},
    {"set timeout cli x\n", "Invalid timeout value.\n\n", false},
    {"set timeout cli 0\n", "Invalid timeout value.\n\n", false},
    {"set timeout cli 5;set timeout cli 2m\n", "\n\n", false},
    {"wait 0\n", "Done.\n\n", false},
    {"wait 1\n", "Done.\n\n", false},
    {"wait\n", "Expects a duration in milliseconds; 'wait -h' tells more.\n\n", false},
    {"wait x\n", "Invalid duration.\n\n", false},
    {"wait 0 x\n", "Unknown condition; 'wait -h' lists them.\n\n", false},
    {"wait 0 ready s1\n", "Wait delay expired. 's1' is not ready.\n\n", false},
};

static void talk(const char *typed, size_t cut, const char *answer, bool stays)
{
    struct peer peer = peer_open();
    peer_send(&peer, typed, cut);
    peer_say(&peer, typed + cut);
    if (stays)
        peer_expect(&peer, answer);
    else
        peer_expect_all(&peer, answer);
    peer_close(&peer);
    world_turn();
}

START_TEST(a_client_gets_these_bytes)
{
    talk(talks[_i].typed, 0, talks[_i].answer, talks[_i].stays);
}
END_TEST

/* What comes behind a line that has been answered finds a closed door, in HAProxy too: there only the first LF may be
 * followed by a cut. */
START_TEST(a_cut_anywhere_in_the_first_line_changes_nothing)
{
    const char *typed = talks[_i].typed, *lf = strchr(typed, '\n');
    size_t      most = lf == NULL || strncmp(typed, "prompt", 6) == 0 ? strlen(typed) : (size_t)(lf - typed);
    bool        closes_early = strncmp(typed, "prompt\nprompt", 13) == 0 || strstr(typed, "\\\n") != NULL;
    for (size_t cut = 1; cut <= most && !closes_early; cut++)
        talk(typed, cut, talks[_i].answer, talks[_i].stays);
}
END_TEST

START_TEST(a_line_may_come_byte_by_byte)
{
    static const char line[] = "echo a\\;b ; fail\r\n";
    struct peer       peer = peer_open();
    for (size_t i = 0; i < sizeof line - 1; i++) {
        peer_expect_silence(&peer);
        peer_send(&peer, line + i, 1);
    }
    peer_expect_all(&peer, "a;b\n\n" FAILS "\n");
    peer_close(&peer);
}
END_TEST

START_TEST(a_client_that_ends_its_side_gets_the_answers_to_whole_lines_only)
{
    static const struct {
        const char *typed, *answer;
    } cases[] = {{"", ""},
                 {"fail", ""},
                 {"fail\n", FAILS "\n"},
                 {"fail\nwarn", FAILS "\n"},
                 {"prompt\nfail\nwarn", "\n> " FAILS "\n> "}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct peer peer = peer_open();
        ck_assert_int_eq(write(peer.fd, cases[i].typed, strlen(cases[i].typed)), (ssize_t)strlen(cases[i].typed));
        peer_shut(&peer);
        peer_expect_all(&peer, cases[i].answer);
        peer_close(&peer);
    }
}
END_TEST

START_TEST(an_empty_line_is_answered_with_the_whole_help)
{
    static const char *const typed[] = {"\n", "\r\n", " \t\n", ";quit\n", "prompt\n\nquit\n"};
    for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
        struct peer peer = peer_open();
        peer_say(&peer, typed[i]);
        peer_shut(&peer);
        world_turn();
        char    bytes[65536];
        ssize_t n = read(peer.fd, bytes, sizeof bytes - 1);
        ck_assert_int_gt(n, 0);
        bytes[n] = '\0';
        ck_assert_ptr_nonnull(strstr(bytes, "Unknown command. Please enter one of the following commands only:\n"));
        ck_assert_ptr_nonnull(strstr(bytes, "\n  nothing secret "));
        peer_expect_all(&peer, "");
        peer_close(&peer);
    }
}
END_TEST

START_TEST(wait_h_tells_of_the_conditions)
{
    struct peer peer = peer_open();
    peer_say(&peer, "wait -h\n");
    peer_expect_all(&peer,
                    "Usage: wait {-h|<delay>} [condition [args...]]\n"
                    "The delay is in milliseconds unless it says us, s, m, h or d. Without a condition the whole\n"
                    "delay is waited; with one, no longer than until it is met or never can be. Conditions:\n"
                    "  ready <name> : it is ready\n\n");
    peer_close(&peer);
}
END_TEST

static char *line_of_length(size_t len)
{
    char *line = malloc(len + 1);
    ck_assert_ptr_nonnull(line);
    memset(line, 'x', len);
    memcpy(line, "fail ", 5);
    line[len - 1] = '\n';
    line[len] = '\0';
    return line;
}

START_TEST(a_line_of_16_kb_is_served_and_a_longer_one_refused_and_not_reset)
{
    static const char   too_long[] = "Line too long: at most 16384 bytes.\n\n";
    static const size_t lengths[] = {LINE_LEN_MAX, LINE_LEN_MAX + 1, LINE_LEN_MAX + 2, 3 * LINE_LEN_MAX, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct peer peer = peer_open();
        char       *line = line_of_length(lengths[i]);
        peer_say(&peer, line);
        peer_shut(&peer);
        peer_expect_all(&peer, i == 0 ? FAILS "\n" : too_long);
        peer_close(&peer);
        free(line);
    }
}
END_TEST

START_TEST(whoever_goes_on_with_a_refused_line_is_cut_in_the_end)
{
    struct peer peer = peer_open();
    char       *line = line_of_length(LINE_LEN_MAX + 1);
    peer_say(&peer, "set timeout cli 1;prompt\n");
    peer_expect(&peer, "\n\n> ");
    peer_say(&peer, line);
    uint64_t end = clock_mono_ms() + 5000;
    while (send(peer.fd, "x", 1, MSG_NOSIGNAL) == 1 && clock_mono_ms() < end)
        world_turn();
    ck_assert_uint_lt(clock_mono_ms(), end);
    peer_close(&peer);
    free(line);
}
END_TEST

START_TEST(lines_behind_each_other_may_be_more_than_the_buffer_holds)
{
    enum { LINES = 4000 };
    static const char line[] = "echo 0123456789\n", answer[] = "0123456789\n\n";
    struct text       in = {.at = NULL}, out = {.at = NULL};
    for (int i = 0; i < LINES; i++) {
        text_puts(&in, line);
        text_puts(&out, answer);
    }
    text_puts(&in, "quit\n");
    struct peer peer = peer_open();
    peer_say(&peer, "prompt i\n");
    peer_expect(&peer, "\n");
    for (size_t at = 0; at < in.len; at += 1000) {
        size_t n = in.len - at < 1000 ? in.len - at : 1000;
        peer_send(&peer, in.at + at, n);
        char    bytes[65536];
        ssize_t k = recv(peer.fd, bytes, sizeof bytes, 0);
        if (k > 0)
            text_put(&peer.got, bytes, (size_t)k);
    }
    peer_expect_all(&peer, out.at);
    peer_close(&peer);
    text_fini(&in);
    text_fini(&out);
}
END_TEST

START_TEST(sixty_five_words_are_too_many)
{
    struct text words = {.at = NULL}, line = {.at = NULL}, answer = {.at = NULL};
    for (int i = 0; i < COMMAND_ARGS_MAX - 1; i++)
        text_add(&words, " %d", i);
    text_add(&line, "echo%s;echo%s more\n", words.at, words.at);
    text_add(&answer, "%s\n\nToo many arguments. Commands must have at most 64 arguments.\n\n", words.at + 1);
    struct peer peer = peer_open();
    peer_say(&peer, line.at);
    peer_expect_all(&peer, answer.at);
    peer_close(&peer);
    text_fini(&words);
    text_fini(&line);
    text_fini(&answer);
}
END_TEST

/* 4 MB, far more than any socket takes. */
START_TEST(nothing_is_read_or_done_while_an_answer_is_not_written)
{
    enum { LINES = 400000 };
    struct peer peer = peer_open();
    size_t      got = 0;
    char        bytes[65536];
    peer_say(&peer, "lines 400000;count\ncount\n");
    world_turn();
    ck_assert_uint_eq(w.n_counted, 0);
    for (;;) {
        ssize_t n = recv(peer.fd, bytes, sizeof bytes, 0);
        if (n == 0)
            break;
        got += n > 0 ? (size_t)n : 0;
        ck_assert_msg(w.n_counted == 0 || got > 10 * LINES / 2, "%zu", got);
        (void)ev_run(w.loop, EVRUN_NOWAIT);
    }
    ck_assert_uint_eq(got, 10 * LINES + 3);
    ck_assert_uint_eq(w.n_counted, 2);
    peer_close(&peer);
}
END_TEST

START_TEST(a_client_that_does_not_read_is_cut)
{
    struct peer    peer = peer_open();
    const unsigned open = descriptors_open(); /* it is accepted below */
    const uint64_t begun = clock_mono_ms();
    peer_say(&peer, "set timeout cli 1;lines 400000;count\n"); /* which may take longer than that itself */
    const uint64_t end = clock_mono_ms() + 5000;
    while (descriptors_open() > open && clock_mono_ms() < end) {
        world_turn();
        (void)usleep(10000);
    }
    ck_assert_uint_lt(clock_mono_ms(), end);
    ck_assert_uint_ge(clock_mono_ms() - begun, 1000);
    ck_assert_uint_eq(w.n_counted, 0);
    peer_close(&peer);
}
END_TEST

START_TEST(an_idle_client_is_cut)
{
    struct peer quiet = peer_open(), halfway = peer_open();
    peer_say(&quiet, "set timeout cli 1;prompt\n");
    peer_expect(&quiet, "\n\n> ");
    peer_say(&halfway, "set timeout cli 1;prompt\n");
    peer_expect(&halfway, "\n\n> ");
    peer_say(&halfway, "fai");
    uint64_t began = clock_mono_ms();
    peer_expect_all(&quiet, "");
    peer_expect_all(&halfway, "");
    ck_assert_uint_ge(clock_mono_ms() - began, 900);
    peer_close(&quiet);
    peer_close(&halfway);
}
END_TEST

START_TEST(the_65th_client_waits_until_one_goes)
{
    struct peer peers[CONTROL_CLIENTS_MAX + 2];
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        peers[i] = peer_open();
        peer_say(&peers[i], "prompt\n");
        if (i < CONTROL_CLIENTS_MAX)
            peer_expect(&peers[i], "\n> ");
        else
            peer_expect_silence(&peers[i]);
    }
    peer_say(&peers[7], "quit\n");
    peer_expect_all(&peers[7], "");
    peer_expect(&peers[CONTROL_CLIENTS_MAX], "\n> ");
    peer_expect_silence(&peers[CONTROL_CLIENTS_MAX + 1]);
    peer_close(&peers[8]);
    peer_expect(&peers[CONTROL_CLIENTS_MAX + 1], "\n> ");
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        if (i != 8)
            peer_close(&peers[i]);
    }
    world_turn();
}
END_TEST

static unsigned count_warnings(const char *event)
{
    char              line[LOG_LINE_MAX];
    enum log_severity severity;
    unsigned          n = 0;
    while (log_ring_take(w.log.ring, line, &severity) > 0)
        n += severity == SYSLOG_WARNING && strstr(line, event) != NULL;
    return n;
}

START_TEST(out_of_descriptors_it_pauses_says_so_once_and_goes_on)
{
    struct peer peer = peer_open();
    descriptors_allow(0);
    peer_say(&peer, "fail\n");
    uint64_t until = clock_mono_ms() + 350;
    while (clock_mono_ms() < until) {
        peer_expect_silence(&peer);
        (void)usleep(5000);
    }
    descriptors_allow_all();
    peer_expect_all(&peer, FAILS "\n");
    peer_close(&peer);
    ck_assert_uint_eq(count_warnings("event=control_accept_failed"), 1);
}
END_TEST

TCase *client_tests(void)
{
    TCase *tc = tcase_create("client");
    tcase_add_checked_fixture(tc, setup, world_close);
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, a_client_gets_these_bytes, 0, ARRAY_LEN(talks));
    tcase_add_loop_test(tc, a_cut_anywhere_in_the_first_line_changes_nothing, 0, ARRAY_LEN(talks));
    tcase_add_test(tc, a_line_may_come_byte_by_byte);
    tcase_add_test(tc, a_client_that_ends_its_side_gets_the_answers_to_whole_lines_only);
    tcase_add_test(tc, an_empty_line_is_answered_with_the_whole_help);
    tcase_add_test(tc, wait_h_tells_of_the_conditions);
    tcase_add_test(tc, a_line_of_16_kb_is_served_and_a_longer_one_refused_and_not_reset);
    tcase_add_test(tc, whoever_goes_on_with_a_refused_line_is_cut_in_the_end);
    tcase_add_test(tc, lines_behind_each_other_may_be_more_than_the_buffer_holds);
    tcase_add_test(tc, sixty_five_words_are_too_many);
    tcase_add_test(tc, nothing_is_read_or_done_while_an_answer_is_not_written);
    tcase_add_test(tc, a_client_that_does_not_read_is_cut);
    tcase_add_test(tc, an_idle_client_is_cut);
    tcase_add_test(tc, the_65th_client_waits_until_one_goes);
    tcase_add_test(tc, out_of_descriptors_it_pauses_says_so_once_and_goes_on);
    return tc;
}
