#include "daemon/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/events.h"
#include "base/log.h"
#include "config.h"
#include "daemon/version.h"
#include "report/view.h"

/* name: "" for all of them. */
static void put_environment(struct text *out, const char *name)
{
    size_t len = strlen(name);
    for (char *const *variable = environ; variable != NULL && *variable != NULL; variable++) {
        if (len > 0 && (strncmp(*variable, name, len) != 0 || (*variable)[len] != '='))
            continue;
        text_put_line_part(out, *variable);
        text_put(out, "\n", 1);
    }
}

static enum command_outcome show_env(void *owner, struct command_call *call)
{
    (void)owner;
    put_environment(&call->out, command_arg(call, 0));
    if (call->argc > 0 && call->out.len == 0)
        return command_fail(call, "Variable not found");
    return COMMAND_DONE;
}

static enum command_outcome show_version(void *owner, struct command_call *call)
{
    (void)owner;
    if (call->argc > 0 && strcmp(call->argv[0], "libraries") != 0)
        return command_fail(call, "'show version' expects nothing or 'libraries'.");
    call->severity = SEVERITY_INFO;
    text_puts(&call->out, PACKAGE_VERSION "\n");
    if (call->argc > 0)
        version_put_libraries(&call->out);
    return COMMAND_DONE;
}

static enum command_outcome show_events(void *owner, struct command_call *call)
{
    events_show(((struct log *)owner)->events, &call->out);
    return COMMAND_DONE;
}

const struct command daemon_log_commands[] = {{"show events", "",
                                               "the last changes of state and what else the process logged of itself",
                                               COMMAND_OPERATOR, show_events},
                                              {NULL, NULL, NULL, COMMAND_USER, NULL}};

const struct command daemon_commands[] = {
    {"show env", "[<name>]", "the variables of the environment that the process was started with", COMMAND_OPERATOR,
     show_env},
    {"show version", "[libraries]", "the version of mqgate, and of what it was linked to", COMMAND_USER, show_version},
    {NULL, NULL, NULL, COMMAND_USER, NULL}};

/* name is "backend/server". */
static const struct server *find_server(const struct snapshot *snap, const char *name)
{
    char        copy[160]; /* two names have at most 64 bytes each */
    const char *backend, *server;
    (void)snprintf(copy, sizeof copy, "%s", name);
    const struct snap_backend *b = command_split(copy, &backend, &server) ? snapshot_find_backend(snap, backend) : NULL;
    const struct snap_server  *s = b != NULL ? snap_backend_find_server(b, server) : NULL;
    return s != NULL ? s->live : NULL;
}

static enum condition_state server_is_removable(void *owner, const char *of, struct err *why)
{
    const struct view   *view = owner;
    const struct server *server = find_server(view->snap, of);
    if (server == NULL) {
        err_set(why, "No such server.");
        return CONDITION_NEVER;
    }
    if (!server_is_in_maintenance(server)) {
        err_set(why, "Only servers in maintenance mode can be removed.");
        return CONDITION_NEVER;
    }
    if (server_in_flight(server) == 0)
        return CONDITION_MET;
    err_set(why, "Server still has connections attached to it, cannot remove it.");
    return CONDITION_NOT_YET;
}

static enum condition_state is_drained(void *owner, const char *of, struct err *why)
{
    const struct view    *view = owner;
    const struct progress p = view_progress(view, clock_mono_ms());
    (void)of;
    if (view->drain.taken_back && !p.is_on) {
        err_set(why, "The drain was taken back.");
        return CONDITION_NEVER;
    }
    err_set(why, "%u sessions are left.", p.left);
    return p.is_on ? CONDITION_NOT_YET : CONDITION_MET;
}

const struct condition daemon_conditions[] = {
    {"drained", "", "no drain, and no shed, has anything left to do", is_drained},
    {"srv-removable", "<backend>/<server>", "it is in maintenance and no session uses it", server_is_removable},
    {NULL, NULL, NULL, NULL}};
