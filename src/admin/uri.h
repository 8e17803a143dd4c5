/* admin/uri.h: which endpoint a request's URI names. Pure. */
#ifndef MQGATE_ADMIN_URI_H
#define MQGATE_ADMIN_URI_H

#include "conf/model.h"

enum endpoint {
    ENDPOINT_NONE,
    ENDPOINT_HEALTH,
    ENDPOINT_STATS, /* stats_uri without a format that this version has */
    ENDPOINT_STATS_JSON
};

/* uri as the client sent it, query included and nothing decoded; "http://host/path" counts as "/path".
 * health_uri matches the whole of it, stats_uri its beginning, as HAProxy's monitor-uri and stats uri do; options
 * of stats_uri (";json") may stand anywhere behind. */
enum endpoint uri_endpoint(const char *uri, const struct conf_admin *admin);

#endif
