/* engine/describe.h: a session in words, for `show sess`. Private to engine/; in the thread of its worker. */
#ifndef MQGATE_ENGINE_DESCRIBE_H
#define MQGATE_ENGINE_DESCRIBE_H

#include "base/text.h"
#include "engine/session.h"

/* One line, that begins as HAProxy's does and goes on with key=value. */
void describe_session(const struct session *s, struct text *out);
/* Everything: the line, and indented ones about each side and each direction. */
void describe_session_whole(struct session *s, struct text *out);

#endif
