/* bench/hold.h: connections that are open, and what their proxy keeps of them. */
#ifndef MQGATE_BENCH_HOLD_H
#define MQGATE_BENCH_HOLD_H

#include "client.h"

struct held;

/* So many connections, open for good; owned by nobody. */
struct held *hold(const struct target *target, unsigned n);
/* The same; says "held", and does what lines of standard input ask for until that ends:
 *   talk    a few messages go over each connection and back, one connection after the other, as long as a record of TLS
 *           every fourth time; says "talked"
 *   fill    messages go into all of them, and none are read back, until all that is between the two ends is full;
 *           says "filled"
 *   empty   they are read back; says "emptied" */
void hold_and_listen(const struct target *target, unsigned n);

#endif
