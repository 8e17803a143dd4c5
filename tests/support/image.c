#include "support/image.h"

#include <check.h>
#include <stdlib.h>

static bool grow(struct image_writer *w, size_t least)
{
    uint8_t *more = realloc(w->at, least + least / 2);
    if (more == NULL)
        return false;
    w->at = more;
    w->cap = least + least / 2;
    return true;
}

struct image_writer image_start(void)
{
    struct image_writer w = {.grow = grow};
    image_begin(&w);
    return w;
}

struct image_reader image_reread(struct image_writer *w)
{
    struct image_reader r;
    struct err          err = {0};
    ck_assert(image_end(w));
    ck_assert_msg(image_open(&r, slice_of(w->at, w->len), &err), "%s", err.text);
    return r;
}

void image_drop(struct image_writer *w)
{
    free(w->at);
}
