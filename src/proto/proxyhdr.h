/* proto/proxyhdr.h: the PROXY protocol, versions 1 and 2, in and out.
 * Source: "The PROXY protocol", revision 2020/03/05 and later (haproxy doc/proxy-protocol.txt), sections 2.1, 2.2. */
#ifndef MQGATE_PROTO_PROXYHDR_H
#define MQGATE_PROTO_PROXYHDR_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/macros.h"
#include "base/slice.h"
#include "proto/parse.h"

enum {
    PROXYHDR_V1_MAX = 107, /* bytes with CRLF, section 2.1 */
    PROXYHDR_MAX = 16384   /* bytes; a longer version 2 header is refused: 200 bytes are usual */
};

/* Version 2 TLV types, section 2.2. */
enum {
    PP2_TYPE_ALPN = 0x01,
    PP2_TYPE_AUTHORITY = 0x02,
    PP2_TYPE_CRC32C = 0x03,
    PP2_TYPE_NOOP = 0x04,
    PP2_TYPE_UNIQUE_ID = 0x05,
    PP2_TYPE_SSL = 0x20,
    PP2_SUBTYPE_SSL_VERSION = 0x21,
    PP2_SUBTYPE_SSL_CN = 0x22,
    PP2_SUBTYPE_SSL_CIPHER = 0x23,
    PP2_SUBTYPE_SSL_SIG_ALG = 0x24,
    PP2_SUBTYPE_SSL_KEY_ALG = 0x25,
    PP2_TYPE_NETNS = 0x30
};

enum { PP2_CLIENT_SSL = 0x01, PP2_CLIENT_CERT_CONN = 0x02, PP2_CLIENT_CERT_SESS = 0x04 };

struct proxyhdr {
    int          version;  /* 1 or 2 */
    bool         local;    /* v2 LOCAL: the sender speaks for itself (a health check) */
    bool         has_addr; /* src and dst are filled: TCP over IPv4 or IPv6. Else UNKNOWN, UNSPEC, LOCAL, UNIX, UDP */
    struct addr  src, dst;
    struct slice tlvs; /* v2: all TLVs, checked to be whole; points into the input. Empty in v1 and LOCAL */
};

/* OK: *used = header length in bytes, *out points into in. MORE, BAD: both untouched. BAD as soon as a byte cannot
 * belong to a header (of an address in text: when it is whole). A v2 header with a CRC32C TLV must match it. What LOCAL
 * carries is skipped unread; behind UNSPEC, what does not read as TLVs is ignored. */
enum parse proxyhdr_parse(struct slice in, struct proxyhdr *out, size_t *used);

/* Takes the first TLV off *tlvs. False at the end. Only for tlvs that proxyhdr_parse() gave. */
bool proxyhdr_next_tlv(struct slice *tlvs, uint8_t *type, struct slice *value);

/* What is told about the client's TLS session; NULL strings are left out. */
struct proxyhdr_ssl {
    uint8_t     client;   /* PP2_CLIENT_* bits */
    bool        verified; /* the client's certificate was presented and is good: verify field 0, else 1 */
    const char *version, *cn, *cipher, *sig_alg, *key_alg;
};

struct proxyhdr_v2 {
    bool                       local;                      /* a LOCAL header: nothing else here is sent */
    struct addr                src, dst;                   /* of one family; else sent as UNSPEC without addresses */
    struct slice               alpn, authority, unique_id; /* empty: left out. unique_id: at most 128 bytes */
    const struct proxyhdr_ssl *ssl;                        /* NULL: left out */
    struct slice               passed; /* TLVs of an incoming header, passed on but for CRC32C, NOOP and those above */
};

/* Both write to out and return the length in bytes; 0 when cap is too small, or a value larger than a header can say.
 * Lengths in the header are exact. Addresses that are of two families, or not set: UNKNOWN in v1. */
size_t proxyhdr_encode_v1(const struct addr *src, const struct addr *dst, uint8_t *out, size_t cap) MUST_CHECK;
size_t proxyhdr_encode_v2(const struct proxyhdr_v2 *hdr, uint8_t *out, size_t cap) MUST_CHECK;

#endif
