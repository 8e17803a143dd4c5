/* proto/tell.h: what a client speaks, told by its first bytes. */
#ifndef MQGATE_PROTO_TELL_H
#define MQGATE_PROTO_TELL_H

#include "base/slice.h"

/* Bytes that are needed at most: with so many there, and with any more, the answer is not TELL_MORE. */
enum { TELL_MAX = 1024 };

enum tell {
    TELL_MORE,  /* the beginning of several of these */
    TELL_PROXY, /* a PROXY header, version 1 or 2 */
    TELL_TLS,   /* the record of a handshake, RFC 8446 section 5.1 */
    TELL_MQTT,  /* a CONNECT, MQTT 5.0 section 3.1.1 */
    TELL_WS,    /* an HTTP request for ws_path, with a query or one '/' more or without; its fields are not looked at */
    TELL_HTTP,  /* any other HTTP request */
    TELL_NOTHING /* none of them */
};

/* An answer other than TELL_MORE stays as it is when more bytes follow. ws_path begins with '/' and has at most 255
 * bytes. Of HTTP the request's method and the beginning of its target are looked at (RFC 9112 section 3): method of
 * capital letters and '-', target in origin-form, absolute-form, or "*"; one empty line before it is overlooked. */
enum tell tell(struct slice in, const char *ws_path);

#endif
