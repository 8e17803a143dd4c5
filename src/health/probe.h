/* health/probe.h: one question to one server, again and again: connect, PROXY header if it expects one, TLS handshake
 * if it speaks TLS, the check's own dialogue, a clean end. Driven by a loop, never blocks. */
#ifndef MQGATE_HEALTH_PROBE_H
#define MQGATE_HEALTH_PROBE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/macros.h"
#include "conf/model.h"
#include "tls/context.h"

/* HAProxy's names and meanings. The numbers last: images have them. */
enum probe_status {
    PROBE_UNK,     /* not checked at all */
    PROBE_INI,     /* no check has answered yet */
    PROBE_HANA,    /* sessions told of failures; no check of ours */
    PROBE_SOCKERR, /* this side could not ask: descriptors, memory, ports */
    PROBE_L4OK,
    PROBE_L4TOUT,
    PROBE_L4CON,
    PROBE_L6OK,
    PROBE_L6TOUT,
    PROBE_L6RSP,
    PROBE_L7OK,
    PROBE_L7TOUT,
    PROBE_L7RSP,
    PROBE_L7STS,
    PROBE_STATUSES
};

extern const char *const probe_status_names[PROBE_STATUSES]; /* "L4CON" */
extern const char *const probe_status_texts[PROBE_STATUSES]; /* "Layer4 connection problem" */

bool probe_status_passed(enum probe_status status);

enum { PROBE_DETAIL_MAX = 160 }; /* bytes, NUL included */

struct probe_result {
    enum probe_status status;
    int               code;                     /* HTTP status or CONNACK return code; -1: no such answer */
    uint32_t          duration_ms;              /* from the begin of the connect to the verdict */
    char              detail[PROBE_DETAIL_MAX]; /* one line for people; "" when the status says it all */
};

/* Fills status and detail; code is -1, the duration stays. */
void probe_result_set(struct probe_result *result, enum probe_status status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What to ask and where. All that it points to must outlive the probe. */
struct probe_target {
    struct addr              to;
    struct addr              from;       /* not set: the kernel's choice */
    enum conf_proxy_out      send_proxy; /* as v1 UNKNOWN or v2 LOCAL: the check speaks for itself */
    const struct tls_client *tls;        /* NULL: plain */
    const char              *tls_name;   /* for SNI and the certificate; "": the certificate must be for to's IP */
    const struct conf_check *check;
    const char              *node, *backend, *server; /* who asks whom, for names in the dialogue */
};

struct probe;

/* Called once for every probe_start(), maybe from inside it; result is valid during the call. It must neither start nor
 * free the probe. The connection may still be ending in good order then; the next probe_start() cuts that short. */
typedef void probe_done_fn(void *user, const struct probe_result *result);

/* NULL when memory is out. Copies target. */
struct probe *probe_new(struct ev_loop *loop, const struct probe_target *target, probe_done_fn *done, void *user);
void          probe_free(struct probe *probe); /* NULL is fine. A running probe ends without a call of done */
/* Must not be called while a verdict is awaited. */
void probe_start(struct probe *probe);

#endif
