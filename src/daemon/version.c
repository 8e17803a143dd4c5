#include "daemon/version.h"

#include <ev.h>
#include <stdio.h>

#include "admin/httpd.h"
#include "conf/load.h"
#include "config.h"
#include "dns/resolver.h"
#include "tls/context.h"

void version_put_libraries(struct text *out)
{
    text_add(out, "libev %d.%d (epoll)\n", ev_version_major(), ev_version_minor());
    text_add(out, "%s\n", tls_library_version());
    text_add(out, "libconfig %s\n", conf_library_version());
    text_add(out, "libmicrohttpd %s\n", admin_library_version());
    text_add(out, "c-ares %s\n", resolver_library_version());
#ifdef HAVE_SYSTEMD
    text_puts(out, "with systemd notification\n");
#else
    text_puts(out, "without systemd notification\n");
#endif
}

void version_print(bool with_libraries)
{
    struct text libraries = {.at = NULL};
    printf("mqgate %s\n", PACKAGE_VERSION);
    if (with_libraries)
        version_put_libraries(&libraries);
    if (libraries.len > 0)
        fputs(libraries.at, stdout);
    text_fini(&libraries);
}
