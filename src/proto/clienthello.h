/* proto/clienthello.h: a look at the first TLS message without taking part: server name and ALPN.
 * Sources: RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301 section 3.1. Hellos split over several records are
 * followed; TLS 1.0 to 1.3. */
#ifndef MQGATE_PROTO_CLIENTHELLO_H
#define MQGATE_PROTO_CLIENTHELLO_H

#include "base/slice.h"
#include "proto/parse.h"

enum { CLIENTHELLO_SNI_MAX = 256, CLIENTHELLO_ALPN_MAX = 256, CLIENTHELLO_MAX = 16384 }; /* bytes */

/* Values are copied: a hello may lie in several records. */
struct clienthello {
    char    sni[CLIENTHELLO_SNI_MAX];   /* host name, NUL-terminated; "" when absent */
    uint8_t alpn[CLIENTHELLO_ALPN_MAX]; /* names, each behind its length byte (RFC 7301); whole names that fit */
    size_t  alpn_len;                   /* bytes */
};

/* BAD: not a ClientHello, as soon as a byte shows it. A hello larger than CLIENTHELLO_MAX is BAD, and a server name
 * with spaces or control characters. What follows the hello is not looked at. The caller bounds the length of in. */
enum parse clienthello_peek(struct slice in, struct clienthello *out);

#endif
