/* report/certificates.h: the certificates that clients are shown. */
#ifndef MQGATE_REPORT_CERTIFICATES_H
#define MQGATE_REPORT_CERTIFICATES_H

#include "base/text.h"
#include "report/view.h"

/* Calls fn for each certificate of each tls section. */
void certificates_each(const struct view *view,
                       void (*fn)(void *user, const char *section, const struct tls_certificate_info *certificate),
                       void *user);
/* `show tls`: certificates, then each TLS listener's handshakes. */
void report_tls(const struct view *view, struct text *out);

#endif
