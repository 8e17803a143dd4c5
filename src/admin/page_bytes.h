/* admin/page_bytes.h: page.html as the build puts it into the program (scripts/embed_page.c). */
#ifndef MQGATE_ADMIN_PAGE_BYTES_H
#define MQGATE_ADMIN_PAGE_BYTES_H

extern const char page_bytes[];  /* ends with NUL */
extern const char page_policy[]; /* the value of its content-security-policy */

#endif
