#include "control/line.h"

#include <string.h>

size_t line_find_end(const char *bytes, size_t len, struct line_scan *scan)
{
    for (; scan->at < len; scan->at++) {
        if (scan->escaped)
            scan->escaped = false;
        else if (bytes[scan->at] == '\\')
            scan->escaped = true;
        else if (bytes[scan->at] == '\n')
            return scan->at;
    }
    return len;
}

struct line line_begin(char *bytes, size_t len)
{
    bytes[len] = '\0';
    return (struct line){.at = bytes, .end = bytes + len};
}

char *line_next(struct line *line)
{
    char *command = line->at, *p = command;
    if (command == NULL)
        return NULL;
    while (p < line->end && *p != ';')
        p += *p == '\\' && p + 1 < line->end ? 2 : 1;
    line->at = p < line->end ? p + 1 : NULL;
    *p = '\0';
    if (p > command && p[-1] == '\r')
        p[-1] = '\0';
    return command;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the word at from to the front of to, which is never behind it; returns what follows. */
static char *take_word(char *from, char **to)
{
    char *out = *to;
    for (; *from != '\0' && !is_blank(*from); from++) {
        if (*from == '\\' && from[1] != '\0')
            from++;
        *out++ = *from;
    }
    char *rest = *from != '\0' ? from + 1 : from;
    *out = '\0';
    *to = out + 1;
    return rest;
}

size_t line_split(char *command, char **words, size_t most)
{
    char  *p = command;
    size_t n = 0;
    for (p += strspn(p, " \t"); *p != '\0'; p += strspn(p, " \t")) {
        char *word = p;
        if (n == most)
            return most + 1;
        words[n++] = word;
        p = take_word(p, &word);
    }
    words[n] = NULL;
    return n;
}
