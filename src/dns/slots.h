/* dns/slots.h: which server of a backend is which target of an SRV record. Pure. */
#ifndef MQGATE_DNS_SLOTS_H
#define MQGATE_DNS_SLOTS_H

#include "proto/dns.h"

/* A server's place. All zero: it never had a target. */
struct slot {
    char     host[DNS_NAME_MAX]; /* of the target, or of the last one */
    uint16_t port;
    bool     is_taken; /* the target is in the newest answer */
    bool     is_new;   /* and was not in the one before */
    bool     backup;   /* there are targets of a lower priority number */
    uint32_t weight;   /* 1..SERVER_WEIGHT_MAX */
    uint64_t seen;     /* the number of the last answer that the target was in; 0: it never had one */
};

/* number: of this answer, from 1 on, one more each time. A target (host and port) keeps its slot while answers have it.
 * One that comes takes the free slot that it had before, else the one that has been free the longest. They come in the
 * order of priority, host and port, not in that of the answer, which changes; the answer is sorted. Returns how many
 * found no slot free. */
size_t slots_fill(struct slot *slots, size_t n, struct dns_answer *answer, uint64_t number);
/* Nobody is a target any more. */
void slots_clear(struct slot *slots, size_t n);

#endif
