/* Unit tests of room admin/. */
#include <check.h>

#include "support/unit.h"
#include "unit/admin/suites.h"

int main(void)
{
    Suite *suite = suite_create("admin");
    suite_add_tcase(suite, pure_tcase());
    suite_add_tcase(suite, prom_tcase());
    suite_add_tcase(suite, mqtt_tcase());
    suite_add_tcase(suite, http_tcase());
    suite_add_tcase(suite, slow_tcase());
    return unit_run(suite);
}
