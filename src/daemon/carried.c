#include "daemon/carried.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/command.h"
#include "carry/memory.h"
#include "control/control.h"
#include "daemon/store.h"
#include "daemon/upgrade.h"
#include "dns/dns.h"
#include "health/checker.h"
#include "net/listener.h"
#include "net/sock.h"
#include "snapshot/carry.h"
#include "stats/carry.h"
#include "tls/ticket.h"

/* How often it has been tried to start with the image. */
#define TRIES_VARIABLE "MQGATE_TRIES"

#define PROCESS(number, type, member) IMAGE_FIELD(number, type, struct process_image, member)
static const struct image_field process_fields[] = {
    PROCESS(1, IMAGE_UINT, paused_ns),
    PROCESS(2, IMAGE_SLICE, version),
    PROCESS(3, IMAGE_SLICE, by),
    PROCESS(4, IMAGE_UINT, call_fd),
    PROCESS(5 | IMAGE_MUST, IMAGE_UINT, admin_fd),
    PROCESS(6 | IMAGE_MUST, IMAGE_ADDR, admin_asked),
    PROCESS(7 | IMAGE_MUST, IMAGE_UINT, control_fd),
    PROCESS(8, IMAGE_SLICE, pid_file),
    PROCESS(9, IMAGE_UINT, age_ms),
    PROCESS(10, IMAGE_UINT, started_wall_ms),
    PROCESS(11, IMAGE_UINT, reload_wall_ms),
    PROCESS(12, IMAGE_UINT, reloads),
    PROCESS(13, IMAGE_UINT, reloads_failed),
    PROCESS(14, IMAGE_BOOL, reload_failed),
    PROCESS(15, IMAGE_UINT, upgrades),
    PROCESS(16, IMAGE_UINT, upgrades_failed),
    PROCESS(17, IMAGE_SLICE, control_path),
    PROCESS(18, IMAGE_UINT, upgrade_failed_wall_ms),
    PROCESS(19, IMAGE_SLICE, upgrade_failed_why),
};
const struct image_kind process_image_kind = {"process", IMAGE_PROCESS | IMAGE_MUST, process_fields,
                                              ARRAY_LEN(process_fields)};

static bool take_process(struct carried *c, struct err *err)
{
    struct image_reader r = c->records;
    struct image_record record;
    while (image_next(&r, &record)) {
        if (image_is(&record, &process_image_kind))
            return image_take(&record, &process_image_kind, &c->process, err);
    }
    err_set(err, "the image holds no process");
    return false;
}

/* Takes over what socket owns. False: memory is out, and it is gone. */
static bool add_socket(struct carried *c, const struct engine_socket *socket)
{
    struct engine_socket *more = realloc(c->sockets, (c->n_sockets + 1) * sizeof *more);
    if (more == NULL) {
        sock_close(socket->fd);
        free(socket->listener);
        return false;
    }
    c->sockets = more;
    more[c->n_sockets++] = *socket;
    return true;
}

static bool take_sockets(struct carried *c, struct err *err)
{
    struct image_reader  r = c->records;
    struct image_record  record;
    struct engine_socket socket;
    while (image_next(&r, &record)) {
        switch (engine_take_socket(&record, &c->sum, &socket, err)) {
        case ENGINE_SOCKET_TAKEN:
            if (add_socket(c, &socket))
                break;
            err_set(err, "out of memory");
            return false;
        case ENGINE_SOCKET_BAD:
            return false;
        case ENGINE_SOCKET_NONE:
            break;
        }
    }
    return true;
}

static bool open_image(struct carried *c, int fd, struct err *err)
{
    c->fd = fd;
    c->bytes = carry_memory_map(fd, err);
    return c->bytes.ptr != NULL && image_open(&c->records, c->bytes, err) && take_process(c, err) &&
           take_sockets(c, err);
}

/* ---- out of the service manager's store ---- */

static int by_cookie(const void *a, const void *b)
{
    const struct engine_found *x = a, *y = b;
    return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static bool note_found(struct carried *c, const struct stored *stored, size_t n)
{
    c->sum.found = calloc(n, sizeof *c->sum.found);
    for (size_t i = 0; c->sum.found != NULL && i < n; i++) {
        if (stored[i].kind != *STORE_IMAGE)
            c->sum.found[c->sum.n_found++] = (struct engine_found){sock_cookie(stored[i].fd), stored[i].fd};
    }
    if (c->sum.found != NULL)
        qsort(c->sum.found, c->sum.n_found, sizeof *c->sum.found, by_cookie);
    return c->sum.found != NULL;
}

/* Listening sockets that no image tells of: that of the admin endpoints, and all of them after a crash. */
static bool take_nameless(struct carried *c, const struct stored *stored)
{
    const struct engine_socket socket = {.asked = sock_local(stored->fd), .fd = stored->fd, .listener = strdup("")};
    return socket.listener != NULL && add_socket(c, &socket);
}

/* False: an image has told whose it is. */
static bool take_found(struct carried *c, int fd)
{
    for (size_t i = 0; i < c->sum.n_found; i++) {
        if (c->sum.found[i].fd == fd) {
            c->sum.found[i].fd = -1;
            return true;
        }
    }
    return false;
}

static bool take_stored(struct carried *c, const struct stored *stored, size_t n, struct err *err)
{
    bool good = note_found(c, stored, n);
    err_set(err, "out of memory");
    for (size_t i = 0; good && i < n; i++) {
        if (stored[i].kind == *STORE_IMAGE)
            good = open_image(c, stored[i].fd, err);
    }
    for (size_t i = 0; good && i < n; i++) {
        if (stored[i].kind == *STORE_LISTENER && take_found(c, stored[i].fd))
            good = take_nameless(c, &stored[i]);
    }
    return good;
}

static struct carried *find_stored(struct carried *c, struct err *err)
{
    size_t         n;
    struct stored *stored = store_take(&n);
    if (n > 0 && take_stored(c, stored, n, err)) {
        free(stored);
        return c;
    }
    if (n == 0)
        err_set(err, "%s", "");
    free(stored);
    carried_free(c);
    return NULL;
}

/* All that a start finds: descriptors that have been taken are close-on-exec since. False: they cannot be told. */
static bool leave_again(const struct carried *c)
{
    struct carried again = {.fd = -1, .records = c->records};
    struct err     err;
    bool           good = c->records.left.len == 0 || (take_process(&again, &err) && take_sockets(&again, &err));
    const int      fds[] = {again.process.call_fd, again.process.admin_fd, again.process.control_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        good = good && (fds[i] <= STDERR_FILENO || sock_keep(fds[i]));
    for (size_t i = 0; i < again.n_sockets; i++) {
        good = good && sock_keep(again.sockets[i].fd);
        free((void *)(uintptr_t)again.sockets[i].listener);
    }
    free(again.sockets);
    return good;
}

/* What the next one finds, who is told how often this has been tried. False: that was often enough. */
static bool tell_next(const char *image, uint64_t tries)
{
    enum { TRIES_MAX = 50 };
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRIu64, tries + 1);
    return tries < TRIES_MAX && setenv(CARRIED_VARIABLE, image, 1) == 0 && setenv(TRIES_VARIABLE, number, 1) == 0;
}

static uint64_t tries_so_far(void)
{
    const char *text = getenv(TRIES_VARIABLE);
    uint64_t    tries = 0;
    return text == NULL || command_number(text, UINT32_MAX, &tries) ? tries : UINT32_MAX;
}

static void start_again(const char *image, uint64_t tries, const struct start *start, const struct err *why)
{
    static const struct timespec pause = {.tv_nsec = 100000000};
    sigset_t                     all;
    if (!tell_next(image, tries))
        return;
    fprintf(stderr, "mqgate: %s%sthe sessions wait, and it is tried again\n", why->text,
            why->text[0] != '\0' ? "; " : "");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL); /* as the process before left them */
    (void)nanosleep(&pause, NULL);
    (void)execv(start->path, start->argv);
}

void carried_try_again(const struct carried *c, const struct start *start, const struct err *why)
{
    const char *text = getenv(CARRIED_VARIABLE);
    char        image[16];
    if (c != NULL && c->is_left && leave_again(c)) {
        (void)snprintf(image, sizeof image, "%d", c->fd);
        start_again(image, c->tries, start, why);
    } else if (c == NULL && text != NULL) {
        start_again(text, tries_so_far(), start, why);
    }
}

static struct carried *find_left(struct carried *c, const char *text, const struct start *start, struct err *err)
{
    uint64_t fd = 0;
    c->is_left = command_number(text, INT32_MAX, &fd) && fd > STDERR_FILENO;
    c->tries = tries_so_far();
    if (!c->is_left)
        err_set(err, "%s is no descriptor", CARRIED_VARIABLE);
    if (c->is_left && open_image(c, (int)fd, err)) {
        (void)unsetenv(CARRIED_VARIABLE);
        (void)unsetenv(TRIES_VARIABLE);
        return c;
    }
    if (start != NULL)
        carried_try_again(c, start, err);
    carried_free(c);
    return NULL;
}

struct carried *carried_find(const struct start *start, struct err *err)
{
    const char     *text = getenv(CARRIED_VARIABLE);
    struct carried *c = calloc(1, sizeof *c);
    err_set(err, "out of memory");
    if (c == NULL)
        return NULL;
    c->fd = -1;
    return text != NULL ? find_left(c, text, start, err) : find_stored(c, err);
}

bool carried_each(const struct carried *c, carried_take take, void *to, struct err *err)
{
    struct image_reader r = c->records;
    struct image_record record;
    struct err          why;
    bool                good = true;
    while (image_next(&r, &record)) {
        if (take(to, &record, &why))
            continue;
        good = false;
        *err = why;
    }
    return good;
}

bool carried_tickets(void *tickets, const struct image_record *record, struct err *err)
{
    return !image_is(record, &tickets_image_kind) || tls_tickets_adopt(tickets, record, err);
}

bool carried_stats(void *stats, const struct image_record *record, struct err *err)
{
    return stats_adopt(stats, record, err);
}

bool carried_snapshot(void *snap, const struct image_record *record, struct err *err)
{
    return snapshot_adopt_server(snap, record, err) && snapshot_adopt_listener(snap, record, err);
}

bool carried_health(void *health, const struct image_record *record, struct err *err)
{
    return health_adopt(health, record, err);
}

bool carried_dns(void *dns, const struct image_record *record, struct err *err)
{
    return dns_adopt(dns, record, err);
}

static bool understand(void *n, const struct image_record *record, struct err *err)
{
    if ((record->kind & IMAGE_MUST) != 0 && (record->kind & IMAGE_NUMBER) >= IMAGE_KINDS) {
        err_set(err, "the image has records of kind %u, which this version does not know", record->kind & IMAGE_NUMBER);
        return false;
    }
    return engine_understands(record, n, err);
}

bool carried_is_understood(const struct carried *c, uint32_t *n, struct err *err)
{
    *n = 0;
    return carried_each(c, understand, n, err);
}

struct adopter {
    struct engine         *engine;
    struct engine_carried *sum;
};

static bool adopt(void *to, const struct image_record *record, struct err *err)
{
    const struct adopter *a = to;
    return engine_adopt(a->engine, record, a->sum, err);
}

enum beside { ALONE, BESIDE, THERE };

static enum beside place_of(const struct carried *c, const struct addr *at)
{
    enum beside place = addr_overlaps(at, &c->process.admin_asked) ? BESIDE : ALONE;
    if (addr_same(at, &c->process.admin_asked))
        return THERE;
    for (size_t i = 0; i < c->n_sockets; i++) {
        if (addr_same(at, &c->sockets[i].asked))
            return THERE;
        if (addr_overlaps(at, &c->sockets[i].asked))
            place = BESIDE;
    }
    return place;
}

static bool can_listen(const struct carried *c, const struct addr *at, const char *name, struct err *err)
{
    int         fd;
    enum beside place = place_of(c, at);
    if (place == THERE || !addr_is_set(at))
        return true;
    if (listener_open(at, place == BESIDE, 1, &fd, 1, err) != 0) {
        err_prefix(err, "listener \"%s\"", name);
        return false;
    }
    sock_close(fd);
    return true;
}

bool carried_can_listen(const struct carried *c, const struct conf *conf, struct err *err)
{
    for (size_t i = 0; i < conf->n_listeners; i++) {
        for (size_t n = 0; n < conf->listeners[i].n_bind; n++) {
            if (!can_listen(c, &conf->listeners[i].bind[n], conf->listeners[i].name, err))
                return false;
        }
    }
    return can_listen(c, &conf->admin.bind, "admin", err);
}

/* It is there afterwards, if it was before. */
static bool can_write(const char *path, struct err *err)
{
    bool was_there = access(path, F_OK) == 0;
    int  fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        err_system(err, errno, "pid_file %s", path);
        return false;
    }
    (void)close(fd);
    if (!was_there)
        (void)unlink(path);
    return true;
}

bool carried_can_make(const struct carried *c, const struct conf *conf, struct err *err)
{
    const struct conf_global *global = &conf->global;
    bool                      has_control =
        !global->control_socket_written || global->control_socket[0] == '\0' ||
        (c->process.control_fd != 0 && slice_eq(c->process.control_path, slice_str(global->control_socket)));
    if (!has_control && !control_can_open(global->control_socket, global->control_mode, err))
        return false;
    return global->pid_file[0] == '\0' || carried_has_pid_file(c, global->pid_file) || can_write(global->pid_file, err);
}

static int take_descriptor(int *from)
{
    int fd = *from > STDERR_FILENO ? *from : -1;
    *from = 0;
    if (fd >= 0)
        sock_keep_not(fd);
    return fd;
}

int carried_control(struct carried *c, const char *path)
{
    if (c == NULL || c->process.control_fd == 0 || !slice_eq(c->process.control_path, slice_str(path)))
        return -1;
    return take_descriptor(&c->process.control_fd);
}

bool carried_has_pid_file(const struct carried *c, const char *path)
{
    return c != NULL && slice_eq(c->process.pid_file, slice_str(path));
}

static void remove_other(struct slice was, const char *now)
{
    char path[PATH_MAX];
    if (was.len == 0 || slice_eq(was, slice_str(now)))
        return;
    (void)snprintf(path, sizeof path, "%.*s", (int)was.len, (const char *)was.ptr);
    (void)unlink(path);
}

void carried_remove_others(const struct carried *c, const struct conf *conf)
{
    if (c != NULL && c->process.control_fd != 0)
        remove_other(c->process.control_path, conf->global.control_socket);
    if (c != NULL)
        remove_other(c->process.pid_file, conf->global.pid_file);
}

int carried_admin(struct carried *c, const struct addr *asked)
{
    if (c != NULL && c->process.admin_fd != 0 && addr_same(&c->process.admin_asked, asked))
        return take_descriptor(&c->process.admin_fd);
    for (size_t i = 0; c != NULL && i < c->n_sockets; i++) {
        struct engine_socket *socket = &c->sockets[i];
        if (socket->fd >= 0 && socket->listener[0] == '\0' && addr_same(&socket->asked, asked)) {
            int fd = socket->fd;
            socket->fd = -1;
            return fd;
        }
    }
    return -1;
}

bool carried_adopt_sessions(struct carried *c, struct engine *engine, struct err *err)
{
    struct adopter a = {engine, &c->sum};
    bool           good = carried_each(c, adopt, &a, err);
    c->is_left = false; /* there is nothing any more to start with again */
    engine_adopted(engine);
    return good;
}

void carried_free(struct carried *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_sockets; i++) {
        sock_close(c->sockets[i].fd);
        free(c->sockets[i].listener);
    }
    free(c->sockets);
    sock_close(take_descriptor(&c->process.admin_fd));
    sock_close(take_descriptor(&c->process.control_fd));
    for (size_t i = 0; i < c->sum.n_found; i++)
        sock_close(c->sum.found[i].fd);
    free(c->sum.found);
    if (c->fd >= 0)
        carry_memory_unmap(c->bytes, c->fd);
    free(c);
}
