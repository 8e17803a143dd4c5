/* tls/record_keys.h: how a key of TLS 1.3 makes the next one; for record.c. */
#ifndef MQGATE_TLS_RECORD_KEYS_H
#define MQGATE_TLS_RECORD_KEYS_H

#include "tls/record.h"

/* One of r's halves goes on with its next secret (RFC 8446 section 7.2). False when memory is out. */
bool record_keys_next(const struct record *r, struct aead *aead, struct record_half *half) MUST_CHECK;

#endif
