#include "dns/dns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "dns/kept.h"

/* ---- lookups ---- */

static void lookup_after(struct lookup *l, uint32_t wait_ms)
{
    ev_timer_stop(l->dns->loop, &l->next);
    ev_timer_set(&l->next, wait_ms / 1e3, 0);
    ev_timer_start(l->dns->loop, &l->next);
}

/* The name is a new one. */
static void lookup_begin(struct lookup *l)
{
    l->is_wanted = true;
    l->is_outdated = l->is_asking;
    if (!l->is_asking)
        lookup_after(l, 0);
}

static void lookup_end(struct lookup *l)
{
    l->is_wanted = false;
    l->standing = (struct standing){0};
    ev_timer_stop(l->dns->loop, &l->next);
}

static void log_standing(const struct lookup *l, bool was_bad, const struct resolver_answer *answer)
{
    if (l->standing.bad && !was_bad)
        log_warn(l->dns->log, "dns_failed", LOG_STR("name", l->name), LOG_STR("why", answer->why));
    else if (was_bad && !l->standing.bad)
        log_info(l->dns->log, "dns_works", LOG_STR("name", l->name));
}

static void on_answer(void *user, const struct resolver_answer *answer)
{
    struct lookup *l = user;
    uint32_t       hold_ms = l->dns->snap->conf->resolver.hold_ms;
    bool           was_bad = l->standing.bad, outdated = l->is_outdated;
    l->is_asking = l->is_outdated = false;
    if (!l->is_wanted)
        return;
    lookup_after(l, outdated ? 0 : answer_wait_ms(answer->kind, answer->ttl_s, hold_ms));
    if (outdated)
        return;
    bool lost = standing_note(&l->standing, answer->kind, clock_mono_ms() + 1, hold_ms);
    log_standing(l, was_bad, answer);
    l->answered(l, answer, lost);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct lookup *l = CONTAINER_OF(timer, struct lookup, next);
    (void)loop;
    (void)revents;
    l->is_asking = true;
    if (l->is_service)
        resolver_ask_services(l->dns->resolver, &l->question, l->name);
    else
        resolver_ask_addresses(l->dns->resolver, &l->question, l->name);
}

static void lookup_init(struct lookup *l, struct dns *dns, const char *name,
                        void (*answered)(struct lookup *, const struct resolver_answer *, bool))
{
    l->dns = dns;
    l->name = name;
    l->answered = answered;
    l->question.answered = on_answer;
    l->question.user = l;
    ev_init(&l->next, on_next);
}

/* ---- servers ---- */

/* What an operator has set stays until DNS says something new. */
static void site_move(struct site *site, const struct addr *to)
{
    const struct dns_listener *listener = &site->lookup.dns->listener;
    const struct addr          was = server_address(site->live);
    struct addr                at = *to;
    if (addr_is_set(&at))
        addr_set_port(&at, site->port);
    if (addr_same(&at, &site->at))
        return;
    site->at = at;
    server_set_location(site->live, &at, site->host);
    if (!addr_same(&at, &was)) /* an operator may have been first */
        listener->address(listener->user, site->backend, site->server, &was, "DNS");
}

static void site_leave(struct site *site)
{
    static const struct addr nowhere;
    site_move(site, &nowhere);
}

static void site_answered(struct lookup *l, const struct resolver_answer *answer, bool lost)
{
    struct site *site = CONTAINER_OF(l, struct site, lookup);
    if (answer->kind == ANSWER_GOOD) {
        struct addr at = answer_choose(&site->at, answer->addresses, answer->n_addresses);
        site_move(site, &at);
    } else if (lost) {
        site_leave(site);
    }
}

/* ---- services ---- */

void site_identify(const struct site *site)
{
    char identity[DNS_NAME_MAX + 8];
    (void)snprintf(identity, sizeof identity, "%s:%u", site->host, site->port);
    server_set_identity(site->live, identity);
}

/* Another target, or "" for none: nothing is known of where it is. */
static void site_rename(struct site *site, const char *host, uint16_t port)
{
    static const struct addr nowhere;
    site_leave(site);
    (void)snprintf(site->host, sizeof site->host, "%s", host);
    site->port = port;
    site->weight = 0;
    site_identify(site);
    if (!server_has_address(site->live)) /* else an operator knows better */
        server_set_location(site->live, &nowhere, site->host);
}

static void site_rate(struct site *site, const struct conf_server *conf, const struct slot *slot)
{
    const struct dns_listener *listener = &site->lookup.dns->listener;
    bool                       backup = conf->backup || slot->backup;
    bool                       other_weight = conf->weight > 0 && slot->weight != site->weight;
    if (!other_weight && backup == server_is_backup(site->live))
        return;
    if (other_weight)
        server_set_weight(site->live, slot->weight);
    site->weight = slot->weight;
    server_set_backup(site->live, backup);
    if (server_has_address(site->live)) /* else nobody could use it before, nor can now */
        listener->weight(listener->user, site->backend, site->server);
}

/* Where the answer itself says that the host is. False: it does not. */
static bool find_beside(const struct site *site, const struct dns_answer *answer, struct addr *at)
{
    struct addr all[DNS_ADDRESSES_MAX];
    size_t      n = 0;
    for (size_t i = 0; i < answer->n_addresses; i++) {
        if (strcmp(answer->addresses[i].host, site->host) == 0)
            all[n++] = answer->addresses[i].at;
    }
    *at = answer_choose(&site->at, all, n);
    return n > 0;
}

static void slot_follow(struct service *service, size_t i, const struct dns_answer *answer)
{
    const struct slot *slot = &service->slots[i];
    struct site       *site = &service->sites[i];
    struct addr        at;
    if (slot->is_new) {
        lookup_end(&site->lookup);
        site_rename(site, slot->host, slot->port);
    }
    site_rate(site, service->conf, slot);
    if (find_beside(site, answer, &at)) {
        lookup_end(&site->lookup);
        site_move(site, &at);
    } else if (!site->lookup.is_wanted) {
        lookup_begin(&site->lookup);
    }
}

static void slot_leave(struct service *service, size_t i)
{
    struct site *site = &service->sites[i];
    if (site->host[0] == '\0')
        return;
    lookup_end(&site->lookup);
    site_rename(site, "", 0);
}

static void note_left_out(struct service *service, size_t left_out)
{
    if (left_out > 0 && !service->is_overfull)
        log_warn(service->lookup.dns->log, "srv_too_many", LOG_STR("name", service->lookup.name),
                 LOG_UINT("servers", CONF_SRV_SLOTS), LOG_UINT("left_out", left_out));
    service->is_overfull = left_out > 0;
}

static void service_answered(struct lookup *l, const struct resolver_answer *answer, bool lost)
{
    struct service *service = CONTAINER_OF(l, struct service, lookup);
    if (answer->kind == ANSWER_GOOD)
        note_left_out(service, slots_fill(service->slots, CONF_SRV_SLOTS, answer->services, ++service->n_answers));
    else if (lost)
        slots_clear(service->slots, CONF_SRV_SLOTS);
    for (size_t i = 0; i < CONF_SRV_SLOTS; i++) { /* who leaves goes before who comes */
        if (!service->slots[i].is_taken)
            slot_leave(service, i);
    }
    for (size_t i = 0; i < CONF_SRV_SLOTS && answer->kind == ANSWER_GOOD; i++) {
        if (service->slots[i].is_taken)
            slot_follow(service, i, answer->services);
    }
}

/* ---- life ---- */

static bool is_srv(const struct conf_server *conf)
{
    return conf->host != NULL && conf->port == 0;
}

static void service_init(struct service *service, struct dns *dns, const struct conf_server *conf, struct site *sites)
{
    service->conf = conf;
    service->sites = sites;
    lookup_init(&service->lookup, dns, conf->host, service_answered);
    service->lookup.is_service = true;
}

static void site_init(struct site *site, struct dns *dns, size_t backend, size_t server)
{
    const struct snap_server *snap = &dns->snap->backends[backend].servers[server];
    site->live = snap->live;
    site->backend = backend;
    site->server = server;
    site->port = snap->conf->port;
    lookup_init(&site->lookup, dns, is_srv(snap->conf) ? site->host : snap->conf->host, site_answered);
    if (!is_srv(snap->conf))
        (void)snprintf(site->host, sizeof site->host, "%s", snap->conf->host);
}

static void count_names(struct dns *dns)
{
    for (size_t b = 0; b < dns->snap->conf->n_backends; b++) {
        const struct conf_backend *backend = &dns->snap->conf->backends[b];
        for (size_t s = 0; s < backend->n_servers; s++) {
            dns->n_sites += backend->servers[s].host != NULL;
            dns->n_services += is_srv(&backend->servers[s]) && backend->servers[s].slot == 0;
        }
    }
}

static void init_all(struct dns *dns)
{
    struct site    *site = dns->sites;
    struct service *service = dns->services;
    for (size_t b = 0; b < dns->snap->conf->n_backends; b++) {
        const struct conf_backend *backend = &dns->snap->conf->backends[b];
        for (size_t s = 0; s < backend->n_servers; s++) {
            const struct conf_server *conf = &backend->servers[s];
            if (conf->host == NULL)
                continue;
            if (is_srv(conf) && conf->slot == 0)
                service_init(service++, dns, conf, site);
            site_init(site++, dns, b, s);
        }
    }
}

struct dns *dns_new(struct ev_loop *loop, struct snapshot *snap, struct log *log, struct dns_listener listener,
                    struct err *err)
{
    struct dns *dns = calloc(1, sizeof *dns);
    err_set(err, "out of memory");
    if (dns == NULL)
        return NULL;
    dns->loop = loop;
    dns->snap = snapshot_ref(snap);
    dns->log = log;
    dns->listener = listener;
    count_names(dns);
    if (dns->n_sites == 0)
        return dns;
    dns->sites = calloc(dns->n_sites, sizeof *dns->sites);
    dns->services = calloc(dns->n_services + 1, sizeof *dns->services);
    if (dns->sites != NULL && dns->services != NULL)
        dns->resolver = resolver_new(loop, snap->conf->resolver.servers, snap->conf->resolver.n_servers, err);
    if (dns->resolver == NULL) {
        dns_free(dns);
        return NULL;
    }
    init_all(dns);
    return dns;
}

static const struct conf_server *conf_of(const struct dns *dns, const struct site *site)
{
    return dns->snap->backends[site->backend].servers[site->server].conf;
}

static bool asks_the_same(const struct conf_server *a, const struct conf_server *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port;
}

/* Nothing is known of where it is: what it had under another name is not to stay. */
static void site_begin_anew(struct site *site)
{
    static const struct addr   nowhere;
    const struct dns_listener *listener = &site->lookup.dns->listener;
    const struct addr          was = server_address(site->live);
    if (!addr_is_set(&was))
        return;
    server_set_location(site->live, &nowhere, site->host);
    listener->address(listener->user, site->backend, site->server, &was, "reload");
}

/* False: before did not know the server, or by another name. */
static bool site_go_on(struct site *site, const struct dns *before)
{
    const struct conf_server *conf = conf_of(site->lookup.dns, site);
    for (size_t i = 0; before != NULL && i < before->n_sites; i++) {
        const struct site *was = &before->sites[i];
        if (was->live != site->live || !asks_the_same(conf, conf_of(before, was)))
            continue;
        memcpy(site->host, was->host, sizeof site->host);
        site->port = was->port;
        site->at = was->at;
        site->weight = was->weight;
        site->lookup.standing = was->lookup.standing;
        return true;
    }
    return false;
}

static void service_go_on(struct service *service, const struct dns *before)
{
    for (size_t i = 0; before != NULL && i < before->n_services; i++) {
        const struct service *was = &before->services[i];
        if (was->sites->live != service->sites->live || !asks_the_same(service->conf, was->conf))
            continue;
        memcpy(service->slots, was->slots, sizeof service->slots);
        service->n_answers = was->n_answers;
        service->is_overfull = was->is_overfull;
        service->lookup.standing = was->lookup.standing;
    }
}

void dns_begin(struct dns *dns, const struct dns *before)
{
    for (size_t i = 0; i < dns->n_sites; i++) {
        struct site *site = &dns->sites[i];
        if (!site_go_on(site, before) && !site->is_adopted)
            site_begin_anew(site);
        if (!is_srv(conf_of(dns, site)))
            lookup_begin(&site->lookup);
    }
    for (size_t i = 0; i < dns->n_services; i++) {
        service_go_on(&dns->services[i], before);
        lookup_begin(&dns->services[i].lookup);
    }
}

void dns_free(struct dns *dns)
{
    if (dns == NULL)
        return;
    resolver_free(dns->resolver);
    for (size_t i = 0; dns->resolver != NULL && i < dns->n_sites; i++)
        ev_timer_stop(dns->loop, &dns->sites[i].lookup.next);
    for (size_t i = 0; dns->resolver != NULL && i < dns->n_services; i++)
        ev_timer_stop(dns->loop, &dns->services[i].lookup.next);
    free(dns->sites);
    free(dns->services);
    snapshot_unref(dns->snap);
    free(dns);
}

/* ---- figures ---- */

static void count_lookup(struct dns_figures *f, const struct lookup *l)
{
    f->names += l->is_wanted;
    f->failing += l->is_wanted && l->standing.bad;
}

struct dns_figures dns_figures(const struct dns *dns)
{
    struct dns_figures f = {0};
    for (size_t i = 0; i < dns->n_sites; i++)
        count_lookup(&f, &dns->sites[i].lookup);
    for (size_t i = 0; i < dns->n_services; i++)
        count_lookup(&f, &dns->services[i].lookup);
    if (dns->resolver != NULL)
        f.counts = resolver_counts(dns->resolver);
    return f;
}

/* " name broker.example, out/s0: 10.0.0.7:1883". */
static void put_name(const struct lookup *l, const struct site *site, struct text *out)
{
    const struct snap_backend *backend = &l->dns->snap->backends[site->backend];
    text_add(out, " name %s, %s/%s: ", l->name, backend->conf->name, backend->servers[site->server].conf->name);
}

static void put_site(const struct site *site, struct text *out)
{
    char text[ADDR_TEXT_MAX];
    if (!site->lookup.is_wanted)
        return;
    put_name(&site->lookup, site, out);
    text_add(out, "%s%s\n", addr_format(&site->at, text), site->lookup.standing.bad ? ", failing" : "");
}

static void put_service(const struct service *service, struct text *out)
{
    size_t n = 0;
    for (size_t i = 0; i < CONF_SRV_SLOTS; i++)
        n += service->slots[i].is_taken;
    put_name(&service->lookup, service->sites, out);
    text_add(out, "%zu targets%s\n", n, service->lookup.standing.bad ? ", failing" : "");
}

/* HAProxy's form and words, but that c-ares does not tell name servers apart. */
static enum command_outcome show_resolvers(void *owner, struct command_call *call)
{
    const struct dns        *dns = owner;
    const struct dns_figures f = dns_figures(dns);
    struct text             *out = &call->out;
    if (dns->resolver == NULL)
        return command_fail(call, "No server has a name that is looked up.");
    text_puts(out, "Resolvers section resolver\n nameserver");
    resolver_put_servers(dns->resolver, out);
    text_add(out, ":\n  sent:        %" PRIu64 "\n  valid:       %" PRIu64 "\n  nx:          %" PRIu64 "\n",
             f.counts.asked, f.counts.good, f.counts.none);
    text_add(out, "  timeout:     %" PRIu64 "\n  other:       %" PRIu64 "\n", f.counts.timeouts, f.counts.failed);
    for (size_t i = 0; i < dns->n_services; i++)
        put_service(&dns->services[i], out);
    for (size_t i = 0; i < dns->n_sites; i++)
        put_site(&dns->sites[i], out);
    return COMMAND_DONE;
}

const struct command dns_commands[] = {{"show resolvers", "",
                                        "what name servers answered, and where servers with host names are",
                                        COMMAND_USER, show_resolvers},
                                       {0}};
