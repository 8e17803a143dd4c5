#include "proto/mqtt.h"

#include "proto/mqtt_wire.h"

const char *mqtt_version_name(enum mqtt_version version)
{
    static const char *const names[] = {[MQTT_3_1] = "3.1", [MQTT_3_1_1] = "3.1.1", [MQTT_5] = "5"};
    return names[version];
}

/* Section 2.1.3. Only PUBLISH has flags of its own, and among them QoS 3 does not exist. 3.1 fixes none of the others:
 * PUBREL, SUBSCRIBE and UNSUBSCRIBE may be marked as duplicates, elsewhere flags "are not used" (its section 2.1). */
bool mqtt_first_is_good(enum mqtt_version version, uint8_t first)
{
    const unsigned type = first >> 4, flags = first & 0x0F;
    if (type == MQTT_PUBLISH)
        return (flags & 0x06) != 0x06;
    if (version == MQTT_3_1)
        return type >= MQTT_CONNECT;
    switch (type) {
    case 0: /* reserved */
        return false;
    case MQTT_PUBREL:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return flags == 2;
    default:
        return flags == 0;
    }
}

enum parse mqtt_parse_header(struct slice in, struct mqtt_header *out, size_t *used)
{
    struct reader r = reader_of(in, SIZE_MAX);
    uint8_t       first = reader_u8(&r);
    bool          padded = false;
    reader_require(&r, mqtt_first_is_good(MQTT_5, first));
    uint32_t remaining = mqtt_read_varint(&r, &padded);
    if (!reader_ok(&r))
        return r.status;
    *out = (struct mqtt_header){
        .type = (enum mqtt_type)(first >> 4), .flags = first & 0x0F, .remaining = remaining, .padded = padded};
    *used = in.len - r.have;
    return PARSE_OK;
}

/* Section 3.2.2.1: in 3.1 the byte is reserved, later its lowest bit says that the server remembers the session. */
static void read_acknowledge_flags(struct reader *r, enum mqtt_version version, struct mqtt_connack *ack)
{
    uint8_t flags = reader_u8(r);
    reader_require(r, flags <= 1 || version == MQTT_3_1);
    ack->session_present = version != MQTT_3_1 && flags == 1;
    ack->code = reader_u8(r);
    reader_require(r, ack->code == 0 || !ack->session_present);
}

static void read_connack_properties(struct reader *r, struct mqtt_connack *ack)
{
    struct mqtt_properties properties;
    mqtt_read_properties(r, MQTT_PLACE_CONNACK, &properties);
    ack->has_server_keep_alive = mqtt_has_server_keep_alive(&properties);
    ack->server_keep_alive_s = properties.server_keep_alive_s;
}

enum parse mqtt_parse_connack(struct slice in, enum mqtt_version version, struct mqtt_connack *out, size_t *used)
{
    struct mqtt_header  header;
    struct mqtt_connack ack = {0};
    size_t              header_len;
    if (in.len > 0 && in.ptr[0] != MQTT_CONNACK << 4)
        return PARSE_BAD;
    enum parse answer = mqtt_parse_header(in, &header, &header_len);
    if (answer != PARSE_OK)
        return answer;
    struct reader r = reader_of(slice_skip(in, header_len), header.remaining);
    reader_require(&r, version != MQTT_5 || !header.padded);
    read_acknowledge_flags(&r, version, &ack);
    /* A server that does not know 5 says so in the form of 3.1.1, without properties. */
    if (version == MQTT_5 && !(r.limit == 0 && ack.code == 1))
        read_connack_properties(&r, &ack);
    reader_require(&r, r.limit == 0);
    if (reader_ok(&r)) {
        *out = ack;
        *used = header_len + header.remaining;
    }
    return r.status;
}
