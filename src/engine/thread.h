/* engine/thread.h: how every thread of the process begins. Who starts one is a room's own affair. */
#ifndef MQGATE_ENGINE_THREAD_H
#define MQGATE_ENGINE_THREAD_H

#include <pthread.h>

#include "base/macros.h"

enum { THREAD_NAME_MAX = 16 }; /* pthread_setname_np(3); the NUL included */

/* name is what ps(1) and top(1) show. Signals are the main thread's and blocked in this one, but for those of its own
 * faults. 0, or an errno. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg) MUST_CHECK;

#endif
