/* admin/page.h: the statistics page: one file of HTML, style and script, which asks for its figures itself. Pure. */
#ifndef MQGATE_ADMIN_PAGE_H
#define MQGATE_ADMIN_PAGE_H

#include <stdbool.h>

#include "admin/render_text.h"

/* What the page must know before it asks. */
struct page_facts {
    bool        admin;  /* servers may be acted on: there are boxes to tick and a form */
    const char *status; /* the code of ";st=" of the form that was sent before; NULL: none */
    const char *scope;  /* show only proxies with this in their name; NULL: all */
};

/* 200, with the policy that lets nothing but the page's own style and script in. */
struct reply reply_page(const struct page_facts *facts);

#endif
