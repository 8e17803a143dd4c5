#include "fuzz.h"

#include <string.h>

#include "base/addr.h"
#include "base/image.h"

/* The input is all that stands behind an image's header; the header and a right sum are made for it. */
enum { INPUT_MAX = 1 << 16, IMAGE_MAX = 4 * INPUT_MAX };

struct leaf {
    uint16_t     number;
    bool         is;
    char         text[8];
    struct slice bytes;
};

struct branch {
    struct leaf leaf, other;
    struct addr at;
};

struct tree {
    uint8_t       u8;
    uint16_t      u16;
    uint32_t      u32;
    uint64_t      u64;
    bool          is;
    uint8_t       bytes[20];
    char          text[20];
    struct slice  slice;
    struct addr   addr;
    struct branch branch;
};

static const struct image_field leaf_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct leaf, number), IMAGE_FIELD(2, IMAGE_BOOL, struct leaf, is),
    IMAGE_FIELD(4, IMAGE_TEXT, struct leaf, text), IMAGE_FIELD(5, IMAGE_SLICE, struct leaf, bytes)};
static const struct image_kind  leaf_kind = {"leaf", 1, leaf_fields, ARRAY_LEN(leaf_fields)};
static const struct image_field branch_fields[] = {IMAGE_FIELD_GROUP(1, &leaf_kind, struct branch, leaf),
                                                   IMAGE_FIELD_GROUP(2, &leaf_kind, struct branch, other),
                                                   IMAGE_FIELD(3, IMAGE_ADDR, struct branch, at)};
static const struct image_kind  branch_kind = {"branch", 2, branch_fields, ARRAY_LEN(branch_fields)};
static const struct image_field tree_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct tree, u8),   IMAGE_FIELD(2, IMAGE_UINT, struct tree, u16),
    IMAGE_FIELD(3, IMAGE_UINT, struct tree, u32),  IMAGE_FIELD(4, IMAGE_UINT, struct tree, u64),
    IMAGE_FIELD(5, IMAGE_BOOL, struct tree, is),   IMAGE_FIELD(6, IMAGE_BYTES, struct tree, bytes),
    IMAGE_FIELD(7, IMAGE_TEXT, struct tree, text), IMAGE_FIELD(8, IMAGE_SLICE, struct tree, slice),
    IMAGE_FIELD(9, IMAGE_ADDR, struct tree, addr), IMAGE_FIELD_GROUP(10, &branch_kind, struct tree, branch)};
static const struct image_kind tree_kind = {"tree", 3, tree_fields, ARRAY_LEN(tree_fields)};

static bool grow(struct image_writer *w, size_t least)
{
    (void)w;
    (void)least;
    return false;
}

/* In room, with n bytes behind the header that stand there already. */
static struct slice image_in(uint8_t *room, const uint8_t *bytes, size_t n)
{
    struct image_writer w = {.at = room, .cap = IMAGE_MAX, .grow = grow};
    image_begin(&w);
    memcpy(room + w.len, bytes, n);
    w.len += n;
    FUZZ_CHECK(image_end(&w));
    return slice_of(w.at, w.len);
}

static void check_slices(const struct image_kind *kind, const uint8_t *facts, struct slice image)
{
    for (size_t i = 0; i < kind->n; i++) {
        const struct image_field *field = &kind->fields[i];
        const void               *at = facts + field->offset;
        if (field->type == IMAGE_SLICE)
            FUZZ_CHECK(fuzz_inside(*(const struct slice *)at, image));
        if (field->type == IMAGE_TEXT)
            FUZZ_CHECK(memchr(at, '\0', field->size) != NULL);
        if (field->type == IMAGE_GROUP)
            check_slices(field->group, at, image);
    }
}

/* What was taken is the same again, by the bytes that it makes: they are the same for the same facts. */
static void put_and_take(const struct image_kind *kind, const void *facts)
{
    static uint8_t      first[IMAGE_MAX], second[IMAGE_MAX];
    struct image_writer w = {.at = first, .cap = sizeof first, .grow = grow};
    struct image_reader r;
    struct image_record record;
    struct err          err;
    struct tree         again; /* the largest */
    image_begin(&w);
    image_put(&w, kind, facts);
    FUZZ_CHECK(image_end(&w));
    struct slice image = slice_of(w.at, w.len);
    FUZZ_CHECK(image_open(&r, image, &err) && image_next(&r, &record) && image_is(&record, kind));
    FUZZ_CHECK(image_take(&record, kind, &again, &err));
    w = (struct image_writer){.at = second, .cap = sizeof second, .grow = grow};
    image_begin(&w);
    image_put(&w, kind, &again);
    FUZZ_CHECK(image_end(&w) && slice_eq(image, slice_of(w.at, w.len)));
    FUZZ_CHECK(!image_next(&r, &record));
}

static void take(const struct image_record *record, const struct image_kind *kind, struct slice image)
{
    struct tree facts;
    struct err  err = {""};
    bool        taken = image_take(record, kind, &facts, &err);
    FUZZ_CHECK(taken == (err.text[0] == '\0'));
    if (!taken)
        return;
    check_slices(kind, (const uint8_t *)&facts, image);
    put_and_take(kind, &facts);
}

static void read_all(struct slice image)
{
    struct image_reader r;
    struct image_record record;
    struct err          err = {""};
    bool                opened = image_open(&r, image, &err);
    FUZZ_CHECK(opened == (err.text[0] == '\0'));
    while (opened && image_next(&r, &record)) {
        FUZZ_CHECK(fuzz_inside(record.fields, image));
        take(&record, &leaf_kind, image);
        take(&record, &branch_kind, image);
        take(&record, &tree_kind, image);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[IMAGE_MAX];
    if (size > INPUT_MAX)
        return 0;
    read_all(slice_of(data, size));
    /* At the end of memory of its own, so that a sanitizer sees a byte too many. */
    struct slice image = image_in(room, data, size);
    uint8_t     *copy = malloc(image.len);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, image.ptr, image.len);
    read_all(slice_of(copy, image.len));
    free(copy);
    return 0;
}
