/* Version 2, section 2.2, as the sender writes it. */
#include "proto/proxyhdr.h"
#include "proto/proxyhdr_versions.h"
#include "proto/writer.h"

enum { UNIQUE_ID_MAX = 128 }; /* bytes, section 2.2.5 */

static void put_tlv(struct writer *w, uint8_t type, struct slice value)
{
    writer_u8(w, type);
    size_t begin = writer_begin16(w);
    writer_put(w, value);
    writer_end16(w, begin);
}

static void put_unless_empty(struct writer *w, uint8_t type, struct slice value)
{
    if (value.len > 0)
        put_tlv(w, type, value);
}

/* Section 2.2.6. */
static void put_ssl(struct writer *w, const struct proxyhdr_ssl *ssl)
{
    const struct {
        uint8_t     type;
        const char *text;
    } parts[] = {{PP2_SUBTYPE_SSL_VERSION, ssl->version},
                 {PP2_SUBTYPE_SSL_CN, ssl->cn},
                 {PP2_SUBTYPE_SSL_CIPHER, ssl->cipher},
                 {PP2_SUBTYPE_SSL_SIG_ALG, ssl->sig_alg},
                 {PP2_SUBTYPE_SSL_KEY_ALG, ssl->key_alg}};
    writer_u8(w, PP2_TYPE_SSL);
    size_t begin = writer_begin16(w);
    writer_u8(w, ssl->client);
    writer_u32(w, ssl->verified ? 0 : 1);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].text != NULL)
            put_tlv(w, parts[i].type, slice_str(parts[i].text));
    }
    writer_end16(w, begin);
}

/* What we say ourselves replaces what an earlier proxy said. */
static bool is_passed_on(const struct proxyhdr_v2 *hdr, uint8_t type)
{
    switch (type) {
    case PP2_TYPE_CRC32C: /* of the other header */
    case PP2_TYPE_NOOP:
        return false;
    case PP2_TYPE_ALPN:
        return hdr->alpn.len == 0;
    case PP2_TYPE_AUTHORITY:
        return hdr->authority.len == 0;
    case PP2_TYPE_UNIQUE_ID:
        return hdr->unique_id.len == 0;
    case PP2_TYPE_SSL:
        return hdr->ssl == NULL;
    default:
        return true;
    }
}

static void put_tlvs(struct writer *w, const struct proxyhdr_v2 *hdr)
{
    struct slice passed = hdr->passed, value;
    uint8_t      type;
    put_unless_empty(w, PP2_TYPE_ALPN, hdr->alpn);
    put_unless_empty(w, PP2_TYPE_AUTHORITY, hdr->authority);
    put_unless_empty(w, PP2_TYPE_UNIQUE_ID, hdr->unique_id);
    if (hdr->ssl != NULL)
        put_ssl(w, hdr->ssl);
    while (proxyhdr_next_tlv(&passed, &type, &value)) {
        if (is_passed_on(hdr, type))
            put_tlv(w, type, value);
    }
}

static struct slice ip_of(const struct addr *a)
{
    return a->sa.sa_family == AF_INET6 ? slice_of(&a->in6.sin6_addr, 16) : slice_of(&a->in.sin_addr, 4);
}

/* The byte of family and transport, of src and dst together. */
static uint8_t family_transport(const struct proxyhdr_v2 *hdr)
{
    if (hdr->local || !addr_is_set(&hdr->src) || hdr->src.sa.sa_family != hdr->dst.sa.sa_family)
        return 0; /* UNSPEC, both */
    return (uint8_t)((hdr->src.sa.sa_family == AF_INET6 ? PP2_FAMILY_INET6 : PP2_FAMILY_INET) << 4) |
           PP2_TRANSPORT_STREAM;
}

static void put_addresses(struct writer *w, const struct proxyhdr_v2 *hdr)
{
    writer_put(w, ip_of(&hdr->src));
    writer_put(w, ip_of(&hdr->dst));
    writer_u16(w, addr_port(&hdr->src));
    writer_u16(w, addr_port(&hdr->dst));
}

size_t proxyhdr_encode_v2(const struct proxyhdr_v2 *hdr, uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    uint8_t       family = family_transport(hdr);
    if (hdr->unique_id.len > UNIQUE_ID_MAX)
        return 0;
    writer_put(&w, slice_of(proxyhdr_v2_signature, PP2_SIGNATURE_LEN));
    writer_u8(&w, 0x20 | (hdr->local ? PP2_COMMAND_LOCAL : PP2_COMMAND_PROXY));
    writer_u8(&w, family);
    size_t begin = writer_begin16(&w);
    if (family != 0)
        put_addresses(&w, hdr);
    if (!hdr->local)
        put_tlvs(&w, hdr);
    writer_end16(&w, begin);
    return writer_len(&w);
}
