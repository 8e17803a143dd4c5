#include "ctl/csv.h"
#include "ctl/lines.h"
#include "ctl/show_info.h"
#include "ctl/show_sess.h"
#include "ctl/show_stat.h"
#include "fuzz.h"

static void check_stat(char *text, size_t size)
{
    struct show_stat stat;
    if (!show_stat_parse(&stat, text, size))
        return;
    for (size_t i = 0; i < stat.n; i++) {
        for (size_t column = 0; column < STAT_COLUMNS; column++)
            FUZZ_CHECK(fuzz_inside(stat.rows[i].cell[column], slice_of(text, size)));
        (void)show_stat_state(stat.rows[i].cell[STAT_STATUS]);
    }
    show_stat_fini(&stat);
}

static void check_sess(struct slice line)
{
    struct show_sess sess;
    struct text      details = {.at = NULL};
    if (!show_sess_parse(line, &sess))
        return;
    FUZZ_CHECK(fuzz_inside(sess.src, line) && fuzz_inside(sess.fe, line) && fuzz_inside(sess.srv, line));
    show_sess_details(&sess, &details);
    FUZZ_CHECK(details.len <= line.len);
    text_fini(&details);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), line, key, value;
    while (lines_next(&rest, &line))
        check_sess(line);
    rest = slice_of(data, size);
    while (show_info_next(&rest, &key, &value))
        FUZZ_CHECK(fuzz_inside(key, slice_of(data, size)) && fuzz_inside(value, slice_of(data, size)));
    char *copy = malloc(size + 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data, size);
    check_stat(copy, size);
    free(copy);
    return 0;
}
