/* daemon/files.h: whether the files that a configuration names have changed on disk. */
#ifndef MQGATE_DAEMON_FILES_H
#define MQGATE_DAEMON_FILES_H

#include <stdint.h>

#include "conf/model.h"

enum { FILES_LOOK_S = 2 }; /* between two looks */

/* Of all certificates, keys, authorities and revocation lists: another number when one of them was replaced, written
 * to, or went. Symbolic links are followed. */
uint64_t files_stamp(const struct conf *conf);

#endif
