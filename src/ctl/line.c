#include "ctl/line.h"

#include <string.h>

static void put_word(struct text *line, const char *word)
{
    for (; *word != '\0'; word++) {
        if (strchr("\\; \t", *word) != NULL)
            text_put(line, "\\", 1);
        text_put(line, word, 1);
    }
}

bool line_join(struct text *line, char **words, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        if (words[i][strspn(words[i], " \t")] == '\0') {
            err_set(err, "an empty word cannot be sent");
            return false;
        }
        if (strpbrk(words[i], "\r\n") != NULL) {
            err_set(err, "a command is one line: there is a line end in it");
            return false;
        }
        if (n == 1) {
            text_puts(line, words[i]);
            break;
        }
        text_puts(line, i > 0 ? " " : "");
        put_word(line, words[i]);
    }
    if (line->failed || line->len > LINE_LEN_MAX)
        err_set(err, "the command is longer than %d bytes", LINE_LEN_MAX);
    return !line->failed && line->len <= LINE_LEN_MAX;
}
