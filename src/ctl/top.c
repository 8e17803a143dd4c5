#include "ctl/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/screen.h"
#include "ctl/talk.h"
#include "ctl/view.h"

enum { INTERVAL_MS = 2000, RETRY_MS = 1000, SILENCE_MS = 10000 };

/* What is asked, one after the other; a round is from "show info" on. */
enum question { ASK_PROMPT, ASK_TIMEOUT, ASK_INFO, ASK_STAT, ASK_SESS, QUESTIONS };
static const char *const commands[QUESTIONS] = {
    [ASK_PROMPT] = "prompt",  [ASK_TIMEOUT] = "set timeout cli 7200",
    [ASK_INFO] = "show info", [ASK_STAT] = "show stat",
    [ASK_SESS] = "show sess",
};

struct top {
    const char   *socket;
    bool          on_screen;
    struct view   view;
    struct sample sample;
    struct talk   talk;
    enum question question;   /* the one that is waited for, or the last one answered */
    uint64_t      at_ms;      /* when the next round is due, or the next try to connect */
    uint64_t      patient_ms; /* until when an answer is waited for */
    unsigned      rounds;     /* complete ones */
};

static volatile sig_atomic_t ended_by;

static void on_signal(int number)
{
    ended_by = number;
}

/* Keeps them from interrupting anything but the wait, whose mask is *waiting. */
static void catch_signals(sigset_t *waiting)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t         blocked;
    (void)sigemptyset(&action.sa_mask);
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        (void)sigaddset(&blocked, numbers[i]);
        (void)sigaction(numbers[i], &action, NULL);
    }
    (void)sigaddset(&blocked, SIGWINCH);
    (void)sigprocmask(SIG_BLOCK, &blocked, waiting);
}

/* --- the conversation -----------------------------------------------------------------------------------------------
 */

static void lose(struct top *top, const struct err *err)
{
    talk_close(&top->talk);
    sample_forget_rates(&top->sample);
    snprintf(top->view.trouble, sizeof top->view.trouble, "lost: %s", err->text);
    top->at_ms = clock_mono_ms() + RETRY_MS;
}

static bool connect_to(struct top *top, struct err *err)
{
    top->question = ASK_PROMPT;
    top->patient_ms = clock_mono_ms() + SILENCE_MS;
    return talk_open(&top->talk, top->socket, err);
}

static void ask(struct top *top, enum question question)
{
    struct err err;
    top->question = question;
    top->patient_ms = clock_mono_ms() + SILENCE_MS;
    if (!talk_ask(&top->talk, commands[question], &err))
        lose(top, &err);
}

static void take(struct top *top, struct text *answer)
{
    uint64_t now = clock_mono_ms();
    switch (top->question) {
    case ASK_INFO:
        sample_take_info(&top->sample, answer);
        break;
    case ASK_STAT:
        sample_take_stat(&top->sample, answer, now);
        break;
    case ASK_SESS:
        sample_take_sess(&top->sample, answer, now);
        break;
    default:
        text_fini(answer);
        break;
    }
}

/* True when there is something new to show. */
static bool on_answer(struct top *top, struct text *answer)
{
    take(top, answer);
    if (top->question < ASK_SESS) {
        ask(top, top->question + 1);
        return false;
    }
    top->rounds++;
    top->view.trouble[0] = '\0';
    top->at_ms = clock_mono_ms() + top->view.interval_ms;
    return true;
}

static bool listen_to(struct top *top)
{
    struct text answer = {.at = NULL};
    struct err  err;
    switch (talk_read(&top->talk, &answer, &err)) {
    case TALK_ANSWER:
        return on_answer(top, &answer);
    case TALK_LOST:
        lose(top, &err);
        return true;
    case TALK_NOTHING:
        break;
    }
    return false;
}

/* What time brings: a round, another try, the end of patience. True when there is something new to show. */
static bool on_time(struct top *top)
{
    uint64_t   now = clock_mono_ms();
    struct err err;
    if (top->talk.fd < 0) {
        if (now < top->at_ms || connect_to(top, &err))
            return false;
        lose(top, &err);
        return true;
    }
    if (top->talk.waiting) {
        if (now < top->patient_ms)
            return false;
        err_set(&err, "no answer");
        lose(top, &err);
        return true;
    }
    if (now >= top->at_ms && !top->view.paused)
        ask(top, ASK_INFO);
    return false;
}

/* --- the loop -------------------------------------------------------------------------------------------------------
 */

/* Milliseconds until time brings something; -1: nothing but a key will. */
static int wait_ms(const struct top *top)
{
    uint64_t now = clock_mono_ms(), until = top->talk.waiting ? top->patient_ms : top->at_ms;
    if (top->talk.fd >= 0 && !top->talk.waiting && top->view.paused)
        return -1;
    return until > now ? (int)(until - now) : 0;
}

static void wait_for_events(struct top *top, const sigset_t *mask, bool *socket_ready, bool *hung_up)
{
    struct pollfd   fds[] = {{.fd = top->talk.fd, .events = POLLIN},
                             {.fd = top->on_screen ? STDIN_FILENO : -1, .events = POLLIN}};
    int             ms = wait_ms(top);
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    int             n = ppoll(fds, ARRAY_LEN(fds), ms < 0 ? NULL : &limit, mask);
    *socket_ready = n > 0 && fds[0].revents != 0;
    *hung_up = n > 0 && (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* The interval may have been changed, and the next round is not to wait for what the old one was. */
static bool take_keys(struct top *top)
{
    uint64_t before = top->view.interval_ms, now = clock_mono_ms();
    bool     any = screen_keys(&top->view);
    if (top->view.interval_ms != before && top->at_ms > now + top->view.interval_ms)
        top->at_ms = now + top->view.interval_ms;
    return any;
}

static void run_on_screen(struct top *top, const sigset_t *mask)
{
    bool socket_ready, hung_up = false, news = true;
    while (!top->view.quits && ended_by == 0 && !hung_up) {
        if (news)
            screen_draw(&top->view, &top->sample);
        wait_for_events(top, mask, &socket_ready, &hung_up);
        news = take_keys(top);
        news |= socket_ready && listen_to(top);
        news |= on_time(top);
    }
}

/* Two rounds, for rates. */
static void run_once(struct top *top, const sigset_t *mask)
{
    bool socket_ready, hung_up;
    while (top->rounds < 2 && ended_by == 0 && top->view.trouble[0] == '\0') {
        wait_for_events(top, mask, &socket_ready, &hung_up);
        if (socket_ready)
            (void)listen_to(top);
        (void)on_time(top);
    }
}

struct cursor {
    size_t line, col;
};

/* What is on a terminal at its place is in a file behind blanks and line ends. */
static void print_piece(void *to, size_t line, size_t col, enum paint paint, struct slice text)
{
    struct cursor *at = to;
    (void)paint;
    for (; at->line < line; at->line++, at->col = 0)
        putchar('\n');
    for (; at->col < col; at->col++)
        putchar(' ');
    (void)fwrite(text.ptr, 1, text.len, stdout);
    at->col += text.len; /* as much as matters: pieces are a blank apart, whatever their characters */
}

static enum ctl_status print_once(struct top *top)
{
    struct cursor cursor = {.line = 0};
    if (top->rounds < 2) {
        fprintf(stderr, "mqgatectl: %s\n", top->view.trouble);
        return CTL_FAILED;
    }
    view_draw_once(&top->view, &top->sample, print_piece, &cursor);
    putchar('\n');
    return fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}

static enum ctl_status run(struct top *top)
{
    sigset_t   mask;
    struct err err;
    if (!connect_to(top, &err)) {
        fprintf(stderr, "mqgatectl: %s\n", err.text);
        return CTL_NOT_REACHED;
    }
    top->on_screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (top->on_screen && !screen_open()) {
        const char *terminal = getenv("TERM");
        fprintf(stderr, "mqgatectl: top cannot draw on a terminal of kind '%s'; see TERM\n",
                terminal != NULL ? terminal : "");
        return CTL_FAILED;
    }
    catch_signals(&mask); /* after curses, which catches them too */
    if (!top->on_screen) {
        run_once(top, &mask);
        return ended_by == 0 ? print_once(top) : CTL_FAILED;
    }
    run_on_screen(top, &mask);
    screen_close();
    return CTL_OK;
}

static bool parse_seconds(const char *text, uint64_t *ms)
{
    char  *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds * 1000 >= VIEW_INTERVAL_MIN_MS) ||
        !(seconds * 1000 <= VIEW_INTERVAL_MAX_MS))
        return false;
    *ms = (uint64_t)(seconds * 1000);
    return true;
}

enum ctl_status top_run(const char *socket, int argc, char **argv)
{
    struct top top = {.socket = socket};
    uint64_t   interval_ms = INTERVAL_MS;
    if (argc != 0 && !(argc == 2 && strcmp(argv[0], "-d") == 0 && parse_seconds(argv[1], &interval_ms))) {
        fputs("usage: mqgatectl top [-d SECONDS]   SECONDS from 0.1 to 3600\n", stderr);
        return CTL_BAD_USAGE;
    }
    talk_init(&top.talk);
    view_init(&top.view, interval_ms);
    enum ctl_status status = run(&top);
    talk_close(&top.talk);
    sample_fini(&top.sample);
    view_fini(&top.view);
    return status;
}
