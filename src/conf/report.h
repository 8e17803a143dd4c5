/* conf/report.h: the list of everything that is wrong, in the file's order. Private to conf/. */
#ifndef MQGATE_CONF_REPORT_H
#define MQGATE_CONF_REPORT_H

#include "conf/load.h"
#include "conf/words.h"

/* Takes a copy of text; order is the line of the whole text, includes included, that it is about. */
void report_add(struct conf_errors *errors, unsigned order, const char *text);

#endif
