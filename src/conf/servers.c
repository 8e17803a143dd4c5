#include "conf/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, SLOT_NAME_MAX = NAME_MAX_LEN + 4 };

static bool is_srv(const struct conf_server *server)
{
    return strncmp(server->address_text, SERVERS_SRV_PREFIX, sizeof SERVERS_SRV_PREFIX - 1) == 0;
}

static unsigned slots_of(const struct conf_server *server)
{
    return is_srv(server) ? CONF_SRV_SLOTS : 1;
}

static size_t count(const struct conf_backend *backend)
{
    size_t n = 0;
    for (size_t i = 0; i < backend->n_written; i++)
        n += slots_of(&backend->written[i]);
    return n;
}

bool servers_fit(const void *backend)
{
    return count(backend) <= CONF_SERVERS_MAX;
}

/* As HAProxy's server-template names them: from 1 on. */
static void slot_name(const struct conf_server *server, unsigned slot, char out[SLOT_NAME_MAX])
{
    if (is_srv(server))
        (void)snprintf(out, SLOT_NAME_MAX, "%.*s%u", NAME_MAX_LEN, server->name, slot + 1);
    else
        (void)snprintf(out, SLOT_NAME_MAX, "%.*s", NAME_MAX_LEN, server->name);
}

static bool has_name(const struct conf_server *server, const char *name)
{
    char own[SLOT_NAME_MAX];
    for (unsigned slot = 0; slot < slots_of(server); slot++) {
        slot_name(server, slot, own);
        if (strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static bool is_named_before(const struct conf_backend *b, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++) {
        if (has_name(&b->written[i], name))
            return true;
    }
    return false;
}

bool servers_have_names(const void *backend)
{
    const struct conf_backend *b = backend;
    char                       name[SLOT_NAME_MAX];
    for (size_t i = 0; i < b->n_written; i++) {
        for (unsigned slot = 0; slot < slots_of(&b->written[i]); slot++) {
            slot_name(&b->written[i], slot, name);
            if (strlen(name) > NAME_MAX_LEN || is_named_before(b, i, name))
                return false;
        }
    }
    return true;
}

/* syntax_server_address() has let it pass. */
static bool find_place(struct conf_server *server, struct arena *arena)
{
    const char *text = server->address_text;
    if (addr_parse(text, &server->address))
        return true;
    if (is_srv(server)) {
        server->host = text + sizeof SERVERS_SRV_PREFIX - 1;
        return true;
    }
    const char *colon = strrchr(text, ':');
    server->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    server->host = arena_strndup(arena, text, (size_t)(colon - text));
    return server->host != NULL;
}

bool servers_expand(struct conf_backend *backend, struct arena *arena)
{
    struct conf_server *to = arena_alloc(arena, count(backend), sizeof *to);
    char                name[SLOT_NAME_MAX];
    if (to == NULL)
        return false;
    backend->servers = to;
    for (size_t i = 0; i < backend->n_written; i++) {
        struct conf_server *from = &backend->written[i];
        from->source_auto = !addr_is_set(&from->source);
        if (!find_place(from, arena))
            return false;
        for (unsigned slot = 0; slot < slots_of(from); slot++, to++) {
            *to = *from;
            to->slot = (uint8_t)slot;
            slot_name(from, slot, name);
            to->name = is_srv(from) ? arena_strdup(arena, name) : from->name;
            if (to->name == NULL)
                return false;
        }
    }
    backend->n_servers = (size_t)(to - backend->servers);
    return true;
}
