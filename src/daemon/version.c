#include "daemon/version.h"

#include <ev.h>
#include <stdio.h>

#include "admin/httpd.h"
#include "conf/load.h"
#include "config.h"
#include "tls/context.h"

void version_print(bool with_libraries)
{
    printf("mqgate %s\n", PACKAGE_VERSION);
    if (!with_libraries)
        return;
    printf("libev %d.%d (epoll)\n", ev_version_major(), ev_version_minor());
    printf("%s\n", tls_library_version());
    printf("libconfig %s\n", conf_library_version());
    printf("libmicrohttpd %s\n", admin_library_version());
#ifdef HAVE_SYSTEMD
    printf("with systemd notification\n");
#else
    printf("without systemd notification\n");
#endif
}
