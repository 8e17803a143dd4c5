/* dns/resolver.h: asks name servers through c-ares, driven by a loop; never blocks, but for a look into /etc/hosts. */
#ifndef MQGATE_DNS_RESOLVER_H
#define MQGATE_DNS_RESOLVER_H

#include <ev.h>

#include "base/err.h"
#include "base/text.h"
#include "dns/answer.h"
#include "proto/dns.h"

struct resolver;

/* servers: whom to ask; none: those of /etc/resolv.conf, and its search domains. NULL and *err filled on failure. */
struct resolver *resolver_new(struct ev_loop *loop, const struct addr *servers, size_t n_servers, struct err *err);
/* Questions under way get no answer. NULL is fine. */
void resolver_free(struct resolver *r);

struct resolver_answer {
    enum answer        kind;
    const char        *why;       /* when it is not good */
    const struct addr *addresses; /* to a question for addresses: n_addresses of one family, port 0 */
    size_t             n_addresses;
    struct dns_answer *services; /* to a question for services: at least one of them; the asker may sort them */
    uint32_t           ttl_s;
};

/* In the asker's memory, which must stay until the answer. */
struct resolver_question {
    struct resolver *resolver;
    char             name[DNS_NAME_MAX];
    int              family; /* AF_INET, then AF_INET6; AF_UNSPEC: for services */
    void (*answered)(void *user, const struct resolver_answer *answer);
    void *user;
};

/* Calls answered once, maybe before it returns; the answer is valid during the call. The name is copied. Addresses of
 * IPv6 are asked for only when there are none of IPv4. */
void resolver_ask_addresses(struct resolver *r, struct resolver_question *q, const char *name);
void resolver_ask_services(struct resolver *r, struct resolver_question *q, const char *name);

/* Since the start; a question may be several queries. */
struct resolver_counts {
    uint64_t asked, good, none, failed;
    uint64_t timeouts; /* queries that a server did not answer in time */
};
struct resolver_counts resolver_counts(const struct resolver *r);

/* Appends who is asked, with a blank before each: " 127.0.0.1:53 [::1]:53". */
void        resolver_put_servers(const struct resolver *r, struct text *out);
const char *resolver_library_version(void); /* "1.18.1" */

#endif
