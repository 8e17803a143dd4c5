/* Unit tests of the import of HAProxy configurations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/import_ops.h"
#include "support/unit.h"
#include "unit/ctl/import_tests.h"

static char *taken(struct text *text)
{
    char *at = text_take(text);
    ck_assert_ptr_nonnull(at);
    return at;
}

struct made make(const char *haproxy)
{
    struct made        made = {0};
    struct text        conf = {0}, remarks = {0};
    struct err         err = {0};
    struct conf_errors errors = {0};
    bool               good = import_convert("t", haproxy, &import_test_ops, &conf, &remarks, &made.lost, &err);
    made.text = taken(&conf);
    made.remarks = taken(&remarks);
    (void)snprintf(made.why, sizeof made.why, "%s", err.text);
    ck_assert_msg(good == (err.text[0] == '\0'), "either a configuration or why not");
    if (good)
        made.conf = conf_load_text("made", made.text, &errors);
    if (good && strstr(made.text, "${") == NULL)
        ck_assert_msg(made.conf != NULL, "%s\n%s", made.text, errors.list != NULL ? errors.list->text : "");
    conf_errors_free(&errors);
    return made;
}

void made_free(struct made *made)
{
    conf_unref(made->conf);
    free(made->text);
    free(made->remarks);
}

void assert_carried(const struct made *made)
{
    ck_assert_uint_eq(made->lost, 0);
    ck_assert_str_eq(made->remarks, "");
}

static void assert_remark(const struct made *made, unsigned line, bool note, const char *words)
{
    char begin[32];
    int  len = snprintf(begin, sizeof begin, "t:%u: ", line);
    for (const char *p = made->remarks; *p != '\0'; p = strchr(p, '\n') + 1) {
        size_t end = strcspn(p, "\n");
        char   text[2048];
        (void)snprintf(text, sizeof text, "%.*s", (int)end, p);
        if (strncmp(p, begin, (size_t)len) == 0 && strstr(text, words) != NULL &&
            (strstr(text, ": note: ") != NULL) == note)
            return;
    }
    ck_abort_msg("line %u has no %s with \"%s\" in:\n%s", line, note ? "note" : "loss", words, made->remarks);
}

void assert_lost(const struct made *made, unsigned line, const char *words)
{
    ck_assert_uint_gt(made->lost, 0);
    assert_remark(made, line, false, words);
}

void assert_noted(const struct made *made, unsigned line, const char *words)
{
    assert_remark(made, line, true, words);
}

int main(void)
{
    Suite *suite = suite_create("import");
    suite_add_tcase(suite, import_words_case());
    suite_add_tcase(suite, import_proxies_case());
    suite_add_tcase(suite, import_admin_case());
    return unit_run(suite);
}
