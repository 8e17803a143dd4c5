#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/answer.h"
#include "ctl/dial.h"
#include "ctl/line.h"
#include "unit/ctl/suites.h"

START_TEST(each_word_arrives_as_one_word)
{
    static const struct {
        const char *words[4];
        int         n;
        const char *line;
    } vectors[] = {
        {{"show", "stat"}, 2, "show stat"},
        {{"set", "a b", "c;d", "e\\f"}, 4, "set a\\ b c\\;d e\\\\f"},
        {{"show stat; show info"}, 1, "show stat; show info"}, /* an only word is a whole command */
        {{"quit"}, 1, "quit"},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct text line = {.at = NULL};
        char       *words[4];
        for (int w = 0; w < vectors[i].n; w++)
            words[w] = strdup(vectors[i].words[w]);
        ck_assert(line_join(&line, words, vectors[i].n, NULL));
        ck_assert_str_eq(line.at, vectors[i].line);
        for (int w = 0; w < vectors[i].n; w++)
            free(words[w]);
        text_fini(&line);
    }
}
END_TEST

static bool joins(char *first, char *second)
{
    char       *words[] = {first, second};
    struct text line = {.at = NULL};
    struct err  err = {""};
    bool        good = line_join(&line, words, 2, &err);
    ck_assert(good == (err.text[0] == '\0'));
    text_fini(&line);
    return good;
}

START_TEST(what_is_not_one_line_of_words_is_refused)
{
    char show[] = "show", with_lf[] = "a\nb", with_cr[] = "a\r", empty[] = "", blank[] = " ";
    char longest[LINE_LEN_MAX - 5 + 1], too_long[LINE_LEN_MAX - 5 + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    ck_assert(!joins(show, with_lf));
    ck_assert(!joins(show, with_cr));
    ck_assert(!joins(show, empty));
    ck_assert(!joins(show, blank));
    ck_assert(joins(show, longest));
    ck_assert(!joins(show, too_long));
}
END_TEST

static const struct {
    const char *bytes, *out, *errors;
} answers[] = {
    {"\nName: x\nUptime: 1\n\n", "Name: x\nUptime: 1\n", ""},
    {"\n\n", "", ""}, /* done, and nothing to say */
    {"\n", "", ""},
    {"", "", ""},
    {"\n[3]: No such server.\n\n", "", "No such server.\n"},
    {"\n[4]: Careful.\n\n", "Careful.\n", ""},
    {"\n[6]: Unknown command, but\n  help\n\n", "", "Unknown command, but\n  help\n"},
    {"\n[6]: The following commands\n  help\n\n", "The following commands\n  help\n", ""},
    {"\n[[{}]]\n\n", "[[{}]]\n", ""},
    {"\n[8]: x\n\n", "[8]: x\n", ""},
    {"\na\n\n[3]: b\n\nc\n\n", "a\n\nc\n", "\nb\n"},
    {"\n\nTotal events : 0\n\n", "Total events : 0\n", ""}, /* an answer that begins with an empty line */
    {"[3]: Permission denied\n\n", "", "Permission denied\n"},
    {"\nno line end", "no line end", ""},
    {"\n[3]", "[3]", ""},
};

static void assert_answer(size_t i, size_t piece)
{
    char         *out, *errors;
    size_t        out_len, errors_len, len = strlen(answers[i].bytes);
    FILE         *to_out = open_memstream(&out, &out_len), *to_errors = open_memstream(&errors, &errors_len);
    struct answer answer;
    answer_init(&answer, to_out, to_errors);
    for (size_t at = 0; at < len; at += piece)
        answer_feed(&answer, answers[i].bytes + at, piece < len - at ? piece : len - at);
    bool good = answer_end(&answer);
    ck_assert_int_eq(fclose(to_out), 0);
    ck_assert_int_eq(fclose(to_errors), 0);
    ck_assert_str_eq(out, answers[i].out);
    ck_assert_str_eq(errors, answers[i].errors);
    ck_assert(good == (answers[i].errors[0] == '\0'));
    free(out);
    free(errors);
}

START_TEST(failures_go_to_the_error_stream_and_the_rest_to_the_other)
{
    for (size_t piece = 1; piece <= 64; piece++)
        assert_answer((size_t)_i, piece);
}
END_TEST

START_TEST(a_line_is_written_as_soon_as_it_is_there)
{
    char         *out;
    size_t        len;
    FILE         *to = open_memstream(&out, &len);
    struct answer answer;
    answer_init(&answer, to, to);
    answer_feed(&answer, "\nfirst\n", 7);
    ck_assert_int_eq(fflush(to), 0);
    ck_assert_str_eq(out, "first\n");
    ck_assert(answer_end(&answer));
    ck_assert_int_eq(fclose(to), 0);
    free(out);
}
END_TEST

START_TEST(the_command_line_names_the_socket_before_the_environment)
{
    ck_assert_int_eq(unsetenv("MQGATE_SOCKET"), 0);
    ck_assert_str_eq(dial_path(NULL), "/run/mqgate/mqgate.sock");
    ck_assert_int_eq(setenv("MQGATE_SOCKET", "", 1), 0);
    ck_assert_str_eq(dial_path(NULL), "/run/mqgate/mqgate.sock");
    ck_assert_int_eq(setenv("MQGATE_SOCKET", "/e", 1), 0);
    ck_assert_str_eq(dial_path(NULL), "/e");
    ck_assert_str_eq(dial_path("/s"), "/s");
}
END_TEST

START_TEST(a_path_that_fits_no_address_cannot_be_reached)
{
    char       path[200];
    struct err err;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(dial_open(path, DIAL_TIMEOUT_MS, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "too long"));
}
END_TEST

TCase *commands_tcase(void)
{
    TCase *tc = tcase_create("commands");
    tcase_add_test(tc, each_word_arrives_as_one_word);
    tcase_add_test(tc, what_is_not_one_line_of_words_is_refused);
    tcase_add_loop_test(tc, failures_go_to_the_error_stream_and_the_rest_to_the_other, 0, ARRAY_LEN(answers));
    tcase_add_test(tc, a_line_is_written_as_soon_as_it_is_there);
    tcase_add_test(tc, the_command_line_names_the_socket_before_the_environment);
    tcase_add_test(tc, a_path_that_fits_no_address_cannot_be_reached);
    return tc;
}
