#include "daemon/drain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "conf/quantity.h"
#include "daemon/notify.h"
#include "snapshot/asked.h"

enum { LOG_AGAIN_MS = 5000, LAST_LOOKS = 3 };

static const double look_s = 0.05;

struct drain {
    struct ev_loop    *loop;
    struct view       *view;
    struct drain_owner owner;
    struct ev_timer    next; /* the end of notice, then the deadline */
    struct ev_timer    look; /* whether anybody is left */
    uint64_t           logged_ms;
    unsigned           last_looks; /* until those who wait for the end must have heard of it */
};

/* What is to be changed of the configuration's or, later, of what holds. */
struct wish {
    uint32_t rate, notice_ms, deadline_ms;
};

static struct drain_facts *facts(struct drain *d)
{
    return &d->view->drain;
}

static uint32_t sessions(const struct drain *d)
{
    return gauge_now(engine_open_sessions(d->view->engine));
}

static uint64_t now_ms(void)
{
    return clock_mono_ms();
}

static void set_phase(struct drain *d, enum drain_phase phase)
{
    static const char *const states[] = {[DRAIN_NONE] = "running",
                                         [DRAIN_NOTICE] = "draining",
                                         [DRAIN_SHED] = "draining",
                                         [DRAIN_WAIT] = "stopping",
                                         [DRAIN_OVER] = "stopping"};
    facts(d)->phase = phase;
    d->view->state = states[phase];
    d->view->accepting = phase == DRAIN_NONE || phase == DRAIN_NOTICE;
}

static void set_timer(struct drain *d, uint64_t at_ms)
{
    uint64_t now = now_ms();
    ev_timer_stop(d->loop, &d->next);
    ev_timer_set(&d->next, at_ms > now ? (double)(at_ms - now) / 1e3 : 0., 0.);
    ev_now_update(d->loop);
    ev_timer_start(d->loop, &d->next);
}

static void start_looking(struct drain *d)
{
    d->logged_ms = now_ms();
    ev_timer_again(d->loop, &d->look);
}

static void log_progress(struct drain *d)
{
    struct progress p = view_progress(d->view, now_ms());
    d->logged_ms = now_ms();
    log_info(d->view->log, "drain_progress", LOG_STR("phase", p.phase), LOG_UINT("left", p.left),
             LOG_UINT("rate", p.rate), LOG_UINT("asked_a_second", p.asked_a_second), LOG_UINT("to_go_ms", p.to_go_ms));
}

/* ---- the phases ---- */

static void finish(struct drain *d)
{
    const struct drain_facts *f = facts(d);
    ev_timer_stop(d->loop, &d->next);
    if (sessions(d) == 0)
        log_info(d->view->log, "drained", LOG_UINT("sessions", f->sessions),
                 LOG_UINT("dur_ms", now_ms() - f->begun_ms));
    else
        log_warn(d->view->log, "drain_cut", LOG_UINT("left", sessions(d)), LOG_UINT("sessions", f->sessions),
                 LOG_UINT("dur_ms", now_ms() - f->begun_ms));
    set_phase(d, DRAIN_OVER);
    if (d->owner.is_awaited(d->owner.user))
        d->last_looks = LAST_LOOKS;
    else
        d->owner.over(d->owner.user);
}

static void close_listeners(struct drain *d)
{
    facts(d)->closed_ms = now_ms();
    engine_close_listeners(d->view->engine, true);
    log_info(d->view->log, "listeners_closed", LOG_UINT("sessions", sessions(d)));
}

static void shed_all(struct drain *d)
{
    engine_shed(
        d->view->engine,
        &(struct engine_shed){.drains = true, .rate = facts(d)->rate, .n = UINT32_MAX, .backend = "", .server = ""});
}

static void begin_shedding(struct drain *d)
{
    set_phase(d, DRAIN_SHED);
    if (facts(d)->closed_ms == 0)
        close_listeners(d);
    shed_all(d);
    set_timer(d, facts(d)->closed_ms + facts(d)->deadline_ms);
    start_looking(d);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct drain *d = timer->data;
    (void)loop;
    (void)revents;
    if (facts(d)->phase == DRAIN_NOTICE)
        begin_shedding(d);
    else
        finish(d);
}

static void look_at_shed(struct drain *d)
{
    if (view_progress(d->view, now_ms()).is_on)
        return;
    log_info(d->view->log, "shed_done");
    ev_timer_stop(d->loop, &d->look);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct drain *d = timer->data;
    (void)loop;
    (void)revents;
    if (facts(d)->phase == DRAIN_OVER) {
        if (--d->last_looks == 0)
            d->owner.over(d->owner.user);
        return;
    }
    if (now_ms() - d->logged_ms >= LOG_AGAIN_MS)
        log_progress(d);
    if (facts(d)->phase == DRAIN_NONE)
        look_at_shed(d);
    else if (facts(d)->phase != DRAIN_NOTICE && sessions(d) == 0)
        finish(d);
}

/* ---- what begins it, changes it and takes it back ---- */

static void begin(struct drain *d, enum drain_phase phase, const struct wish *wish, const char *by)
{
    *facts(d) = (struct drain_facts){.rate = wish->rate,
                                     .notice_ms = wish->notice_ms,
                                     .deadline_ms = wish->deadline_ms,
                                     .sessions = sessions(d),
                                     .begun_ms = now_ms()};
    set_phase(d, phase);
    if (phase == DRAIN_WAIT)
        log_info(d->view->log, "waiting_for_sessions", LOG_STR("by", by), LOG_UINT("sessions", sessions(d)));
    else
        log_info(d->view->log, "draining", LOG_STR("by", by), LOG_UINT("sessions", sessions(d)),
                 LOG_UINT("notice_ms", wish->notice_ms), LOG_UINT("rate", wish->rate),
                 LOG_UINT("deadline_ms", wish->deadline_ms));
}

static struct wish configured(const struct drain *d)
{
    const struct conf_drain *conf = &d->view->snap->conf->global.drain;
    return (struct wish){conf->rate, conf->notice_ms, conf->deadline_ms};
}

static struct wish in_force(const struct drain *d)
{
    const struct drain_facts *f = &d->view->drain;
    return f->phase == DRAIN_NOTICE || f->phase == DRAIN_SHED ? (struct wish){f->rate, f->notice_ms, f->deadline_ms}
                                                              : configured(d);
}

/* Goes on with what is wished, from whatever phase it is in. */
static void apply(struct drain *d, const struct wish *wish, const char *by)
{
    struct drain_facts *f = facts(d);
    if (f->phase == DRAIN_NONE) {
        begin(d, DRAIN_NOTICE, wish, by);
    } else if (f->phase == DRAIN_WAIT) { /* who has been told to come elsewhere needs no notice */
        uint64_t closed_ms = now_ms();
        begin(d, DRAIN_SHED, wish, by);
        f->closed_ms = closed_ms;
    } else {
        f->rate = wish->rate;
        f->notice_ms = wish->notice_ms;
        f->deadline_ms = wish->deadline_ms;
    }
    if (f->phase == DRAIN_NOTICE && f->begun_ms + f->notice_ms > now_ms())
        set_timer(d, f->begun_ms + f->notice_ms);
    else
        begin_shedding(d);
}

bool drain_by_signal(struct drain *d, const char *signal)
{
    struct drain_facts *f = facts(d);
    struct wish         wish = in_force(d);
    if (f->by_signal || f->phase == DRAIN_OVER)
        return false;
    notify_stopping();
    if (f->phase == DRAIN_NONE || f->phase == DRAIN_WAIT)
        apply(d, &wish, signal);
    f->by_signal = true;
    return true;
}

void drain_wait(struct drain *d, const char *signal)
{
    struct wish wish = configured(d);
    if (facts(d)->phase != DRAIN_NONE)
        return;
    begin(d, DRAIN_WAIT, &wish, signal);
    close_listeners(d);
    start_looking(d);
}

static void take_back(struct drain *d)
{
    struct drain_facts *f = facts(d);
    ev_timer_stop(d->loop, &d->next);
    ev_timer_stop(d->loop, &d->look);
    if (f->phase == DRAIN_SHED)
        engine_shed(d->view->engine, &(struct engine_shed){.n = 0, .backend = "", .server = ""});
    if (f->closed_ms != 0)
        engine_close_listeners(d->view->engine, false);
    *f = (struct drain_facts){.taken_back = true};
    set_phase(d, DRAIN_NONE);
    log_info(d->view->log, "drain_taken_back", LOG_UINT("sessions", sessions(d)));
}

/* ---- from one process to the next ---- */

/* Times are written down as how long ago they were, in milliseconds. */
struct drain_image {
    char     phase[16];
    bool     by_signal, taken_back, closed;
    uint32_t rate, notice_ms, deadline_ms, sessions;
    uint64_t begun_ago, closed_ago;
    uint32_t shed_left, shed_rate;              /* of an operator's shed */
    char     shed_backend[65], shed_server[65]; /* names; "": any */
};

#define DRAIN(number, type, member) IMAGE_FIELD(number, type, struct drain_image, member)
static const struct image_field drain_fields[] = {
    DRAIN(1 | IMAGE_MUST, IMAGE_TEXT, phase),
    DRAIN(2, IMAGE_BOOL, by_signal),
    DRAIN(3, IMAGE_BOOL, taken_back),
    DRAIN(4, IMAGE_BOOL, closed),
    DRAIN(5, IMAGE_UINT, rate),
    DRAIN(6, IMAGE_UINT, notice_ms),
    DRAIN(7, IMAGE_UINT, deadline_ms),
    DRAIN(8, IMAGE_UINT, sessions),
    DRAIN(9, IMAGE_UINT, begun_ago),
    DRAIN(10, IMAGE_UINT, closed_ago),
    DRAIN(11, IMAGE_UINT, shed_left),
    DRAIN(12, IMAGE_UINT, shed_rate),
    DRAIN(13, IMAGE_TEXT, shed_backend),
    DRAIN(14, IMAGE_TEXT, shed_server),
};
static const struct image_kind drain_kind = {"drain", IMAGE_DRAIN | IMAGE_MUST, drain_fields, ARRAY_LEN(drain_fields)};

void drain_carry(const struct drain *d, struct image_writer *w)
{
    const struct drain_facts *f = &d->view->drain;
    const uint64_t            now = now_ms();
    struct engine_shed        shed = {.backend = "", .server = ""};
    if (f->phase == DRAIN_NONE)
        engine_shed_rest(d->view->engine, &shed);
    struct drain_image facts = {.by_signal = f->by_signal,
                                .taken_back = f->taken_back,
                                .closed = f->closed_ms != 0,
                                .rate = f->rate,
                                .notice_ms = f->notice_ms,
                                .deadline_ms = f->deadline_ms,
                                .sessions = f->sessions,
                                .begun_ago = now - f->begun_ms,
                                .closed_ago = now - f->closed_ms,
                                .shed_left = shed.n,
                                .shed_rate = shed.rate};
    (void)snprintf(facts.phase, sizeof facts.phase, "%s", drain_phase_names[f->phase]);
    (void)snprintf(facts.shed_backend, sizeof facts.shed_backend, "%s", shed.backend);
    (void)snprintf(facts.shed_server, sizeof facts.shed_server, "%s", shed.server);
    image_put(w, &drain_kind, &facts);
}

static void go_on(struct drain *d)
{
    const struct drain_facts *f = facts(d);
    set_phase(d, f->phase);
    if (f->closed_ms != 0)
        engine_close_listeners(d->view->engine, true);
    if (f->phase == DRAIN_NOTICE)
        set_timer(d, f->begun_ms + f->notice_ms);
    else if (f->phase == DRAIN_SHED)
        begin_shedding(d);
    else if (f->phase == DRAIN_WAIT)
        start_looking(d);
    else if (f->phase == DRAIN_OVER)
        set_timer(d, now_ms());
}

static void go_on_shedding(struct drain *d, const struct drain_image *from)
{
    const struct engine_shed rest = {
        .n = from->shed_left, .rate = from->shed_rate, .backend = from->shed_backend, .server = from->shed_server};
    if (rest.n == 0)
        return;
    engine_shed(d->view->engine, &rest);
    start_looking(d);
}

bool drain_adopt(void *drain, const struct image_record *record, struct err *err)
{
    struct drain      *d = drain;
    struct drain_image from;
    unsigned           phase = DRAIN_NONE;
    if (!image_is(record, &drain_kind))
        return true;
    if (!image_take(record, &drain_kind, &from, err))
        return false;
    while (phase < DRAIN_OVER && strcmp(drain_phase_names[phase], from.phase) != 0)
        phase++;
    *facts(d) = (struct drain_facts){.phase = (enum drain_phase)phase,
                                     .by_signal = from.by_signal,
                                     .taken_back = from.taken_back,
                                     .rate = from.rate,
                                     .notice_ms = from.notice_ms,
                                     .deadline_ms = from.deadline_ms,
                                     .sessions = from.sessions,
                                     .begun_ms = now_ms() - from.begun_ago,
                                     .closed_ms = from.closed ? now_ms() - from.closed_ago : 0};
    if (phase != DRAIN_NONE)
        go_on(d);
    else
        go_on_shedding(d, &from);
    return true;
}

/* ---- commands ---- */

static void say_progress(const struct drain *d, struct text *out)
{
    const struct drain_facts *f = &d->view->drain;
    struct progress           p = view_progress(d->view, now_ms());
    text_add(out, "phase: %s\nleft: %u\nrate: %u\nasked_a_second: %u\nto_go_ms: %" PRIu64 "\n", p.phase, p.left, p.rate,
             p.asked_a_second, p.to_go_ms);
    if (f->phase == DRAIN_NOTICE || f->phase == DRAIN_SHED)
        text_add(out, "cut_ms: %" PRIu64 "\n", p.cut_ms);
    if (f->phase != DRAIN_NONE)
        text_add(out, "sessions: %u\nby: %s\n", f->sessions, f->by_signal ? "signal" : "operator");
}

static enum command_outcome show_drain(void *owner, struct command_call *call)
{
    say_progress(owner, &call->out);
    return COMMAND_DONE;
}

static bool take_rate(struct command_call *call, const char *text, uint32_t *rate)
{
    enum { RATE_MAX = 1000000 };
    uint64_t n;
    if (!command_number(text, RATE_MAX, &n)) {
        (void)command_fail(call, "'rate' expects sessions a second, 0 for all at once.");
        return false;
    }
    *rate = (uint32_t)n;
    return true;
}

static bool take_time(struct command_call *call, const char *word, const char *text, uint32_t *ms)
{
    if (duration_parse(text, ms))
        return true;
    (void)command_fail(call, "'%s' expects a time such as 500ms, 30s or 5m.", word);
    return false;
}

/* False: what is wrong has been said. */
static bool take_wishes(struct command_call *call, struct wish *wish)
{
    for (size_t i = 0; i < call->argc; i += 2) {
        const char *word = call->argv[i], *value = command_arg(call, i + 1);
        bool        good = false;
        if (strcmp(word, "rate") == 0)
            good = take_rate(call, value, &wish->rate);
        else if (strcmp(word, "deadline") == 0)
            good = take_time(call, word, value, &wish->deadline_ms);
        else if (strcmp(word, "notice") == 0)
            good = take_time(call, word, value, &wish->notice_ms);
        else
            (void)command_fail(call, "'drain' expects 'rate <n>', 'deadline <time>' and 'notice <time>'.");
        if (!good)
            return false;
    }
    return true;
}

static enum command_outcome drain(void *owner, struct command_call *call)
{
    struct drain *d = owner;
    struct wish   wish = in_force(d);
    if (facts(d)->phase == DRAIN_OVER)
        return command_fail(call, "The process is about to end.");
    if (!take_wishes(call, &wish))
        return COMMAND_DONE;
    apply(d, &wish, "operator");
    struct progress p = view_progress(d->view, now_ms());
    command_say(call, SEVERITY_INFO,
                "Draining %u sessions: notice %" PRIu32 " ms, %" PRIu32 " a second, what is left is cut in %" PRIu64
                " ms.",
                p.left, wish.notice_ms, wish.rate, p.cut_ms);
    return COMMAND_DONE;
}

static enum command_outcome undrain(void *owner, struct command_call *call)
{
    struct drain *d = owner;
    if (facts(d)->phase == DRAIN_NONE)
        return command_fail(call, "The process is not being drained.");
    if (facts(d)->phase == DRAIN_OVER)
        return command_fail(call, "The process is about to end.");
    uint32_t gone = facts(d)->sessions > sessions(d) ? facts(d)->sessions - sessions(d) : 0;
    bool     was_closed = facts(d)->closed_ms != 0;
    take_back(d);
    command_say(call, SEVERITY_INFO, "%s; %" PRIu32 " sessions have gone.",
                was_closed ? "The listeners are open again" : "Health is as before", gone);
    return COMMAND_DONE;
}

/* [<n>] [rate <n>] from the i-th word on. shed->n is how many there are: no number, and a larger one, mean all. */
static bool take_shed(struct command_call *call, size_t i, struct engine_shed *shed)
{
    uint64_t n;
    if (i < call->argc && strcmp(call->argv[i], "rate") != 0) {
        if (!command_number(call->argv[i++], UINT32_MAX - 1, &n)) {
            (void)command_fail(call, "A number of sessions is expected.");
            return false;
        }
        shed->n = n < shed->n ? (uint32_t)n : shed->n;
    }
    if (i == call->argc)
        return true;
    if (strcmp(call->argv[i], "rate") == 0)
        return take_rate(call, command_arg(call, i + 1), &shed->rate);
    (void)command_fail(call, "Only 'rate <n>' is expected behind the number of sessions.");
    return false;
}

static enum command_outcome begin_shed(struct drain *d, struct command_call *call, size_t i, struct engine_shed *shed)
{
    shed->rate = configured(d).rate;
    if (facts(d)->phase != DRAIN_NONE)
        return command_fail(call, "The process is being drained.");
    if (!take_shed(call, i, shed))
        return COMMAND_DONE;
    engine_shed(d->view->engine, shed);
    log_info(d->view->log, "shedding", LOG_STR("backend", shed->backend), LOG_STR("server", shed->server),
             LOG_UINT("sessions", shed->n), LOG_UINT("rate", shed->rate));
    start_looking(d);
    command_say(call, SEVERITY_INFO, "Asking at most %" PRIu32 " sessions to go, %" PRIu32 " a second.", shed->n,
                shed->rate);
    return COMMAND_DONE;
}

static enum command_outcome shed_some(void *owner, struct command_call *call)
{
    struct engine_shed shed = {.n = sessions(owner), .backend = "", .server = ""};
    if (call->argc == 0)
        return command_fail(call, "A number of sessions is expected, or 'server <backend>/<server>'.");
    return begin_shed(owner, call, 0, &shed);
}

static enum command_outcome shed_server(void *owner, struct command_call *call)
{
    const struct drain       *d = owner;
    struct snap_backend      *backend;
    const struct snap_server *server = snapshot_asked_server(d->view->snap, call, 0, &backend);
    if (server == NULL)
        return COMMAND_DONE;
    struct engine_shed shed = {
        .n = server_in_flight(server->live), .backend = backend->conf->name, .server = server->conf->name};
    return begin_shed(owner, call, 1, &shed);
}

const struct command drain_commands[] = {
    {"drain", "[rate <n>] [deadline <time>] [notice <time>]", "close the listeners, ask all sessions to go, and exit",
     COMMAND_ADMIN, drain},
    {"undrain", "", "take a drain back", COMMAND_ADMIN, undrain},
    {"show drain", "", "how a drain, or shed, goes on", COMMAND_USER, show_drain},
    {"shed", "<n> [rate <n>]", "ask so many sessions to go; 0: no more", COMMAND_ADMIN, shed_some},
    {"shed server", "<b>/<s> [<n>] [rate <n>]", "ask sessions of a server to go", COMMAND_ADMIN, shed_server},
    {0}};

struct drain *drain_new(struct ev_loop *loop, struct view *view, struct drain_owner owner)
{
    struct drain *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->loop = loop;
    d->view = view;
    d->owner = owner;
    ev_timer_init(&d->next, on_next, 0., 0.);
    ev_timer_init(&d->look, on_look, 0., look_s);
    d->next.data = d->look.data = d;
    return d;
}

void drain_free(struct drain *d)
{
    if (d == NULL)
        return;
    ev_timer_stop(d->loop, &d->next);
    ev_timer_stop(d->loop, &d->look);
    free(d);
}
