/* daemon/log_writer.h: the thread that takes log lines out of the rings and does the writing that may block. */
#ifndef MQGATE_DAEMON_LOG_WRITER_H
#define MQGATE_DAEMON_LOG_WRITER_H

#include "base/err.h"
#include "base/log.h"
#include "conf/model.h"

struct log_writer;
struct log_targets;

/* n rings, made here; rings[i] is for one thread. Sets up settings, which must outlive the writer. Until
 * log_writer_start() nothing is written. NULL and *err on failure. */
struct log_writer *log_writer_open(const struct conf_log *conf, size_t n, struct log_settings *settings,
                                   struct err *err);
struct log_ring  **log_writer_rings(struct log_writer *w);
/* Other targets, prepared: NULL and *err on failure. conf need not outlive them. */
struct log_targets *log_targets_open(const struct conf_log *conf, struct err *err);
void                log_targets_close(struct log_targets *targets); /* NULL is fine */
/* Takes targets over: lines from here on go there, as conf's level and format have it. */
void log_writer_change(struct log_writer *w, const struct conf_log *conf, struct log_targets *targets);
/* Starts the thread. 0, or -1 and *err. */
int log_writer_start(struct log_writer *w, struct err *err) MUST_CHECK;
/* Waits until all that is in the rings has been written, or a moment when a target blocks. */
void log_writer_settle(const struct log_writer *w);
/* Writes what is in the rings and ends the thread; gives up on a target that blocks for longer than two seconds, and
 * then leaves the writer's memory to the end of the process. NULL is fine. No ring may be written to any more. */
void log_writer_close(struct log_writer *w);

#endif
