/* tests/torture/scenario.h: courses of events that must survive the failure of any allocation. */
#ifndef MQGATE_TORTURE_SCENARIO_H
#define MQGATE_TORTURE_SCENARIO_H

#include <stdbool.h>

#include "base/err.h"

struct scenario {
    const char *name;
    /* True: all went well. False: an error was reported as the contract says. Frees all that it makes. */
    bool (*run)(void);
};

/* Counts a failure of the running scenario, and says where, unless holds. Returns holds. */
bool torture_expect(bool holds, const char *what, const char *file, int line);
#define EXPECT(holds) torture_expect((holds), #holds, __FILE__, __LINE__)

/* The error says something. Always false: what a scenario that was told of an error returns. */
bool reported(const struct err *err);

/* Each list ends with an empty element. */
extern const struct scenario base_scenarios[], conf_scenarios[], control_scenarios[], snapshot_scenarios[],
    tls_scenarios[];

/* A directory with the files that scenarios load and write, made the current one. */
void torture_yard_make(void);
void torture_yard_remove(void);

#endif
