/* engine/filter.h: which sessions an operator means. Private to engine/. */
#ifndef MQGATE_ENGINE_FILTER_H
#define MQGATE_ENGINE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct session;

enum { FILTER_NAME_MAX = 65 };

/* All that every set field matches. */
struct session_filter {
    uint64_t id;                                                                           /* 0: any */
    char     frontend[FILTER_NAME_MAX], backend[FILTER_NAME_MAX], server[FILTER_NAME_MAX]; /* "": any */
    uint32_t older_s;
};

/* A longer name is cut; none of a configuration is. */
void filter_take_name(char out[FILTER_NAME_MAX], const char *name);
/* Only those of this server; both "": of any. */
void filter_take_server(struct session_filter *f, const char *backend, const char *server);

bool filter_matches(const struct session_filter *f, const struct session *s) MUST_CHECK;

#endif
