/* tests/unit/admin/suites.h: the test cases of this room's one test program. */
#ifndef MQGATE_TESTS_ADMIN_SUITES_H
#define MQGATE_TESTS_ADMIN_SUITES_H

#include <check.h>

TCase *pure_tcase(void); /* no socket, no thread */
TCase *prom_tcase(void);
TCase *mqtt_tcase(void);
TCase *http_tcase(void);
TCase *slow_tcase(void); /* waits for the timeouts of the real thing */

#endif
