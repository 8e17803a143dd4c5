#include "admin/basic.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"

enum { DECODED_MAX = USER_MAX + PASSWORD_MAX };

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static struct slice without_padding(struct slice text)
{
    for (unsigned i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    return text;
}

/* Padded base64, RFC 4648 section 4. False when it is not that, or more than `room` bytes. */
static bool base64_decode(struct slice text, uint8_t *out, size_t room, size_t *len)
{
    struct slice digits = without_padding(text);
    uint32_t     bits = 0;
    unsigned     n_bits = 0;
    *len = 0;
    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        int value = base64_value(digits.ptr[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        if (*len == room)
            return false;
        n_bits -= 8;
        out[(*len)++] = (uint8_t)(bits >> n_bits);
    }
    return true;
}

/* The first colon ends the user; the password may hold more of them. */
static bool split(struct slice pair, struct credentials *out)
{
    const uint8_t *colon = pair.len > 0 ? memchr(pair.ptr, ':', pair.len) : NULL;
    if (colon == NULL || memchr(pair.ptr, '\0', pair.len) != NULL)
        return false;
    size_t       user_len = (size_t)(colon - pair.ptr);
    struct slice password = slice_skip(pair, user_len + 1);
    if (user_len >= USER_MAX || password.len >= PASSWORD_MAX)
        return false;
    memcpy(out->user, pair.ptr, user_len);
    out->user[user_len] = '\0';
    memcpy(out->password, password.ptr, password.len);
    out->password[password.len] = '\0';
    return true;
}

bool basic_parse(const char *header, struct credentials *out)
{
    static const char scheme[] = "Basic ";
    uint8_t           pair[DECODED_MAX];
    size_t            len;
    if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *token = header + sizeof scheme - 1;
    token += strspn(token, " ");
    bool ok = base64_decode(slice_str(token), pair, sizeof pair, &len) && split(slice_of(pair, len), out);
    explicit_bzero(pair, sizeof pair);
    return ok;
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof *credentials);
}
