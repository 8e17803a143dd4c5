/* conf/load.h: a configuration file becomes a struct conf, or a list of everything that is wrong with it. */
#ifndef MQGATE_CONF_LOAD_H
#define MQGATE_CONF_LOAD_H

#include "conf/model.h"

/* One fault: "file:line: key.path: what was found; what is allowed". */
struct conf_error {
    char              *text;
    struct conf_error *prev, *next; /* utlist */
};

struct conf_errors {
    struct conf_error *list; /* in the file's order; owned */
    size_t             n;
    bool               out_of_memory; /* some errors could not be kept */
};

void conf_errors_free(struct conf_errors *errors);

/* The configuration, or NULL with at least one error. All errors of the file are reported, not only the first.
 * Free with conf_free(). */
struct conf *conf_load(const char *path, struct conf_errors *errors);
/* The same from text in memory; name stands for the path in errors. Environment variables are looked up with getenv. */
struct conf *conf_load_text(const char *name, const char *text, struct conf_errors *errors);
void         conf_free(struct conf *conf); /* NULL is fine */

#endif
