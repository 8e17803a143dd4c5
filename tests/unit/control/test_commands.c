/* Finding commands, and what is said when there is none. */
#include <string.h>

#include "base/macros.h"
#include "control/commands.h"
#include "control/line.h"
#include "unit/control/suites.h"

static const struct command first[] = {{"show info", "[json]", "figures", COMMAND_USER, NULL},
                                       {"show", "", "everything", COMMAND_USER, NULL},
                                       {"show servers state", "[<backend>]", "states", COMMAND_USER, NULL},
                                       {"help", "", "help itself", COMMAND_USER, NULL},
                                       {"quit", "", "end", COMMAND_USER, NULL},
                                       {.words = NULL}};
static const struct command second[] = {{"show servers", "", "servers", COMMAND_USER, NULL},
                                        {"set weight", "<backend>/<server> <weight>", "weights", COMMAND_ADMIN, NULL},
                                        {"show sess", "", "sessions", COMMAND_OPERATOR, NULL},
                                        {.words = NULL}};

static struct commands all;

static void setup(void)
{
    static char owner[] = "second";
    memset(&all, 0, sizeof all);
    commands_add(&all, first, NULL);
    commands_add(&all, second, owner);
}

/* text is split in place in a buffer of the caller's. */
static char **words_of(const char *text, char buffer[256], char *words[17])
{
    (void)strcpy(buffer, text);
    ck_assert_uint_le(line_split(buffer, words, 16), 16);
    return words;
}

static const struct {
    const char *typed, *found; /* NULL: nothing */
    size_t      n;
} finds[] = {{"show info", "show info", 2},
             {"show info json", "show info", 2},
             {"show", "show", 1},
             {"show nothing", "show", 1},
             {"show servers", "show servers", 2},
             {"show servers conn", "show servers", 2},
             {"show servers state x y", "show servers state", 3},
             {"sho info", NULL, 0},
             {"info", NULL, 0},
             {"showinfo", NULL, 0},
             {"SHOW INFO", NULL, 0},
             {"set", NULL, 0},
             {"set weights", NULL, 0},
             {"", NULL, 0}};

START_TEST(the_command_with_the_most_words_is_meant)
{
    char                  buffer[256], *words[17];
    size_t                n = 99;
    void                 *owner = NULL;
    const struct command *c = commands_find(&all, words_of(finds[_i].typed, buffer, words), &n, &owner);
    ck_assert_uint_eq(n, finds[_i].n);
    if (finds[_i].found == NULL) {
        ck_assert_ptr_null(c);
        return;
    }
    ck_assert_str_eq(c->words, finds[_i].found);
    ck_assert_int_eq(owner != NULL, strcmp(c->words, "show servers") == 0);
}
END_TEST

static const struct {
    enum command_level level;
    const char        *typed, *said;
} helps[] = {
    {COMMAND_USER, "show s",
     "The following commands are valid at this level:\n"
     "  show servers                   : servers\n"
     "  show servers state [<backend>] : states\n"
     "  help                           : help itself\n"
     "  quit                           : end\n"},
    {COMMAND_OPERATOR, "show sess",
     "The following commands are valid at this level:\n"
     "  show sess : sessions\n"
     "  help      : help itself\n"
     "  quit      : end\n"},
    {COMMAND_ADMIN, "",
     "The following commands are valid at this level:\n"
     "  set weight <backend>/<server> <weight> : weights\n"
     "  show                                   : everything\n"
     "  show info [json]                       : figures\n"
     "  show servers                           : servers\n"
     "  show servers state [<backend>]         : states\n"
     "  show sess                              : sessions\n"
     "  help                                   : help itself\n"
     "  quit                                   : end\n"},
};

START_TEST(help_lists_what_the_level_allows)
{
    char        buffer[256], *words[17];
    struct text out = {.at = NULL};
    commands_help(&all, helps[_i].level, words_of(helps[_i].typed, buffer, words), &out);
    ck_assert_str_eq(out.at, helps[_i].said);
    text_fini(&out);
}
END_TEST

static const struct {
    const char *typed, *said; /* its beginning */
} unknowns[] = {
    {"", "Unknown command. Please enter one of the following commands only:\n  show "},
    {"xyzzy plugh", "Unknown command: 'xyzzy'. Please enter one of the following commands only:\n  show "},
    {"shwo info", "Unknown command: 'shwo'. Please enter"},
    {"shaw info", "Unknown command: 'shaw', but maybe one of the following ones is a better match:\n  show info "},
    {"sh serv stat",
     "Unknown command: 'sh', but maybe one of the following ones is a better match:\n  show servers st"},
    {"a\x01\xff z", "Unknown command: 'a?\?'. Please"},
};

START_TEST(an_unknown_command_is_answered_with_the_likely_ones)
{
    char        buffer[256], *words[17];
    struct text out = {.at = NULL};
    commands_unknown(&all, COMMAND_USER, words_of(unknowns[_i].typed, buffer, words), &out);
    ck_assert_msg(strncmp(out.at, unknowns[_i].said, strlen(unknowns[_i].said)) == 0, "%s", out.at);
    ck_assert_ptr_null(strstr(out.at, "set weight"));
    ck_assert_ptr_null(strstr(out.at, "\n\n"));
    text_fini(&out);
}
END_TEST

TCase *command_tests(void)
{
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, the_command_with_the_most_words_is_meant, 0, ARRAY_LEN(finds));
    tcase_add_loop_test(tc, help_lists_what_the_level_allows, 0, ARRAY_LEN(helps));
    tcase_add_loop_test(tc, an_unknown_command_is_answered_with_the_likely_ones, 0, ARRAY_LEN(unknowns));
    return tc;
}
