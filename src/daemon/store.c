#include "daemon/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/command.h"
#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

enum { A_MESSAGE = 250 }; /* the kernel takes 253 descriptors at a time (SCM_MAX_FD) */
/* Messages until the manager is waited for: so many descriptors on their way at a time are within any limit (unix(7),
 * ETOOMANYREFS). */
enum { MESSAGES_AT_ONCE = 4 };

static const uint64_t barrier_us = 5000000;

size_t store_size(void)
{
    const char *text = getenv("FDSTORE");
    uint64_t    n = 0;
    if (text == NULL || getenv("NOTIFY_SOCKET") == NULL || !command_number(text, INT32_MAX, &n))
        return 0;
    return (size_t)n;
}

/* answer: negative errno, or that it went well. */
static int said(int answer, struct err *err)
{
    if (answer >= 0)
        return 0;
    err_system(err, -answer, "the service manager's descriptor store");
    return -1;
}

int store_settle(struct err *err)
{
    return said(sd_notify_barrier(0, barrier_us), err);
}

int store_put(const char *name, const int *fds, size_t n, struct err *err)
{
    char state[64];
    int  answer = 0;
    (void)snprintf(state, sizeof state, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    for (size_t at = 0, messages = 1; at < n && answer >= 0; at += A_MESSAGE, messages++) {
        unsigned part = (unsigned)(n - at < A_MESSAGE ? n - at : A_MESSAGE);
        answer = sd_pid_notify_with_fds(0, 0, state, fds + at, part);
        if (answer >= 0 && messages % MESSAGES_AT_ONCE == 0)
            answer = sd_notify_barrier(0, barrier_us);
    }
    return said(answer, err);
}

void store_remove(const char *name)
{
    char state[64];
    (void)snprintf(state, sizeof state, "FDSTOREREMOVE=1\nFDNAME=%s", name);
    (void)sd_notify(0, state);
}

struct stored *store_take(size_t *n)
{
    char         **names = NULL;
    int            count = sd_listen_fds_with_names(1, &names);
    struct stored *all = count > 0 ? calloc((size_t)count, sizeof *all) : NULL;
    *n = 0;
    for (int i = 0; i < count; i++) {
        if (all != NULL)
            all[(*n)++] = (struct stored){.fd = SD_LISTEN_FDS_START + i, .kind = names[i][0]};
        free(names[i]);
    }
    free((void *)names);
    return all;
}
#else
size_t store_size(void)
{
    return 0;
}

int store_put(const char *name, const int *fds, size_t n, struct err *err)
{
    (void)name;
    (void)fds;
    (void)n;
    err_set(err, "built without libsystemd");
    return -1;
}

int store_settle(struct err *err)
{
    err_set(err, "built without libsystemd");
    return -1;
}

void store_remove(const char *name)
{
    (void)name;
}

struct stored *store_take(size_t *n)
{
    *n = 0;
    return NULL;
}
#endif
