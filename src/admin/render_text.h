/* admin/render_text.h: the answers that are a page of words. Pure. */
#ifndef MQGATE_ADMIN_RENDER_TEXT_H
#define MQGATE_ADMIN_RENDER_TEXT_H

#include "admin/uri.h"
#include "base/text.h"

struct reply_header {
    const char *name; /* NULL: none */
    const char *value;
};

enum { REPLY_HEADERS_MAX = 4, REPLY_TEXT_MAX = 384 };

/* One HTTP answer; content-length is the body's length, cache-control is always no-cache. */
struct reply {
    unsigned            status;
    const char         *type; /* content-type */
    struct reply_header headers[REPLY_HEADERS_MAX];
    char                location[REPLY_TEXT_MAX]; /* where to go instead; "": nowhere */
    const char         *body;                     /* constant text, or owned */
    char               *owned;                    /* NULL, or what free() takes after the answer; body points to it */
    size_t              len;                      /* bytes of owned */
};

/* To a load balancer: byte for byte what HAProxy's monitor-uri says. */
struct reply reply_health(bool healthy);
struct reply reply_unauthorized(void); /* 401, asks for Basic credentials */
struct reply reply_forbidden(void);
struct reply reply_health_only(void);     /* 403 */
struct reply reply_bad_method(void);      /* 405: not GET, HEAD or POST */
struct reply reply_out_of_memory(void);   /* 500 */
struct reply reply_too_many_logins(void); /* 503, come back in a second */
/* 404, with the URIs that exist. reply_out_of_memory() when memory is out. */
struct reply reply_not_found(const struct conf_admin *admin);
/* 200. Takes the text over; when memory ran out while it was written: reply_out_of_memory(). */
struct reply reply_text(const char *type, struct text *text);
/* 303 to the statistics as they were asked for, which then show how it went: code is four letters. */
struct reply reply_see_stats(const struct conf_admin *admin, const struct asked *asked, const char *code);

#endif
