/* Files: what they include, the examples that are shipped, and what is printed loads again. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/print.h"
#include "unit/conf/conf_tests.h"

static char dir[64];

static void make_dir(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/test_conf.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char   pattern[80];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/*", dir);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)remove(found.gl_pathv[i]);
        globfree(&found);
    }
    (void)rmdir(dir);
}

static const char *path_in(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t len)
{
    FILE *f = fopen(path_in(name), "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* All errors of a file, a line each, with the directory taken out. */
static const char *file_errors(const char *name)
{
    static char        all[4096];
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load(path_in(name), &errors);
    size_t             len = 0, dir_len = strlen(dir) + 1;
    all[0] = '\0';
    for (const struct conf_error *e = errors.list; e != NULL; e = e->next) {
        for (const char *p = e->text; *p != '\0' && len < sizeof all - 2; p++) {
            if (strncmp(p, dir, dir_len - 1) == 0 && p[dir_len - 1] == '/')
                p += dir_len;
            all[len++] = *p;
        }
        all[len++] = '\n';
        all[len] = '\0';
    }
    conf_errors_free(&errors);
    conf_unref(conf);
    return all;
}

START_TEST(included_files_are_read_in_place_and_named_in_errors)
{
    write_text("main.conf", "# one\n"
                            "@include \"sub.conf\" # and a comment\n"
                            "global: { workers = -1; };\n"
                            "  @include \"last.conf\"");
    write_text("sub.conf", "/* @include \"no\"\n@include \"neither\" */\n" GOOD "\nadmin: {\n"
                           "healthy_when = \"no\"; };");
    write_text("last.conf", "\ntimeouts: {\n\n  idle = 1; };");
    const char *errors = file_errors("main.conf");
    const char *first = strstr(errors, "sub.conf:5: admin.healthy_when: ");
    const char *second = strstr(errors, "main.conf:3: global.workers: ");
    const char *third = strstr(errors, "last.conf:4: timeouts.idle: ");
    ck_assert_ptr_eq(first, errors);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_nonnull(third);
    ck_assert(first < second && second < third);
}
END_TEST

START_TEST(a_syntax_error_in_an_included_file_is_told_there)
{
    write_text("main.conf", "@include \"sub.conf\"\n");
    write_text("sub.conf", "a = 1;\nb = ;\n");
    ck_assert_str_eq(file_errors("main.conf"), "sub.conf:2: syntax error\n");
}
END_TEST

START_TEST(an_include_that_cannot_be_read_is_an_error_and_no_end)
{
    write_text("main.conf", "\n@include \"none.conf\"\n");
    ck_assert_str_eq(file_errors("main.conf"),
                     "main.conf:2: @include \"none.conf\": cannot be opened: No such file or directory\n");
    write_text("main.conf", "@include \"/\"\n");
    ck_assert_str_eq(file_errors("main.conf"), "main.conf:1: @include \"/\": cannot be read: Is a directory\n");
    write_text("main.conf", "@include \"main.conf\"\n");
    ck_assert_str_eq(file_errors("main.conf"),
                     "main.conf:1: @include nested deeper than 10 files, or more than 1000 of them\n");
    write_text("main.conf", "a = @include \"x\n\"\n");
    ck_assert_str_eq(file_errors("main.conf"),
                     "main.conf:1: found an @; it only begins @include \"path\", first on its line\n");
    write_text("main.conf", "@include \"open.conf\"\n");
    write_text("open.conf", "a = \"x;\n");
    ck_assert_str_eq(file_errors("main.conf"), "open.conf:2: the file ends inside a string\n");
}
END_TEST

START_TEST(a_file_that_is_none_is_an_error)
{
    ck_assert_str_eq(file_errors("none.conf"), "none.conf: cannot be opened: No such file or directory\n");
    ck_assert_int_eq(mkdir(path_in("dir"), 0700), 0);
    ck_assert_str_eq(file_errors("dir"), "dir: cannot be read: Is a directory\n");
    write_file("nul.conf", "a\0b", 3);
    ck_assert_str_eq(file_errors("nul.conf"), "nul.conf: holds a NUL byte; a configuration is text\n");
}
END_TEST

static void check_print_loads_again(const struct conf *conf)
{
    char        *first = printed(conf);
    struct conf *again = load_good(first);
    char        *second = printed(again);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
    conf_unref(again);
}

START_TEST(every_example_loads_and_prints_to_the_same)
{
    glob_t found;
    ck_assert_int_eq(glob(TOP_SRCDIR "/etc/*.conf", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct conf_errors errors = {0};
        struct conf       *conf = conf_load(found.gl_pathv[i], &errors);
        ck_assert_msg(conf != NULL, "%s", errors.list != NULL ? errors.list->text : "out of memory");
        check_print_loads_again(conf);
        conf_unref(conf);
    }
    globfree(&found);
}
END_TEST

START_TEST(any_text_is_printed_so_that_it_loads_again)
{
    struct conf *conf = load_good(GOOD "global: { node = \"a\\\"b\\\\c gr\xc3\xbc\xc3\x9f $${x} # // /* @\"; };"
                                       "tls = ({ name = \"e\"; certificates = ({ chain = \"c\"; key = \"k\"; });"
                                       "  alpn = [ \"\\x01\\n\\x7f\" ]; });");
    ck_assert_str_eq(conf->global.node, "a\"b\\c gr\xc3\xbc\xc3\x9f ${x} # // /* @");
    check_print_loads_again(conf);
    conf_unref(conf);
}
END_TEST

START_TEST(a_print_that_cannot_be_written_says_so)
{
    struct conf *conf = load_good(GOOD);
    FILE        *full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    ck_assert_int_eq(conf_print(conf, full), -1);
    (void)fclose(full);
    conf_unref(conf);
}
END_TEST

TCase *files_case(void)
{
    TCase *tc = tcase_create("files");
    tcase_add_checked_fixture(tc, make_dir, remove_dir);
    tcase_add_test(tc, included_files_are_read_in_place_and_named_in_errors);
    tcase_add_test(tc, a_syntax_error_in_an_included_file_is_told_there);
    tcase_add_test(tc, an_include_that_cannot_be_read_is_an_error_and_no_end);
    tcase_add_test(tc, a_file_that_is_none_is_an_error);
    tcase_add_test(tc, every_example_loads_and_prints_to_the_same);
    tcase_add_test(tc, any_text_is_printed_so_that_it_loads_again);
    tcase_add_test(tc, a_print_that_cannot_be_written_says_so);
    return tc;
}
