/* proto/utf8.h: is this UTF-8 text? */
#ifndef MQGATE_PROTO_UTF8_H
#define MQGATE_PROTO_UTF8_H

#include <stdbool.h>

#include "base/slice.h"

/* Well-formed as RFC 3629 has it: shortest forms, no surrogates, nothing past U+10FFFF. And no U+0000, which MQTT
 * forbids (5.0 section 1.5.4). Empty text is good. */
bool utf8_is_text(struct slice text);

#endif
