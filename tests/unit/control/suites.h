/* The test cases of room control/. */
#ifndef MQGATE_TESTS_CONTROL_SUITES_H
#define MQGATE_TESTS_CONTROL_SUITES_H

#include <check.h>

TCase *line_tests(void);
TCase *command_tests(void);
TCase *client_tests(void);
TCase *pending_tests(void);
TCase *socket_tests(void);

#endif
