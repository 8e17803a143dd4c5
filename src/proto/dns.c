#include "proto/dns.h"

#include <string.h>

#include "proto/reader.h"

enum { CLASS_IN = 1, TYPE_A = 1, TYPE_AAAA = 28, TYPE_SRV = 33 };

/* A record up to its data. */
struct record {
    char     name[DNS_NAME_MAX];
    bool     is_host; /* the name is one that a host may have */
    uint16_t type, class;
    uint32_t ttl_s;
    uint16_t len;
};

static bool is_host_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Puts a label behind the name of *len bytes. False: no host has it. */
static bool add_label(struct slice label, char out[DNS_NAME_MAX], size_t *len)
{
    bool good = true;
    if (*len > 0)
        out[(*len)++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + ('a' - 'A'));
        good = good && is_host_byte(c);
        out[(*len)++] = (char)c;
    }
    return good;
}

/* Section 4.1.4: labels, or the place earlier in the message where the rest is. Each jump goes further back than the
 * one before, so that there is an end of them. */
static bool read_name(struct slice message, struct reader *r, char out[DNS_NAME_MAX])
{
    struct reader  jumped;
    struct reader *from = r;
    size_t         len = 0, lowest = (size_t)(r->at - message.ptr);
    bool           good = true;
    for (uint8_t n = reader_u8(from); n != 0; n = reader_u8(from)) {
        if (n >= 0xC0) {
            size_t to = (size_t)(n & 0x3F) << 8 | reader_u8(from);
            reader_require(r, to < lowest);
            if (!reader_ok(r) || !reader_ok(from))
                break;
            lowest = to;
            jumped = reader_of(slice_of(message.ptr + to, message.len - to), message.len - to);
            from = &jumped;
            continue;
        }
        reader_require(from, n < 64 && len + n + 2 < DNS_NAME_MAX);
        struct slice label = reader_take(from, n);
        if (!reader_ok(from))
            break;
        good = add_label(label, out, &len) && good;
    }
    out[len] = '\0';
    reader_require(r, reader_ok(from));
    return good && len > 0;
}

static struct record read_record(struct slice message, struct reader *r)
{
    struct record record;
    record.is_host = read_name(message, r, record.name);
    record.type = reader_u16(r);
    record.class = reader_u16(r);
    record.ttl_s = reader_u32(r);
    record.len = reader_u16(r);
    if (record.ttl_s > INT32_MAX) /* RFC 2181, section 8 */
        record.ttl_s = 0;
    return record;
}

static void note_ttl(struct dns_answer *out, uint32_t ttl_s, bool first)
{
    if (first || ttl_s < out->ttl_s)
        out->ttl_s = ttl_s;
}

static void read_service(struct slice message, struct reader *data, const struct record *record, struct dns_answer *out)
{
    struct dns_service *s = &out->services[out->n_services];
    s->priority = reader_u16(data);
    s->weight = reader_u16(data);
    s->port = reader_u16(data);
    bool is_host = read_name(message, data, s->host);
    if (!reader_ok(data) || !is_host || s->port == 0)
        return;
    note_ttl(out, record->ttl_s, out->n_services == 0);
    out->n_services++;
}

static void read_address(struct reader *data, const struct record *record, struct dns_answer *out)
{
    struct dns_address *a = &out->addresses[out->n_addresses];
    bool                v6 = record->type == TYPE_AAAA;
    struct slice        ip = reader_take(data, v6 ? 16 : 4);
    if (!reader_ok(data) || !record->is_host)
        return;
    memcpy(a->host, record->name, sizeof a->host);
    a->at = v6 ? addr_from_ip6(ip.ptr, 0) : addr_from_ip4(ip.ptr, 0);
    note_ttl(out, record->ttl_s, false);
    out->n_addresses++;
}

static void read_section(struct slice message, struct reader *r, unsigned n, bool additional, struct dns_answer *out)
{
    for (unsigned i = 0; i < n && reader_ok(r); i++) {
        struct record record = read_record(message, r);
        struct reader data = reader_enter(r, record.len);
        bool          is_address = record.type == TYPE_A || record.type == TYPE_AAAA;
        if (reader_ok(&data) && record.class == CLASS_IN) {
            if (record.type == TYPE_SRV && !additional && out->n_services < DNS_SERVICES_MAX)
                read_service(message, &data, &record, out);
            else if (is_address && additional && out->n_addresses < DNS_ADDRESSES_MAX)
                read_address(&data, &record, out);
        }
        (void)reader_take(&data, data.limit);
        reader_leave(r, &data);
    }
}

bool dns_parse(struct slice message, struct dns_answer *out)
{
    struct reader r = reader_of(message, message.len);
    char          name[DNS_NAME_MAX];
    out->n_services = out->n_addresses = 0;
    out->ttl_s = 0;
    (void)reader_u32(&r); /* id and flags */
    unsigned n_questions = reader_u16(&r), n_answers = reader_u16(&r);
    unsigned n_authorities = reader_u16(&r), n_additional = reader_u16(&r);
    for (unsigned i = 0; i < n_questions && reader_ok(&r); i++) {
        (void)read_name(message, &r, name);
        (void)reader_u32(&r); /* type and class */
    }
    read_section(message, &r, n_answers, false, out);
    for (unsigned i = 0; i < n_authorities && reader_ok(&r); i++) {
        struct record record = read_record(message, &r);
        (void)reader_take(&r, record.len);
    }
    read_section(message, &r, n_additional, true, out);
    return reader_ok(&r);
}
