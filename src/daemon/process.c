#include "daemon/process.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/events.h"
#include "conf/load.h"
#include "config.h"
#include "daemon/carried.h"
#include "daemon/commands.h"
#include "daemon/crash.h"
#include "daemon/daemon.h"
#include "daemon/descriptors.h"
#include "daemon/drain.h"
#include "daemon/files.h"
#include "daemon/notify.h"
#include "daemon/parts.h"
#include "daemon/privileges.h"
#include "daemon/proxies.h"
#include "daemon/reload.h"
#include "daemon/store.h"
#include "daemon/upgrade.h"
#include "net/listener.h"
#include "net/sock.h"
#include "report/commands.h"
#include "report/history.h"

/* Runs in a worker's thread. */
static void on_server_failed_in_worker(void *user)
{
    struct process *p = user;
    ev_async_send(p->loop, &p->server_failed);
}

static void on_plain_http(void *user, int fd, const struct addr *peer, bool health_only)
{
    const struct process *p = user;
    admin_adopt(p->admin, fd, peer, health_only);
}

static void on_changed(void *user)
{
    reload_done(user);
}

/* A server that comes up has room for those who wait; one that goes down ends their wait. */
static void on_server_changed(void *user)
{
    const struct process *p = user;
    engine_servers_changed(p->engine);
}

static void on_address(void *user, size_t backend, size_t server, const struct addr *was, const char *by)
{
    const struct process *p = user;
    health_address_changed(p->health, backend, server, was, by);
}

static void on_weight(void *user, size_t backend, size_t server)
{
    const struct process *p = user;
    health_server_changed(p->health, backend, server);
}

struct health_listener process_health_listener(struct process *p)
{
    return (struct health_listener){on_server_changed, p};
}

struct dns_listener process_dns_listener(struct process *p)
{
    return (struct dns_listener){on_address, on_weight, p};
}

static void on_server_failed(struct ev_loop *loop, ev_async *watcher, int revents)
{
    struct process *p = watcher->data;
    (void)loop;
    (void)revents;
    health_note_failures(p->health);
}

static void on_stop_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    struct process *p = watcher->data;
    (void)revents;
    if (watcher->signum != SIGQUIT && drain_by_signal(p->drain, strsignal(watcher->signum)))
        return;
    log_info(&p->log, "stopping", LOG_STR("signal", strsignal(watcher->signum)),
             LOG_UINT("sessions", gauge_now(engine_open_sessions(p->engine))));
    ev_break(loop, EVBREAK_ALL);
}

static void on_wait_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    struct process *p = watcher->data;
    (void)loop;
    (void)revents;
    drain_wait(p->drain, strsignal(watcher->signum));
}

static void on_drained(void *user)
{
    const struct process *p = user;
    ev_break(p->loop, EVBREAK_ALL);
}

static bool is_awaited(void *user)
{
    const struct process *p = user;
    return p->control != NULL && control_is_awaited(p->control);
}

/* The service manager is about to start this again (RestartKillSignal=). */
static void on_restart_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    if (!upgrade_to_store(watcher->data))
        on_stop_signal(loop, watcher, revents);
}

static void on_upgrade_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    (void)loop;
    (void)revents;
    upgrade_by_signal(watcher->data);
}

static void on_reload_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    (void)loop;
    (void)revents;
    reload_by_signal(watcher->data);
}

/* Files that have changed are taken once they have been the same for a while: who writes them may not be done. */
static void on_look_at_files(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct process *p = watcher->data;
    uint64_t        now = files_stamp(p->conf), before = p->files_seen;
    (void)loop;
    (void)revents;
    p->files_seen = now;
    if (now == before && now != p->files_taken)
        reload_files(p);
}

static void on_rotate_tickets(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct process *p = watcher->data;
    struct err      err;
    (void)loop;
    (void)revents;
    if (tls_tickets_rotate(p->tickets, &err) != 0)
        log_error(&p->log, "ticket_rotation_failed", LOG_STR("err", err.text));
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct process *p = watcher->data;
    (void)loop;
    (void)revents;
    history_tick(p->view.history, p->snap);
}

/* The process before this one has blocked them. */
static void take_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void start_watchers(struct process *p)
{
    static const struct {
        int number;
        void (*on)(struct ev_loop *, ev_signal *, int);
    } signals[] = {{SIGTERM, on_stop_signal},  {SIGINT, on_stop_signal},  {SIGQUIT, on_stop_signal},
                   {SIGHUP, on_reload_signal}, {SIGUSR1, on_wait_signal}, {SIGUSR2, on_upgrade_signal},
                   {0, on_restart_signal}};
    static_assert(ARRAY_LEN(signals) == ARRAY_LEN(p->signals), "a watcher each");
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        /* SIGRTMIN is no constant. */
        ev_signal_init(&p->signals[i], signals[i].on, signals[i].number != 0 ? signals[i].number : SIGRTMIN);
        p->signals[i].data = p;
        ev_signal_start(p->loop, &p->signals[i]);
    }
    take_signals();
    ev_async_init(&p->server_failed, on_server_failed);
    p->server_failed.data = p;
    ev_async_start(p->loop, &p->server_failed);
    ev_timer_init(&p->rotate_tickets, on_rotate_tickets, (double)tls_tickets_due_in_ms(p->tickets) / 1e3,
                  TICKET_ROTATE_MS / 1e3);
    p->rotate_tickets.data = p;
    ev_timer_start(p->loop, &p->rotate_tickets);
    ev_timer_init(&p->look_at_files, on_look_at_files, FILES_LOOK_S, FILES_LOOK_S);
    p->look_at_files.data = p;
    p->files_taken = p->files_seen = files_stamp(p->conf);
    ev_timer_start(p->loop, &p->look_at_files);
    ev_timer_init(&p->tick, on_tick, 0., HISTORY_TICK_MS / 1e3);
    p->tick.data = p;
    ev_timer_start(p->loop, &p->tick);
}

/* Whoever asks once more for the end that is under way must not get it by a signal's default. */
static void block_signals(const struct process *p)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
        (void)sigaddset(&set, p->signals[i].signum);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void stop_watchers(struct process *p)
{
    block_signals(p);
    for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
        ev_signal_stop(p->loop, &p->signals[i]);
    ev_async_stop(p->loop, &p->server_failed);
    ev_timer_stop(p->loop, &p->rotate_tickets);
    ev_timer_stop(p->loop, &p->look_at_files);
    ev_timer_stop(p->loop, &p->tick);
    ev_timer_stop(p->loop, &p->start_again);
}

int process_open_admin(const struct conf *conf, bool beside, int *fd, struct addr *at, struct err *err)
{
    enum { BACKLOG = 256 };
    const struct addr *bind = &conf->admin.bind;
    *fd = -1;
    *at = (struct addr){0};
    if (!addr_is_set(bind))
        return 0;
    if (listener_open(bind, beside, BACKLOG, fd, 1, err) != 0) {
        *fd = -1;
        err_prefix(err, "admin");
        return -1;
    }
    *at = sock_local(*fd);
    return 0;
}

static int open_admin_socket(struct process *p, struct err *err)
{
    p->admin_fd = carried_admin(p->carried, &p->conf->admin.bind);
    if (p->admin_fd < 0)
        return process_open_admin(p->conf, p->carried != NULL, &p->admin_fd, &p->admin_addr, err);
    p->admin_addr = sock_local(p->admin_fd);
    return 0;
}

static int write_pid_file(struct process *p, struct err *err)
{
    const char *path = p->conf->global.pid_file;
    if (path[0] == '\0')
        return 0;
    p->pid_file = strdup(path);
    if (p->pid_file == NULL) {
        err_set(err, "out of memory");
        return -1;
    }
    if (carried_has_pid_file(p->carried, path))
        return 0;
    FILE *f = fopen(path, "we");
    bool  written = f != NULL && fprintf(f, "%d\n", (int)getpid()) > 0 && fflush(f) == 0;
    if (!written) {
        err_system(err, errno, "pid_file %s", path);
        free(p->pid_file);
        p->pid_file = NULL;
    }
    if (f != NULL)
        (void)fclose(f);
    return written ? 0 : -1;
}

/* The default path is a convenience: a second gate, or one without /run/mqgate, does without. */
static int open_control(struct process *p, const struct privileges *who, struct err *err)
{
    const struct conf_global     *global = &p->conf->global;
    const int                     listening = carried_control(p->carried, global->control_socket);
    const struct control_settings settings = {.path = global->control_socket,
                                              .fd = listening > 0 ? listening : 0,
                                              .mode = global->control_mode,
                                              .uid = who->uid,
                                              .gid = who->gid,
                                              .level = global->control_level,
                                              .conditions = daemon_conditions,
                                              .conditions_owner = &p->view};
    if (global->control_socket[0] == '\0')
        return 0;
    p->control = control_open(p->loop, &settings, &p->log, err);
    if (p->control != NULL) {
        control_register(p->control, daemon_commands, p);
        control_register(p->control, reload_commands, p);
        control_register(p->control, upgrade_commands, p);
        return 0;
    }
    if (global->control_socket_written)
        return -1;
    log_warn(&p->log, "control_socket_unavailable", LOG_STR("err", err->text),
             LOG_STR("hint", "no runtime commands; set global.control_socket, \"\" for none"));
    return 0;
}

/* Descriptors that are not sessions': loops and their eventfds, listeners, admin, control, checks, DNS, logs, and some
 * to spare. */
size_t process_fixed_descriptors(const struct snapshot *snap)
{
    enum { A_WORKER = 5, NAME_SERVERS = 16, SPARE = 48 }; /* a name server may be asked by UDP and TCP at a time */
    const struct conf *conf = snap->conf;
    size_t             n = SPARE + NAME_SERVERS + conf->global.workers * A_WORKER + engine_fixed_descriptors(snap) +
               ADMIN_CONNECTIONS_MAX + CONTROL_CLIENTS_MAX;
    for (size_t i = 0; i < conf->n_backends; i++)
        n += conf->backends[i].n_servers;
    return n;
}

/* After a crash there may be listening sockets alone. */
static bool takes_sessions(const struct process *p)
{
    return p->carried != NULL && p->carried->fd >= 0;
}

/* Where sessions are at stake, nothing else that fails ends the process. */
static bool matters(struct process *p, int answer, const struct err *err)
{
    if (answer != 0 && takes_sessions(p))
        log_error(&p->log, "not_available", LOG_STR("err", err->text));
    return answer != 0 && !takes_sessions(p);
}

/* Everything that can fail for the operator's or the system's reasons and needs privileges. */
static int open_all(struct process *p, struct err *err)
{
    struct privileges who;
    p->max_connections =
        descriptors_carry(p->conf->global.max_connections, process_fixed_descriptors(p->snap), &p->log);
    const struct engine_settings settings = {.loop = p->loop,
                                             .main_log = &p->log,
                                             .max_connections = p->max_connections,
                                             .log = &p->log_settings,
                                             .log_rings = log_writer_rings(p->log_writer) + 1,
                                             .server_failed = on_server_failed_in_worker,
                                             .plain_http = on_plain_http,
                                             .sockets = p->carried != NULL ? p->carried->sockets : NULL,
                                             .n_sockets = p->carried != NULL ? p->carried->n_sockets : 0,
                                             .changed = on_changed,
                                             .user = p};
    p->engine = engine_open(p->snap, &settings, err);
    if (p->engine == NULL || open_admin_socket(p, err) != 0 || matters(p, write_pid_file(p, err), err) ||
        privileges_find(&who, p->conf->global.user, p->conf->global.group, err) != 0 ||
        matters(p, open_control(p, &who, err), err))
        return -1;
    carried_remove_others(p->carried, p->conf);
    return privileges_drop(&who, err);
}

/* Before the engine's threads run, and after everything that can be told of is there. */
static int make_view(struct process *p, struct err *err)
{
    struct rlimit limit = {0};
    bool          has_admin = conf_has_admin(p->conf);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    p->view.snap = p->snap;
    p->view.health = p->health;
    p->view.dns = p->dns;
    p->view.engine = p->engine;
    p->view.log = &p->log;
    p->view.state = "running";
    p->view.max_connections = p->max_connections;
    p->view.max_descriptors = (uint32_t)limit.rlim_cur;
    p->view.accepting = true;
    p->view.history = history_new();
    p->view.admin = has_admin ? stats_proxy(p->stats, ROW_FRONTEND, "admin") : NULL;
    p->view.admin_limit = ADMIN_CONNECTIONS_MAX;
    if (p->view.admin != NULL)
        p->view.admin->is_admin = true;
    if (p->view.history != NULL && (p->view.admin != NULL || !has_admin))
        return 0;
    err_set(err, "out of memory");
    return -1;
}

/* Each room offers the commands about what it owns. */
static void register_commands(struct process *p)
{
    if (p->control == NULL)
        return;
    if (p->log.events != NULL)
        control_register(p->control, daemon_log_commands, &p->log);
    control_register(p->control, report_commands, &p->view);
    control_register(p->control, drain_commands, p->drain);
    control_register(p->control, engine_commands, p->engine);
    control_register(p->control, health_commands, p->health);
    control_register(p->control, dns_commands, p->dns);
}

static int start_admin(struct process *p, struct err *err)
{
    if (!conf_has_admin(p->conf))
        return 0;
    p->admin = admin_open(p->loop, p->admin_fd, &p->view, &p->log, err);
    if (p->admin == NULL)
        return -1;
    p->admin_fd = -1;
    return 0;
}

/* What cannot be taken over is told of, and no reason to lose the rest. */
static void take(struct process *p, carried_take take_one, void *to)
{
    struct err err;
    if (p->carried != NULL && !carried_each(p->carried, take_one, to, &err))
        log_error(&p->log, "not_carried_over", LOG_STR("why", err.text));
}

static void take_sessions(struct process *p)
{
    struct err err;
    if (!carried_adopt_sessions(p->carried, p->engine, &err))
        log_error(&p->log, "not_carried_over", LOG_STR("why", err.text));
    take(p, drain_adopt, p->drain);
}

static void on_start_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    process_start_workers(watcher->data);
}

void process_start_workers(struct process *p)
{
    static const double again_s = 0.05;
    bool                is_short = p->is_short_of_workers;
    struct err          err;
    p->is_short_of_workers = engine_start(p->engine, &err) != 0;
    if (p->is_short_of_workers) {
        if (!is_short)
            log_error(&p->log, "no_thread", LOG_STR("err", err.text),
                      LOG_STR("hint", "its sessions wait for it; it is tried again"));
        ev_timer_init(&p->start_again, on_start_again, again_s, 0.);
        p->start_again.data = p;
        ev_timer_start(p->loop, &p->start_again);
    } else if (is_short) {
        log_info(&p->log, "threads_again", LOG_UINT("workers", p->conf->global.workers));
    }
}

/* From here on there are threads. */
static int start_all(struct process *p, struct err *err)
{
    if (log_writer_start(p->log_writer, err) != 0)
        return -1;
    p->health = health_new(p->loop, p->snap, &p->log, process_health_listener(p));
    if (p->health == NULL) {
        err_set(err, "out of memory");
        return -1;
    }
    p->dns = dns_new(p->loop, p->snap, &p->log, process_dns_listener(p), err);
    if (p->dns == NULL)
        return -1;
    take(p, carried_health, p->health);
    take(p, carried_dns, p->dns);
    health_begin(p->health, NULL);
    dns_begin(p->dns, NULL);
    if (make_view(p, err) != 0)
        return -1;
    p->drain = drain_new(p->loop, &p->view, (struct drain_owner){p, on_drained, is_awaited});
    if (p->drain == NULL) {
        err_set(err, "out of memory");
        return -1;
    }
    register_commands(p);
    start_watchers(p);
    if (start_admin(p, err) != 0)
        return -1;
    if (p->carried == NULL)
        return engine_start(p->engine, err);
    take_sessions(p);
    process_start_workers(p);
    return 0;
}

/* Port 0 is another port for each listener that asks for it. */
static bool was_there(const struct conf *before, const struct conf_listener *listener, size_t n)
{
    for (size_t i = 0; before != NULL && i < before->n_listeners; i++) {
        const struct conf_listener *was = &before->listeners[i];
        for (size_t k = 0; k < was->n_bind; k++) {
            bool same = addr_port(&was->bind[k]) != 0 || (k == n && strcmp(was->name, listener->name) == 0);
            if (same && addr_same(&was->bind[k], &listener->bind[n]))
                return true;
        }
    }
    return false;
}

void process_log_listening(struct process *p, const struct conf *before)
{
    for (size_t i = 0; i < p->conf->n_listeners; i++) {
        const struct conf_listener *l = &p->conf->listeners[i];
        for (size_t n = 0; n < l->n_bind; n++) {
            if (was_there(before, l, n))
                continue;
            struct addr at = engine_bound(p->engine, i, n);
            log_info(&p->log, "listening", LOG_STR("listener", l->name), LOG_ADDR("addr", &at),
                     LOG_STR("protocol", conf_protocol_names[l->protocol]),
                     LOG_STR("tls", l->tls != NULL ? l->tls->name : NULL),
                     LOG_STR("backend", l->backend != NULL ? l->backend->name : NULL),
                     LOG_STR("mqtt", l->backends.mqtt != NULL ? l->backends.mqtt->name : NULL),
                     LOG_STR("ws", l->backends.ws != NULL ? l->backends.ws->name : NULL),
                     LOG_STR("admin", l->admin ? "yes" : NULL));
        }
    }
    if (addr_is_set(&p->admin_addr) && (before == NULL || !addr_same(&before->admin.bind, &p->conf->admin.bind)))
        log_info(&p->log, "listening", LOG_STR("listener", "admin"), LOG_ADDR("addr", &p->admin_addr));
}

static void log_ready(struct process *p)
{
    log_info(&p->log, "ready", LOG_STR("version", PACKAGE_VERSION), LOG_STR("node", p->conf->global.node),
             LOG_INT("pid", getpid()), LOG_UINT("workers", p->conf->global.workers),
             LOG_UINT("max_connections", p->max_connections));
    notify_ready();
}

void process_store_sockets(struct process *p)
{
    struct err err = {.text = "out of memory"};
    if (p->was_stored || store_size() > 0) {
        store_remove(STORE_CONNECTION); /* else what this process closes stays open */
        store_remove(STORE_IMAGE);
        store_remove(STORE_LISTENER);
    }
    if (store_size() == 0)
        return;
    size_t n = engine_listening(p->engine, NULL, 0);
    int   *fds = calloc(n + 1, sizeof *fds);
    if (fds != NULL)
        n = engine_listening(p->engine, fds, n);
    if (fds != NULL && p->admin != NULL && admin_descriptor(p->admin) >= 0)
        fds[n++] = admin_descriptor(p->admin);
    if (fds == NULL || store_put(STORE_LISTENER, fds, n, &err) != 0)
        log_warn(&p->log, "not_stored", LOG_STR("what", "listening sockets"), LOG_STR("why", err.text));
    free(fds);
}

static void close_all(struct process *p)
{
    p->view.accepting = false;
    p->view.state = "stopping";
    if (p->engine != NULL)
        engine_stop(p->engine);
    control_close(p->control); /* who waits for a reload is told of it */
    reload_abandon(p);
    upgrade_abandon(p);
    drain_free(p->drain);
    carried_free(p->carried); /* NULL but when the start has failed */
    admin_close(p->admin);
    sock_close(p->admin_fd);
    dns_free(p->dns);
    health_free(p->health);
    engine_free(p->engine);
    if (p->pid_file != NULL)
        (void)unlink(p->pid_file); /* fails when the user we became may not: then it is stale */
    free(p->pid_file);
    if (p->loop != NULL) {
        stop_watchers(p);
        ev_loop_destroy(p->loop);
    }
    log_writer_close(p->log_writer);
    history_free(p->view.history);
    row_unref(p->view.admin);
    snapshot_unref(p->snap);
    stats_free(p->stats);
    tls_tickets_free(p->tickets);
    crash_watch(NULL);
    events_free(p->log.events);
    privileges_allow_inspection();
}

static int prepare(struct process *p, struct conf *conf, struct err *err)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* an error does; the image of the sessions counts as a file too */
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, as it may have come, it would leave nobody to wait for */
    p->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (p->loop == NULL) {
        err_set(err, "no event loop");
        return -1;
    }
    p->log_writer = log_writer_open(&conf->global.log, conf->global.workers + 1, &p->log_settings, err);
    if (p->log_writer == NULL)
        return -1;
    p->log = (struct log){.settings = &p->log_settings, .ring = log_writer_rings(p->log_writer)[0]};
    p->log.events = events_new();
    crash_watch(p->log.events);
    p->tickets = tls_tickets_new(err);
    p->stats = stats_new(conf->global.workers);
    if (p->stats == NULL)
        err_set(err, "out of memory");
    return p->tickets != NULL && p->stats != NULL ? 0 : -1;
}

static int run(struct process *p, struct err *err)
{
    if (open_all(p, err) != 0 || start_all(p, err) != 0)
        return EXIT_NOT_STARTED;
    process_log_listening(p, NULL);
    proxies_log_started(&p->log, p->snap);
    p->view.boot_ms = (uint32_t)(clock_mono_ms() - p->begun_ms);
    if (takes_sessions(p))
        upgrade_done(p, p->carried);
    carried_free(p->carried);
    p->carried = NULL;
    process_store_sockets(p);
    log_ready(p);
    ev_run(p->loop, 0);
    notify_stopping();
    engine_stop(p->engine);
    proxies_log_stopped(&p->log, p->snap);
    return EXIT_OK;
}

/* What goes on under the same name: when it was started, how often it was changed. */
static void take_facts(struct process *p)
{
    const struct process_image *was = &p->carried->process;
    p->view.started_mono_ms -= was->age_ms;
    p->view.started_wall_ms = was->started_wall_ms;
    p->view.reload_wall_ms = was->reload_wall_ms;
    p->view.reloads = was->reloads;
    p->view.reloads_failed = was->reloads_failed;
    p->view.reload_failed = was->reload_failed;
    p->view.upgrades = was->upgrades;
    p->view.upgrades_failed = was->upgrades_failed;
    p->view.upgrade.failed_wall_ms = was->upgrade_failed_wall_ms;
    (void)snprintf(p->view.upgrade.failed_why, sizeof p->view.upgrade.failed_why, "%.*s",
                   (int)was->upgrade_failed_why.len, (const char *)was->upgrade_failed_why.ptr);
}

int process_run(struct conf *conf, const struct start *start, struct carried *carried)
{
    struct process *p = calloc(1, sizeof *p);
    struct err      err = {.text = "out of memory"};
    int             status = EXIT_NOT_STARTED;
    if (p != NULL) {
        p->begun_ms = p->view.started_mono_ms = clock_mono_ms();
        p->view.started_wall_ms = clock_wall_ms();
        p->admin_fd = -1;
        p->log_settings.wake_fd = -1;
        p->start = start;
        p->carried = carried;
        p->was_stored = carried != NULL && carried->sum.n_found > 0;
        if (takes_sessions(p))
            take_facts(p);
    }
    if (p != NULL && prepare(p, conf, &err) == 0) {
        take(p, carried_tickets, p->tickets);
        take(p, carried_stats, p->stats);
        p->snap = snapshot_build(conf, NULL, p->stats, p->tickets, &p->log, &err);
        if (p->snap == NULL) {
            status = EXIT_BAD_CONFIG;
        } else {
            p->conf = p->snap->conf;
            take(p, carried_snapshot, p->snap);
            status = run(p, &err);
        }
    }
    if (p != NULL && status != EXIT_OK) {
        if (p->log_writer != NULL)
            log_writer_settle(p->log_writer);
        carried_try_again(p->carried, start, &err);
    }
    if (status != EXIT_OK)
        fprintf(stderr, "mqgate: %s%s\n", status == EXIT_NOT_STARTED ? "could not start: " : "", err.text);
    if (p != NULL)
        close_all(p);
    conf_unref(conf);
    free(p);
    return status;
}
