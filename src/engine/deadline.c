#include "engine/deadline.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

struct deadline_list {
    struct deadline_list *next;
    struct deadline      *head; /* earliest first */
    uint32_t              after_ms;
    uint32_t              slack_ms; /* added when set, so that a touch may be skipped for that long */
};

void deadlines_init(struct deadlines *all)
{
    *all = (struct deadlines){0};
}

void deadlines_fini(struct deadlines *all)
{
    struct deadline_list *list, *next;
    LL_FOREACH_SAFE(all->lists, list, next)
    {
        assert(list->head == NULL);
        free(list);
    }
    *all = (struct deadlines){0};
}

static struct deadline_list *find_list(const struct deadlines *all, uint32_t after_ms)
{
    struct deadline_list *list;
    LL_FOREACH (all->lists, list) {
        if (list->after_ms == after_ms)
            break;
    }
    return list;
}

bool deadlines_add(struct deadlines *all, uint32_t after_ms)
{
    if (find_list(all, after_ms) != NULL)
        return true;
    struct deadline_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return false;
    list->after_ms = after_ms;
    list->slack_ms = after_ms / 64;
    LL_PREPEND(all->lists, list);
    return true;
}

void deadlines_merge(struct deadlines *all, struct deadlines *more)
{
    struct deadline_list *list, *next;
    LL_FOREACH_SAFE(more->lists, list, next)
    {
        if (find_list(all, list->after_ms) == NULL)
            LL_PREPEND(all->lists, list);
        else
            free(list);
    }
    more->lists = NULL;
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

void deadline_resume(struct deadlines *all, struct deadline *d, uint32_t after_ms, uint32_t left_ms, uint64_t now_ms)
{
    deadline_set(all, d, after_ms, now_ms);
    if (now_ms + left_ms < d->at_ms)
        d->at_ms = now_ms + left_ms;
}

static int by_time(const struct deadline *a, const struct deadline *b)
{
    return (a->at_ms > b->at_ms) - (a->at_ms < b->at_ms);
}

void deadlines_sort(struct deadlines *all)
{
    struct deadline_list *list;
    LL_FOREACH (all->lists, list) {
        // cppcheck-suppress nullPointer ; the macro tests it
        DL_SORT(list->head, by_time);
    }
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
    const struct deadline_list *list;
    struct deadline            *first = NULL;
    LL_FOREACH (all->lists, list) {
        if (list->head != NULL && (first == NULL || list->head->at_ms < first->at_ms))
            first = list->head;
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
