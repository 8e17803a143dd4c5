/* In a handler nothing may be called that takes a lock or memory (signal-safety(7)): the note is put together by hand.
 * backtrace(3) comes last, as it may do both. */
#include "daemon/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "config.h"

enum { EVENTS_TOLD = 20, FRAMES_MAX = 64, PATIENCE_S = 3 };

static _Atomic(const struct events *) told;
static atomic_flag                    has_begun = ATOMIC_FLAG_INIT;

struct note {
    char   text[EVENT_LINE_MAX + 256];
    size_t len;
};

static void put(struct note *note, const char *string)
{
    while (*string != '\0' && note->len < sizeof note->text)
        note->text[note->len++] = *string++;
}

static void put_number(struct note *note, uint64_t n, unsigned base)
{
    char  digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    put(note, at);
}

static void tell(struct note *note)
{
    put(note, "\n");
    (void)!write(STDERR_FILENO, note->text, note->len); /* there is nobody left to tell of a failure */
    note->len = 0;
}

static void tell_signal(struct note *note, const siginfo_t *info)
{
    char thread[16] = ""; /* prctl(2): at most that long */
    (void)prctl(PR_GET_NAME, thread);
    put(note, "mqgate " PACKAGE_VERSION " crashed: SIG");
    put(note, sigabbrev_np(info->si_signo));
    put(note, " in thread ");
    put(note, thread);
    put(note, " (");
    put_number(note, (uint64_t)syscall(SYS_gettid), 10);
    if (info->si_code > 0) { /* from the kernel */
        put(note, "), address 0x");
        put_number(note, (uint64_t)(uintptr_t)info->si_addr, 16);
    } else if (info->si_pid == getpid()) { /* abort(3) */
        put(note, "), by itself");
    } else {
        put(note, "), sent by process ");
        put_number(note, (uint64_t)info->si_pid, 10);
    }
    put(note, "; no core file is written, for it would hold keys");
    tell(note);
}

static void tell_events(struct note *note)
{
    const struct events *events = atomic_load(&told);
    for (size_t age = EVENTS_TOLD; events != NULL && age-- > 0;) {
        const char *line = events_line(events, age);
        if (line == NULL)
            continue;
        put(note, "event before the crash: ");
        put(note, line);
        tell(note);
    }
}

static void on_fatal_signal(int number, siginfo_t *info, void *context)
{
    struct note note = {.len = 0};
    void       *frames[FRAMES_MAX];
    (void)context;
    while (atomic_flag_test_and_set(&has_begun)) /* another thread's crash is the one to be told of */
        (void)pause();
    (void)alarm(PATIENCE_S);
    tell_signal(&note, info);
    tell_events(&note);
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDERR_FILENO);
    (void)raise(number);
}

static void watch(int number)
{
    struct sigaction before, action = {.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER)};
    action.sa_sigaction = on_fatal_signal;
    if (sigaction(number, NULL, &before) == 0 && (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_DFL)
        (void)sigaction(number, &action, NULL);
}

void crash_watch(const struct events *events)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    void            *frame;
    (void)backtrace(&frame, 1); /* loads what it needs, now that this may take memory */
    atomic_store(&told, events);
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        watch(fatal[i]);
}
