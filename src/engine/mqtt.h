/* engine/mqtt.h: what a session knows of its client in MQTT's own terms, and what a client that is not let in hears.
 * Private to engine/. */
#ifndef MQGATE_ENGINE_MQTT_H
#define MQGATE_ENGINE_MQTT_H

#include "engine/session.h"
#include "proto/mqtt.h"

enum { MQTT_NAME_SHOWN = 256 }; /* bytes of a client identifier or user name that are kept to be shown */

/* Of a CONNECT that was let in. */
struct mqtt_facts {
    enum mqtt_version version;
    bool              clean;
    bool              has_connack; /* the server has answered, */
    uint8_t           connack;     /* with this code */
    uint16_t          keep_alive_s;
    uint32_t          connect_len; /* bytes of the CONNECT, with which the client's stream begins */
    char             *user;        /* in names; NULL: none, or none to be shown */
    char              client_id[]; /* the beginning of it; then the user's */
};

/* The client's version of MQTT is known: it hears why in a CONNACK, the connection ends in order, and the session waits
 * a moment for the client to end it too, so that no reset overtakes the answer. Else it is closed. */
enum step session_refuse(struct session *s, enum why why, enum mqtt_version version);

#endif
