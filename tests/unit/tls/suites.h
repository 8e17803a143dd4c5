/* The test cases of room tls/, one a file. */
#ifndef MQGATE_TESTS_TLS_SUITES_H
#define MQGATE_TESTS_TLS_SUITES_H

#include <check.h>

TCase *context_tests(void);
TCase *verify_tests(void);
TCase *record_tests(void);
TCase *detach_tests(void);
TCase *carry_tests(void);
TCase *stream_tests(void);
TCase *ws_accept_tests(void);

#endif
