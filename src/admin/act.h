/* admin/act.h: an operator's form is carried out. */
#ifndef MQGATE_ADMIN_ACT_H
#define MQGATE_ADMIN_ACT_H

#include "base/slice.h"
#include "report/view.h"

/* HAProxy's code for how it went: "DONE" all servers that were named, "PART" some of them, "NONE" there was nothing
 * to do, "ERRP" a field is wrong. Static. */
const char *act_on_form(const struct view *view, struct slice body);

/* A browser that was led here by another site must not act. host, origin, referer and fetch_site are the request's
 * headers, NULL where it has none. */
bool act_comes_from_here(const char *host, const char *origin, const char *referer, const char *fetch_site);

#endif
