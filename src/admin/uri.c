#include "admin/uri.h"

#include <string.h>
#include <strings.h>

#include "base/macros.h"

/* RFC 9112 section 3.2.2: a server must accept the absolute form, too. */
static const char *without_authority(const char *uri)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(uri, schemes[i], len) == 0) {
            const char *path = uri + len + strcspn(uri + len, "/?");
            return *path == '\0' ? "/" : path;
        }
    }
    return uri;
}

static bool starts_with(const char *text, const char *prefix)
{
    return *prefix != '\0' && strncmp(text, prefix, strlen(prefix)) == 0;
}

enum endpoint uri_endpoint(const char *uri, const struct conf_admin *admin)
{
    const char *path = without_authority(uri);
    if (strcmp(path, admin->health_uri) == 0)
        return ENDPOINT_HEALTH;
    if (!starts_with(path, admin->stats_uri))
        return ENDPOINT_NONE;
    const char *options = path + strlen(admin->stats_uri);
    /* ";json-schema" asks for something else, and it wins wherever it stands. */
    if (strstr(options, ";json") != NULL && strstr(options, ";json-schema") == NULL)
        return ENDPOINT_STATS_JSON;
    return ENDPOINT_STATS;
}
