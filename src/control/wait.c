/* The command that answers later. */
#include <stdlib.h>
#include <string.h>

#include "control/client.h"
#include "control/delay.h"

static const double look_s = 0.05;

struct waiting {
    const struct control   *control;
    struct command_call    *call;
    const struct condition *condition; /* NULL: for the time alone */
    ev_timer                over;
    ev_timer                look;
};

static void usage(const struct control *control, struct command_call *call)
{
    text_puts(&call->out,
              "Usage: wait {-h|<delay>} [condition [args...]]\n"
              "The delay is in milliseconds unless it says us, s, m, h or d. Without a condition the whole\n"
              "delay is waited; with one, no longer than until it is met or never can be. Conditions:\n");
    for (const struct condition *c = control->conditions; c != NULL && c->name != NULL; c++)
        text_add(&call->out, "  %s%s%s : %s\n", c->name, c->args[0] != '\0' ? " " : "", c->args, c->help);
}

static const struct condition *find_condition(const struct control *control, const char *name)
{
    for (const struct condition *c = control->conditions; c != NULL && c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

static void forget(struct waiting *w)
{
    ev_timer_stop(w->control->loop, &w->over);
    ev_timer_stop(w->control->loop, &w->look);
    free(w);
}

static void on_gone(struct command_call *call)
{
    forget(call->state);
}

/* True: the answer is there. */
static bool look(const struct control *control, const struct condition *condition, struct command_call *call,
                 bool is_over)
{
    struct err           why = {.text = ""};
    enum condition_state state = condition->look(control->conditions_owner, command_arg(call, 2), &why);
    if (state == CONDITION_MET)
        command_say(call, SEVERITY_INFO, "Done.");
    else if (state == CONDITION_NEVER)
        command_say(call, SEVERITY_ERROR, "%s", why.text[0] != '\0' ? why.text : "Failed.");
    else if (is_over)
        command_say(call, SEVERITY_ERROR, "Wait delay expired.%s%s", why.text[0] != '\0' ? " " : "", why.text);
    return state != CONDITION_NOT_YET || is_over;
}

static void finish(struct waiting *w)
{
    struct command_call *call = w->call;
    forget(w);
    call->finish(call);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct waiting *w = CONTAINER_OF(timer, struct waiting, look);
    (void)loop, (void)revents;
    if (look(w->control, w->condition, w->call, false))
        finish(w);
}

static void on_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct waiting *w = CONTAINER_OF(timer, struct waiting, over);
    (void)loop, (void)revents;
    if (w->condition == NULL)
        command_say(w->call, SEVERITY_INFO, "Done.");
    else
        (void)look(w->control, w->condition, w->call, true);
    finish(w);
}

static enum command_outcome start(const struct control *control, const struct condition *condition, uint64_t ms,
                                  struct command_call *call)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (w == NULL)
        return command_fail(call, "Out of memory.");
    w->control = control;
    w->call = call;
    w->condition = condition;
    ev_timer_init(&w->over, on_over, (double)ms / 1000, 0.);
    ev_timer_init(&w->look, on_look, look_s, look_s);
    ev_now_update(control->loop);
    ev_timer_start(control->loop, &w->over);
    if (condition != NULL)
        ev_timer_start(control->loop, &w->look);
    call->state = w;
    call->cancel = on_gone;
    return COMMAND_PENDING;
}

enum command_outcome wait_run(void *owner, struct command_call *call)
{
    const struct control   *control = owner;
    const struct condition *condition = find_condition(control, command_arg(call, 1));
    uint64_t                ms;
    if (strcmp(command_arg(call, 0), "-h") == 0) {
        call->severity = SEVERITY_INFO;
        usage(control, call);
        return COMMAND_DONE;
    }
    if (call->argc == 0)
        return command_fail(call, "Expects a duration in milliseconds; 'wait -h' tells more.");
    if (!delay_parse(call->argv[0], 1, &ms))
        return command_fail(call, "Invalid duration.");
    if (call->argc > 1 && condition == NULL)
        return command_fail(call, "Unknown condition; 'wait -h' lists them.");
    if (condition != NULL && look(control, condition, call, ms == 0))
        return COMMAND_DONE;
    return start(control, condition, ms, call);
}
