/* tests/unit/ctl/suites.h: the test cases of this room's one test program. */
#ifndef MQGATE_TESTS_CTL_SUITES_H
#define MQGATE_TESTS_CTL_SUITES_H

#include <check.h>

TCase *answers_tcase(void);  /* what mqgate says, taken apart */
TCase *commands_tcase(void); /* what is said to it */
TCase *screen_tcase(void);   /* what is shown of it */

#endif
