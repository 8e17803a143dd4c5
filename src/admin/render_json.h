/* admin/render_json.h: all that is known, as one JSON object. Pure but for reading clock and counters. */
#ifndef MQGATE_ADMIN_RENDER_JSON_H
#define MQGATE_ADMIN_RENDER_JSON_H

#include "base/text.h"
#include "report/view.h"

/* Appends to out. Its size and the time for it grow with listeners and servers only. */
void render_json(const struct view *view, struct text *out);

#endif
