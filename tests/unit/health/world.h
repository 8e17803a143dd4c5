/* tests/unit/health/world.h: what the tests of health/ share: a backend made by hand and all that it lives on. */
#ifndef MQGATE_TESTS_HEALTH_WORLD_H
#define MQGATE_TESTS_HEALTH_WORLD_H

#include <check.h>

#include "base/clock.h"
#include "health/checker.h"
#include "unit/health/fake.h"

enum { SERVERS_MAX = 4, AWAIT_MS = 10000 };

/* A loop, a backend made by hand, a fake for each of its servers, and the log. */
struct world {
    struct ev_loop     *loop;
    unsigned            n_fds;
    struct fake         fakes[SERVERS_MAX];
    struct conf         conf;
    struct conf_backend backend;
    struct conf_server  servers[SERVERS_MAX];
    struct server      *live[SERVERS_MAX];
    struct snap_server  snap_servers[SERVERS_MAX];
    struct snap_backend snap_backend;
    struct snapshot     snap;
    struct log_settings log_settings;
    struct log          log;
    char                lines[16384]; /* all that was logged */
    struct health      *health;
    unsigned            n_changes; /* that the health's listener was told of */
};

extern struct world w;

/* Fixtures of every case. A descriptor or a reference that is left fails the test. */
void world_open(void);
void world_close(void);
/* Everything is as the test wants it: make it live. Servers whose fakes were not opened are opened. */
void world_start(void);

/* One turn of the loop, at most half a second. */
void turn(void);

/* Runs the loop, a turn at a time, until cond holds; fails the test when that takes too long. */
#define AWAIT(cond)                                                                                                    \
    do {                                                                                                               \
        uint64_t until_ms_ = clock_mono_ms() + AWAIT_MS;                                                               \
        while (!(cond)) {                                                                                              \
            ck_assert_msg(clock_mono_ms() < until_ms_, "never: %s", #cond);                                            \
            turn();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Of the backend's server of that index. */
const struct health_report *report(size_t server);
enum server_state           state(size_t server);
const char                 *status(size_t server);

/* The first check is over; with an interval of a minute no other follows. */
void check_once(void);
void assert_up(const char *name);
void assert_down(const char *name, const char *detail);

/* Whether the text stands in anything logged so far. */
bool logged(const char *text);
#define ASSERT_LOGGED(text) ck_assert_msg(logged(text), "not logged: %s in\n%s", text, w.lines)

/* What the fake of that index will answer. */
void say(size_t fake, const char *bytes, size_t len);
#define SAY(fake, literal) say(fake, literal, sizeof(literal) - 1)

/* The newest connection said this and nothing else. */
void heard_is(const struct fake *fake, const char *bytes, size_t len);

#endif
