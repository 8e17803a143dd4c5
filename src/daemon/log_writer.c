#include "daemon/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logline.h"
#include "engine/thread.h"
#include "net/sock.h"

enum { BATCH_BYTES = 65536, CLOSE_WAIT_S = 2, REOPEN_MS = 1000 };

/* Where lines go. A stream takes them in batches, syslog one a datagram (RFC 3164 as daemons on Linux speak it). */
struct target {
    bool        is_syslog;
    int         fd;   /* 1, 2, or a datagram socket; -1: could not be opened, tried again now and then */
    char       *path; /* owned */
    struct addr addr; /* UDP, where path is NULL */
    uint64_t    opened_ms;
};

struct log_targets {
    size_t        n;
    struct target at[];
};

struct log_writer {
    struct log_settings          *settings;
    struct log_ring             **rings; /* owned */
    size_t                        n_rings;
    struct log_targets           *targets; /* owned */
    _Atomic(struct log_targets *) next;    /* those that take their place; the thread takes them over */
    pthread_t                     thread;
    bool                          running;
    _Atomic bool                  closing;
    char                         *batch; /* BATCH_BYTES; owned */
    size_t                        batch_len;
};

static void open_syslog(struct target *t)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    t->opened_ms = clock_mono_ms();
    int family = t->path != NULL ? AF_UNIX : t->addr.sa.sa_family;
    t->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (t->fd < 0)
        return;
    int answer;
    if (t->path != NULL) {
        (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", t->path);
        answer = connect(t->fd, (const struct sockaddr *)&un, sizeof un);
    } else {
        answer = connect(t->fd, &t->addr.sa, addr_socklen(&t->addr));
    }
    if (answer != 0) {
        sock_close(t->fd);
        t->fd = -1;
    }
}

/* The loader has checked the form of every entry. False when memory is out. */
static bool init_target(struct target *t, const char *to)
{
    static const char udp[] = "syslog:udp://", local[] = "syslog:";
    *t = (struct target){.fd = strcmp(to, "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO};
    if (strncmp(to, local, sizeof local - 1) != 0)
        return true;
    t->is_syslog = true;
    if (strncmp(to, udp, sizeof udp - 1) != 0 || !addr_parse(to + sizeof udp - 1, &t->addr))
        t->path = strdup(to + sizeof local - 1);
    if (t->path == NULL && !addr_is_set(&t->addr))
        return false;
    open_syslog(t);
    return true;
}

void log_targets_close(struct log_targets *targets)
{
    for (size_t i = 0; targets != NULL && i < targets->n; i++) {
        if (targets->at[i].is_syslog)
            sock_close(targets->at[i].fd);
        free(targets->at[i].path);
    }
    free(targets);
}

struct log_targets *log_targets_open(const struct conf_log *conf, struct err *err)
{
    struct log_targets *targets = calloc(1, sizeof *targets + conf->to.n * sizeof targets->at[0]);
    bool                ok = targets != NULL;
    for (size_t i = 0; ok && i < conf->to.n; i++) {
        targets->n = i + 1;
        targets->at[i].fd = -1;
        ok = init_target(&targets->at[i], conf->to.at[i]);
    }
    if (ok)
        return targets;
    err_set(err, "out of memory");
    log_targets_close(targets);
    return NULL;
}

static void send_syslog(struct target *t, enum log_severity severity, const char *line, size_t len)
{
    enum { FACILITY_DAEMON = 3 };
    char      text[LOG_LINE_MAX + 64], when[32];
    time_t    now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    if (t->fd < 0 && clock_mono_ms() - t->opened_ms > REOPEN_MS)
        open_syslog(t);
    if (t->fd < 0 || localtime_r(&now, &tm) == NULL || strftime(when, sizeof when, "%b %e %H:%M:%S", &tm) == 0)
        return;
    int n = snprintf(text, sizeof text, "<%d>%s mqgate[%d]: %.*s", FACILITY_DAEMON * 8 + (int)severity, when,
                     (int)getpid(), (int)len, line);
    if (n > 0 && send(t->fd, text, (size_t)n, MSG_NOSIGNAL) < 0 && t->path != NULL) {
        sock_close(t->fd); /* the syslog daemon was restarted: its socket is a new one */
        t->fd = -1;
    }
}

static void write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EAGAIN) { /* somebody made our standard output non-blocking */
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            (void)poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return;
        }
        text += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
}

static void flush_batch(struct log_writer *w)
{
    for (size_t i = 0; i < w->targets->n; i++) {
        if (!w->targets->at[i].is_syslog)
            write_all(w->targets->at[i].fd, w->batch, w->batch_len);
    }
    w->batch_len = 0;
}

static void put_line(struct log_writer *w, enum log_severity severity, const char *line, size_t len)
{
    for (size_t i = 0; i < w->targets->n; i++) {
        if (w->targets->at[i].is_syslog)
            send_syslog(&w->targets->at[i], severity, line, len);
    }
    if (w->batch_len + len + 1 > BATCH_BYTES)
        flush_batch(w);
    memcpy(w->batch + w->batch_len, line, len);
    w->batch_len += len;
    w->batch[w->batch_len++] = '\n';
}

static void tell_dropped(struct log_writer *w, uint64_t n)
{
    char                   line[LOG_LINE_MAX];
    const struct log_field fields[] = {LOG_UINT("lines", n), LOG_STR("why", "the log target does not keep up"),
                                       LOG_END};
    size_t                 len =
        logline_format(line, atomic_load(&w->settings->format), clock_wall_ms(), LEVEL_WARN, "log_dropped", fields);
    put_line(w, SYSLOG_WARNING, line, len);
}

/* At most n lines of a ring, so that a chatty thread does not hide the others. */
static bool take_some(struct log_writer *w, struct log_ring *ring, int n)
{
    char              line[LOG_LINE_MAX];
    enum log_severity severity;
    size_t            len = 0;
    while (n-- > 0 && (len = log_ring_take(ring, line, &severity)) > 0)
        put_line(w, severity, line, len);
    uint64_t dropped = log_ring_dropped(ring);
    atomic_fetch_add(&w->settings->dropped, dropped);
    if (dropped > 0)
        tell_dropped(w, dropped);
    return len > 0;
}

static void drain(struct log_writer *w)
{
    enum { SHARE = 64 };
    bool more;
    do {
        more = false;
        for (size_t i = 0; i < w->n_rings; i++)
            more |= take_some(w, w->rings[i], SHARE);
        flush_batch(w);
    } while (more);
}

static bool anything_waits(const struct log_writer *w)
{
    for (size_t i = 0; i < w->n_rings; i++) {
        if (log_ring_waits(w->rings[i]))
            return true;
    }
    return false;
}

/* What waits in the rings was written for the old ones. */
static void change_targets(struct log_writer *w)
{
    struct log_targets *next = atomic_exchange(&w->next, NULL);
    if (next == NULL)
        return;
    drain(w);
    log_targets_close(w->targets);
    w->targets = next;
}

void log_writer_change(struct log_writer *w, const struct conf_log *conf, struct log_targets *targets)
{
    const uint64_t one = 1;
    log_targets_close(atomic_exchange(&w->next, targets)); /* the one before has come to nothing */
    atomic_store(&w->settings->level, conf->level);
    atomic_store(&w->settings->format, conf->format);
    (void)!write(w->settings->wake_fd, &one, sizeof one); /* full: it is awake */
}

static void *run(void *arg)
{
    struct log_writer *w = arg;
    uint64_t           count;
    while (!atomic_load(&w->closing)) {
        change_targets(w);
        drain(w);
        atomic_store(&w->settings->reader_sleeps, true);
        /* A line put before its writer could see that we sleep is seen here; one put after wakes us. */
        if (!anything_waits(w) && !atomic_load(&w->closing) && read(w->settings->wake_fd, &count, sizeof count) < 0 &&
            errno != EINTR)
            break;
        atomic_store(&w->settings->reader_sleeps, false);
    }
    drain(w);
    return NULL;
}

void log_writer_settle(const struct log_writer *w)
{
    enum { LOOKS = 100, LOOK_US = 500 };
    for (int i = 0; i < LOOKS && (anything_waits(w) || !atomic_load(&w->settings->reader_sleeps)); i++)
        (void)usleep(LOOK_US);
}

static void free_writer(struct log_writer *w)
{
    for (size_t i = 0; w->rings != NULL && i < w->n_rings; i++)
        log_ring_free(w->rings[i]);
    log_targets_close(w->targets);
    log_targets_close(atomic_load(&w->next));
    sock_close(w->settings->wake_fd);
    w->settings->wake_fd = -1;
    free((void *)w->rings);
    free(w->batch);
    free(w);
}

struct log_writer *log_writer_open(const struct conf_log *conf, size_t n, struct log_settings *settings,
                                   struct err *err)
{
    struct log_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    w->settings = settings;
    settings->wake_fd = eventfd(0, EFD_CLOEXEC);
    atomic_store(&settings->level, conf->level);
    atomic_store(&settings->format, conf->format);
    w->batch = malloc(BATCH_BYTES);
    w->rings = calloc(n, sizeof(struct log_ring *));
    w->targets = log_targets_open(conf, err);
    bool ok = settings->wake_fd >= 0 && w->batch != NULL && w->rings != NULL && w->targets != NULL;
    for (; ok && w->n_rings < n; w->n_rings++) {
        w->rings[w->n_rings] = log_ring_new();
        ok = w->rings[w->n_rings] != NULL;
    }
    if (!ok) {
        err_set(err, "out of memory");
        free_writer(w);
        return NULL;
    }
    return w;
}

struct log_ring **log_writer_rings(struct log_writer *w)
{
    return w->rings;
}

int log_writer_start(struct log_writer *w, struct err *err)
{
    int why = thread_start(&w->thread, "log", run, w);
    w->running = why == 0;
    if (why != 0)
        err_system(err, why, "start the log writer");
    return w->running ? 0 : -1;
}

void log_writer_close(struct log_writer *w)
{
    const uint64_t  one = 1;
    struct timespec until;
    if (w == NULL)
        return;
    if (!w->running) {
        drain(w);
        free_writer(w);
        return;
    }
    atomic_store(&w->closing, true);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_WAIT_S;
    if (write(w->settings->wake_fd, &one, sizeof one) == sizeof one &&
        pthread_timedjoin_np(w->thread, NULL, &until) == 0)
        free_writer(w);
}
