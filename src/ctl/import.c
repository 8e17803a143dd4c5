#include "ctl/import.h"

#include <crypt.h>
#include <errno.h>
#include <glob.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/load.h"
#include "ctl/import_convert.h"
#include "ctl/import_file.h"

/* --- what the translation asks of the system --- */

/* Where name servers do not answer, each lookup takes its time: all of them together are given this long. */
enum { LOOKUPS_MS = 20000 };

static struct addrinfo *look_up(const char *host)
{
    static uint64_t       spent_ms;
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo      *found = NULL;
    uint64_t              begun_ms = clock_mono_ms();
    if (spent_ms < LOOKUPS_MS && getaddrinfo(host, NULL, &wanted, &found) != 0)
        found = NULL;
    spent_ms += clock_mono_ms() - begun_ms;
    return found;
}

static bool resolve(const char *host, char out[ADDR_TEXT_MAX])
{
    struct addrinfo *found = look_up(host);
    if (found == NULL)
        return false;
    const struct addrinfo *first = found;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        if (a->ai_family == AF_INET) { /* as HAProxy prefers it at its start */
            first = a;
            break;
        }
    }
    struct addr addr = addr_from_sockaddr(first->ai_addr);
    (void)addr_format_ip(&addr, out);
    freeaddrinfo(found);
    return true;
}

static bool exists(const char *path)
{
    return access(path, R_OK) == 0;
}

static bool list(const char *directory, struct arena *arena, struct strings *files)
{
    struct stat st;
    glob_t      found;
    char        pattern[4096];
    int         n = snprintf(pattern, sizeof pattern, "%s/*.pem", directory);
    if (stat(directory, &st) != 0 || !S_ISDIR(st.st_mode) || n < 0 || (size_t)n >= sizeof pattern)
        return false;
    if (glob(pattern, 0, NULL, &found) != 0)
        return true;
    for (size_t i = 0; i < found.gl_pathc; i++)
        strings_add(arena, files, import_copy(arena, found.gl_pathv[i], strlen(found.gl_pathv[i])));
    globfree(&found);
    return true;
}

static bool hash(const char *password, char out[IMPORT_HASH_MAX])
{
    char              setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data data = {0};
    if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof setting) == NULL)
        return false;
    const char *made = crypt_r(password, setting, &data);
    if (made != NULL && made[0] != '*')
        (void)snprintf(out, IMPORT_HASH_MAX, "%s", made);
    else
        made = NULL;
    explicit_bzero(&data, sizeof data);
    return made != NULL;
}

static const struct import_ops ops = {resolve, exists, list, hash};

/* --- reading and writing --- */

static void complain(const char *name, const char *why)
{
    (void)fprintf(stderr, "mqgatectl: %s: %s\n", name, why);
}

/* Room for one byte more than is taken, so that what is too long is found out. NULL: *err says why. */
static char *read_all(FILE *from, struct err *err)
{
    enum { ROOM = IMPORT_BYTES_MAX + 2 };
    char *text = calloc(ROOM, 1);
    if (text == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    size_t len = fread(text, 1, ROOM - 1, from);
    if (ferror(from) != 0)
        err_system(err, errno, "read");
    else if (memchr(text, '\0', len) != NULL)
        err_set(err, "it holds a NUL byte, and is no configuration");
    else
        return text;
    free(text);
    return NULL;
}

static char *read_file(const char *path, struct err *err)
{
    if (strcmp(path, "-") == 0)
        return read_all(stdin, err);
    FILE *from = fopen(path, "re");
    if (from == NULL) {
        err_system(err, errno, "open");
        return NULL;
    }
    char *text = read_all(from, err);
    (void)fclose(from);
    return text;
}

/* A file that holds hashes of passwords is for its owner alone. */
static bool write_file(const char *path, const char *text, struct err *err)
{
    FILE *to = stdout;
    if (path != NULL) {
        mode_t before = umask(S_IRWXG | S_IRWXO);
        to = fopen(path, "we");
        (void)umask(before);
    }
    if (to == NULL) {
        err_system(err, errno, "open");
        return false;
    }
    bool good = fputs(text, to) >= 0 && fflush(to) == 0;
    int  why = errno;
    if (path != NULL && fclose(to) != 0)
        good = false;
    if (!good)
        err_system(err, why, "write");
    return good;
}

/* A ${VARIABLE} may be missing here, or be what no address can be. False: something is wrong, and was said. */
static bool loads(const char *text)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load_text("mqgate.conf", text, &errors);
    for (const struct conf_error *e = errors.list; e != NULL; e = e->next)
        (void)fprintf(stderr, "%s\n", e->text);
    bool good = conf != NULL;
    conf_errors_free(&errors);
    conf_unref(conf);
    return good;
}

static int convert(const char *name, const char *text, const char *out)
{
    struct text conf = {0}, remarks = {0};
    struct err  err = {0};
    size_t      lost;
    int         status = IMPORT_FAILED;
    bool        made = import_convert(name, text, &ops, &conf, &remarks, &lost, &err);
    if (remarks.len > 0)
        (void)fputs(remarks.at, stderr);
    if (!made)
        complain(name, err.text);
    else if (!write_file(out, conf.at, &err))
        complain(out != NULL ? out : "standard output", err.text);
    else
        status = loads(conf.at) && lost == 0 ? IMPORT_ALL : IMPORT_PARTLY;
    text_fini(&conf);
    text_fini(&remarks);
    return status;
}

int import_run(int argc, char **argv)
{
    const char *out = NULL, *path = NULL;
    bool        usable = true;
    for (int i = 0; i < argc && usable; i++) {
        if (strcmp(argv[i], "-o") == 0 && i + 1 < argc && out == NULL)
            out = argv[++i];
        else if (path == NULL && (argv[i][0] != '-' || strcmp(argv[i], "-") == 0))
            path = argv[i];
        else
            usable = false;
    }
    if (!usable || path == NULL) {
        (void)fputs("usage: mqgatectl import [-o FILE] HAPROXY.CFG\n", stderr);
        return IMPORT_BAD_USAGE;
    }
    struct err  err = {0};
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    char       *text = read_file(path, &err);
    if (text == NULL) {
        complain(name, err.text);
        return IMPORT_FAILED;
    }
    int status = convert(name, text, out);
    explicit_bzero(text, strlen(text));
    free(text);
    return status;
}
