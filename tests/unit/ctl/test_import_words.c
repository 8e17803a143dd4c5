/* Lines become words, and words become values. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "conf/options.h"
#include "ctl/import_file.h"
#include "ctl/import_words.h"
#include "unit/ctl/import_tests.h"

/* The words of a line, each behind a '|'. */
static const char *words_of(struct arena *arena, const char *line)
{
    struct strings words = {0};
    const char    *all = "";
    const char    *fault = import_words(arena, line, &words);
    if (fault != NULL)
        return fault;
    for (size_t i = 0; i < words.n; i++)
        all = import_format(arena, "%s|%s", all, words.at[i]);
    return all;
}

START_TEST(a_line_is_split_as_haproxy_splits_it)
{
    static const struct {
        const char *line, *words;
    } vectors[] = {
        {"", ""},
        {"  # nothing", ""},
        {" bind  *:1883\tssl ", "|bind|*:1883|ssl"},
        {"a#b c", "|a"},
        {"a\\#b\\ c \\\\", "|a#b c|\\"},
        {"'a b' \"c d\"e ''", "|a b|c de|"},
        {"'$X \"' \"it's\"", "|$X \"|it's"},
        {"\\x41\\x5a \\q \\'", "|AZ|\\q|'"},
        {"\"${A}\" \"$B/x\" \"${C-d e}\"", "|${A}|${B}/x|${C:-d e}"},
        {"${A} $B '${C}' \"\\${D}\"", "|$${A}|$B|$${C}|$${D}"},
        {"'a", "a quote that does not end"},
        {"\"${A", "a variable in a form that mqgate does not have; write \"${NAME}\" or \"${NAME-default}\""},
        {"\\x00", "holds a NUL byte"}};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        ck_assert_str_eq(words_of(arena, vectors[i].line), vectors[i].words);
    arena_free(arena);
}
END_TEST

START_TEST(a_variable_needs_no_quotes_in_an_address)
{
    struct arena *arena = arena_new();
    ck_assert_str_eq(import_address_word(arena, "$${HOST}:$PORT"), "${HOST}:${PORT}");
    ck_assert_str_eq(import_address_word(arena, "${HOST}:1883"), "${HOST}:1883");
    ck_assert_str_eq(import_address_word(arena, "$${HOST-::1}"), "${HOST:-::1}");
    ck_assert(import_has_variable("a${B}") && !import_has_variable("a$${B}"));
    arena_free(arena);
}
END_TEST

START_TEST(variables_stay_variables)
{
    struct made made = make("global\n node \"n-${SITE-x}\"\n maxconn \"${MANY}\"\n"
                            "frontend f\n bind ${HERE}:1883\n default_backend b\n"
                            "backend b\n server s \"$BROKER\":1883\n");
    ck_assert_ptr_nonnull(strstr(made.text, "node = \"n-${SITE:-x}\";"));
    ck_assert_ptr_nonnull(strstr(made.text, "bind = \"${HERE}:1883\";"));
    ck_assert_ptr_nonnull(strstr(made.text, "address = \"${BROKER}:1883\";"));
    assert_lost(&made, 3, "a number does not come from the environment");
    ck_assert_uint_eq(made.lost, 1);
    made_free(&made);
}
END_TEST

START_TEST(a_dollar_that_is_no_variable_is_not_made_one)
{
    struct made made = make("global\n node 'a${B}'\n" FRONT BACK);
    ck_assert_str_eq(made.conf->global.node, "a${B}");
    made_free(&made);
}
END_TEST

START_TEST(durations_have_haproxys_units)
{
    struct made made =
        make("defaults\n timeout connect 2500\n timeout client 1d\n timeout server 1d\n timeout queue 3m\n"
             " timeout client-fin 1500us\n timeout server-fin 9h\n clitcpka-idle 60\n" FRONT BACK);
    const struct conf_listener *l = made.conf->listeners;
    ck_assert_uint_eq(l->timeouts.connect_ms, 2500);
    ck_assert_uint_eq(l->timeouts.idle_ms, 86400000);
    ck_assert_uint_eq(l->timeouts.queue_ms, 180000);
    ck_assert_uint_eq(l->timeouts.half_closed_ms, 2);
    ck_assert_uint_eq(l->tcp_keepalive.idle_ms, 60000);
    ck_assert_uint_eq(made.lost, 0);
    made_free(&made);
}
END_TEST

START_TEST(what_no_option_may_be_is_lost)
{
    struct made made = make("global\n maxconn 0\n nbthread x\ndefaults\n timeout connect 0\n timeout queue 5x\n"
                            " timeout tunnel 99999999999999999999d\n retries -1\n" FRONT BACK);
    assert_lost(&made, 2, "global.max_connections may be");
    assert_lost(&made, 3, "is no number");
    assert_lost(&made, 5, "timeouts.connect may be");
    assert_lost(&made, 6, "is no duration");
    assert_lost(&made, 7, "is no duration");
    assert_lost(&made, 8, "backends.tries");
    ck_assert_uint_eq(made.lost, 6);
    made_free(&made);
}
END_TEST

START_TEST(the_table_says_what_fits)
{
    char allowed[256];
    ck_assert_int_eq(conf_option_fits("global.workers", "4", allowed, sizeof allowed), CONF_FITS);
    ck_assert_int_eq(conf_option_fits("global.workers", "257", allowed, sizeof allowed), CONF_FITS_NOT);
    ck_assert_str_eq(allowed, "a whole number from 0 to 256");
    ck_assert_int_eq(conf_option_fits("listeners.deny", "10.0.0.0/8", allowed, sizeof allowed), CONF_FITS);
    ck_assert_int_eq(conf_option_fits("global.nosuch", "5", allowed, sizeof allowed), CONF_FITS_NOT);
    ck_assert_int_eq(conf_option_fits("global.node", "${NOT_IN_THIS_ENVIRONMENT}", allowed, sizeof allowed), CONF_FITS);
    ck_assert_int_eq(conf_option_fits("global.workers", "${X}", allowed, sizeof allowed), CONF_FITS_NOT);
    ck_assert_uint_eq(conf_option_most("listeners.bind"), 16);
    ck_assert_uint_eq(conf_option_most("global.node"), 0);
}
END_TEST

START_TEST(a_condition_and_what_is_in_it_is_left_out)
{
    struct made made = make(FRONT BACK ".if defined(X)\nfrontend x\n bind :1\n.if 1\n.endif\n.else\n bind :2\n.endif\n"
                                       ".notice hello\n");
    assert_lost(&made, 6, "nothing was read up to line 13");
    assert_lost(&made, 14, "directives");
    ck_assert_uint_eq(made.lost, 2);
    ck_assert_uint_eq(made.conf->n_listeners, 1);
    made_free(&made);
}
END_TEST

START_TEST(a_fault_of_a_line_does_not_tell_its_secrets)
{
    struct made made = make("userlist u\n user joe insecure-password \"hush\n" FRONT BACK
                            "listen s\n mode http\n bind :8404\n stats auth joe:hush 'x\n stats auth joe:hush\n");
    assert_lost(&made, 2, "user ...: a quote");
    ck_assert_ptr_null(strstr(made.remarks, "hush"));
    ck_assert_ptr_null(strstr(made.text, "hush"));
    made_free(&made);
}
END_TEST

START_TEST(a_file_of_no_use_says_why)
{
    static const struct {
        const char *text, *why;
    } vectors[] = {{"", "it has no frontend"}, {"hello\n", "it has no frontend"}, {BACK, "it has no frontend"}};
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct made made = make(vectors[i].text);
        ck_assert_msg(strstr(made.why, vectors[i].why) != NULL, "%s", made.why);
        made_free(&made);
    }
    char *lines = malloc(IMPORT_LINES_MAX + 2);
    memset(lines, '\n', IMPORT_LINES_MAX + 1);
    lines[IMPORT_LINES_MAX + 1] = '\0';
    struct made made = make(lines);
    ck_assert_msg(strstr(made.why, "lines") != NULL, "%s", made.why);
    made_free(&made);
    free(lines);
}
END_TEST

TCase *import_words_case(void)
{
    TCase *tc = tcase_create("words");
    tcase_add_test(tc, a_line_is_split_as_haproxy_splits_it);
    tcase_add_test(tc, a_variable_needs_no_quotes_in_an_address);
    tcase_add_test(tc, variables_stay_variables);
    tcase_add_test(tc, a_dollar_that_is_no_variable_is_not_made_one);
    tcase_add_test(tc, durations_have_haproxys_units);
    tcase_add_test(tc, what_no_option_may_be_is_lost);
    tcase_add_test(tc, the_table_says_what_fits);
    tcase_add_test(tc, a_condition_and_what_is_in_it_is_left_out);
    tcase_add_test(tc, a_fault_of_a_line_does_not_tell_its_secrets);
    tcase_add_test(tc, a_file_of_no_use_says_why);
    return tc;
}
