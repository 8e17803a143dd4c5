/* proto/dns.h: what a DNS message says of a service: RFC 1035 and RFC 2782. */
#ifndef MQGATE_PROTO_DNS_H
#define MQGATE_PROTO_DNS_H

#include "base/addr.h"
#include "base/slice.h"

enum {
    DNS_NAME_MAX = 256,     /* bytes, NUL included */
    DNS_SERVICES_MAX = 256, /* of one answer; what comes behind them is left out */
    DNS_ADDRESSES_MAX = 256
};

/* An SRV record. Names are in lower case, without a dot at the end, and made of letters, digits, '-', '_' and '.'. */
struct dns_service {
    char     host[DNS_NAME_MAX];
    uint16_t port;     /* never 0 */
    uint16_t priority; /* the lowest first */
    uint16_t weight;
};

/* An A or AAAA record; port 0. */
struct dns_address {
    char        host[DNS_NAME_MAX];
    struct addr at;
};

struct dns_answer {
    struct dns_service services[DNS_SERVICES_MAX]; /* in the order of the message */
    size_t             n_services;
    struct dns_address addresses[DNS_ADDRESSES_MAX]; /* of the additional section */
    size_t             n_addresses;
    uint32_t           ttl_s; /* the shortest of the answer, additional addresses included; 0 where there is none */
};

/* A whole message. Records of other kinds, and those whose names are no hosts', are passed over. False: it is no whole
 * message; *out is of no use then. */
bool dns_parse(struct slice message, struct dns_answer *out) MUST_CHECK;

#endif
