/* tests/fuzz/fuzz.h: what fuzz targets share. A target is one file, fuzz_NAME.c, that defines LLVMFuzzerTestOneInput():
 * libFuzzer calls it with inputs of its own making, replay.c with those that are kept in corpus/ and regressions/. */
#ifndef MQGATE_TESTS_FUZZ_H
#define MQGATE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "proto/parse.h"

/* Returns 0 always; a finding is a crash. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that holds for every input. Also with NDEBUG. */
#define FUZZ_CHECK(property)                                                                                           \
    do {                                                                                                               \
        if (!(property)) {                                                                                             \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);                        \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline bool fuzz_inside(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* One parser. *used may stay untouched where it does not tell. */
typedef enum parse (*fuzz_ask)(struct slice in, size_t *used);

/* The answer for all of in fits those for its beginnings: before what is OK or MORE there is only MORE, and what is OK
 * stays so when bytes follow. A handful of cuts, spread by length. */
static inline void fuzz_cuts(fuzz_ask ask, struct slice in)
{
    size_t     used = SIZE_MAX, ignored;
    enum parse answer = ask(in, &used);
    bool       told = used != SIZE_MAX;
    size_t     whole = told ? used : in.len;
    FUZZ_CHECK(whole <= in.len && told <= (answer == PARSE_OK));
    for (size_t i = 0; i < 8 && whole > 0; i++) {
        size_t     cut = i == 0 ? whole - 1 : whole * (i - 1) / 8;
        enum parse earlier = ask(slice_of(in.ptr, cut), &ignored);
        FUZZ_CHECK(earlier == PARSE_MORE || earlier == answer);
        FUZZ_CHECK(earlier == PARSE_MORE || !told);
    }
}

#endif
