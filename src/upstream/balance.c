#include "upstream/balance.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/siphash.h"

/* 1 of virtual time. Divided by a weight it is exact to 1/4096, and 64 bits last for 2^44 turns of weight 1. */
enum { WHOLE = 1 << 20 };

/* What a turn is decided by. */
struct rank {
    size_t   index;
    uint64_t weight;
    uint64_t load; /* sessions; with roundrobin 0 */
    uint64_t pass; /* as it was seen */
    uint64_t turn; /* the same, but not before now */
};

bool balance_init(struct balance *b, enum conf_balance how, struct server *const *servers, size_t n)
{
    b->how = how;
    b->shares = calloc(n, sizeof *b->shares);
    if (b->shares == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        b->shares[i].server = servers[i];
    return true;
}

void balance_fini(struct balance *b)
{
    free(b->shares);
}

uint64_t balance_hash(const void *bytes, size_t len)
{
    static const uint8_t key[SIPHASH_KEY_BYTES] = "mqgate.balance.1";
    return siphash(key, bytes, len);
}

/* An operator may set it to 0 while we look. */
static uint32_t weight_of(const struct server *server)
{
    uint32_t weight = server_weight(server);
    return weight > 0 ? weight : 1;
}

/* --- turns --- */

static struct rank rank_of(const struct balance *b, size_t i, uint64_t now)
{
    struct balance_share *share = &b->shares[i];
    struct rank           rank = {.index = i, .weight = weight_of(share->server), .pass = atomic_load(&share->pass)};
    rank.load = b->how == BALANCE_LEASTCONN ? server_in_flight(share->server) : 0;
    rank.turn = rank.pass > now ? rank.pass : now;
    return rank;
}

static bool comes_before(const struct rank *a, const struct rank *b)
{
    uint64_t of_a = a->load * b->weight, of_b = b->load * a->weight; /* load/weight, over one denominator */
    return of_a != of_b ? of_a < of_b : a->turn < b->turn;
}

static struct rank first_in_rank(const struct balance *b, uint64_t candidates)
{
    uint64_t    now = atomic_load(&b->now);
    struct rank best = rank_of(b, balance_first(candidates), now);
    for (uint64_t left = candidates & (candidates - 1); left != 0; left &= left - 1) {
        struct rank other = rank_of(b, balance_first(left), now);
        if (comes_before(&other, &best))
            best = other;
    }
    return best;
}

static void move_on(_Atomic uint64_t *now, uint64_t to)
{
    uint64_t seen = atomic_load(now);
    while (seen < to && !atomic_compare_exchange_weak(now, &seen, to))
        continue;
}

/* Each round that fails is another worker's success. */
static size_t take_turn(struct balance *b, uint64_t candidates)
{
    struct rank best;
    do
        best = first_in_rank(b, candidates);
    while (!atomic_compare_exchange_strong(&b->shares[best.index].pass, &best.pass, best.turn + WHOLE / best.weight));
    move_on(&b->now, best.turn);
    return best.index;
}

/* --- lots --- */

/* The smallest of some wins. They are times until something happens that happens weight times a second: the first of
 * them is this one with probability weight / all weights. */
static double lot_of(const struct balance_share *share, uint64_t key)
{
    const uint64_t both[] = {key, server_identity(share->server)};
    const double   even = ((double)(balance_hash(both, sizeof both) >> 11) + 0.5) * 0x1p-53; /* between 0 and 1 */
    return -log(even) / weight_of(share->server);
}

static size_t draw_lots(const struct balance *b, uint64_t candidates, uint64_t key)
{
    size_t best = balance_first(candidates);
    double best_lot = INFINITY;
    for (uint64_t left = candidates; left != 0; left &= left - 1) {
        double lot = lot_of(&b->shares[balance_first(left)], key);
        if (lot < best_lot) {
            best_lot = lot;
            best = balance_first(left);
        }
    }
    return best;
}

size_t balance_choose(struct balance *b, uint64_t candidates, uint64_t key)
{
    switch (b->how) {
    case BALANCE_LEASTCONN:
    case BALANCE_ROUNDROBIN:
        return take_turn(b, candidates);
    case BALANCE_SOURCE:
    case BALANCE_CLIENT_ID:
        return draw_lots(b, candidates, key);
    case BALANCE_LOCAL_FIRST:
        break;
    }
    return balance_first(candidates);
}
