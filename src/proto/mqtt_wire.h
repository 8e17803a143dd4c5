/* proto/mqtt_wire.h: the data types and properties of MQTT packets. Inside proto/mqtt*.c only. */
#ifndef MQGATE_PROTO_MQTT_WIRE_H
#define MQGATE_PROTO_MQTT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/mqtt.h"
#include "proto/reader.h"

/* A packet's first byte by the rules of a version: 3.1 fixes the flags of PUBLISH only. */
bool mqtt_first_is_good(enum mqtt_version version, uint8_t first);

/* Section 1.5.5: a number in one to four bytes, the lowest seven bits first. *padded, which may be NULL: fewer bytes
 * would have done. */
uint32_t mqtt_read_varint(struct reader *r, bool *padded);
/* Sections 1.5.4 and 1.5.6: 16 bits of length and as many bytes; a string must be UTF-8 without U+0000. */
struct slice mqtt_read_string(struct reader *r);
struct slice mqtt_read_binary(struct reader *r);

/* Where properties stand decides which are allowed, section 2.2.2.2. Bits. */
enum mqtt_place { MQTT_PLACE_CONNECT = 1, MQTT_PLACE_WILL = 2, MQTT_PLACE_CONNACK = 4 };

enum mqtt_id { /* identifiers that a rule speaks of, section 2.2.2.2 */
               MQTT_ID_SERVER_KEEP_ALIVE = 0x13,
               MQTT_ID_AUTHENTICATION_METHOD = 0x15,
               MQTT_ID_AUTHENTICATION_DATA = 0x16,
               MQTT_ID_SERVER_REFERENCE = 0x1C,
               MQTT_ID_REASON_STRING = 0x1F,
               MQTT_ID_RECEIVE_MAXIMUM = 0x21,
               MQTT_ID_USER_PROPERTY = 0x26,
               MQTT_ID_MAXIMUM_PACKET_SIZE = 0x27
};

/* How the value of a property lies: so many bytes, or so many times 16 bits of length and as many bytes. Both 0: no
 * such property in this place. */
struct mqtt_shape {
    uint8_t fixed, strings;
};

struct mqtt_shape mqtt_property_shape(uint8_t id, enum mqtt_place place);

struct mqtt_properties {
    uint64_t seen; /* bit n: the property with identifier n */
    uint16_t server_keep_alive_s;
    uint32_t maximum_packet_size;
};

/* The length, then all properties. */
void mqtt_read_properties(struct reader *r, enum mqtt_place place, struct mqtt_properties *out);

bool mqtt_has_server_keep_alive(const struct mqtt_properties *properties);

#endif
