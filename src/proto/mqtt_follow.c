#include "proto/mqtt_follow.h"

#include "proto/mqtt_wire.h"

void mqtt_follow_init(struct mqtt_follow *f, enum mqtt_from from, enum mqtt_version version)
{
    *f = (struct mqtt_follow){.from = from, .version = version};
}

bool mqtt_follow_at_boundary(const struct mqtt_follow *f)
{
    return f->header_len == 0;
}

static uint8_t first_of(const struct mqtt_bytes *from)
{
    return from->in.ptr[0] ^ from->mask[from->phase % 4];
}

static void take(struct mqtt_bytes *from, size_t n)
{
    from->in = slice_skip(from->in, n);
    from->phase = (uint8_t)((from->phase + n) % 4);
}

static enum mqtt_type type_of(const struct mqtt_follow *f)
{
    return (enum mqtt_type)(f->header[0] >> 4);
}

#define BIT(type) (1u << (type))

/* Section 2.1.2, "direction of flow"; in 3.x there is no AUTH, and only clients send DISCONNECT. A server begins with
 * CONNACK ([MQTT-3.2.0-1]; in 3.1 section 3.2), in 5 AUTH may come before it (section 4.12). */
static bool type_is_due(const struct mqtt_follow *f, unsigned type)
{
    enum {
        BOTH = BIT(MQTT_PUBLISH) | BIT(MQTT_PUBACK) | BIT(MQTT_PUBREC) | BIT(MQTT_PUBREL) | BIT(MQTT_PUBCOMP),
        CLIENT = BOTH | BIT(MQTT_SUBSCRIBE) | BIT(MQTT_UNSUBSCRIBE) | BIT(MQTT_PINGREQ) | BIT(MQTT_DISCONNECT),
        SERVER = BOTH | BIT(MQTT_SUBACK) | BIT(MQTT_UNSUBACK) | BIT(MQTT_PINGRESP),
        AUTH = BIT(MQTT_AUTH),
        SERVER_5 = SERVER | BIT(MQTT_DISCONNECT) | AUTH
    };
    bool     is_5 = f->version == MQTT_5;
    unsigned due;
    if (f->from == MQTT_FROM_CLIENT)
        due = is_5 ? CLIENT | AUTH : CLIENT;
    else if (f->greeted)
        due = is_5 ? SERVER_5 : SERVER;
    else
        due = is_5 ? BIT(MQTT_CONNACK) | AUTH : BIT(MQTT_CONNACK);
    return (due & BIT(type)) != 0;
}

/* Bytes behind the header. A packet identifier and a string's length are two each; a topic has a character at least
 * ([MQTT-4.7.3-1]; 3.1 appendix A); in 5 each has a length of properties. PUBLISH: section 3.3, its topic is empty in 5
 * where a property stands for it, which is longer. Acknowledgements: 3.4 to 3.7, in 5 the identifier suffices.
 * SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK: 3.8 to 3.11, one topic at least, of which 3.1 says nothing; in 3.x
 * UNSUBACK names none. CONNACK: 3.2, in 5 two bytes come from servers that do not know 5. DISCONNECT and AUTH: 3.14
 * and 3.15, in 5 all may be left out. */
static const struct lengths {
    uint8_t least_3_1, least_3_1_1, least_5;
    bool    exact_3, exact_5; /* and no byte more */
} lengths[] = {
    [MQTT_CONNACK] = {2, 2, 2, .exact_3 = true},
    [MQTT_PUBLISH] = {3, 3, 4, .exact_3 = false},
    [MQTT_PUBACK] = {2, 2, 2, .exact_3 = true},
    [MQTT_PUBREC] = {2, 2, 2, .exact_3 = true},
    [MQTT_PUBREL] = {2, 2, 2, .exact_3 = true},
    [MQTT_PUBCOMP] = {2, 2, 2, .exact_3 = true},
    [MQTT_SUBSCRIBE] = {2, 6, 7, .exact_3 = false},
    [MQTT_SUBACK] = {2, 3, 4, .exact_3 = false},
    [MQTT_UNSUBSCRIBE] = {2, 5, 6, .exact_3 = false},
    [MQTT_UNSUBACK] = {2, 2, 4, .exact_3 = true},
    [MQTT_PINGREQ] = {0, 0, 0, .exact_3 = true, .exact_5 = true},
    [MQTT_PINGRESP] = {0, 0, 0, .exact_3 = true, .exact_5 = true},
    [MQTT_DISCONNECT] = {0, 0, 0, .exact_3 = true},
    [MQTT_AUTH] = {0, 0, 0, .exact_3 = false},
};

static uint8_t qos_of(const struct mqtt_header *header)
{
    return header->type == MQTT_PUBLISH ? header->flags >> 1 & 3 : 0;
}

static bool length_is_good(enum mqtt_version version, const struct mqtt_header *header)
{
    const struct lengths *known = &lengths[header->type];
    bool                  is_5 = version == MQTT_5;
    uint32_t              least = is_5 ? known->least_5 : version == MQTT_3_1_1 ? known->least_3_1_1 : known->least_3_1;
    if (qos_of(header) > 0)
        least += 2; /* a packet identifier, section 3.3.2.2 */
    if (is_5 && header->padded)
        return false;
    return header->remaining == least || (header->remaining > least && !(is_5 ? known->exact_5 : known->exact_3));
}

static void begin_body(struct mqtt_follow *f, const struct mqtt_header *header)
{
    f->left = header->remaining;
    f->code = 0;
    f->has_server_keep_alive = false;
    f->skip = 0;
    f->look = MQTT_LOOK_NOWHERE;
    if (header->type == MQTT_CONNACK)
        f->look = MQTT_LOOK_FLAGS;
    else if (header->type == MQTT_DISCONNECT)
        f->look = MQTT_LOOK_CODE;
    f->greeted = f->greeted || header->type == MQTT_CONNACK;
}

/* All of its bytes are there. */
static struct mqtt_header header_of(const struct mqtt_follow *f, unsigned len)
{
    struct mqtt_header header = {.type = type_of(f), .flags = f->header[0] & 0x0F};
    for (unsigned i = 1; i < len; i++)
        header.remaining |= (uint32_t)(f->header[i] & 0x7F) << (7 * (i - 1));
    header.padded = len > 2 && f->header[len - 1] == 0;
    return header;
}

/* One byte of the header. OK: the packet ends with it. */
static enum parse take_header(struct mqtt_follow *f, struct mqtt_bytes *from)
{
    const uint8_t  byte = first_of(from);
    const unsigned len = f->header_len + 1u;
    const bool     is_first = len == 1, goes_on = is_first || (byte & 0x80) != 0;
    if (is_first && (!mqtt_first_is_good(f->version, byte) || !type_is_due(f, byte >> 4)))
        return PARSE_BAD;
    if (goes_on && len == sizeof f->header)
        return PARSE_BAD;
    f->header[len - 1] = byte;
    if (!goes_on) {
        struct mqtt_header header = header_of(f, len);
        if (!length_is_good(f->version, &header))
            return PARSE_BAD;
        begin_body(f, &header);
    }
    f->header_len = (uint8_t)len;
    take(from, 1);
    return !goes_on && f->left == 0 ? PARSE_OK : PARSE_MORE;
}

static void take_identifier(struct mqtt_follow *f, uint8_t id)
{
    struct mqtt_shape shape = mqtt_property_shape(id, MQTT_PLACE_CONNACK);
    f->look = MQTT_LOOK_IDENTIFIER;
    if (id == MQTT_ID_SERVER_KEEP_ALIVE || shape.strings > 0)
        f->look = MQTT_LOOK_NUMBER_HIGH;
    else if (shape.fixed == 0)
        f->look = MQTT_LOOK_NOWHERE; /* none of CONNACK: where the next one begins cannot be told */
    else
        f->skip = shape.fixed;
    f->strings = shape.strings;
}

static void take_number(struct mqtt_follow *f)
{
    if (f->strings == 0) {
        f->has_server_keep_alive = true;
        f->look = MQTT_LOOK_NOWHERE; /* all that was looked for is found */
        return;
    }
    f->skip = f->number;
    f->strings--;
    f->look = f->strings > 0 ? MQTT_LOOK_NUMBER_HIGH : MQTT_LOOK_IDENTIFIER;
}

/* False: a CONNACK of 5 ends here. That is how a server that knows only 3.1.1 says so, and nothing else. */
static bool take_code(struct mqtt_follow *f, uint8_t code)
{
    bool has_properties = type_of(f) == MQTT_CONNACK && f->version == MQTT_5;
    if (has_properties && f->left == 1 && code != MQTT_RETURN_VERSION)
        return false;
    f->code = code;
    f->look = has_properties ? MQTT_LOOK_LENGTH : MQTT_LOOK_NOWHERE;
    return true;
}

static bool take_looked_at(struct mqtt_follow *f, uint8_t byte)
{
    switch (f->look) {
    case MQTT_LOOK_NOWHERE:
        break;
    case MQTT_LOOK_FLAGS:
        f->look = MQTT_LOOK_CODE;
        break;
    case MQTT_LOOK_CODE:
        return take_code(f, byte);
    case MQTT_LOOK_LENGTH:
        f->look = (byte & 0x80) != 0 ? MQTT_LOOK_LENGTH : MQTT_LOOK_IDENTIFIER;
        break;
    case MQTT_LOOK_IDENTIFIER:
        take_identifier(f, byte);
        break;
    case MQTT_LOOK_NUMBER_HIGH:
        f->number = (uint16_t)(byte << 8);
        f->look = MQTT_LOOK_NUMBER_LOW;
        break;
    case MQTT_LOOK_NUMBER_LOW:
        f->number |= byte;
        take_number(f);
        break;
    }
    return true;
}

/* As many bytes of the body as can be taken at once: one where it is looked at. OK: the packet ends with them. */
static enum parse take_body(struct mqtt_follow *f, struct mqtt_bytes *from)
{
    size_t n = f->left < from->in.len ? f->left : from->in.len;
    if (f->skip > 0) {
        n = f->skip < n ? f->skip : n;
        f->skip = (uint16_t)(f->skip - n);
    } else if (f->look != MQTT_LOOK_NOWHERE) {
        if (!take_looked_at(f, first_of(from)))
            return PARSE_BAD;
        n = 1;
    }
    f->left -= (uint32_t)n;
    take(from, n);
    return f->left == 0 ? PARSE_OK : PARSE_MORE;
}

static void tell(const struct mqtt_follow *f, struct mqtt_packet *out)
{
    const struct mqtt_header header = header_of(f, f->header_len);
    *out = (struct mqtt_packet){
        .type = header.type,
        .qos = qos_of(&header),
        .size = f->header_len + header.remaining,
        .has_code = header.type == MQTT_CONNACK || (header.type == MQTT_DISCONNECT && f->version == MQTT_5),
        .code = f->code,
        .has_server_keep_alive = f->has_server_keep_alive,
        .server_keep_alive_s = f->has_server_keep_alive ? f->number : 0,
    };
}

enum parse mqtt_follow_next(struct mqtt_follow *f, struct mqtt_bytes *from, struct mqtt_packet *out)
{
    enum parse answer = PARSE_MORE;
    while (answer == PARSE_MORE && from->in.len > 0)
        answer = f->left > 0 ? take_body(f, from) : take_header(f, from);
    if (answer == PARSE_OK) {
        tell(f, out);
        f->header_len = 0;
    }
    return answer;
}
