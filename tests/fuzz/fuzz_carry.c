#include "fuzz.h"

#include <string.h>

#include "base/image.h"
#include "tls/carry.h"
#include "tls/record.h"

/* The input is the fields of a stream, as they stand in an image whose sum is right. A stream that comes of them reads,
 * writes and ends like any other, on a descriptor that there is not. */
enum { INPUT_MAX = 1 << 16, IMAGE_MAX = 2 * INPUT_MAX };

static const struct image_field holder_fields[] = {
    {1, IMAGE_GROUP, 0, sizeof(struct stream_image), &stream_image_kind}};
static const struct image_kind holder_kind = {"holder", IMAGE_SESSION, holder_fields, 1};

static bool grow(struct image_writer *w, size_t least)
{
    (void)w;
    (void)least;
    return false;
}

static struct slice write_down(const struct stream_image *facts, uint8_t *room)
{
    struct image_writer w = {.at = room, .cap = IMAGE_MAX, .grow = grow};
    image_begin(&w);
    image_put(&w, &holder_kind, facts);
    FUZZ_CHECK(image_end(&w));
    return slice_of(w.at, w.len);
}

/* The stream tells the same facts. */
static void compare(const struct stream *s, const struct stream_image *facts)
{
    static uint8_t      first[IMAGE_MAX], second[IMAGE_MAX];
    struct stream_image told;
    FUZZ_CHECK(stream_can_be_carried(s));
    stream_carry(s, &told);
    FUZZ_CHECK(slice_eq(write_down(facts, first), write_down(&told, second)));
}

static void use(struct stream *s, size_t cap)
{
    static uint8_t   bytes[RECORD_LEN_MAX];
    struct tls_facts facts;
    size_t           n;
    enum io          how = IO_OK;
    FUZZ_CHECK(stream_facts(s, &facts) == (s->tls != NULL));
    while (how == IO_OK) {
        how = stream_read(s, bytes, cap, &n);
        FUZZ_CHECK(n <= cap && (how == IO_OK) == (n > 0));
    }
    FUZZ_CHECK(how != IO_NO_MEMORY || s->tls != NULL);
    how = stream_write(s, slice_of(bytes, sizeof bytes), &n);
    FUZZ_CHECK(how != IO_OK || n <= sizeof bytes);
    how = stream_shutdown(s);
    FUZZ_CHECK(how != IO_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_worker *worker;
    struct stream_image       facts;
    struct err                err;
    struct stream             s;
    if (worker == NULL)
        worker = tls_worker_new();
    if (size == 0 || size > INPUT_MAX)
        return 0;
    /* What image_open() would find whole. */
    const struct image_record record = {IMAGE_SESSION, slice_of(data + 1, size - 1)};
    if (!image_take(&record, &holder_kind, &facts, &err))
        return 0;
    bool adopted = stream_adopt(&s, -1, &facts, worker);
    FUZZ_CHECK(adopted || s.tls == NULL);
    if (adopted && facts.is_tls)
        compare(&s, &facts);
    if (adopted)
        use(&s, (size_t)data[0] + 1);
    stream_fini(&s);
    return 0;
}
