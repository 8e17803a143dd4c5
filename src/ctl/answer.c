#include "ctl/answer.h"

#include <string.h>

#include "base/command.h"
#include "base/slice.h"

void answer_init(struct answer *answer, FILE *out, FILE *errors)
{
    *answer = (struct answer){.out = out, .errors = errors, .line_begins = true};
}

/* HAProxy calls a word that it does not know information. */
static bool tells_failure(struct slice head, bool has_severity)
{
    static const size_t PREFIX = sizeof "[3]: " - 1;
    if (!has_severity)
        return false;
    return head.ptr[1] <= '0' + SEVERITY_ERROR || slice_starts(slice_skip(head, PREFIX), slice_str("Unknown command"));
}

static void put_blank_lines(struct answer *a, FILE *to)
{
    for (; a->blank_lines > 0; a->blank_lines--) {
        if (a->printed)
            putc('\n', to);
    }
}

/* The head says where the answer goes. */
static void decide(struct answer *a)
{
    struct slice head = slice_of(a->head, a->n_head);
    bool         has_severity = head.len >= 5 && head.ptr[0] == '[' && head.ptr[1] >= '0' && head.ptr[1] <= '7' &&
                        slice_starts(slice_skip(head, 2), slice_str("]: "));
    bool failed = tells_failure(head, has_severity);
    a->failed |= failed;
    a->to = failed ? a->errors : a->out;
    put_blank_lines(a, a->to);
    if (has_severity)
        head = slice_skip(head, 5);
    (void)fwrite(head.ptr, 1, head.len, a->to);
    a->printed = true;
    a->n_head = 0;
}

static void line_ends(struct answer *a)
{
    if (!a->line_begins) {
        if (a->to == NULL)
            decide(a);
        putc('\n', a->to);
    } else if (a->began) {
        a->blank_lines++;
        a->to = NULL; /* another answer begins */
    }
    a->began = true;
    a->line_begins = true;
}

static void take(struct answer *a, char c)
{
    a->began = true;
    a->line_begins = false;
    if (a->to == NULL) {
        a->head[a->n_head++] = c;
        if (a->n_head == ANSWER_HEAD_MAX)
            decide(a);
        return;
    }
    putc(c, a->to);
}

void answer_feed(struct answer *answer, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            line_ends(answer);
        else
            take(answer, bytes[i]);
    }
}

bool answer_end(struct answer *answer)
{
    if (answer->n_head > 0)
        decide(answer);
    return !answer->failed;
}
