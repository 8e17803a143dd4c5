/* The test cases of room health/. */
#ifndef MQGATE_TESTS_HEALTH_SUITES_H
#define MQGATE_TESTS_HEALTH_SUITES_H

#include <check.h>

TCase *connect_tests(void);
TCase *dialogue_tests(void);
TCase *tls_tests(void);
TCase *state_tests(void);
TCase *carry_tests(void);

#endif
