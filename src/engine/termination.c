/* HAProxy's two letters for the end of a session: who ended it, and in which phase. */
#include <errno.h>

#include "engine/session.h"

/* C the client, c its timeout; S the server, s its timeout; P the proxy by its rules, R for want of resources, K on the
 * operator's word. */
static const char causes[WHY_COUNT] = {
    [WHY_CLIENT_CLOSED] = 'C',
    [WHY_SERVER_CLOSED] = 'S',
    [WHY_CLIENT_RESET] = 'C',
    [WHY_SERVER_RESET] = 'S',
    [WHY_CLIENT_TLS] = 'C',
    [WHY_SERVER_TLS] = 'S',
    [WHY_CLIENT_NOT_MQTT] = 'P',
    [WHY_SERVER_NOT_MQTT] = 'P',
    [WHY_MAX_AGE] = 'K',
    [WHY_DRAIN] = 'K',
    [WHY_SHED] = 'K',
    [WHY_KEEP_ALIVE] = 'c',
    [WHY_IDLE] = 'c',
    [WHY_HALF_CLOSED] = 'c',
    [WHY_DENIED] = 'P',
    [WHY_SOURCE_LIMIT] = 'P',
    [WHY_PROXY_UNTRUSTED] = 'P',
    [WHY_PROXY_BAD] = 'P',
    [WHY_PROXY_TIMEOUT] = 'c',
    [WHY_RATE_LIMIT] = 'P',
    [WHY_HANDSHAKE_FAILED] = 'P',
    [WHY_HANDSHAKE_TIMEOUT] = 'c',
    [WHY_CONNECT_PACKET_TIMEOUT] = 'c',
    [WHY_NOT_TOLD] = 'P',
    [WHY_NOT_MQTT] = 'P',
    [WHY_NOT_WEBSOCKET] = 'P',
    [WHY_VERSION] = 'P',
    [WHY_MALFORMED] = 'P',
    [WHY_TOO_LARGE] = 'P',
    [WHY_CLIENT_ID] = 'P',
    [WHY_NO_SERVER] = 'S',
    [WHY_QUEUE_TIMEOUT] = 's',
    [WHY_CONNECT_FAILED] = 'S',
    [WHY_UPGRADE_REFUSED] = 'S',
    [WHY_SERVER_HANDSHAKE_FAILED] = 'S',
    [WHY_SHUTDOWN] = 'K',
    [WHY_UPGRADE] = 'K',
    [WHY_KILLED] = 'K',
    [WHY_NO_MEMORY] = 'R',
    [WHY_HANDED_OVER] = 'P',
};

/* R the client's first words are awaited, Q in the queue, C on the way to a server, D data flows. */
static const char phases[ST_COUNT] = {
    [ST_TELL] = 'R',      [ST_UPGRADE] = 'R',          [ST_ANSWER] = 'R',       [ST_SERVER_HEAD] = 'C',
    [ST_LINGER] = '-',    [ST_TURN_AGAIN] = 'C',       [ST_PROXY_HEADER] = 'R', [ST_TURN] = 'R',
    [ST_HANDSHAKE] = 'R', [ST_CONNECT_PACKET] = 'R',   [ST_PICK] = 'C',         [ST_QUEUE] = 'Q',
    [ST_PAUSE] = 'C',     [ST_CONNECT] = 'C',          [ST_GREET] = 'C',        [ST_RELAY] = 'D',
    [ST_CLOSED] = '-',    [ST_SERVER_HANDSHAKE] = 'C', [ST_OFFER] = 'C',
};

/* Nobody refused: the server was too slow, or this side had no port, descriptor or memory left to ask it. */
static char connect_cause(int error)
{
    switch (error) {
    case ETIMEDOUT:
        return 's';
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return 'R';
    default:
        return causes[WHY_CONNECT_FAILED];
    }
}

static char cause(const struct session *s)
{
    if (s->why == WHY_CONNECT_FAILED)
        return connect_cause(s->error);
    if (s->why == WHY_HALF_CLOSED && s->flow[UP].eof)
        return 's'; /* the client had ended: it is the server that did not */
    return causes[s->why];
}

static char phase(const struct session *s)
{
    if (s->why == WHY_KILLED && s->ended_in == ST_RELAY)
        return '-'; /* as HAProxy has it for "shutdown session" */
    return phases[s->ended_in];
}

const char *termination_code(const struct session *s, char out[3])
{
    out[0] = out[1] = '-';
    out[2] = '\0';
    if (s->ended_in == ST_RELAY && (s->why == WHY_CLIENT_CLOSED || s->why == WHY_SERVER_CLOSED))
        return out;
    out[0] = cause(s);
    out[1] = phase(s);
    return out;
}
