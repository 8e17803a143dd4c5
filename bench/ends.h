/* bench/ends.h: what the two ends of a measurement share. Whatever fails ends the program, and says what. */
#ifndef MQGATE_BENCH_ENDS_H
#define MQGATE_BENCH_ENDS_H

#include <stdint.h>

#include "base/addr.h"

enum { EVENTS = 256, PIECE_LEN = 65536 };
enum { MESSAGE_TEXT = 5 }; /* where the payload of a message shorter than 130 bytes begins */

_Noreturn void die(const char *what);
uint64_t       now_ns(void);
void           say(const char *text); /* a line that whoever measures waits for */
/* Not blocking. */
int listen_at(const struct addr *at);
/* Level-triggered. */
void watch(int epoll, int fd, uint32_t events, void *who);
/* As many descriptors as this process may have. */
void raise_limit(void);
/* A PUBLISH of QoS 0 to "t", len bytes in all: at least 6. */
void publish(unsigned char *to, size_t len);

#endif
