#include "engine/thread.h"

#include <signal.h>

static sigset_t all_but_faults(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
    sigset_t         set;
    (void)sigfillset(&set);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        (void)sigdelset(&set, faults[i]);
    return set;
}

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg)
{
    const sigset_t blocked = all_but_faults();
    sigset_t       before;
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before); /* it is born with this thread's mask */
    int errnum = pthread_create(thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum == 0)
        (void)pthread_setname_np(*thread, name);
    return errnum;
}
