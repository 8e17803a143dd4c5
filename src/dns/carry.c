/* What DNS has said, from one process to the next. */
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "dns/kept.h"

struct carried_service {
    struct standing standing;
    uint64_t        n_answers;
    bool            is_overfull;
};

struct carried_place {
    struct slice           backend, server;
    struct slice           asked; /* the name in the file, and the port: 0 with an SRV record */
    uint16_t               asked_port;
    char                   host[DNS_NAME_MAX];
    uint16_t               port;
    struct addr            at;
    uint32_t               weight;
    struct standing        standing;
    struct slot            slot;    /* of an SRV record */
    struct carried_service service; /* with its first slot */
};

static const struct image_field standing_fields[] = {
    IMAGE_FIELD(1, IMAGE_BOOL, struct standing, bad),
    IMAGE_FIELD(2, IMAGE_UINT, struct standing, none_since_ms),
};
static const struct image_kind standing_kind = {"standing", 0, standing_fields, ARRAY_LEN(standing_fields)};

static const struct image_field slot_fields[] = {
    IMAGE_FIELD(1, IMAGE_TEXT, struct slot, host),     IMAGE_FIELD(2, IMAGE_UINT, struct slot, port),
    IMAGE_FIELD(3, IMAGE_BOOL, struct slot, is_taken), IMAGE_FIELD(4, IMAGE_BOOL, struct slot, backup),
    IMAGE_FIELD(5, IMAGE_UINT, struct slot, weight),   IMAGE_FIELD(6, IMAGE_UINT, struct slot, seen),
};
static const struct image_kind slot_kind = {"slot", 0, slot_fields, ARRAY_LEN(slot_fields)};

static const struct image_field service_fields[] = {
    IMAGE_FIELD_GROUP(1, &standing_kind, struct carried_service, standing),
    IMAGE_FIELD(2, IMAGE_UINT, struct carried_service, n_answers),
    IMAGE_FIELD(3, IMAGE_BOOL, struct carried_service, is_overfull),
};
static const struct image_kind service_kind = {"service", 0, service_fields, ARRAY_LEN(service_fields)};

static const struct image_field place_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct carried_place, backend),
    IMAGE_FIELD(2, IMAGE_SLICE, struct carried_place, server),
    IMAGE_FIELD(3, IMAGE_SLICE, struct carried_place, asked),
    IMAGE_FIELD(4, IMAGE_UINT, struct carried_place, asked_port),
    IMAGE_FIELD(5, IMAGE_TEXT, struct carried_place, host),
    IMAGE_FIELD(6, IMAGE_UINT, struct carried_place, port),
    IMAGE_FIELD(7, IMAGE_ADDR, struct carried_place, at),
    IMAGE_FIELD(8, IMAGE_UINT, struct carried_place, weight),
    IMAGE_FIELD_GROUP(9, &standing_kind, struct carried_place, standing),
    IMAGE_FIELD_GROUP(10, &slot_kind, struct carried_place, slot),
    IMAGE_FIELD_GROUP(11, &service_kind, struct carried_place, service),
};
static const struct image_kind place_kind = {"place", IMAGE_PLACE, place_fields, ARRAY_LEN(place_fields)};

static const struct conf_server *conf_of(const struct dns *dns, const struct site *site)
{
    return dns->snap->backends[site->backend].servers[site->server].conf;
}

/* NULL: the server is no target of an SRV record. */
static struct service *service_of(const struct dns *dns, const struct site *site)
{
    for (size_t i = 0; i < dns->n_services; i++) {
        struct service *service = &dns->services[i];
        if (site >= service->sites && site < service->sites + CONF_SRV_SLOTS)
            return service;
    }
    return NULL;
}

static void carry_site(const struct dns *dns, const struct site *site, struct image_writer *w)
{
    const struct conf_server *conf = conf_of(dns, site);
    const struct service     *service = service_of(dns, site);
    struct carried_place      c = {.backend = slice_str(dns->snap->backends[site->backend].conf->name),
                                   .server = slice_str(conf->name),
                                   .asked = slice_str(conf->host),
                                   .asked_port = conf->port,
                                   .port = site->port,
                                   .at = site->at,
                                   .weight = site->weight,
                                   .standing = site->lookup.standing};
    memcpy(c.host, site->host, sizeof c.host);
    if (service != NULL)
        c.slot = service->slots[site - service->sites];
    if (service != NULL && site == service->sites)
        c.service = (struct carried_service){service->lookup.standing, service->n_answers, service->is_overfull};
    image_put(w, &place_kind, &c);
}

void dns_carry(const struct dns *dns, struct image_writer *w)
{
    for (size_t i = 0; i < dns->n_sites; i++)
        carry_site(dns, &dns->sites[i], w);
}

static struct site *find_site(const struct dns *dns, const struct carried_place *c)
{
    for (size_t i = 0; i < dns->n_sites; i++) {
        struct site *site = &dns->sites[i];
        if (slice_eq(slice_str(dns->snap->backends[site->backend].conf->name), c->backend) &&
            slice_eq(slice_str(conf_of(dns, site)->name), c->server))
            return site;
    }
    return NULL;
}

static struct standing not_of_tomorrow(struct standing standing)
{
    const uint64_t now_ms = clock_mono_ms();
    if (standing.none_since_ms > now_ms)
        standing.none_since_ms = now_ms;
    return standing;
}

static void adopt_slot(struct service *service, struct site *site, const struct carried_place *c)
{
    service->slots[site - service->sites] = c->slot;
    if (c->slot.seen > 0)
        site_identify(site);
    if (site != service->sites)
        return;
    service->lookup.standing = not_of_tomorrow(c->service.standing);
    service->n_answers = c->service.n_answers;
    service->is_overfull = c->service.is_overfull;
}

bool dns_adopt(struct dns *dns, const struct image_record *record, struct err *err)
{
    struct carried_place c = {.port = 0};
    if (!image_is(record, &place_kind))
        return true;
    if (!image_take(record, &place_kind, &c, err))
        return false;
    struct site *site = find_site(dns, &c);
    if (site == NULL || conf_of(dns, site)->port != c.asked_port ||
        !slice_eq(slice_str(conf_of(dns, site)->host), c.asked))
        return true;
    struct service *service = service_of(dns, site);
    memcpy(site->host, c.host, sizeof site->host);
    site->port = c.port;
    if (server_has_address(site->live)) /* else the next answer is news */
        site->at = c.at;
    site->weight = c.weight;
    site->lookup.standing = not_of_tomorrow(c.standing);
    site->is_adopted = true;
    if (service != NULL)
        adopt_slot(service, site, &c);
    return true;
}
