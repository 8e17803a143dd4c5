/* upstream/balance.h: which of some servers is the next one, without locks: workers share atomic words. Private to
 * upstream/; pool.h says what becomes of the answer.
 *
 * leastconn and roundrobin take turns. Each server has a pass, the virtual time of its next turn, and each turn moves
 * it on by 1/weight; the one with the earliest pass is next. The pool's own virtual time is that of the last turn, and
 * a server that was away joins in there: it does not catch up on what it has missed. A turn is claimed by moving the
 * pass by compare-and-swap: who finds it moved looks again, so that workers together take turns as strictly as one
 * alone.
 *
 * source and client-id draw lots (weighted rendezvous hashing): a server's lot follows from the client's key and the
 * server's identity alone, which is its name, or for a target of an SRV record its host and port, since its slot is
 * another one elsewhere; its chance follows from its weight; the best lot wins. So a server that comes takes its share
 * from each of the others, one that goes leaves its clients to each of them, and nobody else moves; nor does anybody
 * because servers change their order or their addresses.
 *
 * The hash has no secret: all nodes must agree, and a restart must not move clients. Whoever may choose client ids can
 * find many that meet on one server. All that this buys is a load that is not spread: as many connections of one's own
 * as listeners.per_source lets in, on a server that takes no more than max_connections and max_pending of them. */
#ifndef MQGATE_UPSTREAM_BALANCE_H
#define MQGATE_UPSTREAM_BALANCE_H

#include <stddef.h>

#include "conf/model.h"
#include "upstream/server.h"

struct balance_share {
    const struct server *server;
    _Atomic uint64_t     pass;
};

struct balance {
    enum conf_balance     how;
    struct balance_share *shares; /* one a server; owned */
    _Atomic uint64_t      now;
};

/* The servers must outlive it. False when memory is out. */
bool balance_init(struct balance *b, enum conf_balance how, struct server *const *servers, size_t n) MUST_CHECK;
void balance_fini(struct balance *b);

/* One of candidates, a bit for each server, at least one of them set: it has had its turn with that. key: the client's,
 * where lots are drawn. */
size_t balance_choose(struct balance *b, uint64_t candidates, uint64_t key);

/* The first of a set of servers, a bit each; it is not empty. */
static inline size_t balance_first(uint64_t servers)
{
    return (size_t)__builtin_ctzll(servers);
}

/* Of bytes that stand for a client. */
uint64_t balance_hash(const void *bytes, size_t len);

#endif
