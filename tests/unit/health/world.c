#include "unit/health/world.h"

#include <string.h>

#include "support/descriptors.h"

struct world w;

void world_open(void)
{
    static const char *const names[SERVERS_MAX] = {"s0", "s1", "s2", "s3"};
    memset(&w, 0, sizeof w);
    w.n_fds = descriptors_open();
    w.loop = ev_loop_new(EVFLAG_AUTO);
    ck_assert_ptr_nonnull(w.loop);
    w.log_settings = (struct log_settings){.level = LEVEL_INFO, .format = FORMAT_LOGFMT, .wake_fd = -1};
    w.log = (struct log){.settings = &w.log_settings, .ring = log_ring_new()};
    w.backend = (struct conf_backend){.name = "broker", .servers = w.servers, .n_servers = 1, .tries = 3};
    w.backend.check = (struct conf_check){.type = CHECK_TCP,
                                          .interval_ms = 20,
                                          .fast_interval_ms = 10,
                                          .timeout_ms = 5000,
                                          .fall = 3,
                                          .rise = 2,
                                          .http_path = "/status",
                                          .http_expect = 200};
    w.conf.global.node = "node-1";
    w.conf.backends = &w.backend;
    w.conf.n_backends = 1;
    w.snap = (struct snapshot){.conf = &w.conf, .backends = &w.snap_backend, .refs = 1};
    for (size_t i = 0; i < SERVERS_MAX; i++)
        w.servers[i] = (struct conf_server){.name = names[i], .source_auto = true, .address_text = "127.0.0.1:1"};
}

static void count_change(void *user)
{
    ++*(unsigned *)user;
}

void world_start(void)
{
    enum server_state state = w.backend.check.type == CHECK_NONE ? SERVER_UNCHECKED : SERVER_UNKNOWN;
    w.snap_backend = (struct snap_backend){.conf = &w.backend, .servers = w.snap_servers};
    for (size_t i = 0; i < w.backend.n_servers; i++) {
        if (w.fakes[i].loop == NULL)
            fake_open(&w.fakes[i], w.loop);
        w.servers[i].address = w.fakes[i].at;
        const struct server_settings settings = {
            .name = w.servers[i].name, .address = w.servers[i].address, .weight = 100};
        w.live[i] = server_new(&settings, state);
        ck_assert_ptr_nonnull(w.live[i]);
        w.snap_servers[i].conf = &w.servers[i];
        w.snap_servers[i].live = w.live[i];
    }
    w.snap_backend.pool = pool_new(BALANCE_LOCAL_FIRST, w.live, w.backend.n_servers, 1, NULL);
    ck_assert_ptr_nonnull(w.snap_backend.pool);
    w.health = health_new(w.loop, &w.snap, &w.log, (struct health_listener){count_change, &w.n_changes});
    health_begin(w.health, NULL);
    ck_assert_ptr_nonnull(w.health);
}

void world_close(void)
{
    health_free(w.health);
    ck_assert_uint_eq(w.snap.refs, 1);
    for (size_t i = 0; i < SERVERS_MAX; i++)
        fake_close(&w.fakes[i]);
    pool_free(w.snap_backend.pool);
    for (size_t i = 0; i < SERVERS_MAX; i++)
        server_unref(w.live[i]);
    log_ring_free(w.log.ring);
    ev_loop_destroy(w.loop);
    ck_assert_uint_eq(descriptors_open(), w.n_fds);
}

static void on_guard(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)timer;
    (void)revents;
    ev_break(loop, EVBREAK_ONE);
}

void turn(void)
{
    ev_timer guard;
    ev_timer_init(&guard, on_guard, 0.5, 0);
    ev_timer_start(w.loop, &guard);
    ev_run(w.loop, EVRUN_ONCE);
    ev_timer_stop(w.loop, &guard);
}

const struct health_report *report(size_t server)
{
    return health_report(w.health, 0, server);
}

enum server_state state(size_t server)
{
    return server_state(w.live[server]);
}

const char *status(size_t server)
{
    return probe_status_names[report(server)->last.status];
}

bool logged(const char *text)
{
    size_t            len = strlen(w.lines);
    enum log_severity severity;
    char              line[LOG_LINE_MAX];
    for (size_t n; (n = log_ring_take(w.log.ring, line, &severity)) > 0; len += n + 1) {
        ck_assert_uint_lt(len + n + 2, sizeof w.lines);
        memcpy(w.lines + len, line, n);
        memcpy(w.lines + len + n, "\n", 2);
    }
    return strstr(w.lines, text) != NULL;
}

void say(size_t fake, const char *bytes, size_t len)
{
    w.fakes[fake].answer = slice_of(bytes, len);
}

void heard_is(const struct fake *fake, const char *bytes, size_t len)
{
    ck_assert_uint_eq(fake->n_heard, len);
    ck_assert_mem_eq(fake->heard, bytes, len);
}

void check_once(void)
{
    w.backend.check.interval_ms = w.backend.check.fast_interval_ms = 60000;
    world_start();
    AWAIT(report(0)->checks == 1);
}

void assert_up(const char *name)
{
    ck_assert_msg(strcmp(status(0), name) == 0, "%s: %s", status(0), report(0)->last.detail);
    ck_assert_int_eq(state(0), SERVER_UP);
}

void assert_down(const char *name, const char *detail)
{
    ck_assert_str_eq(status(0), name);
    ck_assert_str_eq(report(0)->last.detail, detail);
    ck_assert_int_eq(state(0), SERVER_DOWN);
}
