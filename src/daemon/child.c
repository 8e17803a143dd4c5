#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/sock.h"

/* Signals that are blocked or ignored here would be so there. */
static int set_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int why = posix_spawnattr_setsigmask(attr, &none);
    if (why == 0)
        why = posix_spawnattr_setsigdefault(attr, &all);
    return why != 0 ? why : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* dup2(2) of a descriptor to itself is how close-on-exec is taken off here. */
static int set_files(posix_spawn_file_actions_t *files, int says, int image)
{
    int why = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (why == 0)
        why = posix_spawn_file_actions_adddup2(files, says, STDOUT_FILENO);
    if (why == 0)
        why = posix_spawn_file_actions_adddup2(files, says, STDERR_FILENO);
    if (why == 0 && image >= 0)
        why = posix_spawn_file_actions_adddup2(files, image, image);
    return why;
}

static int spawn(struct child *c, const char *path, char *const argv[], char *const envp[], int image)
{
    posix_spawnattr_t          attr;
    posix_spawn_file_actions_t files;
    int                        why = posix_spawnattr_init(&attr);
    if (why != 0)
        return why;
    why = posix_spawn_file_actions_init(&files);
    if (why != 0) {
        (void)posix_spawnattr_destroy(&attr);
        return why;
    }
    why = set_signals(&attr);
    if (why == 0)
        why = set_files(&files, c->says, image);
    if (why == 0)
        why = posix_spawn(&c->pid, path, &files, &attr, argv, envp);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    return why;
}

static void forget(struct child *c)
{
    sock_close(c->fd);
    sock_close(c->says);
    *c = (struct child){.fd = -1, .says = -1};
}

int child_start(struct child *c, const char *path, char *const argv[], char *const envp[], int image, struct err *err)
{
    *c = (struct child){.fd = -1, .says = memfd_create("says", MFD_CLOEXEC)};
    if (c->says < 0) {
        err_system(err, errno, "run %s", path);
        return -1;
    }
    int why = spawn(c, path, argv, envp, image);
    if (why != 0) {
        err_system(err, why, "run %s", path);
        forget(c);
        return -1;
    }
    c->fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->fd >= 0)
        return 0;
    err_system(err, errno, "watch %s", path);
    child_kill(c);
    return -1;
}

void child_wait(struct child *c, int most_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int           n;
    do
        n = poll(&p, 1, most_ms);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        (void)kill(c->pid, SIGKILL);
}

/* Its last words, as errors stand last. */
static void read_words(int fd, char says[CHILD_SAYS_MAX])
{
    off_t   len = lseek(fd, 0, SEEK_END);
    off_t   from = len > CHILD_SAYS_MAX - 1 ? len - (CHILD_SAYS_MAX - 1) : 0;
    ssize_t n = len > 0 ? pread(fd, says, CHILD_SAYS_MAX - 1, from) : 0;
    n = n < 0 ? 0 : n;
    while (n > 0 && says[n - 1] == '\n')
        n--;
    says[n] = '\0';
    for (char *at = says; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~')
            *at = *at == '\n' ? ';' : '?';
    }
}

bool child_end(struct child *c, char says[CHILD_SAYS_MAX], struct err *err)
{
    int   status = 0;
    pid_t ended;
    do
        ended = waitpid(c->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    const int why = errno;
    read_words(c->says, says);
    forget(c);
    if (ended < 0)
        err_system(err, why, "wait for it");
    else if (WIFSIGNALED(status))
        err_set(err, "it was ended by signal %d (%s)%s%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                says[0] != '\0' ? "; it said: " : "", says);
    else
        err_set(err, "it ended with status %d%s%s", WEXITSTATUS(status), says[0] != '\0' ? "; it said: " : "", says);
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void child_kill(struct child *c)
{
    if (c->says < 0)
        return;
    (void)kill(c->pid, SIGKILL);
    (void)waitpid(c->pid, NULL, 0);
    forget(c);
}
