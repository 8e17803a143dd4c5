#include "dns/answer.h"

struct addr answer_choose(const struct addr *in_use, const struct addr *all, size_t n)
{
    struct addr chosen = {.sa.sa_family = AF_UNSPEC};
    for (size_t i = 0; i < n; i++) {
        if (addr_same_ip(in_use, &all[i]))
            return all[i];
        if (!addr_is_set(&chosen) || (chosen.sa.sa_family == AF_INET6 && all[i].sa.sa_family == AF_INET))
            chosen = all[i];
    }
    return chosen;
}

bool standing_note(struct standing *s, enum answer answer, uint64_t now_ms, uint32_t hold_ms)
{
    s->bad = answer != ANSWER_GOOD;
    if (answer == ANSWER_GOOD)
        s->none_since_ms = 0;
    if (answer != ANSWER_NONE)
        return false;
    if (s->none_since_ms == 0)
        s->none_since_ms = now_ms;
    return now_ms - s->none_since_ms >= hold_ms;
}

uint32_t answer_wait_ms(enum answer answer, uint32_t ttl_s, uint32_t hold_ms)
{
    uint64_t ttl_ms = (uint64_t)ttl_s * 1000;
    if (answer != ANSWER_GOOD || ttl_ms < ANSWER_ASK_MIN_MS)
        return ANSWER_ASK_MIN_MS;
    return ttl_ms < hold_ms ? (uint32_t)ttl_ms : hold_ms;
}
