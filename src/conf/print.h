/* conf/print.h: the effective configuration as text in the configuration language; it loads again to the same. */
#ifndef MQGATE_CONF_PRINT_H
#define MQGATE_CONF_PRINT_H

#include <stdio.h>

#include "conf/model.h"

/* Options that this version refuses stand as comments. 0, or -1 when writing failed. */
int conf_print(const struct conf *conf, FILE *to);

#endif
