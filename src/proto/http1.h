/* proto/http1.h: the head of an HTTP/1.x request or response (RFC 9112): start line and header fields. */
#ifndef MQGATE_PROTO_HTTP1_H
#define MQGATE_PROTO_HTTP1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/parse.h"

enum { HTTP1_FIELDS_MAX = 64 }; /* a head with more is BAD */

struct http1_field {
    struct slice name, value; /* value without surrounding white space */
};

struct http1_head {
    struct slice       method, target; /* request */
    int                minor;          /* HTTP/1.minor: 0 or 1 */
    int                status;         /* response: 100..599 */
    struct http1_field fields[HTTP1_FIELDS_MAX];
    size_t             n_fields;
};

/* OK: *used = bytes up to and with the empty line. Slices point into in. BAD as soon as a byte cannot belong to such a
 * head: bare CR, NUL, white space before the colon, folded lines (RFC 9112 sections 2.2, 5.1, 5.2). A lone LF ends a
 * line as section 2.2 allows, which also has one empty line before a request overlooked. HTTP/1.2 and later are read as
 * HTTP/1.1 (RFC 9110 section 2.5). What Host and the fields of framing must be is for the caller, and so is the length
 * of in. */
enum parse http1_parse_request(struct slice in, struct http1_head *out, size_t *used);
enum parse http1_parse_response(struct slice in, struct http1_head *out, size_t *used);

/* The first field of that name, compared without case; NULL when there is none. */
const struct http1_field *http1_find(const struct http1_head *head, const char *name);
/* Some field of that name holds the token in its comma-separated list, compared without case. */
bool http1_has_token(const struct http1_head *head, const char *name, const char *token);
/* Text is this name or token, compared without case. */
bool http1_is(struct slice text, const char *name);
/* Takes the next member off a comma-separated list, without white space around it; may be empty. False at the end. */
bool http1_next(struct slice *list, struct slice *member);

#endif
