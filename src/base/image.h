/* base/image.h: facts as bytes that another version of the program reads back.
 *
 * An image is a header and records, a record is a kind and fields, a field is a number and a value; all numbers are
 * little-endian, nothing is aligned:
 *   header  8 bytes "mqgimage", u32 version (1), u64 bytes behind the header, u64 their SipHash under a key of zeros:
 *           it finds accidents, not forgers, who cannot write here
 *   record  u16 kind, u32 bytes of fields, fields in the order of their numbers, each once
 *   field   u16 number, u32 bytes of value, value
 * Bit 15 of a kind or a number: a reader that does not know it must refuse the image, else it leaves that out. A field
 * of zeros is not written, and one that is not there reads as zeros.
 *
 * One table of fields serves writing and reading. A number that was ever given is never given to something else. */
#ifndef MQGATE_BASE_IMAGE_H
#define MQGATE_BASE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/slice.h"

enum image_type {
    IMAGE_UINT, /* 1, 2, 4 or 8 bytes; enumerations too. A value that does not fit where it is read is refused */
    IMAGE_BOOL,
    IMAGE_BYTES, /* an array; what was written shorter reads as zeros behind that */
    IMAGE_TEXT,  /* an array of char that holds a string */
    IMAGE_SLICE, /* struct slice: when read it points into the image */
    IMAGE_ADDR,  /* struct addr */
    IMAGE_GROUP  /* a struct with a table of its own */
};

enum { IMAGE_MUST = 0x8000, IMAGE_NUMBER = 0x7FFF };

/* Kinds of records, of all rooms; none is ever given to something else. */
enum image_number {
    IMAGE_PROCESS = 1,
    IMAGE_TICKETS,
    IMAGE_ROW,
    IMAGE_COUNTER,
    IMAGE_SERVER,
    IMAGE_ENGINE,
    IMAGE_LISTENER,
    IMAGE_SOCKET,
    IMAGE_SESSION,
    IMAGE_DRAIN,
    IMAGE_TOTALS,
    IMAGE_BACKEND,
    IMAGE_CHECK,
    IMAGE_SOURCE,
    IMAGE_PLACE,
    IMAGE_KINDS /* from here on: not known to this version */
};

struct image_kind;

struct image_field {
    uint16_t                 number; /* from 1; IMAGE_MUST as above */
    enum image_type          type;
    size_t                   offset, size; /* in the struct, bytes */
    const struct image_kind *group;        /* of IMAGE_GROUP */
};

#define IMAGE_FIELD(number, type, of, member)                                                                          \
    {                                                                                                                  \
        (number), (type), offsetof(of, member), sizeof(((of *)NULL)->member), NULL                                     \
    }
#define IMAGE_FIELD_GROUP(number, kind, of, member)                                                                    \
    {                                                                                                                  \
        (number), IMAGE_GROUP, offsetof(of, member), sizeof(((of *)NULL)->member), (kind)                              \
    }

struct image_kind {
    const char               *name;   /* for messages */
    uint16_t                  number; /* enum image_number, with IMAGE_MUST as above. Of a group: 0 */
    const struct image_field *fields; /* in the order of their numbers */
    size_t                    n;
};

/* ---- writing ---- */

struct image_writer {
    uint8_t *at; /* the image, so far */
    size_t   len, cap;
    bool     failed; /* there was no more room: nothing is written any more */
    /* Makes at and cap of at least `least` bytes; false when that is not to be had. */
    bool (*grow)(struct image_writer *w, size_t least);
};

/* w has grow, and may have room. */
void image_begin(struct image_writer *w);
/* A record: facts is the struct that kind describes. */
void image_put(struct image_writer *w, const struct image_kind *kind, const void *facts);
/* w->at and w->len are the whole image. False when there was no room for it. */
bool image_end(struct image_writer *w) MUST_CHECK;

/* ---- reading ---- */

struct image_reader {
    struct slice left; /* records */
};

struct image_record {
    uint16_t     kind; /* with IMAGE_MUST, as it was written */
    struct slice fields;
};

/* Checks the header, the sum and the shape of every record; the bytes stay the caller's. False, and *err says why. */
bool image_open(struct image_reader *r, struct slice image, struct err *err) MUST_CHECK;
/* False: that was all. */
bool image_next(struct image_reader *r, struct image_record *out) MUST_CHECK;

static inline bool image_is(const struct image_record *record, const struct image_kind *kind)
{
    return ((record->kind ^ kind->number) & IMAGE_NUMBER) == 0;
}

/* Fills facts, the struct that kind describes. False, and *err says which field is not to be understood. */
bool image_take(const struct image_record *record, const struct image_kind *kind, void *facts,
                struct err *err) MUST_CHECK;

#endif
