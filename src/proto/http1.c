#include "proto/http1.h"

#include <strings.h>

#include "proto/reader.h"

enum character_class {
    CLASS_TOKEN = 1,  /* RFC 9110 section 5.6.2: method, field name */
    CLASS_TARGET = 2, /* RFC 9112 section 3.2: what a URI is made of, loosely: visible ASCII */
    CLASS_TEXT = 4    /* RFC 9110 section 5.5: field value; RFC 9112 section 4: reason phrase */
};

static unsigned classes_of(uint8_t c)
{
    if (c == '\t' || c == ' ' || c >= 0x80)
        return CLASS_TEXT;
    if (c < ' ' || c == 0x7F)
        return 0;
    if (strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
        return CLASS_TARGET | CLASS_TEXT;
    return CLASS_TOKEN | CLASS_TARGET | CLASS_TEXT;
}

/* The characters of this class that follow. At least one byte behind them has arrived, or the reader says MORE. */
static struct slice take_while(struct reader *r, enum character_class class)
{
    size_t n = 0;
    while (n < r->have && (classes_of(r->at[n]) & class) != 0)
        n++;
    if (reader_ok(r) && n == r->have)
        r->status = PARSE_MORE;
    return reader_take(r, n);
}

static struct slice take_some(struct reader *r, enum character_class class)
{
    struct slice taken = take_while(r, class);
    reader_require(r, taken.len > 0);
    return taken;
}

static void take_character(struct reader *r, char wanted)
{
    reader_require(r, reader_u8(r) == (uint8_t)wanted);
}

/* Is c the next byte? False when it has not arrived, and then the reader says MORE. */
static bool comes(struct reader *r, uint8_t c)
{
    if (reader_ok(r) && r->have == 0)
        r->status = PARSE_MORE;
    return reader_ok(r) && r->at[0] == c;
}

/* CRLF, or LF alone: RFC 9112 section 2.2. */
static void take_line_end(struct reader *r)
{
    if (comes(r, '\r'))
        take_character(r, '\r');
    take_character(r, '\n');
}

static uint8_t take_digit(struct reader *r, char lowest, char highest)
{
    uint8_t c = reader_u8(r);
    reader_require(r, c >= (uint8_t)lowest && c <= (uint8_t)highest);
    return (uint8_t)(c - '0');
}

/* HTTP/1.x. A higher x is read as the 1 that we know: RFC 9110 section 2.5. */
static int take_version(struct reader *r)
{
    for (const char *c = "HTTP/1."; *c != '\0'; c++)
        take_character(r, *c);
    return take_digit(r, '0', '9') == 0 ? 0 : 1;
}

static struct slice without_space(struct slice text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = slice_skip(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* A folded line begins with white space, which is no token: refused as RFC 9112 section 5.2 has it. */
static void take_field(struct reader *r, struct http1_head *head)
{
    struct http1_field field;
    reader_require(r, head->n_fields < HTTP1_FIELDS_MAX);
    field.name = take_some(r, CLASS_TOKEN);
    take_character(r, ':');
    field.value = without_space(take_while(r, CLASS_TEXT));
    take_line_end(r);
    if (reader_ok(r))
        head->fields[head->n_fields++] = field;
}

static void take_fields(struct reader *r, struct http1_head *head)
{
    while (!comes(r, '\r') && !comes(r, '\n') && reader_ok(r))
        take_field(r, head);
    take_line_end(r);
}

/* RFC 9112 section 3, behind one empty line that section 2.2 asks a server to overlook. */
static void take_request_line(struct reader *r, struct http1_head *head)
{
    if (comes(r, '\r') || comes(r, '\n'))
        take_line_end(r);
    head->method = take_some(r, CLASS_TOKEN);
    take_character(r, ' ');
    head->target = take_some(r, CLASS_TARGET);
    take_character(r, ' ');
    head->minor = take_version(r);
    take_line_end(r);
}

/* RFC 9112 section 4. Servers that leave out the reason phrase often leave out the space before it too. */
static void take_status_line(struct reader *r, struct http1_head *head)
{
    head->minor = take_version(r);
    take_character(r, ' ');
    head->status = take_digit(r, '1', '5') * 100;
    head->status += take_digit(r, '0', '9') * 10;
    head->status += take_digit(r, '0', '9');
    if (comes(r, ' '))
        (void)take_while(r, CLASS_TEXT);
    take_line_end(r);
}

/* Hands out what was read when it is whole. */
static enum parse finish(const struct reader *r, struct slice in, const struct http1_head *head, struct http1_head *out,
                         size_t *used)
{
    if (reader_ok(r)) {
        *out = *head;
        *used = in.len - r->have;
    }
    return r->status;
}

enum parse http1_parse_request(struct slice in, struct http1_head *out, size_t *used)
{
    struct reader     r = reader_of(in, SIZE_MAX);
    struct http1_head head = {0};
    take_request_line(&r, &head);
    take_fields(&r, &head);
    return finish(&r, in, &head, out, used);
}

enum parse http1_parse_response(struct slice in, struct http1_head *out, size_t *used)
{
    struct reader     r = reader_of(in, SIZE_MAX);
    struct http1_head head = {0};
    take_status_line(&r, &head);
    take_fields(&r, &head);
    return finish(&r, in, &head, out, used);
}

bool http1_is(struct slice text, const char *name)
{
    return text.len == strlen(name) && (text.len == 0 || strncasecmp((const char *)text.ptr, name, text.len) == 0);
}

const struct http1_field *http1_find(const struct http1_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        if (http1_is(head->fields[i].name, name))
            return &head->fields[i];
    }
    return NULL;
}

bool http1_next(struct slice *list, struct slice *member)
{
    if (list->len == 0)
        return false;
    const uint8_t *comma = memchr(list->ptr, ',', list->len);
    size_t         n = comma != NULL ? (size_t)(comma - list->ptr) : list->len;
    *member = without_space(slice_of(list->ptr, n));
    *list = slice_skip(*list, comma != NULL ? n + 1 : n);
    return true;
}

static bool list_has(struct slice list, const char *token)
{
    struct slice member;
    while (http1_next(&list, &member)) {
        if (http1_is(member, token))
            return true;
    }
    return false;
}

bool http1_has_token(const struct http1_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        if (http1_is(head->fields[i].name, name) && list_has(head->fields[i].value, token))
            return true;
    }
    return false;
}
