/* tls/ws_accept.h: the proof that a server understood a WebSocket handshake (RFC 6455 section 4.2.2, 5.4). Here since
 * it is made with SHA-1. */
#ifndef MQGATE_TLS_WS_ACCEPT_H
#define MQGATE_TLS_WS_ACCEPT_H

#include <stdbool.h>

#include "base/macros.h"
#include "base/slice.h"
#include "proto/ws_head.h"

/* key: the value of Sec-WebSocket-Key, WS_KEY_LEN bytes. out: the value of Sec-WebSocket-Accept, with a NUL. False when
 * OpenSSL has no SHA-1 or no memory. */
bool ws_accept(struct slice key, char out[WS_ACCEPT_LEN + 1]) MUST_CHECK;

#endif
