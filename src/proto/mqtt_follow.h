/* proto/mqtt_follow.h: one direction of an MQTT connection, followed packet by packet as its bytes go past.
 * No packet is kept: what is remembered is where in a packet the direction stands. */
#ifndef MQGATE_PROTO_MQTT_FOLLOW_H
#define MQGATE_PROTO_MQTT_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "proto/mqtt.h"

enum mqtt_from {
    MQTT_FROM_CLIENT, /* begins behind the CONNECT, which mqtt_parse_connect() has read */
    MQTT_FROM_SERVER  /* begins with its first byte */
};

/* What the next byte of a packet's body is. Only CONNACK and DISCONNECT are looked into. */
enum mqtt_look {
    MQTT_LOOK_NOWHERE,
    MQTT_LOOK_FLAGS,       /* of CONNACK */
    MQTT_LOOK_CODE,        /* of both */
    MQTT_LOOK_LENGTH,      /* of the properties of CONNACK, which end where it does */
    MQTT_LOOK_IDENTIFIER,  /* of a property */
    MQTT_LOOK_NUMBER_HIGH, /* Server Keep Alive, or the length of a string */
    MQTT_LOOK_NUMBER_LOW
};

/* All facts, nothing points anywhere. */
struct mqtt_follow {
    uint32_t          left;       /* bytes of the packet's body that are to come; 0 in a header and between packets */
    uint8_t           header[5];  /* of this packet, */
    uint8_t           header_len; /* as far as it is read; 0: between packets */
    uint8_t           code;       /* of this packet */
    uint8_t           strings;    /* of this property that are to come */
    uint16_t          skip;       /* bytes of this property that are to come and mean nothing here */
    uint16_t          number;     /* the last one read; Server Keep Alive, */
    bool              has_server_keep_alive : 1; /* when this packet has it */
    bool              greeted : 1;               /* the server has sent its CONNACK */
    enum mqtt_look    look : 8;
    enum mqtt_from    from : 8;
    enum mqtt_version version : 8;
};

void mqtt_follow_init(struct mqtt_follow *f, enum mqtt_from from, enum mqtt_version version);

/* Bytes where they lie, under the mask of a WebSocket frame (RFC 6455 section 5.3) or none. */
struct mqtt_bytes {
    struct slice in;
    uint8_t      mask[4]; /* byte i is in.ptr[i] ^ mask[(phase + i) % 4]; zeros when unmasked */
    uint8_t      phase;   /* 0..3 */
};

/* A packet that went by. */
struct mqtt_packet {
    enum mqtt_type type;
    uint8_t        qos;                   /* of PUBLISH, else 0 */
    uint32_t       size;                  /* bytes, the header included */
    bool           has_code;              /* CONNACK, and in 5 DISCONNECT */
    uint8_t        code;                  /* return code, in 5 reason code; 0 where a DISCONNECT leaves it out */
    bool           has_server_keep_alive; /* a CONNACK of 5 names one, section 3.2.2.3.14, */
    uint16_t       server_keep_alive_s;   /* this */
};

/* Follows `from`, the bytes behind those it was given before, which may be cut anywhere; what it took is gone from the
 * front of `from`. It looks at headers and at the few bytes that *out tells, unmasks nothing else, changes nothing.
 * OK: with the last byte taken the packet *out ends; call again with the rest. Each packet is told once. MORE: all is
 * taken, no packet ended. BAD: the first byte of what is left cannot be; asked again from that byte on it answers the
 * same.
 * Checked: type, flags and length of every packet: what the direction may send in this version, the shortest and, where
 * it is fixed, the exact length, the shortest form of the length in 5, CONNECT and CONNACK once, and a server's
 * CONNACK (in 5 after AUTHs) before all else. Anything else inside a packet is for its recipient to judge; so is what
 * follows a DISCONNECT or a CONNACK that refuses, it is followed as before. */
enum parse mqtt_follow_next(struct mqtt_follow *f, struct mqtt_bytes *from, struct mqtt_packet *out) MUST_CHECK;

/* All that was taken so far are whole packets: one may be put in here. */
bool mqtt_follow_at_boundary(const struct mqtt_follow *f);

#endif
