#include "base/siphash.h"

struct lanes {
    uint64_t a, b, c, d;
};

static uint64_t little_endian(const uint8_t *bytes, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void rounds(struct lanes *v, int n)
{
    while (n-- > 0) {
        v->a += v->b;
        v->c += v->d;
        v->b = rotate(v->b, 13) ^ v->a;
        v->d = rotate(v->d, 16) ^ v->c;
        v->a = rotate(v->a, 32) + v->d;
        v->c += v->b;
        v->d = rotate(v->d, 21) ^ v->a;
        v->b = rotate(v->b, 17) ^ v->c;
        v->c = rotate(v->c, 32);
    }
}

static void absorb(struct lanes *v, uint64_t word)
{
    v->d ^= word;
    rounds(v, 2);
    v->a ^= word;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const uint8_t *bytes, size_t len)
{
    const uint64_t left = little_endian(key, 8), right = little_endian(key + 8, 8);
    /* "somepseudorandomlygeneratedbytes" */
    struct lanes v = {left ^ 0x736f6d6570736575, right ^ 0x646f72616e646f6d, left ^ 0x6c7967656e657261,
                      right ^ 0x7465646279746573};
    size_t       i = 0;
    for (; len - i >= 8; i += 8)
        absorb(&v, little_endian(bytes + i, 8));
    absorb(&v, (uint64_t)(len & 0xff) << 56 | little_endian(bytes + i, len - i));
    v.c ^= 0xff;
    rounds(&v, 4);
    return v.a ^ v.b ^ v.c ^ v.d;
}
