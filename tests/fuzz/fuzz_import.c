/* Any text is an HAProxy configuration that something can be made of, or that nothing can be made of; what is made is a
 * configuration that loads. Only what the environment gives cannot be known beforehand. */
#include <string.h>

#include "conf/load.h"
#include "fuzz.h"
#include "support/import_ops.h"

static bool wants_environment(const char *conf)
{
    for (const char *p = strstr(conf, "${"); p != NULL; p = strstr(p + 2, "${")) {
        if (p == conf || p[-1] != '$')
            return true;
    }
    return false;
}

static void check_loads(const char *text)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load_text("made", text, &errors);
    if (errors.list != NULL)
        (void)fprintf(stderr, "%s\n%s\n", text, errors.list->text);
    FUZZ_CHECK(conf != NULL);
    conf_errors_free(&errors);
    conf_unref(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text conf = {0}, remarks = {0};
    struct err  err = {0};
    size_t      lost;
    char       *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    bool made = import_convert("fuzz", text, &import_test_ops, &conf, &remarks, &lost, &err);
    FUZZ_CHECK(made == (conf.len > 0) && made == (err.text[0] == '\0'));
    FUZZ_CHECK(lost == 0 || remarks.len > 0);
    if (made && !wants_environment(conf.at))
        check_loads(conf.at);
    text_fini(&conf);
    text_fini(&remarks);
    free(text);
    return 0;
}
