/* admin/uri.h: what a request's URI asks for. Pure. */
#ifndef MQGATE_ADMIN_URI_H
#define MQGATE_ADMIN_URI_H

#include "admin/render_prom.h"
#include "conf/model.h"

enum endpoint { ENDPOINT_NONE, ENDPOINT_HEALTH, ENDPOINT_STATS, ENDPOINT_METRICS };

enum stats_form { STATS_PAGE, STATS_CSV, STATS_TYPED, STATS_JSON, STATS_PLAIN_JSON, STATS_SCHEMA };

enum { SCOPE_MAX = 20, STATUS_LEN = 4 }; /* bytes */

struct asked {
    enum endpoint       endpoint;
    enum stats_form     form;
    bool                up;                     /* ";up": hide servers that are down or in maintenance */
    bool                no_maint;               /* ";no-maint": hide those in maintenance */
    bool                norefresh;              /* ";norefresh": the page is not to renew itself */
    char                scope[SCOPE_MAX + 1];   /* "scope=": part of the names of the proxies to show; "": all */
    char                status[STATUS_LEN + 1]; /* ";st=": how the last action went, capital letters; "": none */
    struct prom_options metrics;                /* of metrics, and all but their format */
};

/* uri as the client sent it, query included and nothing decoded; "http://host/path" counts as "/path".
 * health_uri matches the whole of it, stats_uri its beginning, as HAProxy's monitor-uri and stats uri do; options of
 * stats_uri may stand anywhere behind. Of several forms the last in the order csv, typed, json, json-schema is meant;
 * ";mqgate" makes of json the plain one. A scope with a character that no name has is none, as in HAProxy. metrics_uri
 * matches the path, also where it begins with stats_uri; a query is as of HAProxy's exporter. */
struct asked uri_parse(const char *uri, const struct conf_admin *admin);

#endif
