#include "base/ct.h"

bool ct_equal(struct slice a, struct slice b)
{
    /* volatile: the compiler may not end the loop at the first difference. */
    volatile uint8_t differs = 0;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        differs = (uint8_t)(differs | (a.ptr[i] ^ b.ptr[i]));
    return differs == 0;
}
