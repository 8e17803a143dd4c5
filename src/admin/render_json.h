/* admin/render_json.h: all that is known, as one JSON object. Pure but for reading clock and counters. */
#ifndef MQGATE_ADMIN_RENDER_JSON_H
#define MQGATE_ADMIN_RENDER_JSON_H

#include "report/view.h"

/* NULL when memory is out. free() the result. Its size and the time for it grow with listeners and servers only. */
char *render_json(const struct view *view);

#endif
