#include "engine/deadline.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

struct deadline_list {
    struct deadline *head; /* earliest first */
    uint32_t         after_ms;
    uint32_t         slack_ms; /* added when set, so that a touch may be skipped for that long */
};

void deadlines_init(struct deadlines *all)
{
    *all = (struct deadlines){0};
}

void deadlines_fini(struct deadlines *all)
{
    for (size_t i = 0; i < all->n_lists; i++) {
        assert(all->lists[i]->head == NULL);
        free(all->lists[i]);
    }
    free((void *)all->lists);
    *all = (struct deadlines){0};
}

static struct deadline_list *find_list(const struct deadlines *all, uint32_t after_ms)
{
    for (size_t i = 0; i < all->n_lists; i++) {
        if (all->lists[i]->after_ms == after_ms)
            return all->lists[i];
    }
    return NULL;
}

bool deadlines_add(struct deadlines *all, uint32_t after_ms)
{
    if (find_list(all, after_ms) != NULL)
        return true;
    struct deadline_list **lists = reallocarray((void *)all->lists, all->n_lists + 1, sizeof(struct deadline_list *));
    if (lists == NULL)
        return false;
    all->lists = lists;
    struct deadline_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return false;
    list->after_ms = after_ms;
    list->slack_ms = after_ms / 64;
    all->lists[all->n_lists++] = list;
    return true;
}

void deadline_clear(struct deadline *d)
{
    if (d->list == NULL)
        return;
    DL_DELETE(d->list->head, d);
    *d = (struct deadline){0};
}

static void append(struct deadline_list *list, struct deadline *d, uint64_t now_ms)
{
    d->list = list;
    d->at_ms = now_ms + list->after_ms + list->slack_ms;
    DL_APPEND(list->head, d);
}

void deadline_set(struct deadlines *all, struct deadline *d, uint32_t after_ms, uint64_t now_ms)
{
    deadline_clear(d);
    struct deadline_list *list = find_list(all, after_ms);
    assert(list != NULL);
    append(list, d, now_ms);
}

void deadline_touch(struct deadline *d, uint64_t now_ms)
{
    struct deadline_list *list = d->list;
    if (list == NULL || now_ms + list->after_ms <= d->at_ms)
        return;
    DL_DELETE(list->head, d);
    append(list, d, now_ms);
}

static struct deadline *earliest(const struct deadlines *all)
{
    struct deadline *first = NULL;
    for (size_t i = 0; i < all->n_lists; i++) {
        struct deadline *head = all->lists[i]->head;
        if (head != NULL && (first == NULL || head->at_ms < first->at_ms))
            first = head;
    }
    return first;
}

struct deadline *deadlines_take_due(struct deadlines *all, uint64_t now_ms)
{
    struct deadline *d = earliest(all);
    if (d == NULL || d->at_ms > now_ms)
        return NULL;
    deadline_clear(d);
    return d;
}

uint64_t deadlines_next(const struct deadlines *all)
{
    const struct deadline *d = earliest(all);
    return d != NULL ? d->at_ms : UINT64_MAX;
}
