/* Fails the n-th allocation of every scenario, for n = 1, 2, 3 ... until one ends without having come so far: once that
 * allocation alone, once it and all behind it. No run may crash, hang, leak, or take half of a thing for the whole. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "torture/allocations.h"
#include "torture/scenario.h"

enum { HANGS_S = 60 };

static struct {
    const char   *scenario;
    unsigned long n; /* the allocation that fails in the run at hand */
    bool          on;
    unsigned long n_runs, n_failed;
    bool          run_failed;
    char          crash_text[256];
} torture;

bool torture_expect(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        (void)fprintf(stderr, "%s:%d: %s, allocation %lu%s: not so: %s\n", file, line, torture.scenario, torture.n,
                      torture.on ? " and all behind it" : "", what);
        torture.run_failed = true;
    }
    return holds;
}

bool reported(const struct err *err)
{
    (void)EXPECT(err->text[0] != '\0');
    return false;
}

static void on_crash(int signal_number)
{
    ssize_t n = write(STDERR_FILENO, torture.crash_text, strlen(torture.crash_text));
    (void)n;
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void watch_for_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
        (void)signal(crashes[i], on_crash);
}

/* One run; true when the n-th allocation was reached and failed. */
static bool run_once(const struct scenario *s, unsigned long n, bool on)
{
    size_t live = allocations_live();
    torture.n = n;
    torture.on = on;
    torture.run_failed = false;
    (void)snprintf(torture.crash_text, sizeof torture.crash_text, "%s, allocation %lu%s: crashed or hung\n", s->name, n,
                   on ? " and all behind it" : "");
    (void)alarm(HANGS_S);
    allocations_fail_at(n, on);
    bool done = s->run();
    bool reached = allocations_have_failed();
    allocations_fail_at(0, false);
    (void)EXPECT(done == !reached);
    (void)EXPECT(allocations_live() == live);
    torture.n_runs++;
    torture.n_failed += torture.run_failed;
    return reached;
}

static void run_all(const struct scenario *s)
{
    for (; s->name != NULL; s++) {
        unsigned long before = torture.n_failed, tried = 0;
        torture.scenario = s->name;
        (void)run_once(s, 0, false); /* what is allocated once in a process is not counted as a leak of the first run */
        for (int on = 0; on < 2; on++) {
            for (unsigned long n = 1; run_once(s, n, on != 0); n++)
                tried++;
        }
        (void)printf("%s: %s, %lu failures tried\n", torture.n_failed == before ? "PASS" : "FAIL", s->name, tried);
    }
}

int main(void)
{
    watch_for_crashes();
    torture_yard_make();
    run_all(base_scenarios);
    run_all(tls_scenarios);
    run_all(conf_scenarios);
    run_all(snapshot_scenarios);
    run_all(control_scenarios);
    torture_yard_remove();
    unsigned long good = torture.n_runs - torture.n_failed;
    (void)printf("%lu%%: Checks: %lu, Failures: %lu, Errors: 0\n", good * 100 / torture.n_runs, torture.n_runs,
                 torture.n_failed);
    return torture.n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
