#include "conf/report.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Errors mostly come in order, so the place is looked for from the end. */
static void insert(struct conf_errors *errors, struct conf_error *e)
{
    struct conf_error *before = errors->list != NULL ? errors->list->prev : NULL;
    while (before != NULL && before->order > e->order)
        before = before == errors->list ? NULL : before->prev;
    if (before == NULL)
        DL_PREPEND(errors->list, e);
    else
        DL_APPEND_ELEM(errors->list, before, e);
    errors->n++;
}

void report_add(struct conf_errors *errors, unsigned order, const char *text)
{
    struct conf_error *e = calloc(1, sizeof *e);
    char              *copy = strdup(text);
    if (e == NULL || copy == NULL) {
        errors->out_of_memory = true;
        free(e);
        free(copy);
        return;
    }
    e->text = copy;
    e->order = order;
    insert(errors, e);
}

void conf_errors_free(struct conf_errors *errors)
{
    for (struct conf_error *e = errors->list, *next; e != NULL; e = next) {
        next = e->next;
        free(e->text);
        free(e);
    }
    *errors = (struct conf_errors){0};
}
