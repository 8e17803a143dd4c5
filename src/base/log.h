/* base/log.h: structured log lines that never make their writer wait.
 *
 * A thread owns one struct log. A line is formatted at once and put into that thread's ring; another thread takes lines
 * out with log_ring_take() and does the writing that may block. A full ring drops the line and counts it.
 * Levels mean: error = the operator must act, warn = may have to, info = life of the process, debug = state moves. */
#ifndef MQGATE_BASE_LOG_H
#define MQGATE_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum log_format { FORMAT_LOGFMT, FORMAT_JSON, FORMAT_TCPLOG };
enum { LOG_LINE_MAX = 4096 }; /* bytes, line end included; longer values are cut */

extern const char *const log_level_names[]; /* "error", "warn", "info", "debug" */

/* What syslog is told of a line; RFC 5424's numbers. */
enum log_severity {
    SYSLOG_EMERG = 0,
    SYSLOG_ALERT = 1,
    SYSLOG_ERR = 3,
    SYSLOG_WARNING = 4,
    SYSLOG_NOTICE = 5,
    SYSLOG_INFO = 6,
    SYSLOG_DEBUG = 7
};

enum log_severity log_severity_of(enum log_level level);

enum log_field_type { FIELD_END, FIELD_STR, FIELD_BYTES, FIELD_INT, FIELD_UINT, FIELD_ADDR, FIELD_HEX };

/* One key=value. A FIELD_STR or FIELD_ADDR that is NULL is left out of the line. */
struct log_field {
    const char         *key;
    enum log_field_type type;
    union {
        const char        *str;
        struct slice       bytes; /* any bytes a peer sent; shown escaped */
        int64_t            i;
        uint64_t           u;
        const struct addr *addr;
    };
};

#define LOG_STR(k, v)   ((struct log_field){.key = (k), .type = FIELD_STR, .str = (v)})
#define LOG_BYTES(k, v) ((struct log_field){.key = (k), .type = FIELD_BYTES, .bytes = (v)})
#define LOG_INT(k, v)   ((struct log_field){.key = (k), .type = FIELD_INT, .i = (v)})
#define LOG_UINT(k, v)  ((struct log_field){.key = (k), .type = FIELD_UINT, .u = (v)})
#define LOG_ADDR(k, v)  ((struct log_field){.key = (k), .type = FIELD_ADDR, .addr = (v)})
#define LOG_HEX(k, v)   ((struct log_field){.key = (k), .type = FIELD_HEX, .u = (v)}) /* 16 hex digits */
#define LOG_END         ((struct log_field){.key = NULL, .type = FIELD_END})

/* What all threads share: set by the main thread at any time, read by every log_*(). */
struct log_settings {
    _Atomic(enum log_level)  level;
    _Atomic(enum log_format) format;
    _Atomic bool             reader_sleeps; /* the reader waits on wake_fd */
    _Atomic uint64_t         dropped;       /* lines, ever; the reader counts them */
    int                      wake_fd;       /* an eventfd, or -1: nobody to wake */
};

struct log_ring;
struct events;

struct log {
    struct log_settings *settings;
    struct log_ring     *ring;   /* NULL: lines go straight to standard error (start, -c) */
    struct events       *events; /* keeps what is of level info and above, written or not; NULL: nothing is kept */
};

/* NULL when memory is out. */
struct log_ring *log_ring_new(void);
void             log_ring_free(struct log_ring *ring);
/* Reader's side: copies the oldest line, without its line end, and its severity; returns its length, 0 when empty. */
size_t log_ring_take(struct log_ring *ring, char out[LOG_LINE_MAX], enum log_severity *severity);
/* A line is there to be taken. Reader's side. */
bool log_ring_waits(const struct log_ring *ring);
/* Lines dropped since the last call. Reader's side. */
uint64_t log_ring_dropped(struct log_ring *ring);

/* Somebody will see a line of this level. */
static inline bool log_wants(const struct log *log, enum log_level level)
{
    return level <= atomic_load_explicit(&log->settings->level, memory_order_relaxed) ||
           (log->events != NULL && level <= LEVEL_INFO);
}

/* fields end with LOG_END. errno survives. */
void log_write(struct log *log, enum log_level level, const char *event, const struct log_field *fields);

/* HAProxy's texts are wanted where HAProxy has one: base/tcplog.h makes the line, log_line() writes it as it is. The
 * caller has asked log_wants(). len: without line end, below LOG_LINE_MAX. errno survives. */
static inline bool log_is_tcplog(const struct log *log)
{
    return atomic_load_explicit(&log->settings->format, memory_order_relaxed) == FORMAT_TCPLOG;
}
void log_line(struct log *log, enum log_severity severity, const char *line, size_t len);

/* LOG_AT(log, level, event, fields...): LOG_END is added to the fields, of which there may be none. */
#define LOG_AT(log, lvl, ...) LOG_ENDED(log, lvl, __VA_ARGS__, LOG_END)
#define log_error(log, ...)   LOG_AT(log, LEVEL_ERROR, __VA_ARGS__)
#define log_warn(log, ...)    LOG_AT(log, LEVEL_WARN, __VA_ARGS__)
#define log_info(log, ...)    LOG_AT(log, LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...)   LOG_AT(log, LEVEL_DEBUG, __VA_ARGS__)
#define LOG_ENDED(log, lvl, event, ...)                                                                                \
    do {                                                                                                               \
        if (log_wants((log), (lvl)))                                                                                   \
            log_write((log), (lvl), (event), (const struct log_field[]){__VA_ARGS__});                                 \
    } while (0)

#endif
