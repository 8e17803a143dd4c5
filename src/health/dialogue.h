/* health/dialogue.h: what a type of check says to a server and makes of the answer. Pure: bytes in, verdict out. */
#ifndef MQGATE_HEALTH_DIALOGUE_H
#define MQGATE_HEALTH_DIALOGUE_H

#include "base/slice.h"
#include "health/probe.h"

struct dialogue {
    /* Bytes that encode_request() needs at most for this target. */
    size_t (*request_room)(const struct probe_target *target);
    /* Returns the length, 0 when cap is too small. */
    size_t (*encode_request)(const struct probe_target *target, uint8_t *out, size_t cap);
    /* heard: all that the server has said. True when that settles status, code and detail of *result, else false and
     * *result is untouched. Without a verdict after answer_max bytes the check fails. */
    bool (*judge)(const struct conf_check *check, struct slice heard, struct probe_result *result);
    size_t answer_max; /* bytes, at most DIALOGUE_ANSWER_MAX */
    /* What is said last, once the verdict is in; as encode_request(). NULL: nothing. */
    size_t (*encode_farewell)(uint8_t *out, size_t cap);
};

enum { DIALOGUE_ANSWER_MAX = 8192, DIALOGUE_FAREWELL_MAX = 8 }; /* bytes */

extern const struct dialogue dialogue_mqtt; /* CONNECT, any CONNACK, DISCONNECT */
extern const struct dialogue dialogue_http; /* GET, the expected status */

#endif
