#include "admin/form.h"

#include <string.h>
#include <strings.h>

#include "base/macros.h"

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t form_decode(struct slice s, uint8_t *out)
{
    int high = s.len >= 3 && s.ptr[0] == '%' ? hex(s.ptr[1]) : -1, low = high >= 0 ? hex(s.ptr[2]) : -1;
    if (low >= 0) {
        *out = (uint8_t)(high << 4 | low);
        return 3;
    }
    *out = s.ptr[0] == '+' ? ' ' : s.ptr[0];
    return 1;
}

/* "" when it is too long or holds a NUL. */
static void decode_value(struct slice s, char out[FORM_VALUE_MAX])
{
    size_t n = 0;
    while (s.len > 0 && n < FORM_VALUE_MAX - 1) {
        s = slice_skip(s, form_decode(s, (uint8_t *)&out[n]));
        if (out[n++] == '\0')
            s.len = n = 0;
    }
    out[s.len == 0 ? n : 0] = '\0';
}

/* The field that begins at *at: its name is compared as it stands, since none here needs an escape. */
static bool next_field(struct slice body, size_t *at, struct slice *name, struct slice *value)
{
    if (*at >= body.len)
        return false;
    struct slice   rest = slice_skip(body, *at);
    const uint8_t *end = memchr(rest.ptr, '&', rest.len);
    size_t         len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
    const uint8_t *equals = memchr(rest.ptr, '=', len);
    size_t         name_len = equals != NULL ? (size_t)(equals - rest.ptr) : len;
    *name = slice_of(rest.ptr, name_len);
    *value = equals != NULL ? slice_of(equals + 1, len - name_len - 1) : slice_of(NULL, 0);
    *at += len + 1;
    return true;
}

static enum form_action action_of(const char *word)
{
    static const struct {
        const char      *word;
        enum form_action action;
    } actions[] = {{"ready", FORM_READY},       {"drain", FORM_DRAIN},     {"maint", FORM_MAINT},
                   {"dhlth", FORM_CHECKS_OFF},  {"ehlth", FORM_CHECKS_ON}, {"hrunn", FORM_UP},
                   {"hnolb", FORM_STOPPING},    {"hdown", FORM_DOWN},      {"dagent", FORM_AGENT},
                   {"eagent", FORM_AGENT},      {"arunn", FORM_AGENT},     {"adown", FORM_AGENT},
                   {"shutdown", FORM_SHUTDOWN}, {"enable", FORM_ENABLE},   {"disable", FORM_DISABLE},
                   {"stop", FORM_STOP},         {"start", FORM_START}};
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].word, word) == 0)
            return actions[i].action;
    }
    return FORM_UNKNOWN;
}

void form_parse(struct slice body, struct form *out)
{
    char         word[FORM_VALUE_MAX];
    struct slice name, value;
    size_t       at = 0;
    *out = (struct form){.action = FORM_NOTHING};
    while (next_field(body, &at, &name, &value)) {
        if (slice_eq(name, slice_str("action"))) {
            decode_value(value, word);
            out->action = action_of(word);
        } else if (slice_eq(name, slice_str("b"))) {
            decode_value(value, out->backend);
            out->has_backend = true;
        }
    }
}

bool form_next_server(struct slice body, size_t *at, char out[FORM_VALUE_MAX])
{
    struct slice name, value;
    while (next_field(body, at, &name, &value)) {
        if (slice_eq(name, slice_str("s"))) {
            decode_value(value, out);
            return true;
        }
    }
    return false;
}

bool form_may_be(const char *content_type)
{
    static const char urlencoded[] = "application/x-www-form-urlencoded";
    if (content_type == NULL)
        return true;
    size_t len = strcspn(content_type, "; \t");
    return len == sizeof urlencoded - 1 && strncasecmp(content_type, urlencoded, len) == 0;
}
