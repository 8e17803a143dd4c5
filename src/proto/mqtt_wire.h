/* proto/mqtt_wire.h: the data types and properties of MQTT packets. Inside proto/mqtt*.c only. */
#ifndef MQGATE_PROTO_MQTT_WIRE_H
#define MQGATE_PROTO_MQTT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/reader.h"

/* Section 1.5.5: a number in one to four bytes, the lowest seven bits first. *padded, which may be NULL: fewer bytes
 * would have done. */
uint32_t mqtt_read_varint(struct reader *r, bool *padded);
/* Sections 1.5.4 and 1.5.6: 16 bits of length and as many bytes; a string must be UTF-8 without U+0000. */
struct slice mqtt_read_string(struct reader *r);
struct slice mqtt_read_binary(struct reader *r);

/* Where properties stand decides which are allowed, section 2.2.2.2. Bits. */
enum mqtt_place { MQTT_PLACE_CONNECT = 1, MQTT_PLACE_WILL = 2, MQTT_PLACE_CONNACK = 4 };

struct mqtt_properties {
    uint64_t seen; /* bit n: the property with identifier n */
    uint16_t server_keep_alive_s;
};

/* The length, then all properties. */
void mqtt_read_properties(struct reader *r, enum mqtt_place place, struct mqtt_properties *out);

bool mqtt_has_server_keep_alive(const struct mqtt_properties *properties);

#endif
