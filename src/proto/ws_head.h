/* proto/ws_head.h: the opening handshake of MQTT over WebSocket (RFC 6455 section 4, MQTT 3.1.1 and 5 section 6), as a
 * gate needs it: the client's request is checked and answered, and put to a server anew, whose answer is checked. */
#ifndef MQGATE_PROTO_WS_HEAD_H
#define MQGATE_PROTO_WS_HEAD_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/macros.h"
#include "base/slice.h"
#include "proto/http1.h"

enum {
    WS_KEY_LEN = 24,        /* bytes of Sec-WebSocket-Key: 16 in base64 */
    WS_ACCEPT_LEN = 28,     /* bytes of Sec-WebSocket-Accept: 20 in base64 */
    WS_REQUEST_GROWTH = 512 /* bytes: what ws_encode_request() writes is longer than what was parsed by less */
};

/* What a listener takes. */
struct ws_rules {
    const char        *path;         /* begins with '/' */
    const char *const *subprotocols; /* compared with case, as MQTT's recipients do */
    size_t             n_subprotocols;
};

/* Why a request is refused. */
enum ws_fault {
    WS_FAULT_NONE,
    WS_FAULT_MALFORMED,   /* no head of a request; http1_parse_request() said so */
    WS_FAULT_TOO_LONG,    /* longer than the caller reads */
    WS_FAULT_METHOD,      /* not GET */
    WS_FAULT_HOST,        /* none, several, or no host */
    WS_FAULT_BODY,        /* announced */
    WS_FAULT_PATH,        /* another */
    WS_FAULT_UPGRADE,     /* to WebSocket is not asked for, or by HTTP/1.0 */
    WS_FAULT_VERSION,     /* of WebSocket is not 13 */
    WS_FAULT_KEY,         /* none, several, or not 16 bytes */
    WS_FAULT_SUBPROTOCOL, /* none is offered that the rules have */
    WS_FAULT_NO_SERVER    /* the request is good, but nobody is there for it */
};

/* Slices point into what was parsed. */
struct ws_request {
    struct slice key;         /* WS_KEY_LEN bytes */
    struct slice subprotocol; /* the first offered one that the rules have */
};

/* *out is filled when there is no fault. The path is that of the target without its query, which is the broker's
 * matter; one '/' more at its end is overlooked, as EMQX does. Origin and credentials are the broker's matter, too. */
enum ws_fault ws_check_request(const struct http1_head *head, const struct ws_rules *rules, struct ws_request *out);

/* The answer 101. accept: WS_ACCEPT_LEN bytes. Returns its length; 0 when cap is too small. */
size_t ws_encode_answer(const struct ws_request *request, struct slice accept, uint8_t *out, size_t cap) MUST_CHECK;

/* The status of the answer to a fault, which is one: 400, 404, 426 or 503. */
unsigned ws_fault_status(enum ws_fault fault);
/* A whole answer with a body that says what is wrong and what would be right; the connection is to be closed behind it.
 * Returns its length; 0 when cap is too small. */
size_t ws_encode_refusal(enum ws_fault fault, const struct ws_rules *rules, uint8_t *out, size_t cap) MUST_CHECK;

/* Who is at the other end of the gate. */
struct ws_forwarded {
    struct addr client;
    bool        tls; /* the client came by TLS */
};

/* The head of a request that is without fault, for the server: its line and fields as they came, but for these.
 * Subprotocol: the chosen one alone. Extensions: none, as the frames are followed. Fields that are between the client
 * and the gate only (RFC 9110 section 7.6.1) are left out. forwarded: NULL, or X-Forwarded-For, -Port (the client's
 * address and port) and -Proto ("http" or "https") are set to that.
 * Returns its length; 0 when cap is too small. */
size_t ws_encode_request(const struct http1_head *head, const struct ws_request *request,
                         const struct ws_forwarded *forwarded, uint8_t *out, size_t cap) MUST_CHECK;

/* What is wrong with a server's answer. */
enum ws_answer {
    WS_ANSWER_GOOD,
    WS_ANSWER_STATUS,      /* not 101: head->status tells */
    WS_ANSWER_UPGRADE,     /* not to WebSocket */
    WS_ANSWER_ACCEPT,      /* not to this request */
    WS_ANSWER_SUBPROTOCOL, /* another one */
    WS_ANSWER_EXTENSION    /* some, which nobody asked for */
};

/* RFC 6455 section 4.1. accept: what it must prove, WS_ACCEPT_LEN bytes. An answer that names no subprotocol is good:
 * clients have been told the one that they asked for, and if the server speaks MQTT is shown by its CONNACK. */
enum ws_answer ws_check_response(const struct http1_head *head, const struct ws_request *request, struct slice accept);

#endif
