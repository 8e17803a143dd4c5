/* admin/render_text.h: the answers that are a page of words. Pure. */
#ifndef MQGATE_ADMIN_RENDER_TEXT_H
#define MQGATE_ADMIN_RENDER_TEXT_H

#include "conf/model.h"

/* One HTTP answer; content-length is the body's length, cache-control is always no-cache. */
struct reply {
    unsigned    status;
    const char *type;         /* content-type */
    const char *header_name;  /* one more header, or NULL */
    const char *header_value; /* of it */
    const char *body;         /* constant text, or owned */
    char       *owned;        /* NULL, or what free() takes after the answer; body points to it */
};

/* To a load balancer: byte for byte what HAProxy's monitor-uri says. */
struct reply reply_health(bool healthy);
struct reply reply_unauthorized(void);    /* 401, asks for Basic credentials */
struct reply reply_forbidden(void);       /* 403 */
struct reply reply_bad_method(void);      /* 405: not GET or HEAD */
struct reply reply_out_of_memory(void);   /* 500 */
struct reply reply_too_many_logins(void); /* 503, come back in a second */
/* 404, with the URIs that exist. reply_out_of_memory() when memory is out. */
struct reply reply_not_found(const struct conf_admin *admin);
/* 200. Takes json over, which free() takes; NULL: reply_out_of_memory(). */
struct reply reply_json(char *json);

#endif
