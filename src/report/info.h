/* report/info.h: the process in figures, HAProxy's `show info`. */
#ifndef MQGATE_REPORT_INFO_H
#define MQGATE_REPORT_INFO_H

#include "base/text.h"
#include "report/lines.h"

enum info_form { INFO_PLAIN, INFO_DESC, INFO_TYPED, INFO_JSON };

void report_info(const struct view *view, enum info_form form, struct text *out);

/* Each figure in HAProxy's order. The value lives during the call. */
void info_each(const struct view *view,
               void (*fn)(void *user, size_t pos, const char *name, const char *tags, const struct value *value),
               void *user);

#endif
