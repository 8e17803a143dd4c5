#include "health/probe.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "health/dialogue.h"
#include "net/sock.h"
#include "proto/proxyhdr.h"
#include "tls/stream.h"

enum { DRAIN_MAX = 65536 }; /* bytes that are read and dropped while a connection ends */

const char *const probe_status_names[PROBE_STATUSES] = {"UNK",    "INI",    "HANA",  "SOCKERR", "L4OK",
                                                        "L4TOUT", "L4CON",  "L6OK",  "L6TOUT",  "L6RSP",
                                                        "L7OK",   "L7TOUT", "L7RSP", "L7STS"};

const char *const probe_status_texts[PROBE_STATUSES] = {"Unknown",
                                                        "Initializing",
                                                        "Health analyze",
                                                        "Socket error",
                                                        "Layer4 check passed",
                                                        "Layer4 timeout",
                                                        "Layer4 connection problem",
                                                        "Layer6 check passed",
                                                        "Layer6 timeout",
                                                        "Layer6 invalid response",
                                                        "Layer7 check passed",
                                                        "Layer7 timeout",
                                                        "Layer7 invalid response",
                                                        "Layer7 wrong status"};

/* In the order in which they are gone through; a plain connection skips HEADER and HANDSHAKE, a check of type "tcp"
 * ends after ASK. */
enum phase {
    PHASE_IDLE,
    PHASE_CONNECT,
    PHASE_HEADER,
    PHASE_HANDSHAKE,
    PHASE_ASK,
    PHASE_HEAR,
    PHASE_FAREWELL, /* from here on the verdict is given, and what fails is of no interest */
    PHASE_DRAIN,
    PHASES
};

struct probe {
    struct ev_loop        *loop;
    struct probe_target    target;
    const struct dialogue *dialogue; /* NULL: to connect is all */
    probe_done_fn         *done;
    void                  *user;
    enum phase             phase;
    struct stream          stream; /* its descriptor is ours; open in every phase but IDLE */
    ev_io                  io;
    ev_timer               deadline;
    uint64_t               started_ms;
    struct slice           unsent; /* of opening or farewell */
    size_t                 n_heard, n_drained;
    uint8_t                heard[DIALOGUE_ANSWER_MAX];
    uint8_t                farewell[DIALOGUE_FAREWELL_MAX];
    size_t                 farewell_len;
    size_t                 header_len, opening_len;
    uint8_t                opening[]; /* the PROXY header, then the request: the same bytes every time */
};

bool probe_status_passed(enum probe_status status)
{
    return status == PROBE_L4OK || status == PROBE_L6OK || status == PROBE_L7OK;
}

void probe_result_set(struct probe_result *result, enum probe_status status, const char *fmt, ...)
{
    va_list args;
    result->status = status;
    result->code = -1;
    va_start(args, fmt);
    (void)vsnprintf(result->detail, sizeof result->detail, fmt, args);
    va_end(args);
}

static void hang_up(struct probe *p)
{
    if (p->phase == PHASE_IDLE)
        return;
    ev_io_stop(p->loop, &p->io);
    ev_timer_stop(p->loop, &p->deadline);
    stream_fini(&p->stream);
    sock_close(p->stream.fd);
    p->stream.fd = -1;
    p->phase = PHASE_IDLE;
}

/* A connection that only had to be made, and one that went wrong, are closed at once. After an answer both sides get to
 * say goodbye: closing over unread bytes would reset the connection, and brokers log that. */
static void conclude(struct probe *p, struct probe_result *result)
{
    bool answered = probe_status_passed(result->status) || result->status == PROBE_L7STS;
    result->duration_ms = (uint32_t)(clock_mono_ms() - p->started_ms);
    if (answered && (p->dialogue != NULL || p->target.tls != NULL)) {
        p->phase = PHASE_FAREWELL;
        p->unsent = slice_of(p->farewell, p->farewell_len);
    } else {
        hang_up(p);
    }
    p->done(p->user, result);
}

static void fail(struct probe *p, enum probe_status status, const char *detail)
{
    struct probe_result result;
    if (p->phase >= PHASE_FAREWELL) {
        hang_up(p);
        return;
    }
    probe_result_set(&result, status, "%s", detail);
    conclude(p, &result);
}

/* Which layer is to blame when the connection breaks or stays silent now. */
static enum probe_status blame(const struct probe *p, enum probe_status l4, enum probe_status l6, enum probe_status l7)
{
    if (p->phase == PHASE_HANDSHAKE)
        return l6;
    return p->phase >= PHASE_ASK && p->dialogue != NULL ? l7 : l4;
}

static void watch(struct probe *p, int events)
{
    ev_io_stop(p->loop, &p->io);
    ev_io_set(&p->io, p->stream.fd, events);
    ev_io_start(p->loop, &p->io);
}

/* The stream could not go on: waits for it, or ends the probe. */
static void stalled(struct probe *p, enum io why)
{
    enum probe_status broken = blame(p, PROBE_L4CON, PROBE_L6RSP, PROBE_L7RSP);
    switch (why) {
    case IO_OK:
        break;
    case IO_AGAIN:
    case IO_WANT_READ:
        watch(p, EV_READ);
        break;
    case IO_WANT_WRITE:
        watch(p, EV_WRITE);
        break;
    case IO_EOF:
        fail(p, broken, "connection closed by the server");
        break;
    case IO_RESET:
        fail(p, broken, strerror(errno));
        break;
    case IO_FAILED:
        fail(p, broken, stream_failure(&p->stream));
        break;
    case IO_NO_MEMORY:
        fail(p, PROBE_SOCKERR, "out of memory");
        break;
    }
}

/* True when all is sent; else the probe waits or has ended. */
static bool send_unsent(struct probe *p)
{
    while (p->unsent.len > 0) {
        size_t  n = 0;
        enum io io = stream_write(&p->stream, p->unsent, &n);
        if (io != IO_OK) {
            stalled(p, io);
            return false;
        }
        p->unsent = slice_skip(p->unsent, n);
    }
    return true;
}

/* Each step returns true when the next one may follow at once. */
static bool step_connect(struct probe *p)
{
    int error = sock_error(p->stream.fd);
    if (error == 0 && sock_met_itself(p->stream.fd, &p->target.to))
        error = ECONNREFUSED;
    if (error != 0) {
        fail(p, PROBE_L4CON, strerror(error));
        return false;
    }
    /* Towards a plain server header and request leave as one: Nagle's algorithm would hold the second back. */
    bool plain = p->target.tls == NULL;
    p->phase = plain ? PHASE_ASK : PHASE_HEADER;
    p->unsent = slice_of(p->opening, plain ? p->opening_len : p->header_len);
    return true;
}

static bool step_header(struct probe *p)
{
    char ip[ADDR_TEXT_MAX];
    if (!send_unsent(p))
        return false;
    const char *name = p->target.tls_name;
    if (!stream_start_client(&p->stream, p->target.tls, name[0] != '\0' ? name : addr_format_ip(&p->target.to, ip))) {
        fail(p, PROBE_SOCKERR, "out of memory");
        return false;
    }
    p->phase = PHASE_HANDSHAKE;
    return true;
}

static bool step_handshake(struct probe *p)
{
    enum io io = stream_handshake(&p->stream);
    if (io != IO_OK) {
        stalled(p, io);
        return false;
    }
    p->phase = PHASE_ASK;
    p->unsent = slice_of(p->opening + p->header_len, p->opening_len - p->header_len);
    return true;
}

static bool step_ask(struct probe *p)
{
    struct probe_result result;
    if (!send_unsent(p))
        return false;
    if (p->dialogue != NULL) {
        p->phase = PHASE_HEAR;
        return true;
    }
    probe_result_set(&result, p->target.tls != NULL ? PROBE_L6OK : PROBE_L4OK, "%s", "");
    conclude(p, &result);
    return p->phase == PHASE_FAREWELL;
}

static bool step_hear(struct probe *p)
{
    struct probe_result result;
    size_t              n = 0, room = p->dialogue->answer_max - p->n_heard;
    if (room == 0) {
        fail(p, PROBE_L7RSP, "the answer is too long");
        return false;
    }
    enum io io = stream_read(&p->stream, p->heard + p->n_heard, room, &n);
    if (io != IO_OK) {
        stalled(p, io);
        return false;
    }
    p->n_heard += n;
    if (!p->dialogue->judge(p->target.check, slice_of(p->heard, p->n_heard), &result))
        return true;
    conclude(p, &result);
    return p->phase == PHASE_FAREWELL;
}

static bool step_farewell(struct probe *p)
{
    if (!send_unsent(p))
        return false;
    enum io io = stream_shutdown(&p->stream);
    if (io != IO_OK) {
        stalled(p, io);
        return false;
    }
    p->phase = PHASE_DRAIN;
    return true;
}

static bool step_drain(struct probe *p)
{
    size_t  n = 0;
    enum io io = stream_read(&p->stream, p->heard, sizeof p->heard, &n);
    if (io != IO_OK) {
        stalled(p, io);
        return false;
    }
    p->n_drained += n;
    if (p->n_drained < DRAIN_MAX)
        return true;
    hang_up(p);
    return false;
}

static void advance(struct probe *p)
{
    static bool (*const steps[PHASES])(struct probe *) = {
        [PHASE_CONNECT] = step_connect, [PHASE_HEADER] = step_header, [PHASE_HANDSHAKE] = step_handshake,
        [PHASE_ASK] = step_ask,         [PHASE_HEAR] = step_hear,     [PHASE_FAREWELL] = step_farewell,
        [PHASE_DRAIN] = step_drain,
    };
    while (steps[p->phase](p))
        continue;
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    (void)revents;
    advance(CONTAINER_OF(io, struct probe, io));
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct probe *p = CONTAINER_OF(timer, struct probe, deadline);
    char          detail[PROBE_DETAIL_MAX];
    (void)loop;
    (void)revents;
    (void)snprintf(detail, sizeof detail, "no answer within %u ms", p->target.check->timeout_ms);
    fail(p, blame(p, PROBE_L4TOUT, PROBE_L6TOUT, PROBE_L7TOUT), detail);
}

static const struct dialogue *dialogue_of(enum conf_check_type type)
{
    switch (type) {
    case CHECK_MQTT:
        return &dialogue_mqtt;
    case CHECK_HTTP:
        return &dialogue_http;
    case CHECK_TCP:
    case CHECK_NONE:
        break;
    }
    return NULL;
}

static size_t encode_header(enum conf_proxy_out version, uint8_t *out, size_t cap)
{
    static const struct addr        unknown; /* no addresses: UNKNOWN */
    static const struct proxyhdr_v2 local = {.local = true};
    switch (version) {
    case PROXY_OUT_V1:
        return proxyhdr_encode_v1(&unknown, &unknown, out, cap);
    case PROXY_OUT_V2:
        return proxyhdr_encode_v2(&local, out, cap);
    case PROXY_OUT_OFF:
        break;
    }
    return 0;
}

struct probe *probe_new(struct ev_loop *loop, const struct probe_target *target, probe_done_fn *done, void *user)
{
    const struct dialogue *dialogue = dialogue_of(target->check->type);
    size_t                 room = PROXYHDR_V1_MAX + (dialogue != NULL ? dialogue->request_room(target) : 0);
    struct probe          *p = calloc(1, sizeof *p + room);
    if (p == NULL)
        return NULL;
    p->loop = loop;
    p->target = *target;
    p->dialogue = dialogue;
    p->done = done;
    p->user = user;
    p->stream = stream_plain(-1);
    p->header_len = encode_header(target->send_proxy, p->opening, room);
    p->opening_len = p->header_len;
    if (dialogue != NULL)
        p->opening_len += dialogue->encode_request(target, p->opening + p->header_len, room - p->header_len);
    if (dialogue != NULL && dialogue->encode_farewell != NULL)
        p->farewell_len = dialogue->encode_farewell(p->farewell, sizeof p->farewell);
    ev_init(&p->io, on_io);
    ev_init(&p->deadline, on_deadline);
    return p;
}

void probe_free(struct probe *p)
{
    if (p == NULL)
        return;
    hang_up(p);
    free(p);
}

/* What says more about this process than about the server. */
static bool is_shortage(int error)
{
    static const int shortages[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN, EADDRINUSE, EADDRNOTAVAIL};
    for (size_t i = 0; i < ARRAY_LEN(shortages); i++) {
        if (error == shortages[i])
            return true;
    }
    return false;
}

void probe_start(struct probe *p)
{
    assert(p->phase == PHASE_IDLE || p->phase >= PHASE_FAREWELL);
    hang_up(p);
    p->phase = PHASE_CONNECT;
    p->started_ms = clock_mono_ms();
    p->n_heard = p->n_drained = 0;
    ev_now_update(p->loop); /* else the deadline would count from when the loop last woke */
    ev_timer_set(&p->deadline, p->target.check->timeout_ms / 1000.0, 0);
    ev_timer_start(p->loop, &p->deadline);
    p->stream = stream_plain(sock_connect(&p->target.to, addr_is_set(&p->target.from) ? &p->target.from : NULL, NULL));
    int error = errno;
    if (p->stream.fd >= 0)
        watch(p, EV_WRITE);
    else
        fail(p, is_shortage(error) ? PROBE_SOCKERR : PROBE_L4CON, strerror(error));
}
