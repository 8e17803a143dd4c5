/* Unit tests of room proto/. */
#include <stdlib.h>

#include "proto_tests.h"
#include "support/guarded.h"
#include "support/unit.h"

static enum parse ask_guarded(ask_fn ask, struct slice bytes, size_t *used)
{
    struct slice copy = guarded_copy(bytes);
    enum parse   answer = ask(copy, used);
    guarded_free(copy);
    return answer;
}

void assert_good(ask_fn ask, struct slice good)
{
    size_t   used = good.len;
    uint8_t *longer = malloc(good.len + 8);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, good.ptr, good.len);
    memset(longer + good.len, 0xFF, 8);
    for (size_t n = 0; n < good.len; n++)
        ck_assert_msg(ask_guarded(ask, slice_of(good.ptr, n), &used) == PARSE_MORE, "cut at %zu of %zu", n, good.len);
    ck_assert_uint_eq(used, good.len);
    for (size_t behind = 0; behind <= 8; behind++) {
        ck_assert_int_eq(ask_guarded(ask, slice_of(longer, good.len + behind), &used), PARSE_OK);
        ck_assert_uint_eq(used, good.len);
    }
    free(longer);
}

void assert_bad(ask_fn ask, const struct bad_vector *bad)
{
    size_t used = 12345, shown_by = bad->shown_by != 0 ? bad->shown_by : bad->bytes.len;
    for (size_t n = 0; n <= bad->bytes.len; n++) {
        enum parse answer = ask_guarded(ask, slice_of(bad->bytes.ptr, n), &used);
        ck_assert_msg(answer == (n < shown_by ? PARSE_MORE : PARSE_BAD), "answer %d to %zu of %zu bytes: %.*s", answer,
                      n, bad->bytes.len, (int)bad->bytes.len, (const char *)bad->bytes.ptr);
    }
    ck_assert_uint_eq(used, 12345);
}

int main(void)
{
    Suite *suite = suite_create("proto");
    suite_add_tcase(suite, proxyhdr_tests());
    suite_add_tcase(suite, proxyhdr_encode_tests());
    suite_add_tcase(suite, mqtt_tests());
    suite_add_tcase(suite, mqtt_encode_tests());
    suite_add_tcase(suite, mqtt_follow_tests());
    suite_add_tcase(suite, http1_tests());
    suite_add_tcase(suite, dns_tests());
    suite_add_tcase(suite, clienthello_tests());
    suite_add_tcase(suite, tell_tests());
    suite_add_tcase(suite, ws_frames_tests());
    suite_add_tcase(suite, ws_head_tests());
    return unit_run(suite);
}
