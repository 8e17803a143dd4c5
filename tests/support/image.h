/* tests/support/image.h: an image in memory of the test's own, for what rooms write into it and read back. */
#ifndef MQGATE_TESTS_IMAGE_H
#define MQGATE_TESTS_IMAGE_H

#include "base/image.h"

/* Writes into it; free it with image_drop(). */
struct image_writer image_start(void);
/* The image is whole, and is read. */
struct image_reader image_reread(struct image_writer *w);
void                image_drop(struct image_writer *w);

#endif
