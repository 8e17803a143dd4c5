/* ctl/show_info.h: the answer to "show info": lines of "Key: value". */
#ifndef MQGATE_CTL_SHOW_INFO_H
#define MQGATE_CTL_SHOW_INFO_H

#include "base/slice.h"

/* The next line that is a key and its value; false when there is none. */
bool show_info_next(struct slice *answer, struct slice *key, struct slice *value);
/* Empty when there is no such key. */
struct slice show_info_get(struct slice answer, const char *key);
/* 0 when there is no such key, or no number. */
uint64_t show_info_number(struct slice answer, const char *key);

#endif
