/* engine/visitor.h: connections to a listener with admin while it is closed to clients: full, disabled, past a limit of
 * the process, or closed to their address. Plain HTTP goes its way; everything else is reset as soon as that is told.
 * They are no sessions, and few at a time. Private to engine/; a worker's own. */
#ifndef MQGATE_ENGINE_VISITOR_H
#define MQGATE_ENGINE_VISITOR_H

#include "engine/worker.h"

enum { VISITORS_MAX = 64 }; /* of a worker; past it the oldest, who has said nothing for longest, goes */

/* Takes fd over. refusal: as what it is counted that it is no client. */
void visitor_begin(struct worker *w, struct snap_bind *bind, int fd, const struct addr *peer, enum count refusal);
/* Resets them all. */
void visitors_close(struct worker *w);
/* A connection is over that was not let in. */
void count_turned_away(struct worker *w, const struct snap_bind *bind, enum count refusal);

#endif
