#include "dns/slots.h"

#include <stdlib.h>
#include <string.h>

#include "upstream/server.h"

/* What the targets of one answer have in common. */
struct scale {
    uint16_t lowest_priority;
    uint32_t most; /* weight */
};

static struct scale scale_of(const struct dns_answer *answer)
{
    struct scale scale = {.lowest_priority = UINT16_MAX, .most = SERVER_WEIGHT_MAX};
    for (size_t i = 0; i < answer->n_services; i++) {
        const struct dns_service *s = &answer->services[i];
        scale.lowest_priority = s->priority < scale.lowest_priority ? s->priority : scale.lowest_priority;
        scale.most = s->weight > scale.most ? s->weight : scale.most;
    }
    return scale;
}

static bool is_target(const struct slot *slot, const struct dns_service *service)
{
    return slot->port == service->port && strcmp(slot->host, service->host) == 0;
}

static struct slot *find(struct slot *slots, size_t n, const struct dns_service *service, bool taken)
{
    for (size_t i = 0; i < n; i++) {
        if (slots[i].is_taken == taken && is_target(&slots[i], service))
            return &slots[i];
    }
    return NULL;
}

/* NULL: none is free. */
static struct slot *find_free(struct slot *slots, size_t n, const struct dns_service *service)
{
    struct slot *free = find(slots, n, service, false);
    for (size_t i = 0; i < n && (free == NULL || !is_target(free, service)); i++) {
        if (!slots[i].is_taken && (free == NULL || slots[i].seen < free->seen))
            free = &slots[i];
    }
    return free;
}

/* A weight of 0 says that nobody has thought of weights (RFC 2782), not that there be no sessions. */
static void rate(struct slot *slot, const struct dns_service *service, const struct scale *scale, uint64_t number)
{
    uint32_t weight = (service->weight * (uint32_t)SERVER_WEIGHT_MAX + scale->most - 1) / scale->most;
    slot->weight = weight > 0 ? weight : 1;
    slot->backup = service->priority > scale->lowest_priority;
    slot->seen = number;
}

static void keep_those_that_stay(struct slot *slots, size_t n, const struct dns_answer *answer,
                                 const struct scale *scale, uint64_t number)
{
    for (size_t i = 0; i < n; i++)
        slots[i].is_new = false;
    for (size_t i = 0; i < answer->n_services; i++) {
        struct slot *slot = find(slots, n, &answer->services[i], true);
        if (slot != NULL)
            rate(slot, &answer->services[i], scale, number);
    }
    for (size_t i = 0; i < n; i++)
        slots[i].is_taken = slots[i].is_taken && slots[i].seen == number;
}

static bool take(struct slot *slots, size_t n, const struct dns_service *service)
{
    struct slot *slot = find_free(slots, n, service);
    if (slot == NULL)
        return false;
    memcpy(slot->host, service->host, sizeof slot->host);
    slot->port = service->port;
    slot->is_taken = slot->is_new = true;
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct dns_service *a = left, *b = right;
    int                       hosts = strcmp(a->host, b->host);
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return hosts != 0 ? hosts : (int)a->port - (int)b->port;
}

size_t slots_fill(struct slot *slots, size_t n, struct dns_answer *answer, uint64_t number)
{
    const struct scale scale = scale_of(answer);
    size_t             left_out = 0;
    keep_those_that_stay(slots, n, answer, &scale, number);
    qsort(answer->services, answer->n_services, sizeof answer->services[0], compare);
    for (size_t i = 0; i < answer->n_services; i++) {
        const struct dns_service *service = &answer->services[i];
        if (find(slots, n, service, true) != NULL)
            continue;
        if (take(slots, n, service))
            rate(find(slots, n, service, true), service, &scale, number);
        else
            left_out++;
    }
    return left_out;
}

void slots_clear(struct slot *slots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slots[i].is_taken = slots[i].is_new = false;
}
