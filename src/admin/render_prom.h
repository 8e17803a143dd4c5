/* admin/render_prom.h: everything as metrics: HAProxy's names and labels (its addons/promex) for what exists here, and
 * mqgate_* for what HAProxy does not have. */
#ifndef MQGATE_ADMIN_RENDER_PROM_H
#define MQGATE_ADMIN_RENDER_PROM_H

#include "base/text.h"
#include "report/view.h"

enum { PROM_METRICS_MAX = 2048 }; /* bytes; names past it are passed over */

/* What a scraper may ask for. */
struct prom_options {
    bool     open_metrics;              /* OpenMetrics 1.0, not Prometheus' text format 0.0.4 */
    bool     no_maint;                  /* leave out servers in maintenance */
    bool     only_named;                /* no metrics but those of the list */
    unsigned scopes;                    /* PROM_* */
    char     metrics[PROM_METRICS_MAX]; /* ",name,-name,", each between commas; those with "-" are left out; "": none */
};

enum { PROM_PROCESS = 1, PROM_FRONTEND = 2, PROM_LISTENER = 4, PROM_BACKEND = 8, PROM_SERVER = 16, PROM_ALL = 31 };

/* query: what stands behind "?", or NULL: scope=frontend (again and again; "*" is all, an empty one takes back those
 * before), metrics=a,b,-c and no-maint, as of HAProxy's exporter; others are passed over. A scope that is not here has
 * nothing to show. */
struct prom_options prom_options_parse(const char *query);
/* name: of the samples, "haproxy_server_weight". */
bool prom_wants(const struct prom_options *options, const char *name);
/* accept: the header, or NULL. */
bool prom_wants_open_metrics(const char *accept);

/* Appends to out. Size and time grow with listeners and servers only. */
void render_prom(const struct view *view, const struct prom_options *options, struct text *out);

/* "text/plain; version=0.0.4", or OpenMetrics' own. */
const char *prom_content_type(const struct prom_options *options);

#endif
