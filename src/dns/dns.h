/* dns/dns.h: keeps the servers of a snapshot where DNS says they are. A server with a host name gets the name's
 * address; the slots of an SRV record get its targets, and their weights. What DNS cannot tell for the moment stays as
 * it is. Main thread's loop only. */
#ifndef MQGATE_DNS_DNS_H
#define MQGATE_DNS_DNS_H

#include <ev.h>

#include "base/command.h"
#include "base/err.h"
#include "base/image.h"
#include "base/log.h"
#include "dns/resolver.h"
#include "snapshot/snapshot.h"

struct dns;

/* Called after a server of the snapshot was changed; indices as there. by: who did it, for the log. */
struct dns_listener {
    void (*address)(void *user, size_t backend, size_t server, const struct addr *was, const char *by);
    void (*weight)(void *user, size_t backend, size_t server); /* or whether it is a backup */
    void *user;
};

/* Nothing is asked for yet. Holds a reference of snap. NULL and *err filled on failure. loop and log must outlive it.
 */
struct dns *dns_new(struct ev_loop *loop, struct snapshot *snap, struct log *log, struct dns_listener listener,
                    struct err *err);
/* Names are asked for as soon as the loop runs. before: of the snapshot before, which is asked for nothing any more but
 * dns_free(); NULL: there is none. What it knew of a server that looks up the same name is known on. */
void dns_begin(struct dns *dns, const struct dns *before);
/* Servers stay where they are. NULL is fine. */
void dns_free(struct dns *dns);

/* What DNS has said, for an upgrade: names are asked for again, but servers stay where they are meanwhile, and targets
 * of SRV records on the servers that they have. */
void dns_carry(const struct dns *dns, struct image_writer *w);
/* Between dns_new() and dns_begin(), whose `before` is NULL then; servers have the addresses that they were carried
 * with already. Records of other rooms, and of servers that are not there or look up another name, are left alone.
 * False: the record is not to be understood; *err says why. */
bool dns_adopt(struct dns *dns, const struct image_record *record, struct err *err) MUST_CHECK;

struct dns_figures {
    size_t                 names;   /* that are looked up */
    size_t                 failing; /* of these, without a good answer to the last question */
    struct resolver_counts counts;
};
struct dns_figures dns_figures(const struct dns *dns);

/* Their owner is the struct dns. */
extern const struct command dns_commands[];

#endif
