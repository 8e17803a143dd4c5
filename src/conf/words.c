#include "conf/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { QUOTED_MAX = 100 }; /* bytes of a value that are shown */

void words_add(struct words *words, const char *fmt, ...)
{
    va_list ap;
    size_t  room = sizeof words->text - words->len;
    va_start(ap, fmt);
    int n = vsnprintf(words->text + words->len, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        words->len += (size_t)n < room ? (size_t)n : room - 1;
}

void words_quote(struct words *words, const char *text)
{
    words_add(words, "\"");
    for (size_t i = 0; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (i == QUOTED_MAX) {
            words_add(words, "...");
            break;
        }
        if (c == '"' || c == '\\')
            words_add(words, "\\%c", c);
        else if (c < 0x20 || c >= 0x7F)
            words_add(words, "\\x%02x", c);
        else
            words_add(words, "%c", c);
    }
    words_add(words, "\"");
}

static unsigned distance(const char *a, const char *b, unsigned most)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    if (*a == *b)
        return 0;
    if (most == 0)
        return 1;
    unsigned best = most + 1;
    if (*a != '\0' && *b != '\0')
        best = 1 + distance(a + 1, b + 1, most - 1);
    if (*a != '\0') {
        unsigned d = 1 + distance(a + 1, b, most - 1);
        best = d < best ? d : best;
    }
    if (*b != '\0') {
        unsigned d = 1 + distance(a, b + 1, most - 1);
        best = d < best ? d : best;
    }
    return best;
}

unsigned words_distance(const char *a, const char *b)
{
    unsigned d = distance(a, b, WORDS_NEAR);
    return d < strlen(b) ? d : WORDS_NEAR + 1;
}
