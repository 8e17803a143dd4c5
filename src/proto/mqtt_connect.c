/* CONNECT, section 3.1: what a client says first, and all that can be wrong with it. */
#include "proto/mqtt.h"
#include "proto/mqtt_wire.h"

enum connect_flag { /* section 3.1.2.3 */
                    FLAG_RESERVED = 0x01,
                    FLAG_CLEAN = 0x02,
                    FLAG_WILL = 0x04,
                    FLAG_WILL_QOS = 0x18, /* two bits */
                    FLAG_WILL_RETAIN = 0x20,
                    FLAG_PASSWORD = 0x40,
                    FLAG_USER = 0x80
};

/* A CONNECT being read. */
struct reading {
    struct reader       r;
    struct mqtt_connect connect;
    unsigned            flags; /* enum connect_flag bits */
    enum mqtt_fault     fault; /* NONE with a BAD reader: malformed */
};

/* As reader_require(), with the name of the fault. */
static void require(struct reading *c, bool good, enum mqtt_fault fault)
{
    if (!good && reader_ok(&c->r))
        c->fault = fault;
    reader_require(&c->r, good);
}

/* Section 3.1.2.1. Judged byte by byte: what is no MQTT shall not keep us waiting for its length. */
static bool read_name(struct reading *c)
{
    static const struct slice old_name = {(const uint8_t *)"\0\6MQIsdp", 8}, name = {(const uint8_t *)"\0\4MQTT", 6};
    bool                      is_old = c->r.have >= 2 && c->r.at[1] == 6;
    struct slice              wanted = is_old ? old_name : name;
    struct slice              arrived = slice_of(c->r.at, c->r.have < wanted.len ? c->r.have : wanted.len);
    require(c, slice_starts(wanted, arrived), MQTT_FAULT_NOT_MQTT);
    (void)reader_take(&c->r, wanted.len);
    return is_old;
}

/* Section 3.1.2.2. The highest bit is no part of the level: bridges of mosquitto set it to say that they are one, and
 * mosquitto and EMQX take it for that. */
static void read_version(struct reading *c)
{
    enum { BRIDGE = 0x80 };
    bool    is_old = read_name(c);
    uint8_t level = (uint8_t)(reader_u8(&c->r) & ~(unsigned)BRIDGE);
    require(c, is_old ? level == MQTT_3_1 : level == MQTT_3_1_1 || level == MQTT_5, MQTT_FAULT_LEVEL);
    if (reader_ok(&c->r))
        c->connect.version = (enum mqtt_version)level;
}

/* Sections 3.1.2.3 to 3.1.2.9. 3.1 disregards will bits without a will, and does not speak of the reserved one. */
static bool flags_are_good(unsigned flags, enum mqtt_version version)
{
    bool has_will = (flags & FLAG_WILL) != 0, has_user = (flags & FLAG_USER) != 0;
    if (has_will && (flags & FLAG_WILL_QOS) == FLAG_WILL_QOS)
        return false;
    if (!has_will && version != MQTT_3_1 && (flags & (FLAG_WILL_QOS | FLAG_WILL_RETAIN)) != 0)
        return false;
    if (!has_user && version != MQTT_5 && (flags & FLAG_PASSWORD) != 0)
        return false;
    return version == MQTT_3_1 || (flags & FLAG_RESERVED) == 0;
}

static void read_flags(struct reading *c)
{
    c->flags = reader_u8(&c->r);
    reader_require(&c->r, flags_are_good(c->flags, c->connect.version));
    c->connect.clean = (c->flags & FLAG_CLEAN) != 0;
    c->connect.has_will = (c->flags & FLAG_WILL) != 0;
    c->connect.keep_alive_s = reader_u16(&c->r);
}

/* Section 3.1.3.1. MQTT 5 lets the server assign an identifier, 3.1.1 only to a session that will not be resumed. */
static void read_client_id(struct reading *c)
{
    struct mqtt_connect *connect = &c->connect;
    connect->client_id = mqtt_read_string(&c->r);
    bool empty = connect->client_id.len == 0;
    require(c, !empty || connect->version != MQTT_3_1, MQTT_FAULT_EMPTY_ID_3_1);
    require(c, !empty || connect->version != MQTT_3_1_1 || connect->clean, MQTT_FAULT_EMPTY_ID_3_1_1);
}

static void read_will(struct reading *c)
{
    struct mqtt_properties ignored;
    if (c->connect.version == MQTT_5)
        mqtt_read_properties(&c->r, MQTT_PLACE_WILL, &ignored);
    (void)mqtt_read_string(&c->r); /* topic */
    (void)mqtt_read_binary(&c->r); /* message */
}

/* Does the field of this flag follow? MQTT 3.1 section 3.1: where the packet ends earlier, its length "takes
 * precedence" over the flag, for the sake of clients older still. */
static bool has_field(const struct reading *c, enum connect_flag flag)
{
    return (c->flags & flag) != 0 && (c->connect.version != MQTT_3_1 || c->r.limit > 0);
}

static void read_credentials(struct reading *c)
{
    c->connect.has_user = has_field(c, FLAG_USER);
    if (c->connect.has_user)
        c->connect.user = mqtt_read_string(&c->r);
    c->connect.has_password = has_field(c, FLAG_PASSWORD);
    if (c->connect.has_password)
        (void)mqtt_read_binary(&c->r);
}

/* Everything behind the version. */
static void read_rest(struct reading *c)
{
    struct mqtt_properties properties = {0};
    read_flags(c);
    if (c->connect.version == MQTT_5)
        mqtt_read_properties(&c->r, MQTT_PLACE_CONNECT, &properties);
    c->connect.maximum_packet_size = properties.maximum_packet_size;
    read_client_id(c);
    if (c->connect.has_will)
        read_will(c);
    read_credentials(c);
    reader_require(&c->r, c->r.limit == 0);
}

static enum mqtt_fault fault_of(const struct reading *c)
{
    if (c->fault != MQTT_FAULT_NONE)
        return c->fault;
    return c->connect.version == MQTT_5 ? MQTT_FAULT_MALFORMED_5 : MQTT_FAULT_MALFORMED;
}

/* The version is read first in any case: what is answered to a CONNECT that is too large depends on it. */
static void read_connect(struct reading *c, bool too_large, bool padded)
{
    read_version(c);
    bool is_5 = c->connect.version == MQTT_5;
    require(c, !too_large, is_5 ? MQTT_FAULT_TOO_LARGE_5 : MQTT_FAULT_TOO_LARGE);
    require(c, !is_5 || !padded, MQTT_FAULT_MALFORMED_5);
    if (reader_ok(&c->r))
        read_rest(c);
}

enum parse mqtt_parse_connect(struct slice in, size_t max_size, struct mqtt_connect *out, size_t *used,
                              enum mqtt_fault *fault)
{
    struct mqtt_header header;
    size_t             header_len;
    if (in.len > 0 && in.ptr[0] != MQTT_CONNECT << 4) {
        *fault = MQTT_FAULT_NOT_CONNECT;
        return PARSE_BAD;
    }
    enum parse answer = mqtt_parse_header(in, &header, &header_len);
    if (answer == PARSE_BAD)
        *fault = MQTT_FAULT_MALFORMED;
    if (answer != PARSE_OK)
        return answer;
    size_t         len = header_len + header.remaining;
    struct reading c = {.r = reader_of(slice_skip(in, header_len), header.remaining)};
    read_connect(&c, len > max_size, header.padded);
    if (c.r.status == PARSE_BAD)
        *fault = fault_of(&c);
    if (reader_ok(&c.r)) {
        *out = c.connect;
        *used = len;
    }
    return c.r.status;
}
