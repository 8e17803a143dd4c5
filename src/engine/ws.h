/* engine/ws.h: a session whose MQTT lies in WebSocket frames. Private to engine/. */
#ifndef MQGATE_ENGINE_WS_H
#define MQGATE_ENGINE_WS_H

#include "engine/session.h"
#include "proto/ws_frames.h"
#include "proto/ws_head.h"

/* Until the server has answered. */
struct ws_opening {
    struct ws_frames frames;  /* of the client, as far as the CONNECT is looked for */
    uint32_t         fed;     /* bytes in hand that went through them */
    struct buf      *packet;  /* MQTT from inside them; NULL: none yet; owned */
    struct buf      *request; /* the head for the server; owned */
    uint32_t         sent;    /* of it, to the server that is tried */
    struct slice     subprotocol;
    char             accept[WS_ACCEPT_LEN + 1];
};

/* Of a client that has been told 101. */
struct ws_facts {
    struct ws_frames   frames[2]; /* in ST_RELAY, by direction */
    struct ws_opening *opening;   /* NULL: it is over; owned */
    enum ws_close      fault;     /* what is wrong with the client's frames; WS_CLOSE_NONE: nothing */
    bool               cut;       /* a frame from the server is not relayed whole */
};

/* The client's bytes in hand up to the next piece of MQTT, which goes to opening->packet: what stands behind a CONNECT
 * does not decide about it. STEP_WAIT: there is no more in hand. */
enum step ws_unwrap(struct session *s);
/* The listener's own text of a subprotocol; nothing where it has no such. */
struct slice ws_lasting_subprotocol(const struct session *s, struct slice subprotocol);
/* The server has answered, or the session is over. */
void ws_opening_done(struct session *s);

#endif
