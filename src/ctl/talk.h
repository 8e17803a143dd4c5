/* ctl/talk.h: a conversation over one connection: a command, its answer up to the next prompt, and so on. Nothing
 * blocks but connecting, and that not for long. */
#ifndef MQGATE_CTL_TALK_H
#define MQGATE_CTL_TALK_H

#include "base/err.h"
#include "base/text.h"

struct talk {
    int         fd;      /* -1: not connected */
    bool        waiting; /* a command has been sent and its answer is not complete */
    struct text answer;  /* as far as it is there */
};

enum talk_event { TALK_NOTHING, TALK_ANSWER, TALK_LOST };

void talk_init(struct talk *talk);
/* Connects and asks for prompts: the first answer is that to "prompt". False: *err filled. */
bool talk_open(struct talk *talk, const char *path, struct err *err) MUST_CHECK;
void talk_close(struct talk *talk);
/* Sends a command, without a line end; only when it is not waiting. False: *err filled. */
bool talk_ask(struct talk *talk, const char *command, struct err *err) MUST_CHECK;
/* To be called when fd can be read. TALK_ANSWER: *answer, which is empty before, has it, whole lines without the
 * prompt; the caller frees it. TALK_LOST: *err filled, close it. Reads no more than a few hundred KiB in one call. */
enum talk_event talk_read(struct talk *talk, struct text *answer, struct err *err) MUST_CHECK;

#endif
