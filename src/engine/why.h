/* engine/why.h: every way in which a session can end. Together with the state it ended in, it says who and when. */
#ifndef MQGATE_ENGINE_WHY_H
#define MQGATE_ENGINE_WHY_H

#include <stdbool.h>

enum why {
    WHY_CLIENT_CLOSED, /* the client ended in order, the server after it */
    WHY_SERVER_CLOSED,
    WHY_CLIENT_RESET, /* or its host vanished (TCP_USER_TIMEOUT, keep-alive) */
    WHY_SERVER_RESET,
    WHY_CLIENT_TLS, /* the client broke the TLS protocol after the handshake */
    WHY_SERVER_TLS,
    WHY_CLIENT_NOT_MQTT, /* what it sent after its CONNECT */
    WHY_SERVER_NOT_MQTT,
    WHY_MAX_AGE,         /* asked to reconnect: by max_age, */
    WHY_DRAIN,           /* as the process is drained, */
    WHY_SHED,            /* by an operator */
    WHY_KEEP_ALIVE,      /* the client was silent for longer than its keep-alive allows */
    WHY_IDLE,            /* timeouts.idle */
    WHY_HALF_CLOSED,     /* timeouts.half_closed */
    WHY_DENIED,          /* by allow and deny, once the PROXY header told who it is */
    WHY_SOURCE_LIMIT,    /* by per_source, once the PROXY header told who it is */
    WHY_PROXY_UNTRUSTED, /* a PROXY header is due or came, and not from proxy_from */
    WHY_PROXY_BAD,
    WHY_PROXY_TIMEOUT,
    WHY_RATE_LIMIT, /* of the listener; its turn did not come within timeouts.queue */
    WHY_HANDSHAKE_FAILED,
    WHY_HANDSHAKE_TIMEOUT,
    WHY_CONNECT_PACKET_TIMEOUT, /* timeouts.connect_packet */
    WHY_NOT_TOLD,               /* what came is nothing that is taken here, told by its first bytes */
    WHY_NOT_MQTT,               /* what came is no CONNECT */
    WHY_NOT_WEBSOCKET,          /* an HTTP head that is no upgrade to MQTT, or bytes that are no frames */
    WHY_VERSION,                /* a version of MQTT that is unknown, or not served */
    WHY_MALFORMED,              /* a CONNECT that breaks the specification */
    WHY_TOO_LARGE,              /* mqtt.max_connect_size */
    WHY_CLIENT_ID,              /* none, where one is due */
    WHY_NO_SERVER,              /* none is up */
    WHY_QUEUE_TIMEOUT,
    WHY_CONNECT_FAILED,  /* tries ran out */
    WHY_UPGRADE_REFUSED, /* the same, by servers that do not answer as WebSocket wants it */
    WHY_SERVER_HANDSHAKE_FAILED,
    WHY_SHUTDOWN, /* the process ends */
    WHY_UPGRADE,  /* it could not be carried over to the next process */
    WHY_KILLED,   /* by an operator */
    WHY_NO_MEMORY,
    WHY_HANDED_OVER, /* plain HTTP, to the admin endpoints; no end for the client */
    WHY_COUNT
};

extern const char *const why_names[WHY_COUNT];

/* An end that nobody needs to look at: log.access = "errors" leaves it out. */
bool why_is_normal(enum why why);
/* The client broke it off, in one way or the other; likewise the server. */
bool why_is_client_abort(enum why why);
bool why_is_server_abort(enum why why);
/* The client is to come back, here or elsewhere: nothing is wrong with it. */
bool why_asks_to_go(enum why why);

#endif
