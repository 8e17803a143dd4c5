/* base/utf8.h: characters and text as RFC 3629 has them: shortest forms, no surrogates, nothing past U+10FFFF. */
#ifndef MQGATE_BASE_UTF8_H
#define MQGATE_BASE_UTF8_H

#include <stdbool.h>

#include "base/slice.h"

/* Bytes of the character that text begins with; 0 when it begins with none. text is not empty. */
size_t utf8_char_len(struct slice text);
/* The character that text begins with is a control, U+0000 to U+001F or U+007F to U+009F: the latter steer a terminal
 * as the former do. */
bool utf8_is_control(struct slice text);

/* Well-formed, and without U+0000, which MQTT forbids (5.0 section 1.5.4). Empty text is good. */
bool utf8_is_text(struct slice text);
/* Well-formed, and without a control. */
bool utf8_is_printable(struct slice text);

#endif
