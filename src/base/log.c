#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/events.h"
#include "base/logline.h"

enum { RING_BYTES = 1 << 18 };

/* One writer, one reader. A record is a header and its bytes, wrapping at the end of data. */
struct log_ring {
    _Atomic uint64_t written; /* bytes ever put in; only the writer stores it */
    _Atomic uint64_t read;    /* bytes ever taken out; only the reader stores it */
    _Atomic uint64_t dropped; /* lines */
    uint8_t          data[RING_BYTES];
};

struct record {
    uint16_t len;      /* bytes behind this header */
    uint8_t  severity; /* enum log_severity */
};

struct log_ring *log_ring_new(void)
{
    return calloc(1, sizeof(struct log_ring));
}

void log_ring_free(struct log_ring *ring)
{
    free(ring);
}

static void copy_in(struct log_ring *ring, uint64_t at, const void *from, size_t n)
{
    size_t start = (size_t)(at % RING_BYTES), first = n < RING_BYTES - start ? n : RING_BYTES - start;
    memcpy(ring->data + start, from, first);
    memcpy(ring->data, (const uint8_t *)from + first, n - first);
}

static void copy_out(const struct log_ring *ring, uint64_t at, void *to, size_t n)
{
    size_t start = (size_t)(at % RING_BYTES), first = n < RING_BYTES - start ? n : RING_BYTES - start;
    memcpy(to, ring->data + start, first);
    memcpy((uint8_t *)to + first, ring->data, n - first);
}

static void ring_put(struct log_ring *ring, enum log_severity severity, const char *line, size_t len)
{
    struct record rec = {.len = (uint16_t)len, .severity = (uint8_t)severity};
    uint64_t      at = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t      used = at - atomic_load_explicit(&ring->read, memory_order_acquire);
    if (used + sizeof rec + len > RING_BYTES) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return;
    }
    copy_in(ring, at, &rec, sizeof rec);
    copy_in(ring, at + sizeof rec, line, len);
    /* seq_cst: ordered before the look at reader_sleeps, as the reader's mirror image is. */
    atomic_store(&ring->written, at + sizeof rec + len);
}

bool log_ring_waits(const struct log_ring *ring)
{
    return atomic_load(&ring->written) != atomic_load_explicit(&ring->read, memory_order_relaxed);
}

size_t log_ring_take(struct log_ring *ring, char out[LOG_LINE_MAX], enum log_severity *severity)
{
    struct record rec;
    uint64_t      at = atomic_load_explicit(&ring->read, memory_order_relaxed);
    if (!log_ring_waits(ring))
        return 0;
    copy_out(ring, at, &rec, sizeof rec);
    copy_out(ring, at + sizeof rec, out, rec.len);
    *severity = rec.severity;
    atomic_store_explicit(&ring->read, at + sizeof rec + rec.len, memory_order_release);
    return rec.len;
}

uint64_t log_ring_dropped(struct log_ring *ring)
{
    return atomic_exchange_explicit(&ring->dropped, 0, memory_order_relaxed);
}

static void wake_reader(struct log_settings *settings)
{
    const uint64_t one = 1;
    if (settings->wake_fd < 0 || !atomic_exchange(&settings->reader_sleeps, false))
        return;
    /* An eventfd write of 1 fails only when its counter is full, and then the reader is awake anyway. */
    if (write(settings->wake_fd, &one, sizeof one) < 0)
        return;
}

/* No thread to hand lines to yet: the caller may wait, and the operator sees it at once. */
static void write_direct(const char *line, size_t len)
{
    char   text[LOG_LINE_MAX + 1];
    size_t all = len + 1;
    memcpy(text, line, len);
    text[len] = '\n';
    for (size_t done = 0; done < all;) {
        ssize_t n = write(STDERR_FILENO, text + done, all - done);
        if (n < 0 && errno != EINTR)
            return;
        done += n < 0 ? 0 : (size_t)n;
    }
}

enum log_severity log_severity_of(enum log_level level)
{
    static const enum log_severity of[] = {[LEVEL_ERROR] = SYSLOG_ERR,
                                           [LEVEL_WARN] = SYSLOG_WARNING,
                                           [LEVEL_INFO] = SYSLOG_INFO,
                                           [LEVEL_DEBUG] = SYSLOG_DEBUG};
    return of[level];
}

static void emit(struct log *log, enum log_severity severity, const char *line, size_t len)
{
    if (severity > log_severity_of(atomic_load_explicit(&log->settings->level, memory_order_relaxed)))
        return; /* it was only to be kept */
    if (log->ring == NULL) {
        write_direct(line, len);
    } else {
        ring_put(log->ring, severity, line, len);
        wake_reader(log->settings);
    }
}

/* Kept lines are logfmt whatever the log is, so that each says when it was. */
static void keep(struct log *log, enum log_level level, const char *event, const struct log_field *fields)
{
    char line[LOG_LINE_MAX];
    if (log->events != NULL && level <= LEVEL_INFO)
        events_add(log->events, line, logline_format(line, FORMAT_LOGFMT, clock_wall_ms(), level, event, fields));
}

void log_line(struct log *log, enum log_severity severity, const char *line, size_t len)
{
    int                    saved = errno;
    const struct log_field text[] = {LOG_BYTES("text", slice_of(line, len)), LOG_END};
    keep(log, severity <= SYSLOG_WARNING ? LEVEL_WARN : LEVEL_INFO, "haproxy_line", text);
    emit(log, severity, line, len);
    errno = saved;
}

void log_write(struct log *log, enum log_level level, const char *event, const struct log_field *fields)
{
    int             saved = errno;
    char            line[LOG_LINE_MAX];
    enum log_format format = atomic_load_explicit(&log->settings->format, memory_order_relaxed);
    size_t          len = logline_format(line, format, clock_wall_ms(), level, event, fields);
    keep(log, level, event, fields);
    emit(log, log_severity_of(level), line, len);
    errno = saved;
}
