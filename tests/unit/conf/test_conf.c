/* Unit tests of room conf/. */
#include "conf/print.h"
#include "support/unit.h"
#include "unit/conf/conf_tests.h"

struct conf *load_good(const char *text)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load_text("t", text, &errors);
    ck_assert_msg(conf != NULL, "%s", errors.list != NULL ? errors.list->text : "out of memory");
    conf_errors_free(&errors);
    return conf;
}

char *errors_of(const char *text)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load_text("t", text, &errors);
    char              *all = NULL;
    size_t             len;
    FILE              *to = open_memstream(&all, &len);
    ck_assert_ptr_nonnull(to);
    ck_assert_msg((conf == NULL) == (errors.n > 0), "either a configuration or errors");
    for (const struct conf_error *e = errors.list; e != NULL; e = e->next)
        (void)fprintf(to, "%s\n", e->text + 2);
    ck_assert_int_eq(fclose(to), 0);
    conf_errors_free(&errors);
    conf_unref(conf);
    return all;
}

char *printed(const struct conf *conf)
{
    char  *text = NULL;
    size_t len;
    FILE  *to = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(to);
    ck_assert_int_eq(conf_print(conf, to), 0);
    ck_assert_int_eq(fclose(to), 0);
    return text;
}

int main(void)
{
    Suite *suite = suite_create("conf");
    suite_add_tcase(suite, values_case());
    suite_add_tcase(suite, errors_case());
    suite_add_tcase(suite, files_case());
    suite_add_tcase(suite, options_case());
    return unit_run(suite);
}
