/* tests/unit/ctl/import_tests.h: the cases of the import, and what they share. */
#ifndef MQGATE_TESTS_IMPORT_TESTS_H
#define MQGATE_TESTS_IMPORT_TESTS_H

#include <check.h>

#include "conf/load.h"

TCase *import_words_case(void);
TCase *import_proxies_case(void);
TCase *import_admin_case(void);

/* What came of an HAProxy configuration named "t". */
struct made {
    struct conf *conf;    /* as mqgate loads it; NULL: nothing was made */
    char        *text;    /* of the mqgate.conf; "" */
    char        *remarks; /* all of them; "" */
    char         why[512];
    size_t       lost;
};

/* What is made must load, or name a variable of the environment; free with made_free(). */
struct made make(const char *haproxy);
void        made_free(struct made *made);

/* Nothing is said, everything is carried over. */
void assert_carried(const struct made *made);
/* A remark begins with "t:LINE: " and has the words; lost lines have no "note: ". */
void assert_lost(const struct made *made, unsigned line, const char *words);
void assert_noted(const struct made *made, unsigned line, const char *words);

/* Two lines, then three. */
#define BACK  "backend b\n server s 127.0.0.1:11883 check\n"
#define FRONT "frontend f\n bind 127.0.0.1:1883\n default_backend b\n"

#endif
