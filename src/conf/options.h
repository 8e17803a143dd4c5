/* conf/options.h: what there is to know about each option, as text: for the manual, and to check that it is complete.
 */
#ifndef MQGATE_CONF_OPTIONS_H
#define MQGATE_CONF_OPTIONS_H

#include <stdbool.h>

/* Everything in it lives until the callback returns. */
struct conf_option {
    const char *path;          /* "listeners.timeouts.idle": lists as their elements */
    const char *type;          /* "duration", "list of groups" */
    const char *allowed;       /* a phrase: bounds, words, forms */
    const char *default_value; /* as in a file, `"3s"`, or a phrase; "" for required options, groups, lists */
    bool        required;
    bool        available;
    const char *not_available_values; /* words that a later version allows: `"auto"`; "" when there are none */
    const char *doc;                  /* one paragraph */
};

typedef void conf_option_fn(void *user, const struct conf_option *option);

/* Calls fn for every option of the language, in the order of mqgate.conf(5); a group comes before what is in it. */
void conf_options_each(conf_option_fn *fn, void *user);

#endif
