/* Unit tests of room health/: real sockets, servers that misbehave on purpose, one loop for both sides. */
#include <check.h>

#include "support/unit.h"
#include "unit/health/suites.h"

int main(void)
{
    Suite *suite = suite_create("health");
    suite_add_tcase(suite, connect_tests());
    suite_add_tcase(suite, dialogue_tests());
    suite_add_tcase(suite, tls_tests());
    suite_add_tcase(suite, state_tests());
    suite_add_tcase(suite, carry_tests());
    return unit_run(suite);
}
