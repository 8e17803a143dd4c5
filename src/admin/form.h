/* admin/form.h: what an operator's form says, application/x-www-form-urlencoded. Pure. */
#ifndef MQGATE_ADMIN_FORM_H
#define MQGATE_ADMIN_FORM_H

#include <stdbool.h>

#include "base/slice.h"

enum { FORM_BYTES_MAX = 16384, FORM_VALUE_MAX = 65 /* NUL included; no name is longer */ };

enum form_action {
    FORM_NOTHING, /* there is no such field */
    FORM_UNKNOWN,
    FORM_READY,
    FORM_DRAIN,
    FORM_MAINT,
    FORM_CHECKS_OFF,
    FORM_CHECKS_ON,
    FORM_UP,
    FORM_STOPPING,
    FORM_DOWN,
    FORM_AGENT, /* any of those about agent checks, of which there are none here */
    FORM_SHUTDOWN,
    FORM_ENABLE, /* older words for ready, maint and drain, which do something only where there is something to do */
    FORM_DISABLE,
    FORM_START,
    FORM_STOP
};

struct form {
    enum form_action action;
    bool             has_backend;
    char             backend[FORM_VALUE_MAX]; /* its name, or "#" and its id; "" when missing or too long */
};

/* Reads action and backend, the last of each; servers are asked for one by one. */
void form_parse(struct slice body, struct form *out);
/* The next server that is named from *at on, which begins as 0. False when there is none. A name that is too long is
 * "". */
bool form_next_server(struct slice body, size_t *at, char out[FORM_VALUE_MAX]);

/* The first byte of s, which is not empty, decoded as of a form or query (URL Standard, section 5.1), and how many
 * bytes stood for it. A percent sign that begins no escape is itself. */
size_t form_decode(struct slice s, uint8_t *out);

/* Whether a Content-Type, NULL: none, leaves it open that the body is such a form. */
bool form_may_be(const char *content_type);

#endif
