/* tests/support/unit.h: runs one Check suite as a program. */
#ifndef MQGATE_TESTS_UNIT_H
#define MQGATE_TESTS_UNIT_H

#include <check.h>

/* Takes the suite over. What main() returns: 0 when all tests passed. */
int unit_run(Suite *suite);

#endif
