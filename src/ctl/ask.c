#include "ctl/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ctl/answer.h"
#include "ctl/dial.h"
#include "ctl/line.h"

enum { PIECE = 65536, SILENCE_S = 10, FETCH_MAX = 64 << 20 };

static void say(const struct err *err)
{
    (void)fflush(stdout);
    fprintf(stderr, "mqgatectl: %s\n", err->text);
}

/* A piece of the answer; 0 at its end, -1 with errno. */
static ssize_t read_piece(int fd, char piece[PIECE])
{
    for (;;) {
        ssize_t n = recv(fd, piece, PIECE, 0);
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

static bool send_line(int fd, const char *before, const char *line, struct err *err)
{
    if (dial_send(fd, before, strlen(before)) && dial_send(fd, line, strlen(line)) && dial_send(fd, "\n", 1))
        return true;
    err_system(err, errno, "cannot send the command");
    return false;
}

/* says: the command never ends well without words. */
static enum ctl_status print_answer(int fd, const char *line, bool says)
{
    struct answer answer;
    struct err    err;
    char          piece[PIECE];
    ssize_t       n;
    if (!send_line(fd, "set severity-output number; ", line, &err)) {
        say(&err);
        return CTL_NOT_REACHED;
    }
    answer_init(&answer, stdout, stderr);
    while ((n = read_piece(fd, piece)) > 0) {
        answer_feed(&answer, piece, (size_t)n);
        if (fflush(stdout) != 0)
            break;
    }
    int  why = errno;
    bool good = answer_end(&answer);
    if (n != 0 || fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "mqgatectl: the answer is cut short: %s\n", strerror(n != 0 ? why : errno));
        good = false;
    } else if (says && !answer.printed) {
        fputs("mqgatectl: mqgate is gone, and has not said how it went\n", stderr);
        good = false;
    }
    return good ? CTL_OK : CTL_FAILED;
}

static enum ctl_status ask_print(const char *socket, const struct text *line, bool says)
{
    struct err err;
    int        fd = dial_open(socket, DIAL_TIMEOUT_MS, &err);
    if (fd < 0) {
        say(&err);
        return CTL_NOT_REACHED;
    }
    enum ctl_status status = print_answer(fd, line->at, says);
    close(fd);
    return status;
}

static enum ctl_status ask(const char *socket, char **words, int n, bool says)
{
    struct text     line = {.at = NULL};
    struct err      err;
    enum ctl_status status = CTL_BAD_USAGE;
    if (line_join(&line, words, n, &err))
        status = ask_print(socket, &line, says);
    else
        say(&err);
    text_fini(&line);
    return status;
}

enum ctl_status ask_words(const char *socket, char **words, int n)
{
    return ask(socket, words, n, false);
}

enum ctl_status ask_upgrade(const char *socket, char **words, int n)
{
    return ask(socket, words, n, true);
}

enum ctl_status ask_drain(const char *socket, char **words, int n)
{
    struct text line = {.at = NULL};
    struct err  err;
    bool        waits = n > 1 && strcmp(words[n - 1], "--wait") == 0;
    if (!line_join(&line, words, waits ? n - 1 : n, &err)) {
        say(&err);
        text_fini(&line);
        return CTL_BAD_USAGE;
    }
    if (waits)
        text_puts(&line, "; wait 2147483647s drained");
    enum ctl_status status = ask_print(socket, &line, false);
    text_fini(&line);
    return status;
}

/* Lines without a command say nothing. */
static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

enum ctl_status ask_input(const char *socket)
{
    enum ctl_status worst = CTL_OK;
    char           *line = NULL;
    size_t          cap = 0;
    while (worst != CTL_NOT_REACHED && getline(&line, &cap, stdin) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (is_blank(line))
            continue;
        enum ctl_status status = ask_words(socket, &line, 1);
        worst = status == CTL_NOT_REACHED ? status : status != CTL_OK ? CTL_FAILED : worst;
    }
    free(line);
    return worst;
}

static bool read_all(int fd, struct text *answer, struct err *err)
{
    const struct timeval limit = {.tv_sec = SILENCE_S};
    char                 piece[PIECE];
    ssize_t              n;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    while ((n = read_piece(fd, piece)) > 0) {
        text_put(answer, piece, (size_t)n);
        if (answer->failed || answer->len > FETCH_MAX) {
            err_set(err, "the answer is too long");
            return false;
        }
    }
    if (n < 0)
        err_system(err, errno == EAGAIN ? ETIMEDOUT : errno, "no answer");
    return n == 0;
}

enum ctl_status ask_fetch(const char *socket, const char *command, struct text *answer, struct err *err)
{
    int fd = dial_open(socket, DIAL_TIMEOUT_MS, err);
    if (fd < 0)
        return CTL_NOT_REACHED;
    bool good = send_line(fd, "", command, err) && read_all(fd, answer, err);
    close(fd);
    if (good && answer->len >= 2 && answer->at[answer->len - 1] == '\n' && answer->at[answer->len - 2] == '\n')
        text_cut(answer, answer->len - 1);
    return good ? CTL_OK : CTL_FAILED;
}
