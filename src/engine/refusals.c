#include "engine/refusals.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "engine/worker.h"

static bool is_refusal(enum why why)
{
    switch (why) {
    case WHY_PROXY_BAD:
    case WHY_PROXY_UNTRUSTED:
    case WHY_HANDSHAKE_FAILED:
    case WHY_NOT_TOLD:
    case WHY_NOT_MQTT:
    case WHY_NOT_WEBSOCKET:
    case WHY_VERSION:
    case WHY_MALFORMED:
    case WHY_TOO_LARGE:
    case WHY_CLIENT_ID:
        return true;
    default:
        return false;
    }
}

void refusals_note(struct session *s)
{
    struct refusals *all = &s->worker->refusals;
    if (!is_refusal(s->why))
        return;
    struct refusal *r = &all->at[all->n++ % REFUSALS_KEPT];
    struct slice    said =
        s->flow[UP].buf != NULL ? buf_bytes(s->flow[UP].buf) : stream_first_bytes(&s->side[CLIENT].stream);
    r->number = all->n;
    r->wall_ms = clock_wall_ms();
    r->client = s->client;
    r->id = s->id;
    r->why = s->why;
    r->state = s->ended_in;
    r->n = (uint8_t)(said.len < REFUSAL_BYTES_MAX ? said.len : REFUSAL_BYTES_MAX);
    (void)snprintf(r->listener, sizeof r->listener, "%s", s->listener->conf->name);
    if (r->n > 0)
        memcpy(r->bytes, said.ptr, r->n);
}

/* Offset, sixteen bytes in hex, and the same as text. */
static void put_hex_line(const struct refusal *r, size_t from, struct text *out)
{
    enum { A_LINE = 16 };
    text_add(out, "    %05zu ", from);
    for (size_t i = from; i < from + A_LINE; i++) {
        if (i < r->n)
            text_add(out, " %02x", r->bytes[i]);
        else
            text_puts(out, "   ");
    }
    text_puts(out, "  ");
    for (size_t i = from; i < from + A_LINE && i < r->n; i++)
        text_add(out, "%c", r->bytes[i] >= ' ' && r->bytes[i] < 0x7F ? r->bytes[i] : '.');
    text_puts(out, "\n");
}

static void describe_one(const struct refusal *r, struct text *out)
{
    char      when[64] = "", client[ADDR_TEXT_MAX];
    time_t    sec = (time_t)(r->wall_ms / 1000);
    struct tm tm;
    if (localtime_r(&sec, &tm) != NULL)
        (void)strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S", &tm);
    text_add(out, " [%s.%03u] frontend %s: refused, %s in %s\n", when, (unsigned)(r->wall_ms % 1000), r->listener,
             why_names[r->why], session_state_names[r->state]);
    text_add(out, "  src %s, session %016" PRIx64 ", %u bytes kept\n", addr_format(&r->client, client), r->id, r->n);
    for (size_t at = 0; at < r->n; at += 16)
        put_hex_line(r, at, out);
}

void refusals_describe(const struct refusals *all, struct text *out)
{
    for (uint64_t i = 0; i < REFUSALS_KEPT && i < all->n; i++)
        describe_one(&all->at[(all->n - 1 - i) % REFUSALS_KEPT], out);
}
