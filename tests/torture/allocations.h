/* tests/torture/allocations.h: malloc() and its kin as the libraries under test see them (ld --wrap): counted, and
 * failing on demand. What libc, OpenSSL and others allocate for themselves passes by. One thread only. */
#ifndef MQGATE_TORTURE_ALLOCATIONS_H
#define MQGATE_TORTURE_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the n-th allocation fails, and with `on` all behind it too; 0: none does. */
void allocations_fail_at(unsigned long n, bool on);
/* An allocation was made to fail since allocations_fail_at(). */
bool allocations_have_failed(void);
/* Allocated and not freed. */
size_t allocations_live(void);

#endif
