/* report/lines.h: the statistics as HAProxy's lines: one for each frontend, listener, backend and server, with a value
 * for each column that this kind of line has. Every form of output is made from these. */
#ifndef MQGATE_REPORT_LINES_H
#define MQGATE_REPORT_LINES_H

#include "report/columns.h"
#include "report/view.h"

enum value_kind { VALUE_NONE, VALUE_STR, VALUE_U32, VALUE_U64, VALUE_S32 };

struct value {
    enum value_kind kind;
    union {
        const char *str; /* lives as long as the line is shown */
        uint64_t    u;
        int64_t     s;
    };
};

struct line {
    enum row_kind     kind;
    const struct row *row;
    struct value      at[COLUMNS_N];
    /* What the line is about, for those who want to know more than columns tell. */
    const struct snap_listener *listener; /* frontend, listener; NULL for the admin frontend */
    const struct snap_backend  *backend;  /* backend, server */
    const struct snap_server   *server;
    const struct health_report *check; /* server; may be NULL */
    /* Texts that values point to. */
    char status[48];
    char check_status[16];
    char addr[ADDR_TEXT_MAX];
};

enum { LINES_ALL = -1 };

/* Which lines. */
struct line_filter {
    int64_t     iid;      /* LINES_ALL: any */
    int64_t     types;    /* 1 << enum row_kind each; LINES_ALL: any */
    int64_t     sid;      /* LINES_ALL: any */
    const char *proxy;    /* NULL: any */
    const char *scope;    /* part of the proxy's name, in any case; NULL: any */
    bool        up;       /* no servers that are down or in maintenance */
    bool        no_maint; /* none in maintenance */
    bool        legends;  /* addresses and algorithms are shown too */
};

static inline struct line_filter line_filter_all(void)
{
    return (struct line_filter){.iid = LINES_ALL, .types = LINES_ALL, .sid = LINES_ALL};
}

/* Calls fn for each line: frontends with their listeners in the order of the configuration, the admin frontend, then
 * servers and their backend. False when the filter names a proxy that does not exist. The line lives during the call.
 */
bool lines_each(const struct view *view, const struct line_filter     *filter,
                void (*fn)(void *user, const struct line *line), void *user);

#endif
