/* engine/handover.h: connections that are plain HTTP, on their way from a worker to whoever answers it in the main
 * thread. Private to engine/. */
#ifndef MQGATE_ENGINE_HANDOVER_H
#define MQGATE_ENGINE_HANDOVER_H

#include "engine/worker.h"

enum { HANDOVERS_MAX = 256 }; /* at a time; further ones are reset: the main thread does not come round */

/* In a worker's thread. Takes fd over, which nobody watches any more. */
void handover_send(struct engine *engine, int fd, const struct addr *peer, bool health_only);
/* In the main thread: what has come goes to the settings' plain_http(). */
void handovers_take(struct engine *engine);
/* No thread runs any more: closes what is on its way. */
void handovers_close(struct engine *engine);

#endif
