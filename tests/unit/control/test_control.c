/* Unit tests of room control/: real Unix sockets, one loop for both sides. */
#include <check.h>

#include "support/unit.h"
#include "unit/control/suites.h"

int main(void)
{
    Suite *suite = suite_create("control");
    suite_add_tcase(suite, line_tests());
    suite_add_tcase(suite, command_tests());
    suite_add_tcase(suite, client_tests());
    suite_add_tcase(suite, pending_tests());
    suite_add_tcase(suite, socket_tests());
    return unit_run(suite);
}
