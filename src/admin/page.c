#include "admin/page.h"

#include <string.h>

#include "admin/page_bytes.h"

static void put_escaped(struct text *t, const char *string)
{
    for (const char *p = string; *p != '\0'; p++) {
        if (strchr("&<>\"'", *p) != NULL)
            text_add(t, "&#%d;", *p);
        else
            text_put(t, p, 1);
    }
}

/* Places of the page are marked "@@name@@". */
static const char *fact_of(const struct page_facts *facts, const char *name)
{
    const char *fact = NULL;
    if (strncmp(name, "admin@@", 7) == 0)
        fact = facts->admin ? "1" : NULL;
    else if (strncmp(name, "status@@", 8) == 0)
        fact = facts->status;
    else if (strncmp(name, "scope@@", 7) == 0)
        fact = facts->scope;
    return fact != NULL ? fact : "";
}

struct reply reply_page(const struct page_facts *facts)
{
    struct text t = {.at = NULL};
    const char *at = page_bytes, *mark;
    while ((mark = strstr(at, "@@")) != NULL) {
        text_put(&t, at, (size_t)(mark - at));
        put_escaped(&t, fact_of(facts, mark + 2));
        at = strstr(mark + 2, "@@") + 2;
    }
    text_puts(&t, at);
    struct reply reply = reply_text("text/html; charset=utf-8", &t);
    if (reply.status == 200)
        reply.headers[0] = (struct reply_header){"content-security-policy", page_policy};
    return reply;
}
