#include "ctl/meter.h"

#include <stdlib.h>

/* Without memory a key is not kept and its rate stays 0. */
#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(object) ((object)->len = 0)
#include <uthash.h>

struct meter_entry {
    UT_hash_handle hh;
    uint64_t       in, out, turn;
    size_t         len; /* of the key */
    uint8_t        key[];
};

void meter_begin(struct meter *meter, uint64_t now_ms)
{
    meter->before_ms = meter->at_ms;
    meter->at_ms = now_ms;
    meter->turn++;
}

static void keep(struct meter *meter, struct slice key, uint64_t in, uint64_t out)
{
    struct meter_entry *entry = key.len > 0 ? malloc(sizeof *entry + key.len) : NULL;
    if (entry == NULL)
        return;
    *entry = (struct meter_entry){.in = in, .out = out, .turn = meter->turn, .len = key.len};
    memcpy(entry->key, key.ptr, key.len);
    HASH_ADD_KEYPTR(hh, meter->entries, entry->key, entry->len, entry);
    if (entry->len == 0)
        free(entry);
}

static uint64_t rate(uint64_t now, uint64_t before, uint64_t ms)
{
    uint64_t grown = now > before ? now - before : 0;
    return grown < UINT64_MAX / 1000 ? grown * 1000 / ms : grown / ms * 1000;
}

struct meter_rates meter_read(struct meter *meter, struct slice key, uint64_t in, uint64_t out)
{
    struct meter_entry *entry = NULL;
    struct meter_rates  rates = {.in = 0};
    HASH_FIND(hh, meter->entries, key.ptr, key.len, entry);
    if (entry == NULL) {
        keep(meter, key, in, out);
        return rates;
    }
    if (entry->turn + 1 == meter->turn && meter->at_ms > meter->before_ms) {
        uint64_t ms = meter->at_ms - meter->before_ms;
        rates = (struct meter_rates){.in = rate(in, entry->in, ms), .out = rate(out, entry->out, ms)};
    }
    entry->in = in;
    entry->out = out;
    entry->turn = meter->turn;
    return rates;
}

static void forget(struct meter *meter, bool all)
{
    for (struct meter_entry *entry = meter->entries, *next; entry != NULL; entry = next) {
        next = entry->hh.next;
        if (!all && entry->turn == meter->turn)
            continue;
        HASH_DEL(meter->entries, entry); /* NOLINT(clang-analyzer-unix.Malloc): it takes equal pointers for others */
        free(entry);
    }
}

void meter_end(struct meter *meter)
{
    forget(meter, false);
}

void meter_fini(struct meter *meter)
{
    forget(meter, true);
    *meter = (struct meter){.entries = NULL};
}
