/* tests/unit/base/suites.h: the parts of the suite. */
#ifndef MQGATE_TESTS_BASE_SUITES_H
#define MQGATE_TESTS_BASE_SUITES_H

#include <check.h>

TCase *image_tcase(void);
TCase *meter_tcase(void);
TCase *tcplog_tcase(void);

#endif
