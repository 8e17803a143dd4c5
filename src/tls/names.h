/* tls/names.h: which certificates answer for which server name (RFC 6066 section 3, RFC 6125 section 6.4).
 * The table is built at load; a lookup allocates nothing. */
#ifndef MQGATE_TLS_NAMES_H
#define MQGATE_TLS_NAMES_H

#include <stdbool.h>

#include "base/slice.h"
#include "tls/certificate.h"

/* A host name: letters, digits, '-' and '_' in labels of 1 to 63 bytes, at most 253 in all. */
bool name_is_host(struct slice name);
/* A host name, or "*." and a host name. */
bool name_is_pattern(struct slice name);

/* At most one certificate of each kind; NULL where there is none. */
struct certificate_set {
    const struct certificate *of_kind[CERTIFICATE_KINDS];
};

struct name_entry {
    const char            *name; /* pattern, lower case; the certificate's */
    struct certificate_set set;
    SSL_CTX               *ctx; /* for the table's owner to fill; borrowed */
};

struct name_table {
    struct name_entry *entries; /* sorted by name; owned */
    size_t             n;
};

/* The certificates must outlive the table. False when memory is out. */
bool name_table_init(struct name_table *table, const struct certificate *all, size_t n) MUST_CHECK;
void name_table_fini(struct name_table *table);
/* NULL when no certificate has the name. Any case will do. An exact name goes before a wildcard, kind by kind; among
 * equals the certificate written first. */
const struct name_entry *name_table_find(const struct name_table *table, const char *name);

/* What a client gets that names nothing known: the first certificate, and of each other kind the first that has all
 * of its names. n >= 1. */
struct certificate_set certificate_set_default(const struct certificate *all, size_t n);

#endif
