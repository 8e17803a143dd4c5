/* Rooms 0-4 with every allocation failing once: no crash, no leak, an error comes back. */
#include "support/torture.h"

#include "base/log.h"
#include "stats/counters.h"
#include "support/unit.h"
#include "upstream/pool.h"

static bool make_log_ring(void)
{
    struct log_ring *ring = log_ring_new();
    log_ring_free(ring);
    return ring != NULL;
}

static bool make_counters(void)
{
    struct counters *counters = counters_new(4, LISTENER_COUNTERS);
    counters_free(counters);
    return counters != NULL;
}

static bool make_pool(void)
{
    const struct server_limits limits = {.max_connections = 10};
    struct server             *server = server_new("local", &limits, SERVER_UNCHECKED);
    struct pool               *pool = server == NULL ? NULL : pool_new(&server, 1, 4);
    bool                       done = pool != NULL;
    pool_free(pool);
    server_free(server);
    return done;
}

static bool (*const works[])(void) = {make_log_ring, make_counters, make_pool};

START_TEST(any_allocation_may_fail)
{
    torture(works[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torture");
    TCase *tc = tcase_create("torture");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, any_allocation_may_fail, 0, (int)(sizeof works / sizeof works[0]));
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
