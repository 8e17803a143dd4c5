/* base/logline.h: one event as one line of text: logfmt, JSON, or for FORMAT_TCPLOG the event and its fields in logfmt,
 * without time and level. Pure. */
#ifndef MQGATE_BASE_LOGLINE_H
#define MQGATE_BASE_LOGLINE_H

#include "base/log.h"

/* Writes the line without line end and returns its length in bytes, at most LOG_LINE_MAX - 1. A value that does not
 * fit is cut and the line stays well-formed. wall_ms is milliseconds since 1970 UTC. */
size_t logline_format(char out[LOG_LINE_MAX], enum log_format format, uint64_t wall_ms, enum log_level level,
                      const char *event, const struct log_field *fields);

#endif
