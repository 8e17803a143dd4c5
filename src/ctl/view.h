/* ctl/view.h: the screen of "top" as lines of text, whatever shows them, and what keys do to it. */
#ifndef MQGATE_CTL_VIEW_H
#define MQGATE_CTL_VIEW_H

#include "ctl/sample.h"
#include "ctl/section.h"

/* Keys are characters, and these. */
enum view_key {
    VIEW_KEY_TAB = '\t',
    VIEW_KEY_ENTER = '\n',
    VIEW_KEY_ESCAPE = 27,
    VIEW_KEY_UP = 0x100,
    VIEW_KEY_DOWN,
    VIEW_KEY_PAGE_UP,
    VIEW_KEY_PAGE_DOWN,
    VIEW_KEY_HOME,
    VIEW_KEY_END,
    VIEW_KEY_BACK_TAB,
    VIEW_KEY_BACKSPACE,
    VIEW_KEY_OTHER,
};

enum { VIEW_FILTER_MAX = 64, VIEW_INTERVAL_MIN_MS = 100, VIEW_INTERVAL_MAX_MS = 3600000 };

struct view {
    struct section    sections[SECTIONS];
    bool              shown[SECTIONS];
    size_t            first[SECTIONS];  /* the row at the top of each: how far it is scrolled */
    size_t            height[SECTIONS]; /* rows that it had room for when last drawn */
    enum section_kind focus;
    char              filter[VIEW_FILTER_MAX]; /* bytes, NUL included */
    bool              types_filter, helps, paused, quits;
    uint64_t          interval_ms;
    char              trouble[600]; /* why figures are old; "" when they are not */
};

void view_init(struct view *view, uint64_t interval_ms);
void view_fini(struct view *view);
void view_key(struct view *view, int key);

/* A piece of text that begins at a column of a line; pieces come in the order of reading. */
typedef void (*view_put)(void *to, size_t line, size_t col, enum paint paint, struct slice text);
/* So many lines of so many columns, or fewer. Any size will do. */
void view_draw(struct view *view, const struct sample *sample, size_t lines, size_t cols, view_put put, void *to);
/* Once, for a file: all listeners and servers and the heaviest 20 sessions, as wide as they are. */
void view_draw_once(struct view *view, const struct sample *sample, view_put put, void *to);

/* How many of lines each of n parts has, the last taking what the others leave: as much as it needs where there is
 * room, and else an equal share. */
void view_share(const size_t *needs, size_t n, size_t lines, size_t *shares);

#endif
