/* tests/support/torture.h: a piece of work done again and again, each time with another of its allocations failing.
 * Counts what objects of this program allocate (the program links with WRAP_MALLOC), not what shared libraries do
 * inside. One thread. */
#ifndef MQGATE_TESTS_TORTURE_H
#define MQGATE_TESTS_TORTURE_H

#include <stdbool.h>

/* work() says whether it got what it wanted, and gives back all it took either way. Run number n fails allocation n,
 * until a run makes fewer than n. Fails the running Check test when a run leaves memory behind, or when work() gives up
 * with nothing failed. */
void torture(bool (*work)(void));

#endif
