#include "ctl/visible.h"

#include <wchar.h>

#include "base/utf8.h"

/* Columns of the character that text begins with and its bytes; 0 for one that must not be shown. Marks that fill no
 * column are such: among them are those that reverse the direction of writing. */
static size_t char_cols(struct slice text, size_t *len)
{
    wchar_t   wide = 0;
    mbstate_t state = {0};
    *len = utf8_char_len(text);
    if (*len == 0) {
        *len = 1;
        return 0;
    }
    if (utf8_is_control(text) || mbrtowc(&wide, (const char *)text.ptr, *len, &state) != *len)
        return 0;
    int cols = wcwidth(wide);
    return cols > 0 ? (size_t)cols : 0;
}

size_t visible_put(struct text *out, struct slice text)
{
    size_t cols = 0, len;
    for (; text.len > 0; text = slice_skip(text, len)) {
        size_t n = char_cols(text, &len);
        if (n > 0)
            text_put(out, (const char *)text.ptr, len);
        else
            text_put(out, "?", 1);
        cols += n > 0 ? n : 1;
    }
    return cols;
}

size_t visible_cut(struct slice visible, size_t max, size_t *cols)
{
    size_t at = 0, len;
    for (*cols = 0; at < visible.len; at += len) {
        size_t n = char_cols(slice_skip(visible, at), &len);
        if (*cols + n > max)
            break;
        *cols += n;
    }
    return at;
}
