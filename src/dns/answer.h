/* dns/answer.h: what follows from an answer, or from none. Pure. */
#ifndef MQGATE_DNS_ANSWER_H
#define MQGATE_DNS_ANSWER_H

#include <stddef.h>

#include "base/addr.h"

enum answer {
    ANSWER_GOOD,
    ANSWER_NONE,  /* the name servers say that there is no such name, or nothing of that kind under it */
    ANSWER_FAILED /* they did not answer, or with an error, or with something that is no answer */
};

enum { ANSWER_ASK_MIN_MS = 1000 }; /* between an answer and the next question about the same name */

/* The address in use is kept while it is among all; else the first of IPv4, else the first of IPv6. Ports do not
 * matter. Not set when n is 0. */
struct addr answer_choose(const struct addr *in_use, const struct addr *all, size_t n);

/* How one name has fared. All zero: nothing was asked yet. */
struct standing {
    bool     bad;           /* the last answer was not good */
    uint64_t none_since_ms; /* since when it is ANSWER_NONE, failures between not counted; 0: it is not */
};

/* now_ms is not 0. True: by this answer the name has lost what it had, which is so once ANSWER_NONE has held for
 * hold_ms. */
bool standing_note(struct standing *s, enum answer answer, uint64_t now_ms, uint32_t hold_ms);
/* Until the next question: the TTL of a good answer, not below ANSWER_ASK_MIN_MS and not above hold_ms; else
 * ANSWER_ASK_MIN_MS. */
uint32_t answer_wait_ms(enum answer answer, uint32_t ttl_s, uint32_t hold_ms);

#endif
