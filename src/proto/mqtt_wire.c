#include "proto/mqtt_wire.h"

#include "base/macros.h"
#include "base/utf8.h"

enum { VARINT_BYTES_MAX = 4 };

enum kind { KIND_BOOL, KIND_U16, KIND_U32, KIND_STRING, KIND_BINARY, KIND_PAIR };

enum { CONNECT = MQTT_PLACE_CONNECT, WILL = MQTT_PLACE_WILL, CONNACK = MQTT_PLACE_CONNACK };

/* By identifier; those that stand in none of our places are left out. */
static const struct property {
    uint8_t   id;
    enum kind kind;
    unsigned  places;
} known[] = {
    {0x01, KIND_BOOL, WILL},             /* Payload Format Indicator */
    {0x02, KIND_U32, WILL},              /* Message Expiry Interval */
    {0x03, KIND_STRING, WILL},           /* Content Type */
    {0x08, KIND_STRING, WILL},           /* Response Topic */
    {0x09, KIND_BINARY, WILL},           /* Correlation Data */
    {0x11, KIND_U32, CONNECT | CONNACK}, /* Session Expiry Interval */
    {0x12, KIND_STRING, CONNACK},        /* Assigned Client Identifier */
    {MQTT_ID_SERVER_KEEP_ALIVE, KIND_U16, CONNACK},
    {MQTT_ID_AUTHENTICATION_METHOD, KIND_STRING, CONNECT | CONNACK},
    {MQTT_ID_AUTHENTICATION_DATA, KIND_BINARY, CONNECT | CONNACK},
    {0x17, KIND_BOOL, CONNECT},   /* Request Problem Information */
    {0x18, KIND_U32, WILL},       /* Will Delay Interval */
    {0x19, KIND_BOOL, CONNECT},   /* Request Response Information */
    {0x1A, KIND_STRING, CONNACK}, /* Response Information */
    {MQTT_ID_SERVER_REFERENCE, KIND_STRING, CONNACK},
    {MQTT_ID_REASON_STRING, KIND_STRING, CONNACK},
    {MQTT_ID_RECEIVE_MAXIMUM, KIND_U16, CONNECT | CONNACK},
    {0x22, KIND_U16, CONNECT | CONNACK}, /* Topic Alias Maximum */
    {0x24, KIND_BOOL, CONNACK},          /* Maximum QoS */
    {0x25, KIND_BOOL, CONNACK},          /* Retain Available */
    {MQTT_ID_USER_PROPERTY, KIND_PAIR, CONNECT | WILL | CONNACK},
    {MQTT_ID_MAXIMUM_PACKET_SIZE, KIND_U32, CONNECT | CONNACK},
    {0x28, KIND_BOOL, CONNACK}, /* Wildcard Subscription Available */
    {0x29, KIND_BOOL, CONNACK}, /* Subscription Identifiers Available */
    {0x2A, KIND_BOOL, CONNACK}, /* Shared Subscription Available */
};

uint32_t mqtt_read_varint(struct reader *r, bool *padded)
{
    uint32_t value = 0;
    uint8_t  byte = 0x80;
    for (unsigned n = 0; (byte & 0x80) != 0 && reader_ok(r); n++) {
        byte = reader_u8(r);
        reader_require(r, n + 1 < VARINT_BYTES_MAX || (byte & 0x80) == 0);
        value |= (uint32_t)(byte & 0x7F) << (7 * n);
        if (padded != NULL)
            *padded = n > 0 && byte == 0;
    }
    return value;
}

struct slice mqtt_read_binary(struct reader *r)
{
    return reader_take(r, reader_u16(r));
}

struct slice mqtt_read_string(struct reader *r)
{
    struct slice text = mqtt_read_binary(r);
    reader_require(r, utf8_is_text(text));
    return text;
}

/* Its number where the kind is one. */
static uint32_t read_value(struct reader *r, enum kind kind)
{
    uint32_t number = 0;
    switch (kind) {
    case KIND_BOOL:
        number = reader_u8(r);
        reader_require(r, number <= 1);
        break;
    case KIND_U16:
        number = reader_u16(r);
        break;
    case KIND_U32:
        number = reader_u32(r);
        break;
    case KIND_BINARY:
        (void)mqtt_read_binary(r);
        break;
    case KIND_PAIR:
        (void)mqtt_read_string(r);
        (void)mqtt_read_string(r);
        break;
    case KIND_STRING:
        (void)mqtt_read_string(r);
        break;
    }
    return number;
}

static const struct property *find_property(uint8_t id, enum mqtt_place place)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].id == id && (known[i].places & place) != 0)
            return &known[i];
    }
    return NULL;
}

struct mqtt_shape mqtt_property_shape(uint8_t id, enum mqtt_place place)
{
    static const struct mqtt_shape shapes[] = {
        [KIND_BOOL] = {.fixed = 1},     [KIND_U16] = {.fixed = 2},      [KIND_U32] = {.fixed = 4},
        [KIND_STRING] = {.strings = 1}, [KIND_BINARY] = {.strings = 1}, [KIND_PAIR] = {.strings = 2},
    };
    const struct property *property = find_property(id, place);
    return property != NULL ? shapes[property->kind] : (struct mqtt_shape){0};
}

static bool was_seen(const struct mqtt_properties *properties, unsigned id)
{
    return (properties->seen >> id & 1) != 0;
}

/* Identifiers are variable byte integers too, but all that exist fit one byte. */
static void read_property(struct reader *r, enum mqtt_place place, struct mqtt_properties *out)
{
    uint8_t                id = reader_u8(r);
    const struct property *property = find_property(id, place);
    reader_require(r, property != NULL && (id == MQTT_ID_USER_PROPERTY || !was_seen(out, id)));
    if (!reader_ok(r))
        return;
    uint32_t number = read_value(r, property->kind);
    reader_require(r, number != 0 || (id != MQTT_ID_RECEIVE_MAXIMUM && id != MQTT_ID_MAXIMUM_PACKET_SIZE));
    if (id == MQTT_ID_SERVER_KEEP_ALIVE)
        out->server_keep_alive_s = (uint16_t)number;
    if (id == MQTT_ID_MAXIMUM_PACKET_SIZE)
        out->maximum_packet_size = number;
    out->seen |= UINT64_C(1) << id;
}

void mqtt_read_properties(struct reader *r, enum mqtt_place place, struct mqtt_properties *out)
{
    bool     padded = false;
    uint32_t len = mqtt_read_varint(r, &padded);
    reader_require(r, !padded);
    struct reader inner = reader_enter(r, len);
    *out = (struct mqtt_properties){0};
    while (reader_goes_on(&inner))
        read_property(&inner, place, out);
    /* Section 3.1.2.11.10. */
    reader_require(&inner, !was_seen(out, MQTT_ID_AUTHENTICATION_DATA) || was_seen(out, MQTT_ID_AUTHENTICATION_METHOD));
    reader_leave(r, &inner);
}

bool mqtt_has_server_keep_alive(const struct mqtt_properties *properties)
{
    return was_seen(properties, MQTT_ID_SERVER_KEEP_ALIVE);
}
