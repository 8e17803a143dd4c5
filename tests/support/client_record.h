/* A record as a client may seal it: of any type, with any content, also such as no good client sends. */
#ifndef MQGATE_TESTS_SUPPORT_CLIENT_RECORD_H
#define MQGATE_TESTS_SUPPORT_CLIENT_RECORD_H

#include "tls/record.h"

enum { CLIENT_PADDING_MAX = 20000 };

/* client is the struct record of the client's end. padding: zeros behind the type, in TLS 1.3 only. Returns the bytes
 * written to out, which has the room; 0 when memory is out. */
size_t client_record(struct record *client, struct aead *aead, uint8_t type, struct slice content, size_t padding,
                     uint8_t *out);

#endif
