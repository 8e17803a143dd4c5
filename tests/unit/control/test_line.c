/* Lines, commands, words and times, as text alone. */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "control/delay.h"
#include "control/line.h"
#include "support/guarded.h"
#include "unit/control/suites.h"

enum { MOST = 4 };

static const struct {
    const char *bytes;
    size_t      end; /* where the LF is; SIZE_MAX: nowhere */
} lines[] = {{"", SIZE_MAX},  {"\n", 0},       {"show info\nmore", 9},  {"show info", SIZE_MAX},
             {"a\\\nb\n", 4}, {"a\\\\\nb", 3}, {"a\\\\\\\n", SIZE_MAX}, {"a\\;b\n", 4}};

/* The bytes end at an unreadable page, and are given piece by piece. */
START_TEST(a_line_ends_at_its_first_lf_without_a_backslash)
{
    size_t           len = strlen(lines[_i].bytes), wanted = lines[_i].end;
    struct line_scan whole = {0}, scan = {0};
    struct slice     copy = guarded_copy(slice_str(lines[_i].bytes));
    const char      *bytes = (const char *)copy.ptr;
    size_t           end = wanted == SIZE_MAX ? len : wanted;
    ck_assert_uint_eq(line_find_end(bytes, len, &whole), end);
    for (size_t n = 0; n <= len; n++)
        ck_assert_uint_eq(line_find_end(bytes, n, &scan), n <= end ? n : end);
    guarded_free(copy);
}
END_TEST

static const struct {
    const char *line;  /* LF included */
    const char *words; /* "[a][b c]" for each command, ';' between them */
} splits[] = {{"\n", ""},
              {"\r\n", ""},
              {" \t \n", ""},
              {";\n", ";"},
              {"a\n", "[a]"},
              {"a\r\n", "[a]"},
              {"a\r\r\n", "[a\r]"},
              {"  a \t b  \n", "[a][b]"},
              {"a;b\n", "[a];[b]"},
              {"a ; b;\n", "[a];[b];"},
              {"a\r;b\n", "[a];[b]"},
              {"a\\;b\n", "[a;b]"},
              {"a \\;b\n", "[a][;b]"},
              {"a\\ b\n", "[a b]"},
              {"a \\ b\n", "[a][ b]"},
              {"a\\\\b\n", "[a\\b]"},
              {"a\\\\;b\n", "[a\\];[b]"},
              {"\\a\\b\n", "[ab]"},
              {"a\\\nb\n", "[a\nb]"},
              {"a\\\r\n", "[a\\]"},
              {"'a b' \"c\"\n", "['a][b'][\"c\"]"},
              {"a b c d\n", "[a][b][c][d]"},
              {"a b c d e\n", "too many"},
              {"a b c d e;f\n", "too many;[f]"}};

static void write_words(char *command, char *out)
{
    char  *words[MOST + 1];
    size_t n = line_split(command, words, MOST);
    ck_assert_uint_le(n, MOST + 1);
    if (n > MOST)
        strcat(out, "too many");
    else
        ck_assert_ptr_null(words[n]);
    for (size_t i = 0; i < n && n <= MOST; i++)
        strcat(strcat(strcat(out, "["), words[i]), "]");
}

START_TEST(a_line_is_commands_and_these_are_words)
{
    char             bytes[64], out[128] = "";
    struct line_scan scan = {0};
    size_t           len = strlen(splits[_i].line);
    memcpy(bytes, splits[_i].line, len + 1);
    ck_assert_uint_eq(line_find_end(bytes, len, &scan), len - 1);
    struct line line = line_begin(bytes, len - 1);
    for (char *command = line_next(&line); command != NULL; command = line_next(&line)) {
        write_words(command, out);
        if (line.at != NULL)
            strcat(out, ";");
    }
    ck_assert_str_eq(out, splits[_i].words);
    ck_assert_ptr_null(line_next(&line));
}
END_TEST

START_TEST(a_nul_ends_its_command_alone)
{
    char        bytes[] = "a b\0 c;d\n", *words[MOST + 1];
    struct line line = line_begin(bytes, sizeof bytes - 2);
    ck_assert_uint_eq(line_split(line_next(&line), words, MOST), 2);
    ck_assert_str_eq(words[1], "b");
    ck_assert_uint_eq(line_split(line_next(&line), words, MOST), 1);
    ck_assert_str_eq(words[0], "d");
}
END_TEST

static const struct {
    const char *text;
    uint32_t    unit_ms;
    uint64_t    ms; /* UINT64_MAX: it is none */
} delays[] = {{"5", 1000, 5000},
              {"5", 1, 5},
              {"0", 1, 0},
              {"1us", 1, 1},
              {"1500us", 1, 2},
              {"20ms", 1000, 20},
              {"3s", 1, 3000},
              {"2m", 1, 120000},
              {"1h", 1, 3600000},
              {"24d", 1, 2073600000},
              {"2147483647", 1000, 2147483647000},
              {"2147483648", 1000, UINT64_MAX},
              {"99999999999999999999999", 1, UINT64_MAX},
              {"99999999d", 1, UINT64_MAX},
              {"", 1, UINT64_MAX},
              {"s", 1, UINT64_MAX},
              {"-1", 1, UINT64_MAX},
              {"+5", 1, UINT64_MAX},
              {"5S", 1, UINT64_MAX},
              {"5 s", 1, UINT64_MAX},
              {"5ms5", 1, UINT64_MAX},
              {"0.5s", 1, UINT64_MAX}};

START_TEST(a_delay_is_a_number_and_a_unit)
{
    uint64_t ms = 0;
    bool     good = delay_parse(delays[_i].text, delays[_i].unit_ms, &ms);
    ck_assert_msg(good == (delays[_i].ms != UINT64_MAX), "%s", delays[_i].text);
    if (good)
        ck_assert_uint_eq(ms, delays[_i].ms);
}
END_TEST

TCase *line_tests(void)
{
    TCase *tc = tcase_create("line");
    tcase_add_loop_test(tc, a_line_ends_at_its_first_lf_without_a_backslash, 0, ARRAY_LEN(lines));
    tcase_add_loop_test(tc, a_line_is_commands_and_these_are_words, 0, ARRAY_LEN(splits));
    tcase_add_test(tc, a_nul_ends_its_command_alone);
    tcase_add_loop_test(tc, a_delay_is_a_number_and_a_unit, 0, ARRAY_LEN(delays));
    return tc;
}
