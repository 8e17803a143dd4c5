/* conf/load_walk.h: what the two halves of the loader share. Private to load*.c, the only files that see libconfig. */
#ifndef MQGATE_CONF_LOAD_WALK_H
#define MQGATE_CONF_LOAD_WALK_H

#include <libconfig.h>

#include "conf/load.h"
#include "conf/source.h"
#include "conf/table.h"
#include "conf/words.h"

/* Where in the tree we are; lives on the stack of the walk. */
struct place {
    const struct place *parent; /* NULL: the root */
    const char         *key;    /* NULL: an element of a list */
    const char         *name;   /* of an element that has a good one, else NULL */
    unsigned            index;  /* of an element */
};

/* A name that was written for another section; followed once all sections are read. */
struct reference {
    struct reference    *prev, *next; /* utlist */
    const struct option *option;
    const char          *name;
    void                *at;   /* where the pointer goes */
    const char          *path; /* for errors */
    unsigned             line;
};

/* An address that is listened on. */
struct binding {
    struct binding *next;
    struct addr     at;
    const char     *path;
    unsigned        line;
};

struct loader {
    struct conf         *conf; /* in its arena */
    const struct source *source;
    struct conf_errors  *errors;
    struct reference    *references;
    struct binding      *bindings;
};

/* Fills l->conf from the tree; everything wrong goes to l->errors. */
void walk_root(struct loader *l, config_setting_t *root);

enum { PLACE_TEXT_MAX = 400 }; /* bytes, NUL included; deeper keys are cut */
/* "listeners.mqtt.bind[1]" */
void place_format(const struct place *at, char out[PLACE_TEXT_MAX]);
/* In the whole text, from 1. */
unsigned line_of(const config_setting_t *setting);

/* "file:line: path: " and the text. line is one of the whole text. */
void complain(struct loader *l, unsigned line, const char *path, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same of what stands at a place. */
void complain_at(struct loader *l, const struct place *at, const config_setting_t *setting, const char *text);
void complain_unknown(struct loader *l, const struct place *at, const struct section *section,
                      const config_setting_t *setting);
/* text: the value once variables were put in; NULL when it did not come to that. */
void complain_wrong(struct loader *l, const struct place *at, const struct option *option,
                    const config_setting_t *setting, const char *text);

#endif
