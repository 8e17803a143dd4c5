/* tests/unit/upstream/suites.h: the parts of the suite. */
#ifndef MQGATE_TESTS_UPSTREAM_SUITES_H
#define MQGATE_TESTS_UPSTREAM_SUITES_H

#include <check.h>

TCase *balance_tcase(void);
TCase *pool_tcase(void);
TCase *pace_tcase(void);
TCase *sources_tcase(void);

#endif
