#include "admin/act.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/form.h"

static const struct snap_backend *find_backend(const struct snapshot *snap, const char *name)
{
    uint64_t iid;
    if (name[0] != '#')
        return snapshot_find_backend(snap, name);
    if (!command_number(name + 1, UINT32_MAX, &iid))
        return NULL;
    for (size_t i = 0; i < snap->conf->n_backends; i++) {
        if (snap->backends[i].row->iid == iid)
            return &snap->backends[i];
    }
    return NULL;
}

struct target {
    const struct view         *view;
    const struct snap_backend *backend;
    const struct snap_server  *server;
};

static bool act(const struct target *t, enum health_action action)
{
    health_act(t->view->health, (size_t)(t->backend - t->view->snap->backends),
               (size_t)(t->server - t->backend->servers), action);
    return true;
}

/* True: something was done. False: it makes no sense for this server, or an older word found it so already. */
static bool act_on(const struct target *t, enum form_action action)
{
    bool              checked = t->backend->conf->check.type != CHECK_NONE;
    enum server_admin is = server_admin(t->server->live);
    switch (action) {
    case FORM_READY:
        return act(t, HEALTH_READY);
    case FORM_DRAIN:
    case FORM_STOPPING:
        return act(t, HEALTH_DRAIN);
    case FORM_MAINT:
        return act(t, HEALTH_MAINT);
    case FORM_CHECKS_OFF:
        return checked && act(t, HEALTH_CHECKS_OFF);
    case FORM_CHECKS_ON:
        return checked && act(t, HEALTH_CHECKS_ON);
    case FORM_UP:
        return act(t, HEALTH_UP);
    case FORM_DOWN:
        return act(t, HEALTH_DOWN);
    case FORM_SHUTDOWN:
        engine_shutdown_server(t->view->engine, t->backend->conf->name, t->server->conf->name);
        return true;
    case FORM_ENABLE:
        return is == SERVER_MAINT && act(t, HEALTH_READY);
    case FORM_DISABLE:
        return is != SERVER_MAINT && act(t, HEALTH_MAINT);
    case FORM_START:
        return is == SERVER_DRAIN && act(t, HEALTH_READY);
    case FORM_STOP:
        return is == SERVER_READY && act(t, HEALTH_DRAIN);
    case FORM_AGENT:
    case FORM_UNKNOWN:
    case FORM_NOTHING:
        break;
    }
    return false;
}

/* Servers for which there is nothing to do count neither as done nor as not done, those that do not exist as not. */
const char *act_on_form(const struct view *view, struct slice body)
{
    struct form form;
    char        name[FORM_VALUE_MAX];
    unsigned    unknown = 0, done = 0;
    form_parse(body, &form);
    struct target t = {.view = view, .backend = find_backend(view->snap, form.backend)};
    if (form.action == FORM_UNKNOWN || (form.has_backend && t.backend == NULL))
        return "ERRP";
    if (form.action == FORM_NOTHING || !form.has_backend)
        return "NONE";
    for (size_t at = 0; form_next_server(body, &at, name);) {
        t.server = snap_backend_find_server(t.backend, name);
        unknown += t.server == NULL;
        done += t.server != NULL && act_on(&t, form.action);
    }
    if (unknown > 0)
        return done > 0 ? "PART" : "ERRP";
    return done > 0 ? "DONE" : "NONE";
}

/* "http://host:port/..." is of this host. */
static bool is_same_host(const char *url, const char *host)
{
    const char *authority = strstr(url, "://");
    if (authority == NULL)
        return false;
    authority += 3;
    size_t len = strcspn(authority, "/?#");
    return strlen(host) == len && strncasecmp(authority, host, len) == 0;
}

bool act_comes_from_here(const char *host, const char *origin, const char *referer, const char *fetch_site)
{
    if (fetch_site != NULL && strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0)
        return false;
    const char *from = origin != NULL ? origin : referer;
    return from == NULL || (host != NULL && is_same_host(from, host));
}
