/* engine/mqtt.h: what a session knows of its client in MQTT's own terms, and what a client that is not let in hears.
 * Private to engine/. */
#ifndef MQGATE_ENGINE_MQTT_H
#define MQGATE_ENGINE_MQTT_H

#include "engine/session.h"
#include "proto/mqtt.h"
#include "proto/mqtt_follow.h"

enum { MQTT_NAME_SHOWN = 256 }; /* bytes of a client identifier or user name that are kept to be shown */

/* Of a CONNECT that was let in. */
struct mqtt_facts {
    struct mqtt_follow follow[2];
    enum mqtt_version  version;
    bool               clean;
    bool               has_connack;  /* the server has answered, */
    uint8_t            connack;      /* with this code */
    bool               disconnected; /* the server has sent a DISCONNECT */
    bool               leaves;       /* the client has */
    bool               loose;        /* it stopped being MQTT: relayed without being looked at */
    uint16_t           keep_alive_s; /* in force: the server's, where its CONNACK has one */
    uint32_t           silence_ms;   /* how long the client may be silent; 0: any time */
    uint32_t           connect_left; /* bytes of the CONNECT that have not been relayed */
    char              *user;         /* in names; NULL: none, or none to be shown */
    char               client_id[];  /* the beginning of it; then the user's */
};

/* The client hears why in a CONNACK of this version, and in a close frame where it speaks WebSocket; version 0: there
 * is no CONNACK for it. Then the session lingers; where there is nothing to be said it is closed. */
enum step session_refuse(struct session *s, enum why why, enum mqtt_version version);

/* intake.c: the same, without waiting for anything: in the version of the CONNECT, if that has arrived whole. */
enum step intake_refuse(struct session *s, enum why why);

/* refuse.c: puts what tells why s ends behind what waits for the client, if that is between two packets: a DISCONNECT
 * if it is one of MQTT 5, a CONNACK if it has none yet. False when memory is out. */
bool refuse_farewell(struct session *s) MUST_CHECK;
/* drain.clean_will is for s, whose why is settled, and the server has not been told that the client ended. */
bool refuse_cleans_will(const struct session *s) MUST_CHECK;
/* Then puts a DISCONNECT in the client's name behind what waits for the server, if that is between two packets. False
 * when memory is out. */
bool refuse_clean_will(struct session *s) MUST_CHECK;

/* follow.c. Of a session without MQTT they do nothing. */
/* s has a server now. False when memory is out. */
bool follow_begin(struct session *s) MUST_CHECK;
/* In ST_RELAY, before anything else: what came while s waited for the server, and with the server's answer. */
void follow_what_waited(struct session *s);
/* The last n bytes in the direction's buffer are new. Only what is still MQTT stays there, and the buffer only if
 * something does; when the stream has stopped being MQTT the session is to end. */
void follow_received(struct session *s, enum direction dir, size_t n);
/* Bytes, at most BUF_CAPACITY, that certainly belong to the packet or frame that this direction is in; 0: it is in
 * none. */
size_t follow_to_boundary(const struct session *s, enum direction dir) MUST_CHECK;

#endif
