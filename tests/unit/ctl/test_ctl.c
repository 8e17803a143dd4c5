/* Unit tests of room ctl/. */
#include <check.h>
#include <locale.h>

#include "support/unit.h"
#include "unit/ctl/suites.h"

int main(void)
{
    Suite *suite = suite_create("ctl");
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    suite_add_tcase(suite, answers_tcase());
    suite_add_tcase(suite, commands_tcase());
    suite_add_tcase(suite, screen_tcase());
    return unit_run(suite);
}
