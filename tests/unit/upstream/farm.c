#include "unit/upstream/farm.h"

#include <check.h>

struct farm farm_of(enum conf_balance balance, size_t n, const struct server_settings *settings)
{
    struct farm farm = {.n = n};
    for (size_t i = 0; i < n; i++) {
        struct server_settings own = settings[i];
        char                   name[] = {(char)('a' + i % 26), '\0'};
        if (own.name == NULL)
            own.name = name;
        if (own.weight == 0)
            own.weight = 100;
        ck_assert(addr_parse("127.0.0.1:1883", &own.address));
        farm.servers[i] = server_new(&own, SERVER_UP);
        ck_assert_ptr_nonnull(farm.servers[i]);
    }
    farm.pool = pool_new(balance, farm.servers, n, FARM_WORKERS, NULL);
    ck_assert_ptr_nonnull(farm.pool);
    return farm;
}

void farm_fini(struct farm *farm)
{
    pool_free(farm->pool);
    for (size_t i = 0; i < farm->n; i++)
        server_unref(farm->servers[i]);
}

size_t farm_pick(struct farm *farm, uint64_t tried, uint64_t key)
{
    struct pool_waiter waiter = {.tried = tried, .key = key};
    struct lease       lease = {0};
    ck_assert_int_eq(pool_pick(farm->pool, 0, &waiter, &lease), PICK_OK);
    ck_assert(lease.held && lease.pending && !waiter.waits);
    return lease.index;
}

enum pick farm_refuse(struct farm *farm, uint64_t tried, uint64_t key)
{
    struct pool_waiter waiter = {.tried = tried, .key = key};
    struct lease       lease = {.index = 7};
    enum pick          pick = pool_pick(farm->pool, 0, &waiter, &lease);
    ck_assert_int_ne(pick, PICK_OK);
    ck_assert(!lease.held && lease.index == 7);
    ck_assert(waiter.waits == (pick == PICK_FULL));
    pool_leave(farm->pool, 0, &waiter);
    ck_assert(!waiter.waits);
    return pick;
}

bool farm_give(struct farm *farm, size_t index)
{
    struct lease lease = {.index = (uint8_t)index, .held = true, .pending = true};
    return pool_release(farm->pool, &lease);
}

size_t farm_visit(struct farm *farm, uint64_t tried, uint64_t key)
{
    size_t index = farm_pick(farm, tried, key);
    ck_assert(!farm_give(farm, index));
    return index;
}
