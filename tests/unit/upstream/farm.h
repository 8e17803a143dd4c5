/* tests/unit/upstream/farm.h: servers of one pool, all of them up. */
#ifndef MQGATE_TESTS_UPSTREAM_FARM_H
#define MQGATE_TESTS_UPSTREAM_FARM_H

#include "upstream/pool.h"

enum { FARM_WORKERS = 2 };

struct farm {
    struct server *servers[POOL_SERVERS_MAX];
    size_t         n;
    struct pool   *pool;
};

/* A server of settings without a name is "a", "b", ...; one without a weight has 100. */
struct farm farm_of(enum conf_balance balance, size_t n, const struct server_settings *settings);
void        farm_fini(struct farm *farm);

/* Where a client of worker 0 is sent that has tried these and has this key; its place stays taken. */
size_t farm_pick(struct farm *farm, uint64_t tried, uint64_t key);
/* The same for one that is not let in, and does not wait. */
enum pick farm_refuse(struct farm *farm, uint64_t tried, uint64_t key);
/* A place that somebody has there, unanswered. True: the workers are to be told. */
bool farm_give(struct farm *farm, size_t index);
/* Picks and gives back. */
size_t farm_visit(struct farm *farm, uint64_t tried, uint64_t key);

#endif
