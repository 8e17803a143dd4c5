#include "report/tally.h"

#include <stdio.h>

#include "proto/mqtt.h"

const char *const tally_labels[TALLY_GROUPS][TALLY_LABELS] = {
    [TALLY_PACKETS] = {"direction", "type"},
    [TALLY_PUBLISHES] = {"direction", "qos"},
    [TALLY_SESSIONS] = {"version"},
    [TALLY_CONNECTS] = {"version"},
    [TALLY_CONNACKS] = {"version", "code", "reason"},
    [TALLY_DISCONNECTS] = {"sender", "code", "reason"},
    [TALLY_REFUSED] = {"reason"},
};

/* Who is told of which row. */
struct teller {
    const struct row *row;
    void (*fn)(void *user, const struct tally *tally);
    void *user;
};

static void tell(const struct teller *t, enum count which, struct tally tally)
{
    tally.n = row_sum(t->row, which);
    tally.is_kept = true;
    t->fn(t->user, &tally);
}

/* ---- packets ---- */

enum { CLIENT = 1, SERVER = 2 }; /* who sends a type */

static const unsigned char senders[MQTT_TYPES] = {
    [MQTT_CONNECT] = CLIENT,          [MQTT_CONNACK] = SERVER,
    [MQTT_PUBLISH] = CLIENT | SERVER, [MQTT_PUBACK] = CLIENT | SERVER,
    [MQTT_PUBREC] = CLIENT | SERVER,  [MQTT_PUBREL] = CLIENT | SERVER,
    [MQTT_PUBCOMP] = CLIENT | SERVER, [MQTT_SUBSCRIBE] = CLIENT,
    [MQTT_SUBACK] = SERVER,           [MQTT_UNSUBSCRIBE] = CLIENT,
    [MQTT_UNSUBACK] = SERVER,         [MQTT_PINGREQ] = CLIENT,
    [MQTT_PINGRESP] = SERVER,         [MQTT_DISCONNECT] = CLIENT | SERVER,
    [MQTT_AUTH] = CLIENT | SERVER,
};

static void tell_packets(const struct teller *t, const char *direction, enum count from, unsigned sender)
{
    for (unsigned type = 0; type < MQTT_TYPES; type++) {
        if (senders[type] & sender)
            tell(t, from + type, (struct tally){.value = {direction, mqtt_type_name((enum mqtt_type)type)}});
    }
}

static void tell_publishes(const struct teller *t, const char *direction, enum count from)
{
    static const char *const qos[MQTT_QOS] = {"0", "1", "2"};
    for (unsigned i = 0; i < MQTT_QOS; i++)
        tell(t, from + i, (struct tally){.value = {direction, qos[i]}});
}

/* ---- versions ---- */

static void tell_sessions(const struct teller *t)
{
    for (unsigned i = 0; i < MQTT_VERSIONS; i++) {
        const struct tally tally = {.value = {mqtt_version_name(MQTT_3_1 + i)},
                                    .n = row_open(t->row, COUNT_MQTT_SESSIONS + i, COUNT_MQTT_CLOSED + i),
                                    .is_kept = true};
        t->fn(t->user, &tally);
    }
}

static void tell_connects(const struct teller *t)
{
    for (unsigned i = 0; i < MQTT_VERSIONS; i++)
        tell(t, COUNT_MQTT_SESSIONS + i, (struct tally){.value = {mqtt_version_name(MQTT_3_1 + i)}});
}

/* ---- codes ---- */

/* What count_return() and count_reason() made of a code, back again; -1: the number that codes share. */
static int return_code(unsigned at)
{
    return at < MQTT_RETURNS - 1 ? (int)at : -1;
}

static int reason_code(unsigned at)
{
    if (at < 2)
        return at == 0 ? 0 : 4;
    return at < MQTT_REASONS - 1 ? (int)at - 2 + 0x80 : -1;
}

/* Success is told of from the beginning, other codes once there was one; clearing makes none of them vanish. */
static void tell_code(const struct teller *t, enum count which, const char *of, int code, const char *name)
{
    char         text[8] = "other";
    uint64_t     ever = row_ever(t->row, which);
    struct tally tally = {.value = {of, text, code < 0 ? "other" : name}, .code = code};
    if (code >= 0)
        (void)snprintf(text, sizeof text, "0x%02X", (unsigned)code);
    tally.n = ever - t->row->cleared[which];
    tally.is_kept = ever > 0 || code == 0;
    t->fn(t->user, &tally);
}

static void tell_connacks(const struct teller *t)
{
    for (unsigned i = 0; i < MQTT_RETURNS; i++)
        tell_code(t, COUNT_MQTT_CONNACK_3 + i, "3.x", return_code(i), mqtt_return_name((uint8_t)return_code(i)));
    for (unsigned i = 0; i < MQTT_REASONS; i++)
        tell_code(t, COUNT_MQTT_CONNACK_5 + i, "5", reason_code(i), mqtt_reason_name((uint8_t)reason_code(i)));
}

static void tell_disconnects(const struct teller *t, const char *sender, enum count from)
{
    for (unsigned i = 0; i < MQTT_REASONS; i++) {
        int code = reason_code(i);
        tell_code(t, from + i, sender, code, code == 0 ? "Normal disconnection" : mqtt_reason_name((uint8_t)code));
    }
}

/* ---- refusals ---- */

static void tell_refused(const struct teller *t)
{
    static const struct {
        const char *reason;
        enum count  which;
    } all[] = {{"pace", COUNT_REFUSED_PACE},
               {"not_mqtt", COUNT_REFUSED_NOT_MQTT},
               {"version", COUNT_REFUSED_VERSION},
               {"malformed", COUNT_REFUSED_MALFORMED},
               {"too_large", COUNT_REFUSED_TOO_LARGE},
               {"client_id", COUNT_REFUSED_CLIENT_ID},
               {"http", COUNT_REFUSED_HTTP}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        tell(t, all[i].which, (struct tally){.value = {all[i].reason}});
}

/* ---- all of them ---- */

void tally_each(const struct row *row, enum tally_group group, void (*fn)(void *user, const struct tally *tally),
                void *user)
{
    const struct teller t = {.row = row, .fn = fn, .user = user};
    switch (group) {
    case TALLY_PACKETS:
        tell_packets(&t, "in", COUNT_MQTT_UP, CLIENT);
        tell_packets(&t, "out", COUNT_MQTT_DOWN, SERVER);
        break;
    case TALLY_PUBLISHES:
        tell_publishes(&t, "in", COUNT_MQTT_PUBLISH_UP);
        tell_publishes(&t, "out", COUNT_MQTT_PUBLISH_DOWN);
        break;
    case TALLY_SESSIONS:
        tell_sessions(&t);
        break;
    case TALLY_CONNECTS:
        tell_connects(&t);
        break;
    case TALLY_CONNACKS:
        tell_connacks(&t);
        break;
    case TALLY_DISCONNECTS:
        tell_disconnects(&t, "client", COUNT_MQTT_DISCONNECT_UP);
        tell_disconnects(&t, "server", COUNT_MQTT_DISCONNECT_DOWN);
        tell_disconnects(&t, "gate", COUNT_MQTT_DISCONNECT_GATE);
        break;
    case TALLY_REFUSED:
        tell_refused(&t);
        break;
    case TALLY_GROUPS:
        break;
    }
}

uint64_t tally_sum(const struct row *row, enum count from, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += row_sum(row, from + i);
    return sum;
}

bool tally_is_mqtt(const struct view *view, const struct line *line)
{
    if (line->listener != NULL)
        return line->listener->conf->protocol != PROTOCOL_TCP;
    for (size_t i = 0; line->backend != NULL && i < view->snap->conf->n_listeners; i++) {
        const struct snap_listener *l = &view->snap->listeners[i];
        if (l->conf->protocol != PROTOCOL_TCP && snap_listener_leads_to(l, line->backend))
            return true;
    }
    return false;
}
