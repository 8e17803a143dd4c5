/* proto/proxyhdr_versions.h: the two readers behind proxyhdr_parse(). Inside proto/proxyhdr*.c only. */
#ifndef MQGATE_PROTO_PROXYHDR_VERSIONS_H
#define MQGATE_PROTO_PROXYHDR_VERSIONS_H

#include "proto/proxyhdr.h"

enum { PP2_SIGNATURE_LEN = 12, PP2_FIXED_LEN = 16 }; /* bytes: the fixed part ends with the length */

/* Section 2.2: no other protocol begins like this. */
extern const uint8_t proxyhdr_v2_signature[PP2_SIGNATURE_LEN];

enum pp2_command { PP2_COMMAND_LOCAL = 0, PP2_COMMAND_PROXY = 1 };
enum pp2_family { PP2_FAMILY_UNSPEC = 0, PP2_FAMILY_INET = 1, PP2_FAMILY_INET6 = 2, PP2_FAMILY_UNIX = 3 };
enum pp2_transport { PP2_TRANSPORT_UNSPEC = 0, PP2_TRANSPORT_STREAM = 1, PP2_TRANSPORT_DGRAM = 2 };

/* As proxyhdr_parse(), for input whose first byte is that of the version. */
enum parse proxyhdr_parse_v1(struct slice in, struct proxyhdr *out, size_t *used);
enum parse proxyhdr_parse_v2(struct slice in, struct proxyhdr *out, size_t *used);

#endif
