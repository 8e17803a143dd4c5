#include "ctl/paint.h"

#include <stdlib.h>
#include <unistd.h>

bool paint_is_wanted(void)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

enum paint paint_of_state(enum stat_state state)
{
    switch (state) {
    case STATE_GOOD:
        return PAINT_GOOD;
    case STATE_CHANGING:
        return PAINT_CHANGING;
    case STATE_BAD:
        return PAINT_BAD;
    case STATE_SET_ASIDE:
        return PAINT_SET_ASIDE;
    case STATE_UNKNOWN:
        break;
    }
    return PAINT_PLAIN;
}

const char *paint_code(enum paint paint)
{
    static const char *const codes[PAINTS] = {
        [PAINT_PLAIN] = "",          [PAINT_GOOD] = "\033[32m",      [PAINT_CHANGING] = "\033[33m",
        [PAINT_BAD] = "\033[1;31m",  [PAINT_SET_ASIDE] = "\033[36m", [PAINT_HEAD] = "\033[1m",
        [PAINT_FOCUS] = "\033[1;7m",
    };
    return codes[paint];
}
