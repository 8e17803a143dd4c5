/* tests/unit/conf/conf_tests.h: the cases of room conf/, and what they share. */
#ifndef MQGATE_TESTS_CONF_TESTS_H
#define MQGATE_TESTS_CONF_TESTS_H

#include <check.h>

#include "conf/load.h"

TCase *values_case(void);
TCase *errors_case(void);
TCase *files_case(void);
TCase *options_case(void);

/* A configuration that is good; more may be written behind it. */
#define GOOD_BACKENDS  "backends = ({ name = \"b\"; servers = ({ name = \"s\"; address = \"127.0.0.1:1\"; }); });"
#define GOOD_LISTENERS "listeners = ({ name = \"l\"; bind = \"0.0.0.0:1883\"; protocol = \"tcp\"; backend = \"b\"; });"
#define GOOD           GOOD_BACKENDS GOOD_LISTENERS
/* With these servers in the backend. */
#define SERVERS(list)  GOOD_LISTENERS "backends = ({ name = \"b\"; servers = (" list "); });"

/* The text must load; the errors are shown when it does not. Free with conf_unref(). */
struct conf *load_good(const char *text);
/* Every error of the text, a line each, without the "t:" that they begin with; "" for none. Free with free(). */
char *errors_of(const char *text);
/* conf_print() as text. Free with free(). */
char *printed(const struct conf *conf);

#endif
