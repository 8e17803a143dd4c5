/* admin/prom_families.h: which metric shows which column. A metric more is a line more. Private to admin/. */
#ifndef MQGATE_ADMIN_PROM_FAMILIES_H
#define MQGATE_ADMIN_PROM_FAMILIES_H

#include "report/tally.h"

enum prom_type { PROM_GAUGE, PROM_COUNTER };

/* How a value is written. */
enum prom_unit {
    PROM_PLAIN,
    PROM_MS,  /* the column has milliseconds, the metric seconds */
    PROM_CODE /* no value is 0 */
};

/* Beside the kinds of lines that have a family: only those of servers that are checked. */
enum { PROM_IF_CHECKED = 1 << 8 };

/* Of lines. The name is "haproxy_frontend_", "haproxy_server_" or the like, and suffix. */
struct prom_family {
    const char    *suffix; /* NULL ends the table */
    enum prom_type type;
    unsigned       kinds; /* 1 << enum row_kind each, and PROM_IF_CHECKED */
    enum column    column;
    enum prom_unit unit;
    const char    *help;
};

/* Which frontends and servers have a family: any, those that speak TLS, those that speak MQTT. */
enum prom_of { PROM_OF_ANY, PROM_OF_TLS, PROM_OF_MQTT };

/* Of lines too, and with mqgate_ in the place of haproxy_. Samples of a family that differ in a label of their own
 * follow each other. The frontend of operators has none of these. */
struct prom_own {
    const char    *suffix; /* NULL ends the table */
    enum prom_type type;
    unsigned       kinds;
    enum column    column;
    enum prom_of   of;
    const char    *label, *value; /* the label of its own; may be NULL */
    const char    *help;          /* NULL: a sample more of the family before */
};

/* And those of a group of counters, a sample each. */
struct prom_tally {
    const char      *suffix; /* NULL ends the table */
    enum prom_type   type;
    unsigned         kinds;
    enum tally_group group;
    enum prom_of     of;
    const char      *help;
};

/* Of the process: a figure of `show info` by its name there. */
struct prom_figure {
    const char    *info; /* NULL ends the table */
    const char    *name;
    enum prom_type type;
    const char    *help;
};

enum { PROM_FAMILIES_MAX = 80, PROM_OWN_MAX = 24, PROM_TALLIES_MAX = TALLY_GROUPS };
extern const struct prom_family prom_families[]; /* at most PROM_FAMILIES_MAX */
extern const struct prom_own    prom_own[];      /* at most PROM_OWN_MAX */
extern const struct prom_tally  prom_tallies[];  /* at most PROM_TALLIES_MAX */
extern const struct prom_figure prom_figures[];
extern const char *const        prom_worker_helps[WORKER_COUNTERS];

#endif
