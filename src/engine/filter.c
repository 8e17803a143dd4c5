#include "engine/filter.h"

#include <stdio.h>
#include <string.h>

#include "engine/worker.h"

void filter_take_name(char out[FILTER_NAME_MAX], const char *name)
{
    (void)snprintf(out, FILTER_NAME_MAX, "%s", name);
}

void filter_take_server(struct session_filter *f, const char *backend, const char *server)
{
    filter_take_name(f->backend, backend);
    filter_take_name(f->server, server);
}

bool filter_matches(const struct session_filter *f, const struct session *s)
{
    uint64_t age_s = (s->worker->now_ms - s->begun_ms) / 1000;
    if ((f->id != 0 && f->id != s->id) || age_s < f->older_s)
        return false;
    if (f->frontend[0] != '\0' && strcmp(f->frontend, s->listener->conf->name) != 0)
        return false;
    if (f->backend[0] != '\0' && (!s->in_backend || strcmp(f->backend, s->backend->conf->name) != 0))
        return false;
    return f->server[0] == '\0' || (s->has_server && strcmp(f->server, session_server(s)->conf->name) == 0);
}
