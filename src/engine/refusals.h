/* engine/refusals.h: the last clients that a worker sent away for what they said, with the first bytes of it, for
 * `show errors`. Private to engine/; a worker's own, read through an inquiry. */
#ifndef MQGATE_ENGINE_REFUSALS_H
#define MQGATE_ENGINE_REFUSALS_H

#include "base/slice.h"
#include "base/text.h"
#include "engine/session.h"

enum { REFUSALS_KEPT = 4, REFUSAL_BYTES_MAX = 128 };

struct refusal {
    uint64_t           number; /* from 1, of this worker; 0: none */
    uint64_t           wall_ms;
    struct addr        client;
    uint64_t           id;
    char               listener[65];
    enum why           why;
    enum session_state state;
    uint8_t            n; /* bytes kept */
    uint8_t            bytes[REFUSAL_BYTES_MAX];
};

struct refusals {
    uint64_t       n; /* ever */
    struct refusal at[REFUSALS_KEPT];
};

/* Keeps what s said, if that is why it ends. */
void refusals_note(struct session *s);
/* Newest first. */
void refusals_describe(const struct refusals *all, struct text *out);

#endif
