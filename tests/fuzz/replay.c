/* Runs one fuzz target over inputs that are kept: the files and directories given, or those of the target's name in
 * tests/fuzz/corpus and tests/fuzz/regressions. Each input ends at an unreadable page. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "fuzz.h"
#include "support/guarded.h"

enum { INPUT_MAX = 1 << 20 }; /* bytes */

static void give_up(const char *path)
{
    (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
}

static void replay_file(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE          *file = fopen(path, "rb");
    if (file == NULL)
        give_up(path);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    if (ferror(file) != 0 || fclose(file) != 0)
        give_up(path);
    struct slice copy = guarded_copy(slice_of(bytes, len));
    (void)LLVMFuzzerTestOneInput(copy.ptr, copy.len);
    guarded_free(copy);
}

/* Returns the number of inputs. */
static size_t replay_directory(DIR *directory, const char *path)
{
    size_t n = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char inner[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner) {
            errno = ENAMETOOLONG;
            give_up(path);
        }
        replay_file(inner);
        n++;
    }
    return n;
}

/* Returns the number of inputs; 0 for what does not exist. */
static size_t replay(const char *path)
{
    DIR *directory = opendir(path);
    if (directory != NULL) {
        size_t n = replay_directory(directory, path);
        (void)closedir(directory);
        return n;
    }
    if (errno == ENOENT)
        return 0;
    if (errno != ENOTDIR)
        give_up(path);
    replay_file(path);
    return 1;
}

/* The program is tests/fuzz/fuzz_NAME, run by make check, which says in srcdir where the sources are. */
static size_t replay_kept(const char *program)
{
    static const char *const kept[] = {"corpus", "regressions"};
    const char              *srcdir = getenv("srcdir"), *name = strrchr(program, '/');
    size_t                   n = 0;
    name = name != NULL ? name + 1 : program;
    name = strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name;
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/tests/fuzz/%s/%s", srcdir != NULL ? srcdir : ".", kept[i], name);
        n += replay(path);
    }
    return n;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    if (argc == 1)
        n = replay_kept(argv[0]);
    for (int i = 1; i < argc; i++)
        n += replay(argv[i]);
    printf("%zu inputs replayed\n", n);
    return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
