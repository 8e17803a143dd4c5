/* engine/deadline.h: when something must have happened: one list for each duration, in deadline order, so that setting,
 * moving and clearing a deadline cost a few pointers and a worker needs one timer for all its sessions. */
#ifndef MQGATE_ENGINE_DEADLINE_H
#define MQGATE_ENGINE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline_list;

/* Part of what it watches over. All zero: not set. */
struct deadline {
    struct deadline      *prev, *next;
    struct deadline_list *list; /* NULL: not set */
    uint64_t              at_ms;
};

struct deadlines {
    struct deadline_list *lists; /* owned */
};

void deadlines_init(struct deadlines *all);
void deadlines_fini(struct deadlines *all); /* nothing may be set */
/* Makes the list of a duration; needed before deadline_set() with it. False when memory is out. */
bool deadlines_add(struct deadlines *all, uint32_t after_ms);
/* The same in two steps, of which the second does not fail: takes over all the lists of `more`, which is empty then. */
void deadlines_merge(struct deadlines *all, struct deadlines *more);

/* d is due after_ms from now_ms, or up to one 64th of that later, never earlier; a deadline that was set before is
 * replaced. now_ms is monotonic: never less than in an earlier call, here and in deadline_touch(). */
void deadline_set(struct deadlines *all, struct deadline *d, uint32_t after_ms, uint64_t now_ms);
/* Starts the same duration again. Moves d at most about every 64th of it, so that a busy session costs nothing: it is
 * due between one and one 64th more durations after the last touch. */
void deadline_touch(struct deadline *d, uint64_t now_ms);
/* As deadline_set(), of one that was set in an earlier process and had left_ms to go, but not more than after_ms. After
 * all of them, and before any other call: deadlines_sort(). */
void deadline_resume(struct deadlines *all, struct deadline *d, uint32_t after_ms, uint32_t left_ms, uint64_t now_ms);
void deadlines_sort(struct deadlines *all);
void deadline_clear(struct deadline *d);

/* The one that is due for longest, cleared; NULL when none is. */
struct deadline *deadlines_take_due(struct deadlines *all, uint64_t now_ms);
/* When the earliest is due; UINT64_MAX when none is set. */
uint64_t deadlines_next(const struct deadlines *all);

#endif
