/* conf/table.h: every option of the configuration language, once. Reading, bounds, defaults, printing and the manual
 * all walk this table; nothing about an option stands anywhere else. Private to conf/. */
#ifndef MQGATE_CONF_TABLE_H
#define MQGATE_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/model.h"

/* How the value is written, and what it is stored as. */
enum option_type {
    OPTION_BOOL,      /* true: bool */
    OPTION_U32,       /* 5: uint32_t */
    OPTION_DURATION,  /* "5s": uint32_t, milliseconds */
    OPTION_SIZE,      /* "5KiB": uint32_t, bytes */
    OPTION_STRING,    /* "text": const char * */
    OPTION_ENUM,      /* "word": unsigned, or any enum */
    OPTION_ADDRESS,   /* "ip:port", "" for none: struct addr */
    OPTION_SOURCE,    /* "ip", "auto" for none: struct addr, port 0 */
    OPTION_REF,       /* "name" of an element of a top-level list, "" for none: pointer to it */
    OPTION_ADDRESSES, /* "ip:port" or an array of them: struct vector of struct addr */
    OPTION_NETWORKS,  /* array of "ip/bits": struct vector of struct network */
    OPTION_STRINGS,   /* array of strings: struct vector of const char * */
    OPTION_GROUP,     /* { ... }: the section's struct in place */
    OPTION_LIST       /* ( { ... }, { ... } ): struct vector of the section's struct */
};

/* What conf_strings, conf_networks and every "pointer, count" pair of the model look like in memory. */
struct vector {
    void  *at;
    size_t n;
};

/* One word that an OPTION_ENUM may be. */
struct choice {
    const char *name;
    unsigned    value;
};

enum value_result { VALUE_OK, VALUE_BAD, VALUE_OUT_OF_MEMORY };

struct section;

struct option {
    const char      *name;
    enum option_type type;
    bool             required;
    bool             inherits; /* OPTION_GROUP: starts as the top-level group of the same name */
    bool             listens;  /* address that is bound: no two options may hold the same */
    bool             secret;   /* the value is never shown in an error */
    /* Numbers: the value. OPTION_ADDRESS: the port. Lists: the number of elements. OPTION_STRING: the bytes. */
    uint32_t min, max;
    uint32_t step;   /* OPTION_DURATION: a multiple of it, when not 0 */
    size_t   offset; /* in the section's struct */
    size_t   noted;  /* where a bool tells that the option is written, in the same struct; 0: nowhere */
    /* As in a file, without quotes; elements of an array are separated by blanks. NULL: required, or a group. */
    const char           *def;
    const struct choice  *choices;                /* OPTION_ENUM; ends with a NULL name */
    const struct section *section;                /* OPTION_GROUP, OPTION_LIST */
    const char           *refers;                 /* OPTION_REF: the top-level list */
    bool (*needed)(const void *section);          /* NULL, or whether it is required, as the options before it are */
    enum value_result (*check)(const char *text); /* OPTION_STRING, OPTION_STRINGS; may be NULL */
    const char *allowed;                          /* what check lets pass, as a phrase */
    const char *doc;                              /* one paragraph for the manual */
};

/* What must hold between options of one section once each of them is good by itself. */
struct rule {
    const char *key; /* the option that is complained about */
    bool (*holds)(const void *section);
    const char *text; /* what was found; what is allowed */
};

struct section {
    const struct option *options; /* ends with a NULL name; in the order that they are printed in */
    const struct rule   *rules;   /* ends with a NULL key; may be NULL */
    size_t               size;    /* bytes of its struct */
};

extern const struct section conf_section_root;

/* The tables that the root is made of; a file each. */
extern const struct section conf_section_timeouts;
extern const struct section conf_section_listener;
extern const struct section conf_section_tls;
extern const struct section conf_section_tls_client;
extern const struct section conf_section_backend;

/* NULL when the section has no such option. */
const struct option *section_find(const struct section *section, const char *name);

static inline void *option_at(const struct option *option, void *section)
{
    return (char *)section + option->offset;
}

static inline const void *option_at_const(const struct option *option, const void *section)
{
    return (const char *)section + option->offset;
}

#endif
