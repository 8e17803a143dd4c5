#include "ctl/talk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/dial.h"

/* A command is sent in one piece, and there is always room for it: none is sent before the last one was answered. */
enum { CONNECT_MS = 200, PIECE = 65536, PIECES_A_CALL = 8, ANSWER_MAX = 64 << 20 };

static const char PROMPT[] = "\n> ";

void talk_init(struct talk *talk)
{
    *talk = (struct talk){.fd = -1};
}

void talk_close(struct talk *talk)
{
    if (talk->fd >= 0)
        close(talk->fd);
    text_fini(&talk->answer);
    talk_init(talk);
}

bool talk_open(struct talk *talk, const char *path, struct err *err)
{
    talk->fd = dial_open(path, CONNECT_MS, err);
    if (talk->fd >= 0 && talk_ask(talk, "prompt", err))
        return true;
    talk_close(talk);
    return false;
}

bool talk_ask(struct talk *talk, const char *command, struct err *err)
{
    talk->waiting = true;
    if (dial_send(talk->fd, command, strlen(command)) && dial_send(talk->fd, "\n", 1))
        return true;
    err_system(err, errno, "cannot send");
    return false;
}

/* Nothing is sent before an answer is complete, so that what ends in a prompt ends with it. */
static bool is_complete(const struct text *answer)
{
    const size_t len = sizeof PROMPT - 1;
    return answer->len >= len && memcmp(answer->at + answer->len - len, PROMPT, len) == 0;
}

static enum talk_event lose(struct err *err, const char *why)
{
    err_set(err, "%s", why);
    return TALK_LOST;
}

enum talk_event talk_read(struct talk *talk, struct text *answer, struct err *err)
{
    char piece[PIECE];
    for (int i = 0; i < PIECES_A_CALL; i++) {
        ssize_t n = recv(talk->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return TALK_NOTHING;
        if (n <= 0)
            return lose(err, n == 0 ? "mqgate closed the connection" : strerror(errno));
        text_put(&talk->answer, piece, (size_t)n);
        if (talk->answer.failed || talk->answer.len > ANSWER_MAX)
            return lose(err, "the answer is too long");
        if (!talk->waiting)
            return lose(err, "mqgate speaks unasked");
        if (is_complete(&talk->answer)) {
            text_cut(&talk->answer, talk->answer.len - (sizeof PROMPT - 1) + 1);
            *answer = talk->answer;
            talk->answer = (struct text){.at = NULL};
            talk->waiting = false;
            return TALK_ANSWER;
        }
    }
    return TALK_NOTHING;
}
