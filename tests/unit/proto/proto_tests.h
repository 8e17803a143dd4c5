/* tests/unit/proto/proto_tests.h: what the tests of all parsers of the room ask. */
#ifndef MQGATE_TESTS_PROTO_TESTS_H
#define MQGATE_TESTS_PROTO_TESTS_H

#include <check.h>

#include "base/macros.h"
#include "base/slice.h"
#include "proto/parse.h"

/* A string literal's bytes, zeros included; as a constant, and as a value. */
#define LITERAL(text)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }
#define BYTES(text) slice_of(text, sizeof(text) - 1)

/* Asks one parser. *used may stay untouched where the parser does not tell. */
typedef enum parse (*ask_fn)(struct slice in, size_t *used);

/* Every byte of good belongs to the message: it is OK, also with bytes of others behind it, and any cut of it is MORE.
 * Each time it ends at an unreadable page. */
void assert_good(ask_fn ask, struct slice good);

struct bad_vector {
    struct slice bytes;
    size_t       shown_by; /* the first so many bytes are BAD, one fewer are MORE; 0: all of them are needed */
};

/* And no byte to come makes it good. */
void assert_bad(ask_fn ask, const struct bad_vector *bad);

TCase *proxyhdr_tests(void);
TCase *proxyhdr_encode_tests(void);
TCase *mqtt_tests(void);
TCase *mqtt_encode_tests(void);
TCase *mqtt_follow_tests(void);
TCase *http1_tests(void);
TCase *dns_tests(void);
TCase *clienthello_tests(void);
TCase *tell_tests(void);
TCase *ws_frames_tests(void);
TCase *ws_head_tests(void);

#endif
