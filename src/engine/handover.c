#include "engine/handover.h"

#include <stdlib.h>
#include <utlist.h>

#include "engine/shared.h"
#include "net/sock.h"

struct handover {
    struct handover *next;
    struct addr      peer;
    int              fd;
    bool             health_only;
};

void handover_send(struct engine *e, int fd, const struct addr *peer, bool health_only)
{
    bool             fits = atomic_fetch_add(&e->n_handovers, 1) < HANDOVERS_MAX;
    struct handover *h = fits ? malloc(sizeof *h) : NULL;
    if (h == NULL) {
        atomic_fetch_sub(&e->n_handovers, 1);
        sock_reset(fd);
        return;
    }
    *h = (struct handover){.peer = *peer, .fd = fd, .health_only = health_only};
    h->next = atomic_load(&e->handovers);
    while (!atomic_compare_exchange_weak(&e->handovers, &h->next, h))
        continue;
    ev_async_send(e->settings.loop, &e->handed_over);
}

/* All that have come, oldest first. */
static struct handover *take_all(struct engine *e)
{
    struct handover *newest = atomic_exchange(&e->handovers, NULL), *all = NULL;
    while (newest != NULL) {
        struct handover *h = newest;
        newest = h->next;
        LL_PREPEND(all, h);
        atomic_fetch_sub(&e->n_handovers, 1);
    }
    return all;
}

void handovers_take(struct engine *e)
{
    struct handover *h, *next;
    for (h = take_all(e); h != NULL; h = next) {
        next = h->next;
        e->settings.plain_http(e->settings.user, h->fd, &h->peer, h->health_only);
        free(h);
    }
}

void handovers_close(struct engine *e)
{
    struct handover *h, *next;
    for (h = take_all(e); h != NULL; h = next) {
        next = h->next;
        sock_close(h->fd);
        free(h);
    }
}
