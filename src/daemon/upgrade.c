/* The steps of an upgrade. Until execve(2) has been called every one of them can fail and be taken back: the threads go
 * on, the listeners accept again, and the answer says why. */
#include "daemon/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "carry/memory.h"
#include "config.h"
#include "daemon/carried.h"
#include "daemon/child.h"
#include "daemon/daemon.h"
#include "daemon/drain.h"
#include "daemon/notify.h"
#include "daemon/store.h"
#include "net/sock.h"
#include "snapshot/carry.h"
#include "stats/carry.h"
#include "tls/ticket.h"

enum { CHECK_MS = 30000, DRY_RUN_MS = 10000 }; /* how long the new binary may take to check things */

static const double look_s = 0.02; /* between two looks whether sessions are ready */

struct upgrade {
    struct process      *p;
    const char          *by;
    struct command_call *call; /* who waits for the answer; NULL: nobody (any more) */
    char                *path; /* of the binary; owned */
    struct child         check;
    struct ev_io         checked; /* active while the check runs */
    struct ev_timer      clock;   /* while the check runs: its limit; then: the next look */
    struct carry_memory  image;
    bool                 to_store; /* there is no other binary yet: the service manager starts it */
};

/* ---- what is run ---- */

void start_note(struct start *start, char **argv)
{
    const char *name =
        (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr): as getauxval(3) has it */
    char here[PATH_MAX];
    start->argv = argv;
    if (name == NULL || name[0] == '/' || getcwd(here, sizeof here) == NULL)
        (void)snprintf(start->path, sizeof start->path, "%s", name != NULL ? name : argv[0]);
    else
        (void)snprintf(start->path, sizeof start->path, "%s/%s", here, name);
}

static char **check_words(const struct upgrade *u, char *words[5])
{
    static char check[] = "-c", file[] = "-f";
    words[0] = u->path;
    words[1] = check;
    words[2] = file;
    words[3] = (char *)(uintptr_t)u->p->conf->file;
    words[4] = NULL;
    return words;
}

static struct upgrade_facts *told(struct process *p)
{
    return &p->view.upgrade;
}

/* Which is over at the latest so long from now. */
static void set_phase(struct upgrade *u, enum upgrade_phase phase, uint32_t most_ms)
{
    struct upgrade_facts *f = told(u->p);
    f->phase = phase;
    f->by = u->by;
    f->binary = u->path;
    f->awaited = 0;
    f->until_ms = clock_mono_ms() + most_ms;
}

/* ---- the end of it ---- */

static void upgrade_free(struct upgrade *u)
{
    ev_io_stop(u->p->loop, &u->checked);
    ev_timer_stop(u->p->loop, &u->clock);
    child_kill(&u->check);
    carry_memory_close(&u->image);
    u->p->upgrade = NULL;
    told(u->p)->phase = UPGRADE_NONE;
    free(u->path);
    free(u);
}

static void note_failure(struct process *p, const char *by, const char *path, const char *why)
{
    p->view.upgrades_failed++;
    told(p)->failed_wall_ms = clock_wall_ms();
    (void)snprintf(told(p)->failed_why, sizeof told(p)->failed_why, "%s", why);
    log_error(&p->log, "upgrade_failed", LOG_STR("by", by), LOG_STR("binary", path), LOG_STR("why", why),
              LOG_STR("hint", "nothing has changed"));
}

/* All is as it was. */
static void give_up(struct upgrade *u, const char *why)
{
    struct process      *p = u->p;
    struct command_call *call = u->call;
    if (told(p)->phase == UPGRADE_WAIT)
        engine_hold(p->engine, false);
    note_failure(p, u->by, u->path, why);
    if (call != NULL)
        (void)command_fail(call, "The upgrade failed, and nothing has changed: %s: %s", u->path, why);
    bool stops = u->to_store;
    upgrade_free(u);
    if (!stops)
        notify_ready();
    else if (!drain_by_signal(p->drain, "restart"))
        ev_break(p->loop, EVBREAK_ALL);
    if (call != NULL)
        call->finish(call);
}

/* ---- while nothing moves ---- */

static struct process_image process_facts(const struct upgrade *u, uint64_t paused_ns)
{
    const struct process *p = u->p;
    bool                  goes_along = !u->to_store; /* as a number of this process */
    return (struct process_image){.paused_ns = paused_ns,
                                  .version = slice_str(PACKAGE_VERSION),
                                  .by = slice_str(u->by),
                                  .call_fd = u->call != NULL ? control_descriptor(u->call) : 0,
                                  .admin_fd = goes_along && p->admin != NULL ? admin_descriptor(p->admin) : 0,
                                  .admin_asked = p->conf->admin.bind,
                                  .control_fd = goes_along && p->control != NULL ? control_listener(p->control) : 0,
                                  .control_path = slice_str(p->control != NULL ? control_path(p->control) : ""),
                                  .pid_file = slice_str(goes_along && p->pid_file != NULL ? p->pid_file : ""),
                                  .age_ms = clock_mono_ms() - p->view.started_mono_ms,
                                  .started_wall_ms = p->view.started_wall_ms,
                                  .reload_wall_ms = p->view.reload_wall_ms,
                                  .reloads = p->view.reloads,
                                  .reloads_failed = p->view.reloads_failed,
                                  .reload_failed = p->view.reload_failed,
                                  .upgrades = p->view.upgrades + 1,
                                  .upgrades_failed = p->view.upgrades_failed,
                                  .upgrade_failed_wall_ms = p->view.upgrade.failed_wall_ms,
                                  .upgrade_failed_why = slice_str(p->view.upgrade.failed_why)};
}

static int write_image(struct upgrade *u, const struct process_image *facts, struct err *err)
{
    const struct process *p = u->p;
    struct image_writer  *w = &u->image.writer;
    if (carry_memory_open(&u->image, err) != 0)
        return -1;
    image_begin(w);
    image_put(w, &process_image_kind, facts);
    tls_tickets_carry(p->tickets, w);
    stats_carry(p->stats, w);
    snapshot_carry_servers(p->snap, w);
    snapshot_carry_listeners(p->snap, w);
    health_carry(p->health, w);
    dns_carry(p->dns, w);
    drain_carry(p->drain, w);
    engine_carry(p->engine, u->to_store, w);
    if (image_end(w))
        return carry_memory_seal(&u->image, err);
    err_set(err, "no memory for %u sessions", gauge_now(engine_open_sessions(p->engine)));
    return -1;
}

/* The new binary reads the image, and changes nothing. */
static int dry_run(struct upgrade *u, struct err *err)
{
    char         says[CHILD_SAYS_MAX], number[16], *words[5];
    struct child child;
    int          fd = carry_memory_reader(&u->image, err);
    if (fd < 0)
        return -1;
    (void)snprintf(number, sizeof number, "%d", fd);
    err_set(err, "out of memory");
    int started = setenv(CARRIED_VARIABLE, number, 1) == 0
                      ? child_start(&child, u->path, check_words(u, words), environ, fd, err)
                      : -1;
    (void)unsetenv(CARRIED_VARIABLE);
    sock_close(fd);
    if (started != 0)
        return -1;
    child_wait(&child, DRY_RUN_MS);
    if (!child_end(&child, says, err))
        return -1;
    if (strstr(says, CARRIED_READ) != NULL)
        return 0;
    err_set(err, "it does not read images; it said: %s", says);
    return -1;
}

static bool keep_descriptors(const struct upgrade *u, const struct process_image *facts)
{
    const int fds[] = {u->image.fd, facts->call_fd, facts->admin_fd, facts->control_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] > 0 && !sock_keep(fds[i]))
            return false;
    }
    return engine_keep_descriptors(u->p->engine);
}

static void keep_no_descriptors(const struct upgrade *u, const struct process_image *facts)
{
    const int fds[] = {u->image.fd, facts->call_fd, facts->admin_fd, facts->control_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] > 0)
            sock_keep_not(fds[i]);
    }
    engine_keep_no_descriptors(u->p->engine);
}

/* A signal between here and the new process' first watcher would end it; blocked, it waits for that. Returns only when
 * it has failed. */
static void execute(struct upgrade *u, const struct process_image *facts, struct err *err)
{
    char     number[16];
    sigset_t all, before;
    (void)snprintf(number, sizeof number, "%d", u->image.fd);
    if (setenv(CARRIED_VARIABLE, number, 1) != 0) {
        err_set(err, "out of memory");
        return;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (keep_descriptors(u, facts))
        (void)execv(u->path, u->p->start->argv);
    err_system(err, errno, "execute it");
    keep_no_descriptors(u, facts);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)unsetenv(CARRIED_VARIABLE);
}

static int put_into_store(const struct upgrade *u, struct err *err)
{
    const struct engine *engine = u->p->engine;
    size_t               n = engine_descriptors(engine, NULL, 0), most = store_size();
    if (n > STORE_MAX || n >= most) {
        err_set(err, "%zu descriptors, and the service manager's store takes %zu (FileDescriptorStoreMax=)", n,
                most < STORE_MAX ? most : STORE_MAX);
        return -1;
    }
    int *fds = calloc(n > 0 ? n : 1, sizeof *fds);
    if (fds == NULL) {
        err_set(err, "out of memory");
        return -1;
    }
    int answer = store_put(STORE_CONNECTION, fds, engine_descriptors(engine, fds, n), err);
    free(fds);
    if (answer == 0)
        answer = store_put(STORE_IMAGE, &u->image.fd, 1, err);
    return answer != 0 ? answer : store_settle(err);
}

/* Returns only when it has failed. No connection may be told anything: it is not over. */
static void store(struct upgrade *u, struct err *err)
{
    struct process *p = u->p;
    notify_stopping();
    if (put_into_store(u, err) != 0) {
        store_remove(STORE_CONNECTION);
        store_remove(STORE_IMAGE);
        return;
    }
    log_info(&p->log, "stored", LOG_UINT("sessions", gauge_now(engine_open_sessions(p->engine))));
    log_writer_settle(p->log_writer);
    control_close(p->control);
    if (p->pid_file != NULL)
        (void)unlink(p->pid_file);
    _exit(EXIT_OK);
}

/* No thread runs. Returns only when it has failed. */
static void go(struct upgrade *u, uint64_t paused_ns, struct err *err)
{
    const struct process_image facts = process_facts(u, paused_ns);
    if (write_image(u, &facts, err) != 0)
        return;
    if (u->to_store) {
        store(u, err);
    } else if (dry_run(u, err) == 0) {
        log_writer_settle(u->p->log_writer);
        execute(u, &facts, err);
    }
}

/* ---- the way there ---- */

static void look_again(struct upgrade *u)
{
    ev_timer_stop(u->p->loop, &u->clock);
    ev_timer_set(&u->clock, look_s, 0.);
    ev_timer_start(u->p->loop, &u->clock);
}

static void look(struct upgrade *u)
{
    struct process *p = u->p;
    struct err      err;
    const uint64_t  paused_ns = clock_mono_ns();
    if (p->reload != NULL || p->is_short_of_workers) { /* it is about to be done */
        look_again(u);
        return;
    }
    engine_pause(p->engine);
    told(p)->awaited = engine_n_unready(p->engine);
    bool goes = told(p)->awaited == 0 || clock_mono_ms() >= told(p)->until_ms;
    if (goes)
        go(u, paused_ns, &err);
    process_start_workers(p);
    if (goes)
        give_up(u, err.text);
    else
        look_again(u);
}

static void hold(struct upgrade *u)
{
    set_phase(u, UPGRADE_WAIT, u->p->conf->global.upgrade.wait_ms);
    engine_hold(u->p->engine, true);
    look(u);
}

/* The check has ended, or takes too long, or it is time for another look. */
static void on_clock(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    struct upgrade *u = timer->data;
    (void)loop;
    (void)revents;
    if (told(u->p)->phase == UPGRADE_WAIT)
        look(u);
    else
        give_up(u, "it takes too long to check the configuration");
}

static void on_checked(struct ev_loop *loop, struct ev_io *watcher, int revents)
{
    struct upgrade *u = watcher->data;
    char            says[CHILD_SAYS_MAX];
    struct err      err;
    (void)revents;
    ev_io_stop(loop, &u->checked);
    ev_timer_stop(loop, &u->clock);
    if (!child_end(&u->check, says, &err)) {
        give_up(u, err.text);
        return;
    }
    hold(u);
}

static void start_check(struct upgrade *u)
{
    struct process *p = u->p;
    ev_io_init(&u->checked, on_checked, u->check.fd, EV_READ);
    u->checked.data = u;
    ev_io_start(p->loop, &u->checked);
    ev_timer_init(&u->clock, on_clock, CHECK_MS / 1e3, 0.);
    u->clock.data = u;
    ev_timer_start(p->loop, &u->clock);
    p->upgrade = u;
    set_phase(u, UPGRADE_CHECK, CHECK_MS);
    notify_reloading();
    log_info(&p->log, "upgrading", LOG_STR("by", u->by), LOG_STR("binary", u->path),
             LOG_STR("version", PACKAGE_VERSION));
}

/* False, and *err: nothing has begun. */
static bool begin(struct process *p, const char *by, const char *path, struct command_call *call, struct err *err)
{
    char           *words[5];
    struct upgrade *u = calloc(1, sizeof *u);
    err_set(err, "out of memory");
    if (u == NULL)
        return false;
    *u = (struct upgrade){.p = p, .by = by, .call = call, .path = strdup(path), .image = {.fd = -1}};
    if (u->path != NULL && child_start(&u->check, u->path, check_words(u, words), environ, -1, err) == 0) {
        start_check(u);
        return true;
    }
    free(u->path);
    free(u);
    note_failure(p, by, path, err->text);
    return false;
}

void upgrade_by_signal(struct process *p)
{
    struct err err;
    if (p->upgrade == NULL)
        (void)begin(p, "signal", p->start->path, NULL, &err);
}

bool upgrade_to_store(struct process *p)
{
    if (store_size() == 0 || p->upgrade != NULL)
        return false;
    struct upgrade *u = calloc(1, sizeof *u);
    char           *path = strdup("the service manager");
    if (u == NULL || path == NULL) {
        free(u);
        free(path);
        return false;
    }
    *u = (struct upgrade){.p = p, .by = "restart", .path = path, .image = {.fd = -1}, .to_store = true};
    u->check.fd = u->check.says = -1;
    ev_io_init(&u->checked, on_checked, -1, EV_READ);
    ev_timer_init(&u->clock, on_clock, 0., 0.);
    u->clock.data = u;
    p->upgrade = u;
    hold(u);
    return true;
}

void upgrade_abandon(struct process *p)
{
    if (p->upgrade != NULL)
        upgrade_free(p->upgrade);
}

/* ---- in the new process ---- */

/* Whoever asked the process before this one: the answer fits into the socket. */
static void answer(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    sock_close(fd);
}

static struct slice or_unknown(struct slice text)
{
    return text.len > 0 ? text : slice_str("unknown");
}

static void note_done(struct process *p, const struct carried *c)
{
    const struct slice    version = or_unknown(c->process.version), by = or_unknown(c->process.by);
    struct upgrade_facts *f = told(p);
    f->sessions = c->sum.sessions;
    f->lost = c->sum.lost;
    f->pause_us = (clock_mono_ns() - c->process.paused_ns) / 1000;
    f->wall_ms = clock_wall_ms();
    (void)snprintf(f->last_from, sizeof f->last_from, "%.*s", (int)version.len, (const char *)version.ptr);
    (void)snprintf(f->last_by, sizeof f->last_by, "%.*s", (int)by.len, (const char *)by.ptr);
}

void upgrade_done(struct process *p, struct carried *c)
{
    const struct upgrade_facts *f = told(p);
    char                        text[256];
    note_done(p, c);
    log_info(&p->log, "upgraded", LOG_STR("by", f->last_by), LOG_STR("from", f->last_from),
             LOG_STR("to", PACKAGE_VERSION), LOG_UINT("sessions", f->sessions), LOG_UINT("closed", f->lost),
             LOG_UINT("pause_us", f->pause_us));
    (void)snprintf(text, sizeof text,
                   "Upgraded from %s to " PACKAGE_VERSION ": %u sessions carried over, %u closed, paused for %" PRIu64
                   ".%03u ms.\n\n",
                   f->last_from, f->sessions, f->lost, f->pause_us / 1000, (unsigned)(f->pause_us % 1000));
    if (c->process.call_fd > STDERR_FILENO)
        answer(c->process.call_fd, text);
}

/* ---- commands ---- */

static void on_cancel(struct command_call *call)
{
    struct upgrade *u = call->state;
    u->call = NULL;
}

static enum command_outcome upgrade(void *owner, struct command_call *call)
{
    struct process *p = owner;
    struct err      err;
    const char     *path = call->argc > 0 ? call->argv[0] : p->start->path;
    if (call->argc > 1 || path[0] != '/')
        return command_fail(call, "'upgrade' expects nothing or the absolute path of a binary.");
    if (p->upgrade != NULL)
        return command_fail(call, "An upgrade is under way.");
    if (!begin(p, "command", path, call, &err))
        return command_fail(call, "The upgrade failed, and nothing has changed: %s", err.text);
    call->state = p->upgrade;
    call->cancel = on_cancel;
    return COMMAND_PENDING;
}

static void say_last(const struct upgrade_facts *f, struct text *out)
{
    if (f->wall_ms != 0)
        text_add(out,
                 "last_sec: %" PRIu64 "\nlast_from: %s\nlast_by: %s\nsessions: %u\nclosed: %u\npause_us: %" PRIu64 "\n",
                 f->wall_ms / 1000, f->last_from, f->last_by, f->sessions, f->lost, f->pause_us);
    if (f->failed_wall_ms == 0)
        return;
    text_add(out, "failed_sec: %" PRIu64 "\nfailed_why: ", f->failed_wall_ms / 1000);
    text_put_line_part(out, f->failed_why);
    text_puts(out, "\n");
}

static enum command_outcome show_upgrade(void *owner, struct command_call *call)
{
    struct process             *p = owner;
    const struct upgrade_facts *f = told(p);
    const uint64_t              now_ms = clock_mono_ms();
    text_add(&call->out, "phase: %s\n", upgrade_phase_names[f->phase]);
    if (f->phase != UPGRADE_NONE)
        text_add(&call->out, "by: %s\nbinary: %s\nawaited: %u\nleft_ms: %" PRIu64 "\n", f->by, f->binary, f->awaited,
                 f->until_ms > now_ms ? f->until_ms - now_ms : 0);
    text_add(&call->out, "upgrades: %u\nfailed: %u\n", p->view.upgrades, p->view.upgrades_failed);
    say_last(f, &call->out);
    return COMMAND_DONE;
}

const struct command upgrade_commands[] = {
    {"show upgrade", "", "how an upgrade goes on, and how the last one went", COMMAND_USER, show_upgrade},
    {"upgrade", "[<path>]", "goes over to the binary at path, or to the one that was started, with all sessions",
     COMMAND_ADMIN, upgrade},
    {NULL, NULL, NULL, COMMAND_USER, NULL}};
