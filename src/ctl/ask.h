/* ctl/ask.h: one question to mqgate on a connection of its own. */
#ifndef MQGATE_CTL_ASK_H
#define MQGATE_CTL_ASK_H

#include "base/err.h"
#include "base/text.h"
#include "ctl/status.h"

/* Sends what words say, as one command line, and writes what comes back to standard output as it comes, however long it
 * takes; what tells of a failure goes to standard error. */
enum ctl_status ask_words(const char *socket, char **words, int n);
/* The same for "upgrade": no answer is a failure. */
enum ctl_status ask_upgrade(const char *socket, char **words, int n);
/* The same for "drain" and what stands behind it; "--wait" as the last word is for us: returns when it is done. */
enum ctl_status ask_drain(const char *socket, char **words, int n);
/* Every line of standard input, one after the other, also behind one that failed. */
enum ctl_status ask_input(const char *socket);

/* The whole answer, without the empty line behind it, into *answer, which is empty before. It is given up after 10
 * seconds of silence, or when it is larger than 64 MiB. On failure *err is filled. */
enum ctl_status ask_fetch(const char *socket, const char *command, struct text *answer, struct err *err);

#endif
