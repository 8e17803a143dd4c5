#include "base/utf8.h"

/* RFC 3629 section 4: how many bytes follow, and in which range the first of them lies, depends on the lead byte; the
 * narrowed ranges shut out long forms and surrogates. */
size_t utf8_char_len(struct slice text)
{
    uint8_t lead = text.ptr[0], low = 0x80, high = 0xBF;
    size_t  len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4 || len > text.len)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (text.ptr[1] < low || text.ptr[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((text.ptr[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool utf8_is_control(struct slice text)
{
    uint8_t c = text.ptr[0];
    return c < 0x20 || c == 0x7F || (c == 0xC2 && text.len >= 2 && text.ptr[1] < 0xA0);
}

static bool is_well_formed(struct slice text, bool (*is_forbidden)(struct slice))
{
    while (text.len > 0) {
        size_t len = utf8_char_len(text);
        if (len == 0 || is_forbidden(text))
            return false;
        text = slice_skip(text, len);
    }
    return true;
}

static bool is_null(struct slice text)
{
    return text.ptr[0] == '\0';
}

bool utf8_is_text(struct slice text)
{
    return is_well_formed(text, is_null);
}

bool utf8_is_printable(struct slice text)
{
    return is_well_formed(text, utf8_is_control);
}
