/* Unit tests of room tls/. */
#include <check.h>

#include "support/unit.h"
#include "unit/tls/suites.h"

int main(void)
{
    Suite *suite = suite_create("tls");
    suite_add_tcase(suite, context_tests());
    suite_add_tcase(suite, verify_tests());
    suite_add_tcase(suite, record_tests());
    suite_add_tcase(suite, detach_tests());
    suite_add_tcase(suite, carry_tests());
    suite_add_tcase(suite, stream_tests());
    suite_add_tcase(suite, ws_accept_tests());
    return unit_run(suite);
}
