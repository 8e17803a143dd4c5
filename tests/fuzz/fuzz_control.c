/* Lines of the control socket: found piece by piece, split into commands and words. */
#include <stdlib.h>

#include "base/command.h"
#include "control/line.h"
#include "fuzz.h"

static struct line_scan scan;

static enum parse find(struct slice in, size_t *used)
{
    size_t end;
    scan = (struct line_scan){0};
    end = line_find_end((const char *)in.ptr, in.len, &scan);
    if (end == in.len)
        return PARSE_MORE;
    *used = end + 1;
    return PARSE_OK;
}

/* However it is cut, the line ends at the same place. */
static void check_pieces(const char *bytes, size_t len, size_t end)
{
    struct line_scan in_pieces = {0};
    for (size_t n = 0; n <= len; n += 1 + n / 4)
        FUZZ_CHECK(line_find_end(bytes, n, &in_pieces) == (n <= end ? n : end));
    FUZZ_CHECK(line_find_end(bytes, len, &in_pieces) == end);
}

/* Words as the command would have to be typed to mean the same. */
static void write_again(char *const *words, char *out)
{
    for (; *words != NULL; words++) {
        for (const char *p = *words; *p != '\0'; p++) {
            *out++ = '\\';
            *out++ = *p;
        }
        *out++ = ' ';
    }
    *out = '\0';
}

static void check_command(char *command, const char *from, const char *to)
{
    char  *words[COMMAND_ARGS_MAX + 1], *again[COMMAND_ARGS_MAX + 1];
    char  *typed = malloc(3 * strlen(command) + 2);
    size_t n = line_split(command, words, COMMAND_ARGS_MAX);
    FUZZ_CHECK(typed != NULL && command >= from && n <= COMMAND_ARGS_MAX + 1);
    for (size_t i = 0; i < n && n <= COMMAND_ARGS_MAX; i++)
        FUZZ_CHECK(words[i] >= command && words[i] + strlen(words[i]) <= to);
    if (n <= COMMAND_ARGS_MAX) {
        write_again(words, typed);
        FUZZ_CHECK(line_split(typed, again, COMMAND_ARGS_MAX) == n);
        for (size_t i = 0; i < n; i++)
            FUZZ_CHECK(strcmp(words[i], again[i]) == 0);
    }
    free(typed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char            *bytes = malloc(size + 1);
    struct line_scan whole = {0};
    FUZZ_CHECK(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    fuzz_cuts(find, slice_of(data, size));
    size_t end = line_find_end(bytes, size, &whole);
    check_pieces(bytes, size, end);
    struct line line = line_begin(bytes, end); /* its LF, or the byte behind all */
    for (char *command = line_next(&line); command != NULL; command = line_next(&line))
        check_command(command, bytes, bytes + end);
    free(bytes);
    return 0;
}
