#include "control/client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

#include "net/sock.h"

/* What one client may have done for it before others have their turn: commands, or reads. */
enum { TURN = 16 };

static const double idle_s = 10., look_after_s = 0.25;

enum step { STEP_AGAIN, STEP_WAIT, STEP_CLOSE };

static bool would_block(int errnum)
{
    return errnum == EAGAIN || errnum == EINTR;
}

/* --- answers --- */

/* An empty line would end the answer for whoever reads it. What is not empty ends with LF. */
static void close_ranks(struct text *out)
{
    size_t to = 0;
    for (size_t from = 0; from < out->len; from++) {
        if (out->at[from] != '\n' || (to > 0 && out->at[to - 1] != '\n'))
            out->at[to++] = out->at[from];
    }
    text_cut(out, to);
    if (to > 0 && out->at[to - 1] != '\n')
        text_put(out, "\n", 1);
}

/* The names are syslog's, as HAProxy abbreviates them. */
static void put_severity(struct text *out, enum severity_output as, enum command_severity severity)
{
    static const char *const names[] = {
        [SEVERITY_ERROR] = "err", [SEVERITY_WARNING] = "warning", [SEVERITY_INFO] = "info"};
    char   prefix[16];
    size_t len = out->len;
    int    n = as == SEVERITY_OUTPUT_NUMBER ? snprintf(prefix, sizeof prefix, "[%d]: ", severity)
                                            : snprintf(prefix, sizeof prefix, "[%s]: ", names[severity]);
    text_put(out, prefix, (size_t)n);
    if (out->failed)
        return;
    memmove(out->at + n, out->at, len);
    memcpy(out->at, prefix, (size_t)n);
}

/* Makes call.out what is sent. Commands before the last of a line have no prompt behind them, so that their answers
 * can be told apart from the end of all. */
static void complete_answer(struct client *client)
{
    struct text *out = &client->call.out;
    if (client->quits) {
        text_cut(out, 0);
        return;
    }
    close_ranks(out);
    if (out->len > 0 && client->call.severity != SEVERITY_NONE && client->severity_output != SEVERITY_OUTPUT_NONE)
        put_severity(out, client->severity_output, client->call.severity);
    text_puts(out, client->mode == MODE_PROMPT && client->line.at == NULL ? "\n> " : "\n");
}

static enum step flush(struct client *client)
{
    struct text *out = &client->call.out;
    if (out->failed) {
        log_warn(client->control->log, "control_answer_failed", LOG_STR("err", "out of memory"));
        return STEP_CLOSE;
    }
    while (client->sent < out->len) {
        ssize_t n = send(client->fd, out->at + client->sent, out->len - client->sent, MSG_NOSIGNAL);
        if (n < 0)
            return would_block(errno) ? STEP_WAIT : STEP_CLOSE;
        client->sent += (size_t)n;
    }
    text_fini(out);
    client->sent = 0;
    return STEP_AGAIN;
}

/* --- commands --- */

static void advance(struct client *client);

static void on_finish(struct command_call *call)
{
    struct client *client = client_of(call);
    assert(client->pending);
    client->pending = false;
    complete_answer(client);
    advance(client);
}

static enum command_outcome call_command(struct client *client, size_t n_words)
{
    struct commands      *commands = &client->control->commands;
    struct command_call  *call = &client->call;
    void                 *owner = NULL;
    size_t                n;
    const struct command *command = commands_find(commands, client->words, &n, &owner);
    if (command == NULL) {
        call->severity = SEVERITY_INFO;
        commands_unknown(commands, client->level, client->words, &call->out);
        return COMMAND_DONE;
    }
    if (command->level > client->level)
        return command_fail(call, "Permission denied");
    call->argv = client->words + n;
    call->argc = n_words - n;
    return command->run(owner, call);
}

static void run_command(struct client *client, char *command)
{
    size_t n = line_split(command, client->words, COMMAND_ARGS_MAX);
    client->call = (struct command_call){.level = client->level, .finish = on_finish};
    enum command_outcome outcome =
        n <= COMMAND_ARGS_MAX
            ? call_command(client, n)
            : command_fail(&client->call, "Too many arguments. Commands must have at most %d arguments.",
                           (int)COMMAND_ARGS_MAX);
    client->pending = outcome == COMMAND_PENDING;
    assert(!client->pending || client->call.cancel != NULL);
    if (!client->pending)
        complete_answer(client);
}

/* --- lines --- */

static void drop_line(struct client *client)
{
    client->in_len -= client->line_len;
    memmove(client->in, client->in + client->line_len, client->in_len);
    client->line_len = 0;
    client->scan = (struct line_scan){0};
    client->served = true;
}

static bool next_line(struct client *client)
{
    size_t end = line_find_end(client->in, client->in_len, &client->scan);
    if (end == client->in_len)
        return false;
    client->line = line_begin(client->in, end);
    client->line_len = end + 1;
    return true;
}

static void refuse(struct client *client)
{
    client->refused = true;
    client->line.at = NULL;
    client->call = (struct command_call){.severity = SEVERITY_ERROR};
    (void)command_fail(&client->call, "Line too long: at most %d bytes.", (int)LINE_LEN_MAX);
    client->mode = MODE_ONE_LINE;
    complete_answer(client);
}

/* To close with something unread would reset the connection, and the client might never see why. */
static enum step discard(struct client *client)
{
    (void)shutdown(client->fd, SHUT_WR);
    ssize_t n = recv(client->fd, client->in, sizeof client->in, 0);
    if (n > 0)
        return STEP_AGAIN;
    return n < 0 && would_block(errno) ? STEP_WAIT : STEP_CLOSE;
}

/* No whole line is there. */
static enum step read_more(struct client *client)
{
    if (client->in_len == sizeof client->in) {
        refuse(client);
        return STEP_AGAIN;
    }
    ssize_t n = recv(client->fd, client->in + client->in_len, sizeof client->in - client->in_len, 0);
    if (n > 0) {
        client->in_len += (size_t)n;
        return STEP_AGAIN;
    }
    if (n == 0 || !would_block(errno))
        return STEP_CLOSE;
    bool is_over = client->mode == MODE_ONE_LINE && client->served && client->in_len == 0;
    return is_over ? STEP_CLOSE : STEP_WAIT;
}

static enum step next_step(struct client *client)
{
    enum step sent = flush(client);
    if (sent != STEP_AGAIN)
        return sent;
    if (client->quits)
        return STEP_CLOSE;
    if (client->refused)
        return discard(client);
    if (client->line_len > 0 && client->line.at == NULL)
        drop_line(client);
    if (client->line_len == 0 && !next_line(client))
        return read_more(client);
    run_command(client, line_next(&client->line));
    return client->pending ? STEP_WAIT : STEP_AGAIN;
}

/* --- events --- */

static void arm(struct client *client, bool has_more)
{
    struct ev_loop *loop = client->control->loop;
    bool            writes = has_more || client->sent < client->call.out.len;
    int             events = client->pending ? 0 : writes ? EV_WRITE : EV_READ;
    ev_io_stop(loop, &client->io);
    ev_io_set(&client->io, client->fd, events);
    if (events != 0)
        ev_io_start(loop, &client->io);
    if (client->refused && !writes && ev_is_active(&client->clock))
        return; /* what is thrown away keeps nobody here */
    client->clock.repeat = client->pending ? look_after_s : client->timeout_s;
    ev_timer_again(loop, &client->clock);
}

static void advance(struct client *client)
{
    enum step step = STEP_AGAIN;
    for (unsigned i = 0; i < TURN && step == STEP_AGAIN; i++)
        step = next_step(client);
    if (step == STEP_CLOSE)
        client_close(client);
    else
        arm(client, step == STEP_AGAIN);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop, (void)revents;
    advance(CONTAINER_OF(w, struct client, io));
}

/* Both directions are closed. One that has only finished writing waits for its answer. */
static bool has_gone(const struct client *client)
{
    struct pollfd p = {.fd = client->fd, .events = 0};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void on_clock(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct client *client = CONTAINER_OF(w, struct client, clock);
    (void)loop, (void)revents;
    if (!client->pending || has_gone(client))
        client_close(client);
}

bool client_open(struct control *control, int fd)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        sock_close(fd);
        return false;
    }
    client->control = control;
    client->fd = fd;
    client->timeout_s = idle_s;
    client->level = control->level;
    ev_io_init(&client->io, on_io, fd, EV_READ);
    ev_timer_init(&client->clock, on_clock, 0., 0.);
    DL_APPEND(control->clients, client);
    control->n_clients++;
    arm(client, false);
    return true;
}

void client_close(struct client *client)
{
    struct control *control = client->control;
    if (client->pending)
        client->call.cancel(&client->call);
    ev_io_stop(control->loop, &client->io);
    ev_timer_stop(control->loop, &client->clock);
    sock_close(client->fd);
    text_fini(&client->call.out);
    DL_DELETE(control->clients, client);
    control->n_clients--;
    free(client);
    control_client_gone(control);
}
