#include <check.h>

#include "tls/ws_accept.h"
#include "unit/tls/suites.h"

START_TEST(the_example_of_rfc_6455_is_met)
{
    char accept[WS_ACCEPT_LEN + 1];
    ck_assert(ws_accept(slice_str("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    ck_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

START_TEST(what_is_no_key_is_refused)
{
    char accept[WS_ACCEPT_LEN + 1];
    ck_assert(!ws_accept(slice_str("dGhlIHNhbXBsZSBub25jZQ="), accept));
    ck_assert(!ws_accept(slice_of(NULL, 0), accept));
}
END_TEST

TCase *ws_accept_tests(void)
{
    TCase *tc = tcase_create("ws_accept");
    tcase_add_test(tc, the_example_of_rfc_6455_is_met);
    tcase_add_test(tc, what_is_no_key_is_refused);
    return tc;
}
