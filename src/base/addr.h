/* base/addr.h: an IPv4 or IPv6 address with its port, and networks of them. Values, both. */
#ifndef MQGATE_BASE_ADDR_H
#define MQGATE_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/macros.h"

struct addr {
    union {
        struct sockaddr     sa; /* sa_family AF_UNSPEC: no address */
        struct sockaddr_in  in;
        struct sockaddr_in6 in6;
    };
};

enum { ADDR_TEXT_MAX = 64 }; /* bytes, NUL included: "[ipv6]:65535" fits */

/* "127.0.0.1:1883", "[::1]:1883". A host name is no address: false. Port 0 is allowed. */
bool addr_parse(const char *text, struct addr *out) MUST_CHECK;
/* "10.0.0.1" or "::1" alone, port 0. */
bool addr_parse_ip(const char *text, struct addr *out) MUST_CHECK;
/* n bytes of network-order address: 4 or 16. port in host order. */
struct addr addr_from_ip4(const uint8_t ip[4], uint16_t port);
struct addr addr_from_ip6(const uint8_t ip[16], uint16_t port);
/* From what accept(2), getsockname(2) filled. IPv4 in IPv6 (::ffff:a.b.c.d) becomes IPv4. */
struct addr addr_from_sockaddr(const struct sockaddr *sa);

/* Writes "10.0.0.1:1883" or "[::1]:1883", "-" for no address; returns out. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
/* The same without the port and the brackets. */
const char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);

socklen_t addr_socklen(const struct addr *a); /* bytes, for bind(2), connect(2) */
uint16_t  addr_port(const struct addr *a);    /* host order */
void      addr_set_port(struct addr *a, uint16_t port);
bool      addr_is_set(const struct addr *a);
bool      addr_is_loopback(const struct addr *a);
bool      addr_same_ip(const struct addr *a, const struct addr *b);
/* And the port; or neither is set. */
bool addr_same(const struct addr *a, const struct addr *b);
bool addr_is_wildcard(const struct addr *a); /* 0.0.0.0 or [::] */
/* Who listens on one of them hears of connections to the other, too. Port 0 overlaps with nothing. */
bool addr_overlaps(const struct addr *a, const struct addr *b);

struct network {
    struct addr base; /* host bits are zero */
    uint8_t     bits; /* 0..32 or 0..128 */
};

/* "10.0.0.0/8", "::1/128", or a single address. False: no such thing, or host bits set. IPv4 in IPv6 becomes IPv4. */
bool network_parse(const char *text, struct network *out) MUST_CHECK;
/* A network of IPv4 has its addresses in both forms: a PROXY header may bring IPv4 in IPv6, and is passed on as it
 * came. */
bool network_has(const struct network *net, const struct addr *a);
bool networks_have(const struct network *nets, size_t n, const struct addr *a);

#endif
