/* ctl/dial.h: reaches mqgate's control socket. */
#ifndef MQGATE_CTL_DIAL_H
#define MQGATE_CTL_DIAL_H

#include <stdbool.h>

#include "base/err.h"

enum { DIAL_TIMEOUT_MS = 5000 };

/* The socket's path: what the command line says (NULL: nothing), or else MQGATE_SOCKET, or else the usual one. */
const char *dial_path(const char *given);
/* A connected descriptor; connecting and sending give up after so many milliseconds, at least 1. -1: *err filled, with
 * what to do about it. */
int dial_open(const char *path, unsigned timeout_ms, struct err *err) MUST_CHECK;
/* Sends all of it; false with errno. */
bool dial_send(int fd, const char *bytes, size_t len) MUST_CHECK;

#endif
