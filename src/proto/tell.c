#include "proto/tell.h"

#include <stdbool.h>

enum { METHOD_MAX = 32 }; /* bytes; the longest that is registered has 17 */

static const char v1_signature[] = "PROXY ", v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

static bool is_method_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || c == '-';
}

/* RFC 3986 section 3.1. */
static bool is_scheme_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.';
}

static size_t common_len(struct slice in, struct slice with)
{
    size_t n = 0;
    while (n < in.len && n < with.len && in.ptr[n] == with.ptr[n])
        n++;
    return n;
}

/* TELL_PROXY, TELL_MORE, or TELL_NOTHING: it is not this one. */
static enum tell tell_signature(struct slice in, struct slice signature)
{
    size_t n = common_len(in, signature);
    if (n == signature.len)
        return TELL_PROXY;
    return n == in.len ? TELL_MORE : TELL_NOTHING;
}

/* As ws_check_request() compares it. */
static enum tell tell_path(struct slice target, struct slice ws_path)
{
    size_t n = common_len(target, ws_path);
    if (n < ws_path.len)
        return n == target.len ? TELL_MORE : TELL_HTTP;
    target = slice_skip(target, n);
    if (target.len > 0 && target.ptr[0] == '/')
        target = slice_skip(target, 1);
    if (target.len == 0)
        return TELL_MORE;
    return target.ptr[0] == ' ' || target.ptr[0] == '?' ? TELL_WS : TELL_HTTP;
}

/* scheme://authority/path, RFC 9112 section 3.2.2. */
static enum tell tell_absolute(struct slice target, struct slice ws_path)
{
    static const char mark[] = "://";
    size_t            n = 0;
    while (n < target.len && is_scheme_character(target.ptr[n]))
        n++;
    if (n == 0 && target.len > 0)
        return TELL_NOTHING;
    target = slice_skip(target, n);
    n = common_len(target, slice_str(mark));
    if (n < sizeof mark - 1)
        return n == target.len ? TELL_MORE : TELL_NOTHING;
    target = slice_skip(target, n);
    for (n = 0; n < target.len && target.ptr[n] != '/'; n++) {
        if (target.ptr[n] <= ' ' || target.ptr[n] == '?')
            return TELL_HTTP;
    }
    return tell_path(slice_skip(target, n), ws_path);
}

static enum tell tell_http(struct slice in, struct slice ws_path)
{
    size_t n = 0;
    while (n < in.len && n <= METHOD_MAX && is_method_character(in.ptr[n]))
        n++;
    if (n == in.len && n <= METHOD_MAX)
        return TELL_MORE;
    if (n == 0 || n > METHOD_MAX || in.ptr[n] != ' ')
        return TELL_NOTHING;
    struct slice target = slice_skip(in, n + 1);
    if (target.len == 0)
        return TELL_MORE;
    if (target.ptr[0] == '*')
        return TELL_HTTP;
    return target.ptr[0] == '/' ? tell_path(target, ws_path) : tell_absolute(target, ws_path);
}

/* RFC 9112 section 2.2. */
static struct slice without_empty_line(struct slice in)
{
    if (slice_starts(in, slice_str("\r\n")))
        return slice_skip(in, 2);
    return slice_starts(in, slice_str("\n")) ? slice_skip(in, 1) : in;
}

static enum tell tell_first(struct slice in, const char *ws_path)
{
    enum tell v1 = tell_signature(in, slice_str(v1_signature));
    enum tell v2 = tell_signature(in, slice_of(v2_signature, sizeof v2_signature - 1));
    if (v1 == TELL_PROXY || v2 == TELL_PROXY)
        return TELL_PROXY;
    if (v1 == TELL_MORE || v2 == TELL_MORE)
        return TELL_MORE;
    if (in.ptr[0] == 0x16)
        return TELL_TLS;
    if (in.ptr[0] == 0x10)
        return TELL_MQTT;
    return tell_http(without_empty_line(in), slice_str(ws_path));
}

enum tell tell(struct slice in, const char *ws_path)
{
    enum tell answer = tell_first(in.len <= TELL_MAX ? in : slice_of(in.ptr, TELL_MAX), ws_path);
    return answer == TELL_MORE && in.len >= TELL_MAX ? TELL_HTTP : answer;
}
