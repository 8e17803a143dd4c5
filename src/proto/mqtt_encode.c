/* What the gate itself says in MQTT. */
#include "proto/mqtt.h"
#include "proto/mqtt_wire.h"
#include "proto/writer.h"

enum { CLIENT_ID_MAX = 23 }; /* bytes that every 3.1.1 server takes, [MQTT-3.1.3-5] */

/* Section 1.5.5, in the shortest form. */
static void put_varint(struct writer *w, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        writer_u8(w, (uint8_t)(value | 0x80));
    writer_u8(w, (uint8_t)value);
}

static size_t varint_size(size_t value)
{
    size_t n = 1;
    while ((value >>= 7) != 0)
        n++;
    return n;
}

/* A property whose value is a string. */
static void put_property(struct writer *w, enum mqtt_id id, struct slice text)
{
    writer_u8(w, (uint8_t)id);
    size_t begin = writer_begin16(w);
    writer_put(w, text);
    writer_end16(w, begin);
}

static size_t property_size(struct slice text)
{
    return 3 + text.len;
}

size_t mqtt_encode_connect(struct slice client_id, uint16_t keep_alive_s, uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    if (client_id.len > CLIENT_ID_MAX)
        return 0;
    writer_u8(&w, MQTT_CONNECT << 4);
    writer_u8(&w, (uint8_t)(12 + client_id.len)); /* name 6, level 1, flags 1, keep-alive 2, length 2 */
    writer_u16(&w, 4);
    writer_put(&w, slice_str("MQTT"));
    writer_u8(&w, MQTT_3_1_1);
    writer_u8(&w, 0x02); /* clean session */
    writer_u16(&w, keep_alive_s);
    writer_u16(&w, (uint16_t)client_id.len);
    writer_put(&w, client_id);
    return writer_len(&w);
}

size_t mqtt_encode_connack(enum mqtt_version version, uint8_t code, struct slice reason, struct slice server_reference,
                           uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    bool          is_5 = version == MQTT_5;
    size_t        properties =
        (reason.len > 0 ? property_size(reason) : 0) + (server_reference.len > 0 ? property_size(server_reference) : 0);
    writer_u8(&w, MQTT_CONNACK << 4);
    put_varint(&w, is_5 ? 2 + varint_size(properties) + properties : 2);
    writer_u8(&w, 0); /* no session present */
    writer_u8(&w, code);
    if (is_5)
        put_varint(&w, properties);
    if (is_5 && reason.len > 0)
        put_property(&w, MQTT_ID_REASON_STRING, reason);
    if (is_5 && server_reference.len > 0)
        put_property(&w, MQTT_ID_SERVER_REFERENCE, server_reference);
    return writer_len(&w);
}

size_t mqtt_encode_disconnect(uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    writer_u8(&w, MQTT_DISCONNECT << 4);
    writer_u8(&w, 0);
    return writer_len(&w);
}

size_t mqtt_encode_disconnect_5(enum mqtt_reason code, struct slice reason, struct slice server_reference, uint8_t *out,
                                size_t cap)
{
    struct writer w = writer_of(out, cap);
    size_t        properties = property_size(reason) + (server_reference.len > 0 ? property_size(server_reference) : 0);
    writer_u8(&w, MQTT_DISCONNECT << 4);
    put_varint(&w, 1 + varint_size(properties) + properties);
    writer_u8(&w, (uint8_t)code);
    put_varint(&w, properties);
    put_property(&w, MQTT_ID_REASON_STRING, reason);
    if (server_reference.len > 0)
        put_property(&w, MQTT_ID_SERVER_REFERENCE, server_reference);
    return writer_len(&w);
}
