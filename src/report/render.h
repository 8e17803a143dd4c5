/* report/render.h: the lines in HAProxy's forms. They are appended to out; a proxy that does not exist leaves out as it
 * is, and the answer is false. */
#ifndef MQGATE_REPORT_RENDER_H
#define MQGATE_REPORT_RENDER_H

#include "base/text.h"
#include "report/lines.h"

/* "# " and the header, then a line each; every line ends with a comma. */
bool report_csv(const struct view *view, const struct line_filter *filter, struct text *out);
/* A line for each value: "F.1.0.4.scur.1:MGPV:u32:7". */
bool report_typed(const struct view *view, const struct line_filter *filter, struct text *out);
/* The same as one array of arrays of objects. */
bool report_json(const struct view *view, const struct line_filter *filter, struct text *out);
/* The JSON schema of both JSON forms. */
void report_json_schema(struct text *out);

/* What follows the name in the typed and the JSON form; shared with report/info.c. */
void report_typed_value(const char *tags, const struct value *value, struct text *out);
void report_json_value(size_t pos, const char *name, const char *tags, const struct value *value, struct text *out);

#endif
