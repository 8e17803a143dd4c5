#include "base/image.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/addr.h"
#include "base/siphash.h"

enum { VERSION = 1 };
enum {
    MAGIC_LEN = 8,
    HEADER_LEN = MAGIC_LEN + 4 + 8 + 8,
    MARK_LEN = 2 + 4
};                                                    /* a mark stands before record and field */
enum { ADDR_4_LEN = 2 + 4, ADDR_6_LEN = 2 + 16 + 4 }; /* port, address, scope */

static const char magic[] = "mqgimage";

static uint64_t sum_of(struct slice bytes)
{
    static const uint8_t key[SIPHASH_KEY_BYTES] = {0};
    return siphash(key, bytes.ptr, bytes.len);
}

/* ---- writing ---- */

static uint8_t *room(struct image_writer *w, size_t n)
{
    if (!w->failed && w->cap - w->len < n)
        w->failed = n > SIZE_MAX / 2 || w->len > SIZE_MAX / 2 || !w->grow(w, w->len + n);
    if (w->failed)
        return NULL;
    uint8_t *at = w->at + w->len;
    w->len += n;
    return at;
}

static void put(struct image_writer *w, const void *bytes, size_t n)
{
    uint8_t *to = n == 0 ? NULL : room(w, n);
    if (to != NULL)
        memcpy(to, bytes, n);
}

static void put_uint(struct image_writer *w, uint64_t value, size_t n)
{
    uint64_t little = htole64(value);
    put(w, &little, n);
}

static uint64_t load(const void *from, size_t size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)from;
    case 2: {
        uint16_t value;
        memcpy(&value, from, sizeof value);
        return value;
    }
    case 4: {
        uint32_t value;
        memcpy(&value, from, sizeof value);
        return value;
    }
    default: {
        uint64_t value;
        assert(size == sizeof value);
        memcpy(&value, from, sizeof value);
        return value;
    }
    }
}

/* Where the length behind a mark stands; it is known once what it is of has been written. */
static size_t put_mark(struct image_writer *w, uint16_t number)
{
    put_uint(w, number, 2);
    put_uint(w, 0, 4);
    return w->len;
}

static void set_length(struct image_writer *w, size_t from)
{
    size_t n = w->len - from;
    if (n > UINT32_MAX)
        w->failed = true;
    if (w->failed)
        return;
    uint32_t little = htole32((uint32_t)n);
    memcpy(w->at + from - sizeof little, &little, sizeof little);
}

/* No more than it takes. */
static void put_number(struct image_writer *w, uint64_t value)
{
    size_t n = 1;
    while (n < sizeof value && value >> 8 * n != 0)
        n++;
    put_uint(w, value, n);
}

static size_t written_len(const uint8_t *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n;
}

static void put_addr(struct image_writer *w, const struct addr *a)
{
    put_uint(w, addr_port(a), 2);
    if (a->sa.sa_family == AF_INET) {
        put(w, &a->in.sin_addr, 4);
    } else {
        put(w, &a->in6.sin6_addr, 16);
        put_uint(w, a->in6.sin6_scope_id, 4);
    }
}

static void put_fields(struct image_writer *w, const struct image_kind *kind, const uint8_t *facts);

static void put_value(struct image_writer *w, const struct image_field *field, const uint8_t *at)
{
    switch (field->type) {
    case IMAGE_UINT:
        put_number(w, load(at, field->size));
        break;
    case IMAGE_BOOL:
        put_uint(w, 1, 1);
        break;
    case IMAGE_BYTES:
        put(w, at, written_len(at, field->size));
        break;
    case IMAGE_TEXT:
        put(w, at, strlen((const char *)at));
        break;
    case IMAGE_SLICE: {
        const struct slice *bytes = (const void *)at;
        put(w, bytes->ptr, bytes->len);
        break;
    }
    case IMAGE_ADDR:
        put_addr(w, (const void *)at);
        break;
    case IMAGE_GROUP:
        put_fields(w, field->group, at);
        break;
    }
}

static bool is_zero(const struct image_field *field, const uint8_t *at)
{
    switch (field->type) {
    case IMAGE_TEXT:
        return *at == '\0';
    case IMAGE_SLICE:
        return ((const struct slice *)(const void *)at)->len == 0;
    case IMAGE_ADDR:
        return !addr_is_set((const void *)at);
    case IMAGE_GROUP:
        return false;
    default:
        return written_len(at, field->size) == 0;
    }
}

static void put_fields(struct image_writer *w, const struct image_kind *kind, const uint8_t *facts)
{
    for (size_t i = 0; i < kind->n; i++) {
        const struct image_field *field = &kind->fields[i];
        size_t                    before = w->len;
        if (is_zero(field, facts + field->offset))
            continue;
        size_t from = put_mark(w, field->number);
        put_value(w, field, facts + field->offset);
        set_length(w, from);
        if (field->type == IMAGE_GROUP && w->len == from)
            w->len = before; /* a group of zeros */
    }
}

void image_begin(struct image_writer *w)
{
    put(w, magic, MAGIC_LEN);
    put_uint(w, VERSION, 4);
    put_uint(w, 0, 8);
    put_uint(w, 0, 8);
}

void image_put(struct image_writer *w, const struct image_kind *kind, const void *facts)
{
    size_t from = put_mark(w, kind->number);
    put_fields(w, kind, facts);
    set_length(w, from);
}

bool image_end(struct image_writer *w)
{
    if (w->failed)
        return false;
    const uint64_t n = htole64(w->len - HEADER_LEN);
    const uint64_t sum = htole64(sum_of(slice_of(w->at + HEADER_LEN, w->len - HEADER_LEN)));
    memcpy(w->at + MAGIC_LEN + 4, &n, sizeof n);
    memcpy(w->at + MAGIC_LEN + 12, &sum, sizeof sum);
    return true;
}

/* ---- reading ---- */

static uint64_t get_uint(const uint8_t *from, size_t n)
{
    uint64_t little = 0;
    memcpy(&little, from, n);
    return le64toh(little);
}

/* The next thing with a mark; what is behind it is left. False: it is not whole. */
static bool next_marked(struct slice *left, uint16_t *number, struct slice *value)
{
    if (left->len < MARK_LEN)
        return false;
    uint64_t n = get_uint(left->ptr + 2, 4);
    if (n > left->len - MARK_LEN)
        return false;
    *number = (uint16_t)get_uint(left->ptr, 2);
    *value = slice_of(left->ptr + MARK_LEN, (size_t)n);
    *left = slice_skip(*left, MARK_LEN + (size_t)n);
    return true;
}

static bool fields_are_whole(struct slice fields)
{
    uint16_t     number, before = 0;
    struct slice value;
    while (fields.len > 0) {
        if (!next_marked(&fields, &number, &value) || (number & IMAGE_NUMBER) <= before)
            return false;
        before = number & IMAGE_NUMBER;
    }
    return true;
}

static bool records_are_whole(struct slice records)
{
    uint16_t     number;
    struct slice fields;
    while (records.len > 0) {
        if (!next_marked(&records, &number, &fields) || !fields_are_whole(fields))
            return false;
    }
    return true;
}

bool image_open(struct image_reader *r, struct slice image, struct err *err)
{
    if (image.len < HEADER_LEN || memcmp(image.ptr, magic, MAGIC_LEN) != 0) {
        err_set(err, "it is no image");
        return false;
    }
    uint64_t version = get_uint(image.ptr + MAGIC_LEN, 4);
    if (version != VERSION) {
        err_set(err, "the image is of version %u, and this program reads version %d", (unsigned)version, VERSION);
        return false;
    }
    r->left = slice_skip(image, HEADER_LEN);
    if (get_uint(image.ptr + MAGIC_LEN + 4, 8) != r->left.len ||
        get_uint(image.ptr + MAGIC_LEN + 12, 8) != sum_of(r->left) || !records_are_whole(r->left)) {
        err_set(err, "the image is damaged");
        return false;
    }
    return true;
}

bool image_next(struct image_reader *r, struct image_record *out)
{
    return r->left.len > 0 && next_marked(&r->left, &out->kind, &out->fields);
}

static bool take_uint(const struct image_field *field, struct slice value, uint8_t *to)
{
    if (value.len == 0 || value.len > 8)
        return false;
    uint64_t number = get_uint(value.ptr, value.len);
    if (field->size < 8 && number >> 8 * field->size != 0)
        return false;
    uint8_t  u8 = (uint8_t)number;
    uint16_t u16 = (uint16_t)number;
    uint32_t u32 = (uint32_t)number;
    memcpy(to,
           field->size == 1   ? (const void *)&u8
           : field->size == 2 ? (const void *)&u16
           : field->size == 4 ? (const void *)&u32
                              : (const void *)&number,
           field->size);
    return true;
}

static bool take_text(const struct image_field *field, struct slice value, uint8_t *to)
{
    if (value.len >= field->size || memchr(value.ptr, '\0', value.len) != NULL)
        return false;
    memcpy(to, value.ptr, value.len);
    to[value.len] = '\0';
    return true;
}

static bool take_addr(struct slice value, struct addr *to)
{
    if (value.len != ADDR_4_LEN && value.len != ADDR_6_LEN)
        return false;
    uint16_t port = (uint16_t)get_uint(value.ptr, 2);
    *to = value.len == ADDR_4_LEN ? addr_from_ip4(value.ptr + 2, port) : addr_from_ip6(value.ptr + 2, port);
    if (value.len == ADDR_6_LEN)
        to->in6.sin6_scope_id = (uint32_t)get_uint(value.ptr + ADDR_6_LEN - 4, 4);
    return true;
}

static bool take_value(const struct image_field *field, struct slice value, uint8_t *to)
{
    switch (field->type) {
    case IMAGE_UINT:
        return take_uint(field, value, to);
    case IMAGE_BOOL: {
        bool is = value.len == 1 && value.ptr[0] == 1;
        memcpy(to, &is, sizeof is);
        return is;
    }
    case IMAGE_BYTES:
        if (value.len > field->size)
            return false;
        memcpy(to, value.ptr, value.len);
        return true;
    case IMAGE_TEXT:
        return take_text(field, value, to);
    case IMAGE_SLICE:
        *(struct slice *)(void *)to = value;
        return true;
    case IMAGE_ADDR:
        return take_addr(value, (void *)to);
    case IMAGE_GROUP:
        break; /* take_fields() goes into one that is whole */
    }
    return false;
}

static bool take_fields(struct slice fields, const struct image_kind *kind, uint8_t *facts, struct err *err)
{
    uint16_t                  number;
    struct slice              value;
    const struct image_field *field = kind->fields, *end = field + kind->n; /* in order, as what was written */
    while (fields.len > 0 && next_marked(&fields, &number, &value)) {
        while (field < end && (field->number & IMAGE_NUMBER) < (number & IMAGE_NUMBER))
            field++;
        bool is_known = field < end && ((field->number ^ number) & IMAGE_NUMBER) == 0;
        if (!is_known && (number & IMAGE_MUST) == 0)
            continue;
        bool is_group = is_known && field->type == IMAGE_GROUP && fields_are_whole(value);
        if (is_group && !take_fields(value, field->group, facts + field->offset, err))
            return false;
        if (is_group || (is_known && take_value(field, value, facts + field->offset)))
            continue;
        err_set(err, "field %u of a %s is %s", number & IMAGE_NUMBER, kind->name,
                is_known ? "not to be understood" : "needed and not known to this version");
        return false;
    }
    return true;
}

/* What is not in the record is zero. */
static void clear_fields(const struct image_kind *kind, uint8_t *facts)
{
    for (size_t i = 0; i < kind->n; i++)
        memset(facts + kind->fields[i].offset, 0, kind->fields[i].size);
}

bool image_take(const struct image_record *record, const struct image_kind *kind, void *facts, struct err *err)
{
    clear_fields(kind, facts);
    return take_fields(record->fields, kind, facts, err);
}
