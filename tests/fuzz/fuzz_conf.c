/* Any text is a configuration or has errors; what is a configuration prints to text that loads to the same print. */
#include "conf/load.h"
#include "conf/print.h"
#include "fuzz.h"

static char *print(const struct conf *conf)
{
    char  *text = NULL;
    size_t len;
    FILE  *to = open_memstream(&text, &len);
    FUZZ_CHECK(to != NULL && conf_print(conf, to) == 0 && fclose(to) == 0);
    return text;
}

static void check_print(const struct conf *conf)
{
    struct conf_errors errors = {0};
    char              *first = print(conf);
    struct conf       *again = conf_load_text("printed", first, &errors);
    FUZZ_CHECK(again != NULL);
    char *second = print(again);
    FUZZ_CHECK(strcmp(first, second) == 0);
    free(first);
    free(second);
    conf_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_errors errors = {0};
    char              *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct conf *conf = conf_load_text("fuzz", text, &errors);
    FUZZ_CHECK((conf == NULL) == (errors.n > 0 || errors.out_of_memory));
    if (conf != NULL)
        check_print(conf);
    conf_errors_free(&errors);
    conf_unref(conf);
    free(text);
    return 0;
}
