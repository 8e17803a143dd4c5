#include "base/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const command_level_names[] = {"user", "operator", "admin"};

enum { MESSAGE_MAX = 512 };

static void PRINTF_LIKE(3, 0)
    say(struct command_call *call, enum command_severity severity, const char *fmt, va_list ap)
{
    char message[MESSAGE_MAX];
    (void)vsnprintf(message, sizeof message, fmt, ap);
    text_cut(&call->out, 0);
    text_put_line_part(&call->out, message);
    text_put(&call->out, "\n", 1);
    call->severity = severity;
}

void command_say(struct command_call *call, enum command_severity severity, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(call, severity, fmt, ap);
    va_end(ap);
}

enum command_outcome command_fail(struct command_call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(call, SEVERITY_ERROR, fmt, ap);
    va_end(ap);
    return COMMAND_DONE;
}

const char *command_arg(const struct command_call *call, size_t i)
{
    return i < call->argc ? call->argv[i] : "";
}

bool command_number(const char *text, uint64_t most, uint64_t *out)
{
    uint64_t n = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (*text < '0' || *text > '9' || n > (most - digit) / 10 || digit > most)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool command_split(char *text, const char **left, const char **right)
{
    char *slash = strchr(text, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    *left = text;
    *right = slash + 1;
    return true;
}
