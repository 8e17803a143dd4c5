/* ctl/lines.h: walks over an answer line by line. */
#ifndef MQGATE_CTL_LINES_H
#define MQGATE_CTL_LINES_H

#include "base/slice.h"

/* Takes the first line off text, without its line end; false when there is no more. */
static inline bool lines_next(struct slice *text, struct slice *line)
{
    if (text->len == 0)
        return false;
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    *line = slice_of(text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);
    *text = slice_skip(*text, line->len + (end != NULL ? 1 : 0));
    return true;
}

#endif
