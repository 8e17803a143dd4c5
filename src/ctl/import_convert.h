/* ctl/import_convert.h: an HAProxy configuration becomes an mqgate.conf. Pure but for what import_ops asks of the
 * system. */
#ifndef MQGATE_CTL_IMPORT_CONVERT_H
#define MQGATE_CTL_IMPORT_CONVERT_H

#include "base/addr.h"
#include "base/err.h"
#include "base/text.h"
#include "ctl/import_memory.h"

enum { IMPORT_HASH_MAX = 384 }; /* bytes, NUL included */

struct import_ops {
    /* The first address of a host name, as text without a port. False: it has none. */
    bool (*resolve)(const char *host, char out[ADDR_TEXT_MAX]);
    /* Whether path can be opened. */
    bool (*exists)(const char *path);
    /* Adds the paths of the *.pem files in a directory, sorted. False: there is no such directory. */
    bool (*list)(const char *directory, struct arena *arena, struct strings *files);
    /* A new crypt(3) hash of a password. False: there is none to be had. */
    bool (*hash)(const char *password, char out[IMPORT_HASH_MAX]);
};

/* text ends with NUL; name stands for it in remarks and in the comment of what is made. `conf` gets the mqgate.conf,
 * and `remarks` a line for everything that there is to say. *lost: lines that were not carried over. False: *err says
 * why there is no mqgate.conf; the remarks are there nevertheless. */
bool import_convert(const char *name, const char *text, const struct import_ops *ops, struct text *conf,
                    struct text *remarks, size_t *lost, struct err *err) MUST_CHECK;

#endif
