/* admin/basic.h: user and password from an Authorization header (RFC 7617). Pure. */
#ifndef MQGATE_ADMIN_BASIC_H
#define MQGATE_ADMIN_BASIC_H

#include <stdbool.h>

#include "base/macros.h"

enum { USER_MAX = 128, PASSWORD_MAX = 256 }; /* bytes, NUL included */

struct credentials {
    char user[USER_MAX];
    char password[PASSWORD_MAX];
};

/* header is the value of Authorization, or NULL. False, and out untouched: it is not "Basic" with a well-formed and
 * not too long "user:password". Wipe out with credentials_wipe(). */
bool basic_parse(const char *header, struct credentials *out) MUST_CHECK;
void credentials_wipe(struct credentials *credentials);

#endif
