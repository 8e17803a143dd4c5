#include "base/logline.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/utf8.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug"};

/* Room kept for what must still follow a cut value: closing quote and brace. */
enum { TAIL_ROOM = 8 };

struct line {
    char           *out;
    size_t          len;
    enum log_format format;
};

static size_t room_left(const struct line *l)
{
    size_t taken = l->len + TAIL_ROOM + 1;
    return taken < LOG_LINE_MAX ? LOG_LINE_MAX - taken : 0;
}

static bool has_room(const struct line *l, size_t n)
{
    return n <= room_left(l);
}

static void put(struct line *l, const char *text, size_t n)
{
    if (!has_room(l, n))
        return;
    memcpy(l->out + l->len, text, n);
    l->len += n;
}

static void put_str(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

static void put_escaped_byte(struct line *l, uint8_t c)
{
    char text[8];
    if (c == '"' || c == '\\')
        (void)snprintf(text, sizeof text, "\\%c", c);
    else if (c == '\n')
        (void)snprintf(text, sizeof text, "\\n");
    else if (l->format == FORMAT_JSON)
        (void)snprintf(text, sizeof text, "\\u%04x", c);
    else
        (void)snprintf(text, sizeof text, "\\x%02x", c);
    put_str(l, text);
}

/* A byte that is no UTF-8 becomes \xNN, in JSON the escaped character U+00NN: visible, and never a broken line. */
static void put_quoted(struct line *l, struct slice s)
{
    put(l, "\"", 1);
    while (s.len > 0 && has_room(l, 8)) {
        size_t n = utf8_char_len(s);
        if (n == 0 || utf8_is_control(s) || s.ptr[0] == '"' || s.ptr[0] == '\\') {
            if (n == 2) /* the C1 control itself, not its lead byte */
                s = slice_skip(s, 1);
            put_escaped_byte(l, s.ptr[0]);
            n = 1;
        } else {
            put(l, (const char *)s.ptr, n);
        }
        s = slice_skip(s, n);
    }
    l->out[l->len++] = '"';
}

static bool needs_quotes(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] == '"' || s.ptr[i] == '=' || s.ptr[i] == '\\' || s.ptr[i] >= 0x7F)
            return true;
    }
    return s.len == 0;
}

static void put_text(struct line *l, struct slice s)
{
    if (l->format == FORMAT_JSON || needs_quotes(s))
        put_quoted(l, s);
    else
        put(l, (const char *)s.ptr, s.len < room_left(l) ? s.len : room_left(l));
}

static void put_key(struct line *l, const char *key)
{
    if (l->format == FORMAT_JSON) {
        put_str(l, l->len > 1 ? ",\"" : "\"");
        put_str(l, key);
        put_str(l, "\":");
    } else {
        if (l->len > 0)
            put_str(l, " ");
        put_str(l, key);
        put_str(l, "=");
    }
}

static void put_value(struct line *l, const struct log_field *f)
{
    char text[ADDR_TEXT_MAX];
    switch (f->type) {
    case FIELD_STR:
        put_text(l, slice_str(f->str));
        break;
    case FIELD_BYTES:
        put_text(l, f->bytes);
        break;
    case FIELD_ADDR:
        put_text(l, slice_str(addr_format(f->addr, text)));
        break;
    case FIELD_HEX:
        (void)snprintf(text, sizeof text, "%016" PRIx64, f->u);
        put_text(l, slice_str(text));
        break;
    case FIELD_INT:
        (void)snprintf(text, sizeof text, "%" PRId64, f->i);
        put_str(l, text);
        break;
    case FIELD_UINT:
        (void)snprintf(text, sizeof text, "%" PRIu64, f->u);
        put_str(l, text);
        break;
    case FIELD_END:
        break;
    }
}

static bool is_left_out(const struct log_field *f)
{
    return (f->type == FIELD_STR && f->str == NULL) || (f->type == FIELD_ADDR && f->addr == NULL);
}

static void format_ts(char *out, size_t size, uint64_t wall_ms)
{
    time_t    sec = (time_t)(wall_ms / 1000);
    struct tm tm;
    size_t    n = 0;
    if (gmtime_r(&sec, &tm) != NULL)
        n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, size - n, ".%03uZ", (unsigned)(wall_ms % 1000));
}

size_t logline_format(char out[LOG_LINE_MAX], enum log_format format, uint64_t wall_ms, enum log_level level,
                      const char *event, const struct log_field *fields)
{
    struct line l = {.out = out, .format = format};
    char        ts[40];
    format_ts(ts, sizeof ts, wall_ms);
    const struct log_field head[] = {LOG_STR("ts", ts), LOG_STR("level", log_level_names[level]),
                                     LOG_STR("event", event), LOG_END};
    if (format == FORMAT_JSON)
        put(&l, "{", 1);
    if (format == FORMAT_TCPLOG)
        put_str(&l, event); /* syslog's header has time and severity */
    for (const struct log_field *f = head; format != FORMAT_TCPLOG && f->type != FIELD_END; f++) {
        put_key(&l, f->key);
        put_value(&l, f);
    }
    for (const struct log_field *f = fields; f->type != FIELD_END; f++) {
        /* A key is written only where its value's shortest form still fits. */
        if (is_left_out(f) || !has_room(&l, strlen(f->key) + 48))
            continue;
        put_key(&l, f->key);
        put_value(&l, f);
    }
    if (format == FORMAT_JSON)
        out[l.len++] = '}';
    out[l.len] = '\0';
    return l.len;
}
