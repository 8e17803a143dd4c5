#include "unit/control/world.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/sock.h"
#include "support/descriptors.h"

enum { WAIT_MS = 5000, TURNS = 8 };

struct world w;

/* --- commands --- */

static enum command_outcome run_gaps(void *owner, struct command_call *call)
{
    (void)owner;
    text_puts(&call->out, "\n\na\n\n\nb\n\n");
    return COMMAND_DONE;
}

static enum command_outcome run_open_end(void *owner, struct command_call *call)
{
    (void)owner;
    text_puts(&call->out, "no line end");
    return COMMAND_DONE;
}

static enum command_outcome run_nothing(void *owner, struct command_call *call)
{
    (void)owner;
    (void)call;
    return COMMAND_DONE;
}

static enum command_outcome run_fail(void *owner, struct command_call *call)
{
    (void)owner;
    return command_fail(call, "No such server.");
}

static enum command_outcome run_warn(void *owner, struct command_call *call)
{
    (void)owner;
    command_say(call, SEVERITY_WARNING, "careful");
    return COMMAND_DONE;
}

/* As many lines of ten bytes as it is told. */
static enum command_outcome run_lines(void *owner, struct command_call *call)
{
    uint64_t n;
    (void)owner;
    ck_assert(command_number(command_arg(call, 0), 10000000, &n));
    while (n-- > 0)
        text_puts(&call->out, "123456789\n");
    return COMMAND_DONE;
}

static enum command_outcome run_count(void *owner, struct command_call *call)
{
    struct world *world = owner;
    (void)call;
    world->n_counted++;
    return COMMAND_DONE;
}

static void on_cancel(struct command_call *call)
{
    ck_assert_ptr_eq(call, w.later);
    w.later = NULL;
    w.n_cancelled++;
}

static enum command_outcome run_later(void *owner, struct command_call *call)
{
    struct world *world = owner;
    call->cancel = on_cancel;
    world->later = call;
    return COMMAND_PENDING;
}

static const struct command commands[] = {{"gaps", "", "an answer with empty lines", COMMAND_USER, run_gaps},
                                          {"open end", "", "an answer without a line end", COMMAND_USER, run_open_end},
                                          {"nothing", "", "no answer", COMMAND_USER, run_nothing},
                                          {"nothing secret", "", "operators alone", COMMAND_OPERATOR, run_nothing},
                                          {"change", "", "admins alone", COMMAND_ADMIN, run_nothing},
                                          {"fail", "", "an error", COMMAND_USER, run_fail},
                                          {"warn", "", "a warning", COMMAND_USER, run_warn},
                                          {"lines", "<n>", "lines", COMMAND_USER, run_lines},
                                          {"count", "", "counts", COMMAND_USER, run_count},
                                          {"later", "", "answers later", COMMAND_USER, run_later},
                                          {.words = NULL}};

static enum condition_state look_ready(void *owner, const char *of, struct err *why)
{
    const struct world *world = owner;
    err_set(why, "'%s' is not ready.", of);
    return world->never ? CONDITION_NEVER : world->is_ready ? CONDITION_MET : CONDITION_NOT_YET;
}

static const struct condition conditions[] = {{"ready", "<name>", "it is ready", look_ready}, {.name = NULL}};

/* --- the world --- */

void world_open(void)
{
    memset(&w, 0, sizeof w);
    w.n_fds = descriptors_open();
    (void)strcpy(w.directory, "/tmp/mqgate-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w.directory));
    (void)snprintf(w.path, sizeof w.path, "%s/socket", w.directory);
    w.loop = ev_loop_new(EVFLAG_AUTO);
    ck_assert_ptr_nonnull(w.loop);
    w.log_settings = (struct log_settings){.level = LEVEL_INFO, .format = FORMAT_LOGFMT, .wake_fd = -1};
    w.log = (struct log){.settings = &w.log_settings, .ring = log_ring_new()};
    ck_assert_ptr_nonnull(w.log.ring);
}

void world_close(void)
{
    control_close(w.control);
    log_ring_free(w.log.ring);
    ev_loop_destroy(w.loop);
    ck_assert_int_eq(rmdir(w.directory), 0);
    ck_assert_uint_eq(descriptors_open(), w.n_fds);
}

struct control_settings world_settings(void)
{
    return (struct control_settings){.path = w.path,
                                     .mode = 0660,
                                     .uid = (uid_t)-1,
                                     .gid = (gid_t)-1,
                                     .level = COMMAND_ADMIN,
                                     .conditions = conditions,
                                     .conditions_owner = &w};
}

void world_start(const struct control_settings *settings)
{
    struct err err = {.text = ""};
    w.control = control_open(w.loop, settings, &w.log, &err);
    ck_assert_msg(w.control != NULL, "%s", err.text);
    control_register(w.control, commands, &w);
}

void world_turn(void)
{
    for (int i = 0; i < TURNS; i++)
        (void)ev_run(w.loop, EVRUN_NOWAIT);
}

/* --- peers --- */

struct peer peer_open(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct peer        peer = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    ck_assert_int_ge(peer.fd, 0);
    (void)strcpy(name.sun_path, w.path);
    ck_assert_int_eq(connect(peer.fd, (const struct sockaddr *)&name, sizeof name), 0);
    return peer;
}

void peer_close(struct peer *peer)
{
    sock_close(peer->fd);
    text_fini(&peer->got);
}

/* Only the read side: what is sent goes nowhere once the other side has closed. */
static void take(struct peer *peer)
{
    char bytes[65536];
    while (!peer->closed) {
        ssize_t n = recv(peer->fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        peer->closed = n <= 0;
        peer->reset = n < 0;
        if (n > 0)
            text_put(&peer->got, bytes, (size_t)n);
    }
}

void peer_send(struct peer *peer, const char *bytes, size_t len)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;
    while (len > 0) {
        ssize_t n = send(peer->fd, bytes, len, MSG_NOSIGNAL);
        ck_assert(n > 0 || errno == EAGAIN);
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
        world_turn();
        ck_assert_uint_lt(clock_mono_ms(), end);
    }
}

void peer_say(struct peer *peer, const char *text)
{
    peer_send(peer, text, strlen(text));
}

void peer_shut(struct peer *peer)
{
    ck_assert_int_eq(shutdown(peer->fd, SHUT_WR), 0);
}

static const char *got(const struct peer *peer)
{
    return peer->got.len > 0 ? peer->got.at : "";
}

/* The loop sleeps a little at a time; its timers are the only thing that is waited for. */
static void wait_until(struct peer *peer, const char *text, bool all)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;
    for (;;) {
        world_turn();
        take(peer);
        if (strcmp(got(peer), text) == 0 && peer->closed == all)
            return;
        bool fits = strncmp(text, got(peer), peer->got.len) == 0 && !(peer->closed && !all);
        ck_assert_msg(fits && clock_mono_ms() < end && !(peer->closed && peer->got.len < strlen(text)),
                      "%s: got %.2000s; wanted %.2000s", peer->closed ? "closed" : "open", got(peer), text);
        (void)poll(&(struct pollfd){.fd = peer->fd, .events = peer->closed ? 0 : POLLIN}, 1, 1);
    }
}

void peer_expect(struct peer *peer, const char *text)
{
    wait_until(peer, text, false);
    text_cut(&peer->got, 0);
}

void peer_expect_all(struct peer *peer, const char *text)
{
    wait_until(peer, text, true);
    ck_assert(!peer->reset);
    text_cut(&peer->got, 0);
}

void peer_expect_silence(struct peer *peer)
{
    world_turn();
    take(peer);
    ck_assert_msg(peer->got.len == 0 && !peer->closed, "%s: %s", peer->closed ? "closed" : "open", got(peer));
}
