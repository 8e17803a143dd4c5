#include "daemon/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/load.h"
#include "daemon/descriptors.h"
#include "daemon/files.h"
#include "daemon/notify.h"
#include "daemon/parts.h"
#include "daemon/privileges.h"
#include "net/sock.h"

/* A server that has another address now. */
struct move {
    size_t      backend, server;
    struct addr was;
};

struct reload {
    struct process       *p;
    const char           *by;
    struct command_call  *call;   /* who waits for the answer; NULL: nobody (any more) */
    struct conf          *before; /* in force until now */
    struct conf          *conf;
    struct snapshot      *snap;
    struct engine_change *engine;
    struct health        *health;
    struct dns           *dns;
    struct log_targets   *targets;
    struct row           *admin_row; /* NULL: there are no admin endpoints */
    struct admin         *admin;     /* where there were none */
    int                   admin_fd;  /* where they listen from now on, if that has changed; -1 */
    struct addr           admin_addr;
    struct move          *moves;
    size_t                n_moves;
    uint64_t              stamp; /* of the files that were read */
    struct text           told;  /* lines of the answer */
};

/* ---- preparing ---- */

static bool load(struct reload *r)
{
    const char        *file = r->p->conf->file;
    struct conf_errors errors = {0};
    r->conf = conf_load(file, &errors);
    for (const struct conf_error *e = errors.list; e != NULL; e = e->next)
        text_add(&r->told, "%s\n", e->text);
    if (errors.out_of_memory)
        text_add(&r->told, "%s: out of memory\n", file);
    conf_errors_free(&errors);
    return r->conf != NULL;
}

static void note(struct reload *r, bool differs, const char *key)
{
    if (differs)
        text_add(&r->told, "%s: the change of %s waits for an upgrade or a restart.\n", r->conf->file, key);
}

/* Who has become somebody cannot become somebody else. */
static void note_who(struct reload *r, bool differs, const char *key)
{
    const struct conf_global *now = &r->conf->global;
    struct err                err;
    if (privileges_allow(now->user, now->group, &err))
        note(r, differs, key);
    else if (differs)
        text_add(&r->told, "%s: the change of %s waits for a restart.\n", r->conf->file, key);
}

/* What a process has only once. */
static void keep_what_stays(struct reload *r)
{
    const struct conf_global *was = &r->p->conf->global;
    struct conf_global       *now = &r->conf->global;
    note(r, now->workers != was->workers, "global.workers");
    note_who(r, strcmp(now->user, was->user) != 0, "global.user");
    note_who(r, strcmp(now->group, was->group) != 0, "global.group");
    note(r, strcmp(now->pid_file, was->pid_file) != 0, "global.pid_file");
    note(r, strcmp(now->control_socket, was->control_socket) != 0, "global.control_socket");
    note(r, now->control_mode != was->control_mode, "global.control_mode");
    note(r, now->control_level != was->control_level, "global.control_level");
    now->workers = was->workers;
}

static bool listens_beside(const struct process *p, const struct addr *at)
{
    for (size_t i = 0; i < p->conf->n_listeners; i++) {
        for (size_t n = 0; n < p->conf->listeners[i].n_bind; n++) {
            if (addr_overlaps(at, &p->conf->listeners[i].bind[n]))
                return true;
        }
    }
    return addr_overlaps(at, &p->conf->admin.bind);
}

static bool prepare_admin(struct reload *r, struct err *err)
{
    struct process    *p = r->p;
    const struct addr *at = &r->conf->admin.bind;
    bool               has = conf_has_admin(r->conf);
    r->admin_row = has ? stats_proxy(p->stats, ROW_FRONTEND, "admin") : NULL;
    if (has && r->admin_row == NULL) {
        err_set(err, "out of memory");
        return false;
    }
    r->admin_addr = p->admin_addr;
    if (!addr_same(at, &p->conf->admin.bind) &&
        process_open_admin(r->conf, listens_beside(p, at), &r->admin_fd, &r->admin_addr, err) != 0)
        return false;
    if (!has || p->admin != NULL)
        return true;
    r->admin = admin_open(p->loop, r->admin_fd, &p->view, &p->log, err);
    if (r->admin != NULL)
        r->admin_fd = -1;
    return r->admin != NULL;
}

static size_t count_servers(const struct conf *conf)
{
    size_t n = 0;
    for (size_t i = 0; i < conf->n_backends; i++)
        n += conf->backends[i].n_servers;
    return n;
}

/* Everything that can fail; nothing of it is seen from outside. */
static bool prepare(struct reload *r, struct err *err)
{
    struct process *p = r->p;
    r->snap = snapshot_build(r->conf, p->snap, p->stats, p->tickets, &p->log, err);
    if (r->snap == NULL)
        return false;
    err_set(err, "out of memory");
    r->moves = calloc(count_servers(r->conf), sizeof *r->moves);
    r->health = health_new(p->loop, r->snap, &p->log, process_health_listener(p));
    if (r->moves == NULL || r->health == NULL)
        return false;
    r->dns = dns_new(p->loop, r->snap, &p->log, process_dns_listener(p), err);
    r->targets = r->dns != NULL ? log_targets_open(&r->conf->global.log, err) : NULL;
    if (r->targets == NULL || !prepare_admin(r, err))
        return false;
    r->engine = engine_prepare(p->engine, r->snap, err);
    return r->engine != NULL;
}

static void reload_free(struct reload *r)
{
    engine_discard(r->engine);
    admin_close(r->admin);
    sock_close(r->admin_fd);
    row_unref(r->admin_row);
    log_targets_close(r->targets);
    dns_free(r->dns);
    health_free(r->health);
    snapshot_unref(r->snap);
    conf_unref(r->conf);
    conf_unref(r->before);
    free(r->moves);
    text_fini(&r->told);
    free(r);
}

/* ---- committing ---- */

static void on_moved(void *user, size_t backend, size_t server, const struct addr *was)
{
    struct reload *r = user;
    r->moves[r->n_moves++] = (struct move){backend, server, *was};
}

static void commit_servers(struct reload *r)
{
    struct process *p = r->p;
    struct health  *health = p->health;
    struct dns     *dns = p->dns;
    snapshot_commit(r->snap, p->snap, on_moved, r);
    health_begin(r->health, health);
    p->view.health = p->health = r->health;
    dns_begin(r->dns, dns);
    p->view.dns = p->dns = r->dns;
    r->health = NULL;
    r->dns = NULL;
    health_free(health);
    dns_free(dns);
    for (size_t i = 0; i < r->n_moves; i++)
        health_address_changed(p->health, r->moves[i].backend, r->moves[i].server, &r->moves[i].was, "reload");
    if (p->control == NULL)
        return;
    control_register(p->control, health_commands, p->health);
    control_register(p->control, dns_commands, p->dns);
}

static void commit_admin(struct reload *r)
{
    struct process *p = r->p;
    bool            moved = !addr_same(&r->conf->admin.bind, &p->conf->admin.bind), has = conf_has_admin(r->conf);
    if (!has) {
        admin_close(p->admin);
        p->admin = NULL;
    } else if (p->admin == NULL) {
        p->admin = r->admin;
        r->admin = NULL;
    } else if (moved) {
        admin_listen(p->admin, r->admin_fd);
        r->admin_fd = -1;
    }
    p->admin_addr = r->admin_addr;
    if (p->view.admin == NULL || !has) {
        struct row *before = p->view.admin;
        p->view.admin = r->admin_row;
        r->admin_row = before;
        if (p->view.admin != NULL)
            p->view.admin->is_admin = true;
    }
}

static void commit_limit(struct reload *r)
{
    struct process *p = r->p;
    size_t          fixed = process_fixed_descriptors(r->snap);
    bool            same = r->conf->global.max_connections == p->conf->global.max_connections;
    if (same && fixed == process_fixed_descriptors(p->snap))
        return;
    uint32_t carried = descriptors_carry(r->conf->global.max_connections, fixed, &p->log);
    if (same && carried == p->max_connections) /* what an operator has set stays */
        return;
    p->view.max_connections = p->max_connections = carried;
    engine_set_max_connections(p->engine, carried);
}

static void commit(struct reload *r)
{
    struct process  *p = r->p;
    struct snapshot *before = p->snap;
    commit_servers(r);
    commit_admin(r);
    commit_limit(r);
    log_writer_change(p->log_writer, &r->conf->global.log, r->targets);
    r->targets = NULL;
    p->view.snap = p->snap = r->snap;
    p->conf = r->snap->conf;
    r->snap = NULL;
    engine_commit(r->engine);
    r->engine = NULL;
    engine_servers_changed(p->engine); /* limits and weights may be others */
    snapshot_unref(before);
}

/* ---- from the outside ---- */

/* The call is not the reload's any more; NULL: nobody waits. */
static struct command_call *put_answer(struct reload *r, bool good)
{
    struct command_call *call = r->call;
    if (call == NULL)
        return NULL;
    r->call = NULL;
    call->severity = good ? SEVERITY_INFO : SEVERITY_ERROR;
    if (good)
        text_puts(&call->out, "Reloaded.\n");
    if (r->told.len > 0)
        text_put(&call->out, r->told.at, r->told.len);
    return call;
}

static void note_outcome(struct process *p, bool good)
{
    p->view.reload_wall_ms = clock_wall_ms();
    p->view.reload_failed = !good;
    p->view.reloads += good;
    p->view.reloads_failed += !good;
}

/* Each line of the answer is one of the log, too. */
static void log_told(struct reload *r, void (*write)(struct log *log, const struct reload *r, const char *line))
{
    char *rest = r->told.at, *line;
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0')
            write(&r->p->log, r, line);
    }
}

static void log_failure(struct log *log, const struct reload *r, const char *line)
{
    log_error(log, "reload_failed", LOG_STR("by", r->by), LOG_STR("why", line), LOG_STR("hint", "nothing has changed"));
}

static void log_waits(struct log *log, const struct reload *r, const char *line)
{
    log_warn(log, "reload_incomplete", LOG_STR("by", r->by), LOG_STR("why", line));
}

static void give_up(struct reload *r)
{
    note_outcome(r->p, false);
    r->p->files_taken = r->stamp; /* what is no good is not tried again and again */
    (void)put_answer(r, false);   /* whoever asked is still in the call */
    log_told(r, log_failure);
    reload_free(r);
    notify_ready();
}

/* False: it has failed, and all is as it was; call has the answer. files_only: the configuration is that in force. */
static bool begin(struct process *p, const char *by, bool files_only, struct command_call *call)
{
    struct reload *r = calloc(1, sizeof *r);
    struct err     err = {0};
    if (r == NULL) {
        if (call != NULL)
            command_say(call, SEVERITY_ERROR, "out of memory");
        return false;
    }
    *r = (struct reload){.p = p, .by = by, .call = call, .admin_fd = -1, .before = conf_ref(p->snap->conf)};
    notify_reloading();
    r->stamp = files_stamp(p->conf);
    if (files_only)
        r->conf = conf_ref(p->snap->conf);
    bool loaded = files_only || load(r);
    if (loaded) {
        keep_what_stays(r);
        r->stamp = files_stamp(r->conf);
        loaded = prepare(r, &err);
        if (!loaded) {
            text_cut(&r->told, 0);
            text_add(&r->told, "%s: %s\n", r->conf->file, err.text);
        }
    }
    if (!loaded) {
        give_up(r);
        return false;
    }
    commit(r);
    p->reload = r;
    return true;
}

void reload_done(struct process *p)
{
    struct reload *r = p->reload;
    if (r == NULL) /* the first configuration */
        return;
    p->reload = NULL;
    p->files_taken = p->files_seen = r->stamp;
    note_outcome(p, true);
    process_log_listening(p, r->before);
    process_store_sockets(p);
    log_info(&p->log, "reloaded", LOG_STR("by", r->by), LOG_STR("file", p->conf->file),
             LOG_UINT("reloads", p->view.reloads));
    struct command_call *call = put_answer(r, true);
    log_told(r, log_waits);
    reload_free(r);
    notify_ready();
    if (call != NULL)
        call->finish(call);
    if (p->reload_again) {
        p->reload_again = false;
        (void)begin(p, "signal", false, NULL);
    }
}

void reload_abandon(struct process *p)
{
    if (p->reload == NULL)
        return;
    reload_free(p->reload);
    p->reload = NULL;
}

static bool is_busy(const struct process *p)
{
    return p->reload != NULL || p->upgrade != NULL || engine_is_changing(p->engine);
}

void reload_by_signal(struct process *p)
{
    if (is_busy(p)) /* its file may have been read before it was written: */
        p->reload_again = true;
    else
        (void)begin(p, "signal", false, NULL);
}

void reload_files(struct process *p)
{
    if (!is_busy(p))
        (void)begin(p, "files", true, NULL);
}

static void on_cancel(struct command_call *call)
{
    struct reload *r = call->state;
    r->call = NULL;
}

static enum command_outcome reload(void *owner, struct command_call *call)
{
    struct process *p = owner;
    bool            files_only = call->argc > 0 && strcmp(call->argv[0], "tls") == 0;
    if (call->argc > 1 || (call->argc == 1 && !files_only))
        return command_fail(call, "'reload' expects nothing or 'tls'.");
    if (is_busy(p))
        return command_fail(call, p->upgrade != NULL ? "An upgrade is under way." : "A reload is under way.");
    if (!begin(p, "command", files_only, call))
        return COMMAND_DONE;
    call->state = p->reload;
    call->cancel = on_cancel;
    return COMMAND_PENDING;
}

const struct command reload_commands[] = {
    {"reload", "[tls]", "reads the configuration again, or only its certificates, and goes over to it", COMMAND_ADMIN,
     reload},
    {NULL, NULL, NULL, COMMAND_USER, NULL}};
