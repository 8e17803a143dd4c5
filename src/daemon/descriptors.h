/* daemon/descriptors.h: how many client connections the limit of open files carries. */
#ifndef MQGATE_DAEMON_DESCRIPTORS_H
#define MQGATE_DAEMON_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* Raises the soft limit of open files to the hard one. n_fixed: descriptors that are not sessions'. Returns
 * max_connections, or what the limit carries (at least 1) and a warning that shows the arithmetic. A session takes
 * two descriptors. */
uint32_t descriptors_carry(uint32_t max_connections, size_t n_fixed, struct log *log);

#endif
