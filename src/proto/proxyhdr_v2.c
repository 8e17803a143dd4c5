/* Version 2, section 2.2, as the receiver reads it. */
#include "proto/proxyhdr.h"
#include "proto/proxyhdr_versions.h"
#include "proto/reader.h"

enum { CRC_LEN = 4, UNIX_LEN = 216, TLV_HEAD_LEN = 3 }; /* bytes */

struct fixed_part {
    enum pp2_command command;
    uint8_t          family, transport;
    size_t           len; /* bytes behind the fixed part */
};

/* Reflected CRC-32C (RFC 9260 appendix A) of one half-byte: polynomial 0x1EDC6F41, lowest bit first. */
static const uint32_t crc32c_nibble[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                           0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                           0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

static uint32_t crc32c_add(uint32_t crc, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ crc32c_nibble[crc & 15];
        crc = crc >> 4 ^ crc32c_nibble[crc & 15];
    }
    return crc;
}

/* Section 2.2.3: over the whole header, with zeros where the checksum stands. */
static bool checksum_matches(struct slice header, struct slice checksum)
{
    static const uint8_t zeros[CRC_LEN];
    const uint8_t       *behind = checksum.ptr + CRC_LEN;
    struct reader        r = reader_of(checksum, CRC_LEN);
    uint32_t             crc = crc32c_add(UINT32_MAX, header.ptr, (size_t)(checksum.ptr - header.ptr));
    crc = crc32c_add(crc, zeros, CRC_LEN);
    crc = crc32c_add(crc, behind, (size_t)(header.ptr + header.len - behind));
    return (crc ^ UINT32_MAX) == reader_u32(&r);
}

static void take_fixed_part(struct reader *r, struct fixed_part *fixed)
{
    for (size_t i = 0; i < PP2_SIGNATURE_LEN; i++)
        reader_require(r, reader_u8(r) == proxyhdr_v2_signature[i]);
    uint8_t version_command = reader_u8(r);
    reader_require(r, version_command == 0x20 || version_command == 0x21);
    fixed->command = (version_command & 0x0F) == 0 ? PP2_COMMAND_LOCAL : PP2_COMMAND_PROXY;
    uint8_t family_transport = reader_u8(r);
    fixed->family = family_transport >> 4;
    fixed->transport = family_transport & 0x0F;
    bool assigned = fixed->family <= PP2_FAMILY_UNIX && fixed->transport <= PP2_TRANSPORT_DGRAM;
    reader_require(r, assigned || fixed->command == PP2_COMMAND_LOCAL); /* LOCAL: "the family which is ignored" */
    uint8_t high = reader_u8(r);
    reader_require(r, (size_t)high << 8 <= PROXYHDR_MAX - PP2_FIXED_LEN);
    fixed->len = (size_t)high << 8 | reader_u8(r);
    reader_require(r, fixed->len <= PROXYHDR_MAX - PP2_FIXED_LEN);
}

/* True when addresses of a known size precede the TLVs. */
static bool has_addresses(const struct fixed_part *fixed)
{
    return fixed->family != PP2_FAMILY_UNSPEC && fixed->transport != PP2_TRANSPORT_UNSPEC;
}

/* The block stays unread for what is no TCP: the connection's own addresses hold then. */
static void take_addresses(struct reader *r, const struct fixed_part *fixed, struct proxyhdr *hdr)
{
    static const size_t ip_len[] = {[PP2_FAMILY_INET] = 4, [PP2_FAMILY_INET6] = 16};
    static const size_t block_len[] = {[PP2_FAMILY_INET] = 12, [PP2_FAMILY_INET6] = 36, [PP2_FAMILY_UNIX] = UNIX_LEN};
    reader_require(r, r->limit >= block_len[fixed->family]);
    if (fixed->family == PP2_FAMILY_UNIX) {
        (void)reader_take(r, UNIX_LEN);
        return;
    }
    struct slice src = reader_take(r, ip_len[fixed->family]), dst = reader_take(r, ip_len[fixed->family]);
    uint16_t     src_port = reader_u16(r), dst_port = reader_u16(r);
    if (!reader_ok(r) || fixed->transport != PP2_TRANSPORT_STREAM)
        return;
    hdr->has_addr = true;
    hdr->src = src.len == 4 ? addr_from_ip4(src.ptr, src_port) : addr_from_ip6(src.ptr, src_port);
    hdr->dst = dst.len == 4 ? addr_from_ip4(dst.ptr, dst_port) : addr_from_ip6(dst.ptr, dst_port);
}

/* Walks TLVs to the limit: whole ones, at most one checksum. */
static void take_tlvs(struct reader *r, struct slice *checksum)
{
    *checksum = slice_of(NULL, 0);
    while (reader_goes_on(r)) {
        reader_require(r, r->limit >= TLV_HEAD_LEN);
        uint8_t  type = reader_u8(r);
        uint16_t len = reader_u16(r);
        if (reader_ok(r) && type == PP2_TYPE_CRC32C)
            reader_require(r, len == CRC_LEN && checksum->ptr == NULL);
        struct slice value = reader_take(r, len);
        if (reader_ok(r) && type == PP2_TYPE_CRC32C)
            *checksum = value;
    }
}

/* Everything behind the fixed part. Where the addresses are UNSPEC, nobody says how many bytes of them there are:
 * what reads as TLVs is taken for TLVs, anything else is ignored as the specification asks. */
static void take_block(struct reader *r, const struct fixed_part *fixed, struct proxyhdr *hdr, struct slice *checksum)
{
    if (has_addresses(fixed))
        take_addresses(r, fixed, hdr);
    struct reader tlvs = *r;
    take_tlvs(&tlvs, checksum);
    if (tlvs.status == PARSE_BAD && !has_addresses(fixed)) {
        *checksum = slice_of(NULL, 0);
        (void)reader_take(r, r->limit);
        return;
    }
    if (reader_ok(&tlvs))
        hdr->tlvs = slice_of(r->at, r->limit);
    *r = tlvs;
}

enum parse proxyhdr_parse_v2(struct slice in, struct proxyhdr *out, size_t *used)
{
    struct proxyhdr   hdr = {.version = 2};
    struct fixed_part fixed = {0};
    struct reader     r = reader_of(in, PROXYHDR_MAX);
    struct slice      checksum = {0};
    take_fixed_part(&r, &fixed);
    struct reader block = reader_enter(&r, fixed.len);
    hdr.local = fixed.command == PP2_COMMAND_LOCAL;
    if (hdr.local)
        (void)reader_take(&block, fixed.len); /* "discard the protocol block" */
    else if (reader_ok(&block))               /* else the family may be one that no table knows */
        take_block(&block, &fixed, &hdr, &checksum);
    reader_leave(&r, &block);
    size_t len = PP2_FIXED_LEN + fixed.len;
    if (reader_ok(&r) && checksum.ptr != NULL)
        reader_require(&r, checksum_matches(slice_of(in.ptr, len), checksum));
    if (reader_ok(&r)) {
        *out = hdr;
        *used = len;
    }
    return r.status;
}
