/* base/siphash.h: SipHash-2-4, a hash whose results nobody can foresee who does not know the key. */
#ifndef MQGATE_BASE_SIPHASH_H
#define MQGATE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_BYTES = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const uint8_t *bytes, size_t len);

#endif
