/* admin/prom_families.h: which metric shows which column. A metric more is a line more. Private to admin/. */
#ifndef MQGATE_ADMIN_PROM_FAMILIES_H
#define MQGATE_ADMIN_PROM_FAMILIES_H

#include "report/lines.h"

enum prom_type { PROM_GAUGE, PROM_COUNTER };

/* How a value is written. */
enum prom_unit { PROM_PLAIN, PROM_MS /* the column has milliseconds, the metric seconds */ };

/* Of lines. The name is "haproxy_frontend_", "haproxy_server_" or the like, and suffix. */
struct prom_family {
    const char    *suffix; /* NULL ends the table */
    enum prom_type type;
    unsigned       kinds; /* 1 << enum row_kind each */
    enum column    column;
    enum prom_unit unit;
    const char    *help;
};

/* Of the process: a figure of `show info` by its name there. */
struct prom_figure {
    const char    *info; /* NULL ends the table */
    const char    *name;
    enum prom_type type;
    const char    *help;
};

enum { PROM_FAMILIES_MAX = 80 };
extern const struct prom_family prom_families[]; /* at most PROM_FAMILIES_MAX */
extern const struct prom_figure prom_figures[];

#endif
