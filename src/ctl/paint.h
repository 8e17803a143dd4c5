/* ctl/paint.h: colour, where the reader wants it. */
#ifndef MQGATE_CTL_PAINT_H
#define MQGATE_CTL_PAINT_H

#include "ctl/show_stat.h"
#include "ctl/table.h"

/* On a terminal, unless NO_COLOR is set to something (https://no-color.org) or the terminal is a dumb one. */
bool       paint_is_wanted(void);
enum paint paint_of_state(enum stat_state state);
/* What turns the colour on (SGR, ECMA-48), "" for none. */
const char *paint_code(enum paint paint);

#endif
