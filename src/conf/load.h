/* conf/load.h: a configuration file becomes a struct conf, or a list of everything that is wrong with it. */
#ifndef MQGATE_CONF_LOAD_H
#define MQGATE_CONF_LOAD_H

#include "conf/model.h"

/* One fault: "file:line: key.path: what was found; what is allowed". */
struct conf_error {
    char              *text;
    unsigned           order;       /* rises along the list; of use to the loader only */
    struct conf_error *prev, *next; /* utlist */
};

struct conf_errors {
    struct conf_error *list; /* in the file's order; owned */
    size_t             n;
    bool               out_of_memory; /* nothing may be in the list then */
};

void conf_errors_free(struct conf_errors *errors);

/* The configuration, or NULL with at least one error or out_of_memory; errors begins as {0}. All errors of the file are
 * reported, not only the first; but a file that breaks libconfig's syntax has that one error only. The files that are
 * named in a configuration (certificates) are not opened. It has one reference. */
struct conf *conf_load(const char *path, struct conf_errors *errors) MUST_CHECK;
/* The same from text in memory, which may not @include; name stands for the path in errors. Environment variables are
 * looked up with getenv(3) in both. */
struct conf *conf_load_text(const char *name, const char *text, struct conf_errors *errors) MUST_CHECK;
struct conf *conf_ref(struct conf *conf);
void         conf_unref(struct conf *conf); /* NULL is fine */

/* Of libconfig: "1.5.0". */
const char *conf_library_version(void);

#endif
