#include "support/import_ops.h"

#include <stdio.h>
#include <string.h>

static bool resolve(const char *host, char out[ADDR_TEXT_MAX])
{
    (void)snprintf(out, ADDR_TEXT_MAX, "192.0.2.7");
    return strncmp(host, "known", 5) == 0;
}

static bool exists(const char *path)
{
    return strcmp(path, "/own.pem.key") == 0;
}

static bool list(const char *directory, struct arena *arena, struct strings *files)
{
    if (strcmp(directory, "/certs") == 0) {
        strings_add(arena, files, "/certs/a.pem");
        strings_add(arena, files, "/certs/b.pem");
    }
    return strcmp(directory, "/certs") == 0 || strcmp(directory, "/empty") == 0;
}

static bool hash(const char *password, char out[IMPORT_HASH_MAX])
{
    (void)snprintf(out, IMPORT_HASH_MAX, "%s", IMPORT_TEST_HASH);
    return strcmp(password, "none") != 0;
}

const struct import_ops import_test_ops = {resolve, exists, list, hash};
