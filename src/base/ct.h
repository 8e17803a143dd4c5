/* base/ct.h: comparing secrets without telling by the time it takes where they differ. */
#ifndef MQGATE_BASE_CT_H
#define MQGATE_BASE_CT_H

#include "base/slice.h"

/* The lengths are no secret; the time depends on them alone. */
bool ct_equal(struct slice a, struct slice b);

#endif
