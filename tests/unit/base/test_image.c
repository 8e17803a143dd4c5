/* Facts written into an image and read back, by the version that wrote them and by others. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/image.h"
#include "support/guarded.h"
#include "unit/base/suites.h"

enum shade { SHADE_NONE, SHADE_RED, SHADE_BLUE };

struct inner {
    uint32_t number;
    char     text[8];
};

struct middle {
    struct inner inner;
    struct slice bytes;
};

struct facts {
    uint8_t       u8;
    uint16_t      u16;
    uint32_t      u32;
    uint64_t      u64;
    enum shade    shade;
    bool          is;
    uint8_t       bytes[6];
    char          text[9];
    struct slice  slice;
    struct addr   ip4, ip6;
    struct middle middle;
    int           untold; /* in no table */
};

static const struct image_field inner_fields[] = {IMAGE_FIELD(1, IMAGE_UINT, struct inner, number),
                                                  IMAGE_FIELD(2, IMAGE_TEXT, struct inner, text)};
static const struct image_kind  inner_kind = {"ring", 0, inner_fields, ARRAY_LEN(inner_fields)};
static const struct image_field middle_fields[] = {IMAGE_FIELD_GROUP(1, &inner_kind, struct middle, inner),
                                                   IMAGE_FIELD(2, IMAGE_SLICE, struct middle, bytes)};
static const struct image_kind  middle_kind = {"hand", 0, middle_fields, ARRAY_LEN(middle_fields)};
static const struct image_field facts_fields[] = {IMAGE_FIELD(1, IMAGE_UINT, struct facts, u8),
                                                  IMAGE_FIELD(2, IMAGE_UINT, struct facts, u16),
                                                  IMAGE_FIELD(3 | IMAGE_MUST, IMAGE_UINT, struct facts, u32),
                                                  IMAGE_FIELD(4, IMAGE_UINT, struct facts, u64),
                                                  IMAGE_FIELD(5, IMAGE_UINT, struct facts, shade),
                                                  IMAGE_FIELD(6, IMAGE_BOOL, struct facts, is),
                                                  IMAGE_FIELD(7, IMAGE_BYTES, struct facts, bytes),
                                                  IMAGE_FIELD(8, IMAGE_TEXT, struct facts, text),
                                                  IMAGE_FIELD(10, IMAGE_SLICE, struct facts, slice),
                                                  IMAGE_FIELD(11, IMAGE_ADDR, struct facts, ip4),
                                                  IMAGE_FIELD(12, IMAGE_ADDR, struct facts, ip6),
                                                  IMAGE_FIELD_GROUP(13, &middle_kind, struct facts, middle)};
static const struct image_kind  facts_kind = {"body", 21 | IMAGE_MUST, facts_fields, ARRAY_LEN(facts_fields)};

static struct facts full_facts(void)
{
    struct facts f = {.u8 = 0xFF,
                      .u16 = 0xFFFF,
                      .u32 = 0xFFFFFFFF,
                      .u64 = UINT64_MAX,
                      .shade = SHADE_BLUE,
                      .is = true,
                      .bytes = {1, 0, 2, 0, 0, 0},
                      .text = "eight...",
                      .slice = slice_of("a\0b\0", 4),
                      .middle = {{7, "seven"}, slice_of("xyz", 3)}};
    ck_assert(addr_parse("10.1.2.3:1883", &f.ip4) && addr_parse("[fe80::1]:65535", &f.ip6));
    f.ip6.in6.sin6_scope_id = 3;
    return f;
}

static void check_same(const struct facts *a, const struct facts *b)
{
    ck_assert_uint_eq(a->u8, b->u8);
    ck_assert_uint_eq(a->u16, b->u16);
    ck_assert_uint_eq(a->u32, b->u32);
    ck_assert_uint_eq(a->u64, b->u64);
    ck_assert_int_eq(a->shade, b->shade);
    ck_assert_int_eq(a->is, b->is);
    ck_assert_mem_eq(a->bytes, b->bytes, sizeof a->bytes);
    ck_assert_str_eq(a->text, b->text);
    ck_assert(slice_eq(a->slice, b->slice));
    ck_assert(addr_same(&a->ip4, &b->ip4) && addr_same(&a->ip6, &b->ip6));
    ck_assert_int_eq(a->ip4.sa.sa_family, b->ip4.sa.sa_family);
    if (a->ip6.sa.sa_family == AF_INET6)
        ck_assert_uint_eq(a->ip6.in6.sin6_scope_id, b->ip6.in6.sin6_scope_id);
    ck_assert_uint_eq(a->middle.inner.number, b->middle.inner.number);
    ck_assert_str_eq(a->middle.inner.text, b->middle.inner.text);
    ck_assert(slice_eq(a->middle.bytes, b->middle.bytes));
}

/* ---- images ---- */

/* Memory that grows by no more than it must, so that every step asks for it. */
static int grows_left;

static bool grow(struct image_writer *w, size_t least)
{
    uint8_t *at = grows_left-- > 0 ? realloc(w->at, least) : NULL;
    if (at == NULL)
        return false;
    w->at = at;
    w->cap = least;
    return true;
}

static struct image_writer begin(void)
{
    struct image_writer w = {.grow = grow};
    grows_left = 1000;
    image_begin(&w);
    return w;
}

/* The writer's memory moves into guarded_copy()'s. */
static struct slice end(struct image_writer *w)
{
    ck_assert(image_end(w));
    struct slice image = guarded_copy(slice_of(w->at, w->len));
    free(w->at);
    return image;
}

static struct slice image_of(const struct image_kind *kind, const void *facts)
{
    struct image_writer w = begin();
    image_put(&w, kind, facts);
    return end(&w);
}

/* With these bytes as its records, whatever they are. */
static struct slice image_around(struct slice records)
{
    struct image_writer w = begin();
    ck_assert(grow(&w, w.len + records.len));
    if (records.len > 0)
        memcpy(w.at + w.len, records.ptr, records.len);
    w.len += records.len;
    return end(&w);
}

static bool opens(struct slice image)
{
    struct image_reader r;
    struct err          err = {""};
    bool                opened = image_open(&r, image, &err);
    ck_assert(opened == (err.text[0] == '\0'));
    return opened;
}

static struct image_record first_record(struct slice image)
{
    struct image_reader r;
    struct image_record record;
    struct err          err = {""};
    ck_assert_msg(image_open(&r, image, &err), "%s", err.text);
    ck_assert(image_next(&r, &record));
    return record;
}

/* Of the image's first record; then the image is gone, and so are slices. */
static bool takes(struct slice image, const struct image_kind *kind, void *facts, struct err *err)
{
    struct image_record record = first_record(image);
    bool                taken = image_take(&record, kind, facts, err);
    guarded_free(image);
    return taken;
}

/* ---- tests ---- */

START_TEST(facts_of_every_type_are_read_as_they_were_written)
{
    struct facts        written = full_facts(), read;
    struct slice        image = image_of(&facts_kind, &written);
    struct image_record record = first_record(image);
    struct err          err = {""};
    memset(&read, 0xAA, sizeof read);
    ck_assert_uint_eq(record.kind, facts_kind.number);
    ck_assert(image_is(&record, &facts_kind) && !image_is(&record, &inner_kind));
    ck_assert_msg(image_take(&record, &facts_kind, &read, &err), "%s", err.text);
    ck_assert_str_eq(err.text, "");
    check_same(&written, &read);
    ck_assert_int_eq(read.untold, (int)0xAAAAAAAA);
    guarded_free(image);
}
END_TEST

START_TEST(a_number_of_any_size_is_read_as_it_was_written)
{
    for (int bits = 0; bits < 64; bits++) {
        const uint64_t n = UINT64_C(1) << bits | (_i == 1 ? (UINT64_C(1) << bits) - 1 : 0);
        struct facts   written = {.u8 = (uint8_t)n, .u16 = (uint16_t)n, .u32 = (uint32_t)n, .u64 = n}, read;
        struct err     err = {""};
        ck_assert(takes(image_of(&facts_kind, &written), &facts_kind, &read, &err));
        check_same(&written, &read);
    }
}
END_TEST

START_TEST(what_is_zero_takes_no_room_and_is_read_as_zero)
{
    struct facts        nothing = {.u8 = 0}, read;
    struct slice        image = image_of(&facts_kind, &nothing);
    struct image_record record = first_record(image);
    struct err          err = {""};
    memset(&read, 0xAA, sizeof read);
    ck_assert_uint_eq(record.fields.len, 0);
    ck_assert(image_take(&record, &facts_kind, &read, &err));
    check_same(&nothing, &read);
    ck_assert(!addr_is_set(&read.ip4) && read.slice.ptr == NULL);
    guarded_free(image);
}
END_TEST

START_TEST(a_group_within_a_group_is_left_out_only_when_all_of_it_is_zero)
{
    struct facts written = {.middle.inner.number = 1}, read;
    struct err   err = {""};
    ck_assert(takes(image_of(&facts_kind, &written), &facts_kind, &read, &err));
    check_same(&written, &read);
    written = (struct facts){.middle.inner.text = "x", .u8 = 1};
    ck_assert(takes(image_of(&facts_kind, &written), &facts_kind, &read, &err));
    check_same(&written, &read);
}
END_TEST

START_TEST(records_come_in_the_order_in_which_they_were_put)
{
    struct image_writer w = begin();
    struct inner        written = {.text = "ring"}, read;
    struct facts        other = full_facts();
    for (written.number = 0; written.number < 5; written.number++) {
        image_put(&w, &inner_kind, &written);
        image_put(&w, &facts_kind, &other);
    }
    struct slice        image = end(&w);
    struct image_reader r;
    struct image_record record;
    struct err          err = {""};
    ck_assert(image_open(&r, image, &err));
    for (uint32_t n = 0; n < 5; n++) {
        ck_assert(image_next(&r, &record) && image_is(&record, &inner_kind));
        ck_assert(image_take(&record, &inner_kind, &read, &err));
        ck_assert_uint_eq(read.number, n);
        ck_assert(image_next(&r, &record) && image_is(&record, &facts_kind));
    }
    ck_assert(!image_next(&r, &record) && !image_next(&r, &record));
    guarded_free(image);
}
END_TEST

START_TEST(an_image_without_records_is_one)
{
    struct image_writer w = begin();
    struct slice        image = end(&w);
    struct image_reader r;
    struct image_record record;
    struct err          err = {""};
    ck_assert(image_open(&r, image, &err) && !image_next(&r, &record));
    guarded_free(image);
}
END_TEST

/* The bytes that another version will read: they must never change. The sum is SipHash-2-4's, as another program makes
 * it. */
START_TEST(the_bytes_of_an_image_are_these)
{
    static const char bytes[] = "mqgimage"
                                "\1\0\0\0"
                                "\16\0\0\0\0\0\0\0"
                                "\123\356\245\253\350\111\105\256"
                                "\25\x80\10\0\0\0"
                                "\2\0\2\0\0\0\1\2";
    struct facts      f = {.u16 = 0x201};
    struct slice      image = image_of(&facts_kind, &f);
    ck_assert(slice_eq(image, slice_of(bytes, sizeof bytes - 1)));
    guarded_free(image);
}
END_TEST

/* ---- other versions ---- */

struct wide {
    uint64_t n;
    uint8_t  bytes[40];
    char     text[40];
};

/* Fields of facts_kind with one more kind of room each: as a version that needs more of it has them. */
static const struct image_field wide_fields[] = {IMAGE_FIELD(2, IMAGE_UINT, struct wide, n),
                                                 IMAGE_FIELD(7, IMAGE_BYTES, struct wide, bytes),
                                                 IMAGE_FIELD(8, IMAGE_TEXT, struct wide, text)};
static const struct image_kind  wide_kind = {"body", 21, wide_fields, ARRAY_LEN(wide_fields)};

START_TEST(what_was_written_with_less_room_is_read_with_more)
{
    struct facts f = full_facts();
    struct wide  w;
    struct err   err = {""};
    f.u32 = 0; /* the other version does not know it */
    ck_assert_msg(takes(image_of(&facts_kind, &f), &wide_kind, &w, &err), "%s", err.text);
    ck_assert_uint_eq(w.n, 0xFFFF);
    ck_assert_mem_eq(w.bytes, "\1\0\2\0\0\0\0\0", 8);
    ck_assert_str_eq(w.text, "eight...");
}
END_TEST

START_TEST(what_does_not_fit_where_it_is_read_is_refused)
{
    struct wide fits = {.n = 0xFFFF, .bytes = {1, 2, 3, 4, 5, 6}, .text = "12345678"}, too_much[3] = {fits, fits, fits};
    struct facts read;
    struct err   err = {""};
    ck_assert_msg(takes(image_of(&wide_kind, &fits), &facts_kind, &read, &err), "%s", err.text);
    ck_assert_uint_eq(read.u16, 0xFFFF);
    too_much[0].n++;
    too_much[1].bytes[6] = 7;
    (void)strcpy(too_much[2].text, "123456789");
    for (size_t i = 0; i < ARRAY_LEN(too_much); i++) {
        static const char *const said[] = {"field 2 of a body is not to be understood",
                                           "field 7 of a body is not to be understood",
                                           "field 8 of a body is not to be understood"};
        ck_assert(!takes(image_of(&wide_kind, &too_much[i]), &facts_kind, &read, &err));
        ck_assert_str_eq(err.text, said[i]);
    }
}
END_TEST

struct later {
    uint32_t     first, between, behind;
    struct inner inner;
};

static void put_later(const struct image_field *fields, size_t n, struct slice *image)
{
    static const struct later facts = {1, 2, 3, {4, "more"}};
    struct image_kind         kind = {"body", 21, fields, n};
    *image = image_of(&kind, &facts);
}

START_TEST(a_field_that_is_not_known_is_skipped)
{
    static const struct image_field fields[] = {
        IMAGE_FIELD(1, IMAGE_UINT, struct later, first), IMAGE_FIELD(9, IMAGE_UINT, struct later, between),
        IMAGE_FIELD(14, IMAGE_UINT, struct later, behind), IMAGE_FIELD_GROUP(99, &inner_kind, struct later, inner)};
    struct slice image;
    struct facts read;
    struct err   err = {""};
    put_later(fields, ARRAY_LEN(fields), &image);
    ck_assert(takes(image, &facts_kind, &read, &err));
    ck_assert_uint_eq(read.u8, 1);
    ck_assert_str_eq(err.text, "");
}
END_TEST

START_TEST(a_field_that_must_be_known_and_is_not_is_refused)
{
    static const struct image_field between[] = {IMAGE_FIELD(9 | IMAGE_MUST, IMAGE_UINT, struct later, between),
                                                 IMAGE_FIELD(14, IMAGE_UINT, struct later, behind)};
    static const struct image_field behind[] = {IMAGE_FIELD(1, IMAGE_UINT, struct later, first),
                                                IMAGE_FIELD(14 | IMAGE_MUST, IMAGE_UINT, struct later, behind)};
    struct slice                    image;
    struct facts                    read;
    struct err                      err = {""};
    put_later(between, ARRAY_LEN(between), &image);
    ck_assert(!takes(image, &facts_kind, &read, &err));
    ck_assert_str_eq(err.text, "field 9 of a body is needed and not known to this version");
    put_later(behind, ARRAY_LEN(behind), &image);
    ck_assert(!takes(image, &facts_kind, &read, &err));
    ck_assert_str_eq(err.text, "field 14 of a body is needed and not known to this version");
}
END_TEST

/* The bit says what a reader is to do that does not know the number; it is no part of it. */
START_TEST(a_known_field_may_become_one_that_must_be_known)
{
    static const struct image_field fields[] = {IMAGE_FIELD(1 | IMAGE_MUST, IMAGE_UINT, struct later, first),
                                                IMAGE_FIELD(3, IMAGE_UINT, struct later, behind)};
    struct slice                    image;
    struct facts                    read;
    struct err                      err = {""};
    put_later(fields, ARRAY_LEN(fields), &image);
    ck_assert(takes(image, &facts_kind, &read, &err));
    ck_assert_uint_eq(read.u8, 1);
    ck_assert_uint_eq(read.u32, 3);
}
END_TEST

START_TEST(a_fault_within_a_group_is_told_of_the_group)
{
    static const struct image_field deep[] = {IMAGE_FIELD(2 | IMAGE_MUST, IMAGE_TEXT, struct inner, text),
                                              IMAGE_FIELD(3 | IMAGE_MUST, IMAGE_UINT, struct inner, number)};
    static const struct image_kind  deep_kind = {"ring", 0, deep, ARRAY_LEN(deep)};
    static const struct image_field fields[] = {IMAGE_FIELD_GROUP(1, &deep_kind, struct middle, inner)};
    static const struct image_kind  kind = {"hand", 22, fields, ARRAY_LEN(fields)};
    struct middle                   written = {.inner = {5, "five"}}, read;
    struct err                      err = {""};
    ck_assert(!takes(image_of(&kind, &written), &middle_kind, &read, &err));
    ck_assert_str_eq(err.text, "field 3 of a ring is needed and not known to this version");
}
END_TEST

START_TEST(a_record_of_a_kind_that_is_not_known_tells_whether_it_must_be)
{
    static const struct image_kind kinds[] = {{"k", 1000, inner_fields, 2}, {"k", 1000 | IMAGE_MUST, inner_fields, 2}};
    const struct inner             facts = {1, "one"};
    struct slice                   image = image_of(&kinds[_i], &facts);
    struct image_record            record = first_record(image);
    ck_assert(!image_is(&record, &facts_kind));
    ck_assert_int_eq((record.kind & IMAGE_MUST) != 0, _i == 1);
    ck_assert(image_is(&record, &kinds[0]) && image_is(&record, &kinds[1]));
    guarded_free(image);
}
END_TEST

START_TEST(an_image_of_another_version_is_refused_by_name)
{
    struct facts        f = full_facts();
    struct slice        image = image_of(&facts_kind, &f);
    struct image_reader r;
    struct err          err;
    uint8_t            *bytes = (uint8_t *)(uintptr_t)image.ptr;
    bytes[8] = 2;
    ck_assert(!image_open(&r, image, &err));
    ck_assert_str_eq(err.text, "the image is of version 2, and this program reads version 1");
    bytes[0] = 'M';
    ck_assert(!image_open(&r, image, &err));
    ck_assert_str_eq(err.text, "it is no image");
    guarded_free(image);
}
END_TEST

/* ---- damage ---- */

START_TEST(an_image_cut_anywhere_is_refused)
{
    struct facts f = full_facts();
    struct slice image = image_of(&facts_kind, &f);
    for (size_t n = 0; n < image.len; n++) {
        struct slice cut = guarded_copy(slice_of(image.ptr, n));
        ck_assert_msg(!opens(cut), "%zu bytes", n);
        guarded_free(cut);
    }
    ck_assert(opens(image));
    guarded_free(image);
}
END_TEST

START_TEST(an_image_with_any_bit_turned_is_refused)
{
    struct facts f = full_facts();
    struct slice image = image_of(&facts_kind, &f);
    uint8_t     *bytes = (uint8_t *)(uintptr_t)image.ptr;
    for (size_t bit = 0; bit < 8 * image.len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(!opens(image), "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert(opens(image));
    guarded_free(image);
}
END_TEST

START_TEST(an_image_with_more_behind_it_is_refused)
{
    struct facts f = full_facts();
    struct slice image = image_of(&facts_kind, &f);
    uint8_t      longer[1000] = {0};
    memcpy(longer, image.ptr, image.len);
    ck_assert(opens(slice_of(longer, image.len)));
    ck_assert(!opens(slice_of(longer, image.len + 1)));
    guarded_free(image);
}
END_TEST

/* Its sum is right, so it was made like this. */
START_TEST(records_that_are_not_whole_are_refused)
{
    static const struct {
        const char *bytes;
        size_t      len;
        bool        good;
    } cases[] = {
        {"\1\0\0\0\0\0", 6, true},
        {"\1\0\0\0\0", 5, false},                            /* a mark cut short */
        {"\1\0\1\0\0\0", 6, false},                          /* longer than what is there */
        {"\1\0\xFF\xFF\xFF\xFF", 6, false},                  /* much longer */
        {"\1\0\7\0\0\0\1\0\1\0\0\0x", 13, true},             /* a field of one byte */
        {"\1\0\5\0\0\0\1\0\1\0\0", 11, false},               /* its mark cut short */
        {"\1\0\7\0\0\0\1\0\2\0\0\0x", 13, false},            /* longer than its record */
        {"\1\0\7\0\0\0\1\0\0\0\0\0x", 13, false},            /* a byte behind it */
        {"\1\0\6\0\0\0\0\0\0\0\0\0", 12, false},             /* numbered 0 */
        {"\1\0\6\0\0\0\0\x80\0\0\0\0", 12, false},           /* the same */
        {"\1\0\14\0\0\0\1\0\0\0\0\0\2\0\0\0\0\0", 18, true}, /* 1, 2 */
        {"\1\0\14\0\0\0\1\0\0\0\0\0\1\0\0\0\0\0", 18, false},
        {"\1\0\14\0\0\0\1\0\0\0\0\0\1\x80\0\0\0\0", 18, false}, /* 1 twice */
        {"\1\0\14\0\0\0\2\0\0\0\0\0\1\0\0\0\0\0", 18, false},
        {"\1\0\14\0\0\0\2\x80\0\0\0\0\1\0\0\0\0\0", 18, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice image = image_around(slice_of(cases[i].bytes, cases[i].len));
        ck_assert_msg(opens(image) == cases[i].good, "case %zu", i);
        guarded_free(image);
    }
}
END_TEST

/* A record of facts_kind with one field. */
static struct slice image_with_field(uint8_t number, struct slice value)
{
    uint8_t bytes[100] = {21, 0x80, (uint8_t)(value.len + 6), 0, 0, 0, number, 0, (uint8_t)value.len};
    ck_assert_uint_le(12 + value.len, sizeof bytes);
    if (value.len > 0)
        memcpy(bytes + 12, value.ptr, value.len);
    return image_around(slice_of(bytes, 12 + value.len));
}

START_TEST(a_value_that_is_none_of_its_type_is_refused)
{
    static const struct {
        uint8_t     number;
        const char *bytes;
        size_t      len;
        bool        good;
    } cases[] = {
        {1, "\377", 1, true},
        {1, "\377\0\0", 3, true}, /* as long as it fits */
        {1, "\0\1", 2, false},
        {1, "", 0, false},
        {4, "12345678", 8, true},
        {4, "123456780", 9, false},
        {6, "\1", 1, true},
        {6, "\0", 1, false},
        {6, "\2", 1, false},
        {6, "\1\0", 2, false},
        {6, "", 0, false},
        {7, "", 0, true},
        {7, "123456", 6, true},
        {7, "1234567", 7, false},
        {8, "12345678", 8, true},
        {8, "123456789", 9, false},
        {8, "a\0b", 3, false},
        {8, "ab\0", 3, false},
        {10, "", 0, true},
        {11, "\1\0\1\2\3\4", 6, true},
        {11, "\1\0\1\2\3", 5, false},
        {11, "\1\0\1\2\3\4\5", 7, false},
        {11, "", 0, false},
        {12, "\1\0abcdefghijklmnop\0\0\0\0", 22, true},
        {12, "\1\0abcdefghijklmnop\0\0\0", 21, false},
        {13, "", 0, true},
        {13, "\2\0\1\0\0\0x", 7, true},
        {13, "\2\0\2\0\0\0x", 7, false},                             /* a group that is not whole */
        {13, "\2\0\0\0\0\0\1\0\0\0\0\0", 12, false},                 /* or out of order */
        {13, "\1\0\7\0\0\0\1\0\1\0\0\0x", 13, true},                 /* and one in it */
        {13, "\1\0\6\0\0\0\1\0\1\0\0\0", 12, false},                 /* that is not whole */
        {13, "\1\0\13\0\0\0\1\0\5\0\0\0xxxxx", 17, false},           /* or has what does not fit */
        {13, "\1\0\7\0\0\0\5\0\1\0\0\0x\2\0\1\0\0\0y", 20, true},    /* or what is not known */
        {13, "\1\0\7\0\0\0\5\x80\1\0\0\0x\2\0\1\0\0\0y", 20, false}, /* and must be */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct facts read;
        struct err   err = {""};
        struct slice image = image_with_field(cases[i].number, slice_of(cases[i].bytes, cases[i].len));
        ck_assert_msg(takes(image, &facts_kind, &read, &err) == cases[i].good, "case %zu", i);
        ck_assert_msg((err.text[0] == '\0') == cases[i].good, "case %zu", i);
    }
}
END_TEST

/* ---- memory ---- */

START_TEST(a_writer_that_gets_no_memory_has_no_image)
{
    struct facts f = full_facts();
    int          asked = 0;
    for (bool done = false; !done; asked++) {
        struct image_writer w = {.grow = grow};
        grows_left = asked;
        image_begin(&w);
        image_put(&w, &facts_kind, &f);
        image_put(&w, &inner_kind, &f.middle.inner);
        done = image_end(&w);
        ck_assert(done != w.failed);
        ck_assert_uint_le(w.len, w.cap);
        ck_assert(done == opens(slice_of(w.at, w.len)));
        free(w.at);
    }
    ck_assert_int_gt(asked, 50);
}
END_TEST

/* Once is for good, also when there is memory again. */
START_TEST(a_writer_that_got_no_memory_once_writes_no_more)
{
    struct facts        f = full_facts();
    struct image_writer w = begin();
    grows_left = 5;
    image_put(&w, &facts_kind, &f);
    ck_assert(w.failed);
    size_t len = w.len;
    grows_left = 1000;
    image_put(&w, &facts_kind, &f);
    ck_assert(!image_end(&w));
    ck_assert_uint_eq(w.len, len);
    free(w.at);
}
END_TEST

TCase *image_tcase(void)
{
    TCase *tests = tcase_create("image");
    tcase_add_test(tests, facts_of_every_type_are_read_as_they_were_written);
    tcase_add_loop_test(tests, a_number_of_any_size_is_read_as_it_was_written, 0, 2);
    tcase_add_test(tests, what_is_zero_takes_no_room_and_is_read_as_zero);
    tcase_add_test(tests, a_group_within_a_group_is_left_out_only_when_all_of_it_is_zero);
    tcase_add_test(tests, records_come_in_the_order_in_which_they_were_put);
    tcase_add_test(tests, an_image_without_records_is_one);
    tcase_add_test(tests, the_bytes_of_an_image_are_these);
    tcase_add_test(tests, what_was_written_with_less_room_is_read_with_more);
    tcase_add_test(tests, what_does_not_fit_where_it_is_read_is_refused);
    tcase_add_test(tests, a_field_that_is_not_known_is_skipped);
    tcase_add_test(tests, a_field_that_must_be_known_and_is_not_is_refused);
    tcase_add_test(tests, a_known_field_may_become_one_that_must_be_known);
    tcase_add_test(tests, a_fault_within_a_group_is_told_of_the_group);
    tcase_add_loop_test(tests, a_record_of_a_kind_that_is_not_known_tells_whether_it_must_be, 0, 2);
    tcase_add_test(tests, an_image_of_another_version_is_refused_by_name);
    tcase_add_test(tests, an_image_cut_anywhere_is_refused);
    tcase_add_test(tests, an_image_with_any_bit_turned_is_refused);
    tcase_add_test(tests, an_image_with_more_behind_it_is_refused);
    tcase_add_test(tests, records_that_are_not_whole_are_refused);
    tcase_add_test(tests, a_value_that_is_none_of_its_type_is_refused);
    tcase_add_test(tests, a_writer_that_gets_no_memory_has_no_image);
    tcase_add_test(tests, a_writer_that_got_no_memory_once_writes_no_more);
    return tests;
}
