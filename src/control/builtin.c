/* The commands that are about the connection itself. */
#include <string.h>

#include "control/client.h"
#include "control/delay.h"

static enum command_outcome help(void *owner, struct command_call *call)
{
    struct control *control = owner;
    call->severity = SEVERITY_INFO;
    commands_help(&control->commands, call->level, call->argv, &call->out);
    return COMMAND_DONE;
}

static enum command_outcome prompt(void *owner, struct command_call *call)
{
    struct client *client = client_of(call);
    const char    *mode = command_arg(call, 0);
    (void)owner;
    if (mode[0] == '\0')
        client->mode = client->mode == MODE_PROMPT ? MODE_ONE_LINE : MODE_PROMPT;
    else if (strcmp(mode, "n") == 0)
        client->mode = MODE_ONE_LINE;
    else if (strcmp(mode, "i") == 0)
        client->mode = MODE_LINES;
    else if (strcmp(mode, "p") == 0)
        client->mode = MODE_PROMPT;
    else
        return command_fail(call, "'prompt' expects nothing, 'n' (one line), 'i' (lines) or 'p' (lines and a prompt).");
    return COMMAND_DONE;
}

static enum command_outcome quit(void *owner, struct command_call *call)
{
    (void)owner;
    client_of(call)->quits = true;
    return COMMAND_DONE;
}

static enum command_outcome echo(void *owner, struct command_call *call)
{
    (void)owner;
    call->severity = SEVERITY_INFO;
    for (size_t i = 0; i < call->argc; i++) {
        text_puts(&call->out, i > 0 ? " " : "");
        text_put_line_part(&call->out, call->argv[i]);
    }
    return COMMAND_DONE;
}

static enum command_outcome set_timeout(void *owner, struct command_call *call)
{
    uint64_t ms;
    (void)owner;
    if (strcmp(command_arg(call, 0), "cli") != 0)
        return command_fail(call, "'set timeout' only supports 'cli'.");
    if (call->argc < 2)
        return command_fail(call, "Expects an integer value.");
    if (!delay_parse(call->argv[1], 1000, &ms) || ms == 0)
        return command_fail(call, "Invalid timeout value.");
    uint64_t s = (ms + 999) / 1000;
    client_of(call)->timeout_s = (double)s;
    return COMMAND_DONE;
}

static enum command_outcome set_severity_output(void *owner, struct command_call *call)
{
    static const char *const names[] = {
        [SEVERITY_OUTPUT_NONE] = "none", [SEVERITY_OUTPUT_NUMBER] = "number", [SEVERITY_OUTPUT_STRING] = "string"};
    (void)owner;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], command_arg(call, 0)) == 0) {
            client_of(call)->severity_output = (enum severity_output)i;
            return COMMAND_DONE;
        }
    }
    return command_fail(call, "one of 'none', 'number', 'string' is a required argument");
}

static enum command_outcome show_cli_level(void *owner, struct command_call *call)
{
    (void)owner;
    command_say(call, SEVERITY_INFO, "%s", command_level_names[call->level]);
    return COMMAND_DONE;
}

static enum command_outcome show_cli_sockets(void *owner, struct command_call *call)
{
    const struct control *control = owner;
    text_puts(&call->out, "# socket lvl processes\nunix@");
    text_put_line_part(&call->out, control->path);
    text_add(&call->out, " %s all\n", command_level_names[control->level]);
    return COMMAND_DONE;
}

static enum command_outcome lower_to_operator(void *owner, struct command_call *call)
{
    (void)owner;
    client_of(call)->level = COMMAND_OPERATOR;
    return COMMAND_DONE;
}

static enum command_outcome lower_to_user(void *owner, struct command_call *call)
{
    (void)owner;
    client_of(call)->level = COMMAND_USER;
    return COMMAND_DONE;
}

const struct command control_commands[] = {
    {"echo", "<text>", "print text back", COMMAND_USER, echo},
    {"operator", "", "lower the level of this connection to operator", COMMAND_OPERATOR, lower_to_operator},
    {"set severity-output", "[none|number|string]", "how messages show their severity", COMMAND_USER,
     set_severity_output},
    {"set timeout", "[cli] <delay>", "how long this connection may be idle", COMMAND_USER, set_timeout},
    {"show cli level", "", "the level of this connection", COMMAND_USER, show_cli_level},
    {"show cli sockets", "", "where commands are taken", COMMAND_USER, show_cli_sockets},
    {"user", "", "lower the level of this connection to user", COMMAND_USER, lower_to_user},
    {"wait", "{-h|<delay>} [condition]", "wait the delay, or until the condition is met", COMMAND_USER, wait_run},
    {"help", "[<command>]", "list matching or all commands", COMMAND_USER, help},
    {"prompt", "[n|i|p]", "toggle or set interactive mode", COMMAND_USER, prompt},
    {"quit", "", "disconnect", COMMAND_USER, quit},
    {NULL, NULL, NULL, COMMAND_USER, NULL}};
