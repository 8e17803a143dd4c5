/* conf/expand.h: ${VARIABLES} inside strings. Private to conf/. */
#ifndef MQGATE_CONF_EXPAND_H
#define MQGATE_CONF_EXPAND_H

#include "base/arena.h"
#include "conf/words.h"

/* text with each ${NAME} and ${NAME:-default} replaced by what getenv(3) says; as in a shell the default stands for an
 * empty variable too. `$${` is a plain `${`; any other `$` is itself. In the arena.
 * NULL: problem says what was found and what is allowed, or is empty when memory is out. */
const char *expand(const char *text, struct arena *arena, struct words *problem) MUST_CHECK;

#endif
