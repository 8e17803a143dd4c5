/* conf/options.h: what there is to know about each option, as text: for the manual, and to check that it is complete.
 */
#ifndef MQGATE_CONF_OPTIONS_H
#define MQGATE_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Everything in it lives until the callback returns. */
struct conf_option {
    const char *path;          /* "listeners.timeouts.idle": lists as their elements */
    const char *type;          /* "duration", "list of groups" */
    const char *allowed;       /* a phrase: bounds, words, forms */
    const char *default_value; /* as in a file, `"3s"`, or a phrase; "" for required options, groups, lists */
    bool        required;
    const char *doc; /* one paragraph */
};

typedef void conf_option_fn(void *user, const struct conf_option *option);

/* Calls fn for every option of the language, in the order of mqgate.conf(5); a group comes before what is in it. */
void conf_options_each(conf_option_fn *fn, void *user);

enum conf_fit { CONF_FITS, CONF_FITS_NOT };

/* For who writes configurations: whether this version takes text, as a file says it but without quotes, for the option
 * at path; for an element of it where it is an array. An option that there is not takes nothing. A
 * ${VARIABLE} that the environment lacks fits wherever a string stands. allowed, cut to size bytes, gets what the
 * option may be, as a phrase. */
enum conf_fit conf_option_fits(const char *path, const char *text, char *allowed, size_t size);
/* How many elements the array or list at path may have; 0 where it is none. */
size_t conf_option_most(const char *path);

#endif
