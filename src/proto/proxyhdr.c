#include "proto/proxyhdr.h"

#include "proto/proxyhdr_versions.h"
#include "proto/reader.h"

const uint8_t proxyhdr_v2_signature[PP2_SIGNATURE_LEN] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                                          '\n', 'Q',  'U',  'I',  'T', '\n'};

enum parse proxyhdr_parse(struct slice in, struct proxyhdr *out, size_t *used)
{
    if (in.len == 0)
        return PARSE_MORE;
    return in.ptr[0] == 'P' ? proxyhdr_parse_v1(in, out, used) : proxyhdr_parse_v2(in, out, used);
}

bool proxyhdr_next_tlv(struct slice *tlvs, uint8_t *type, struct slice *value)
{
    struct reader r = reader_of(*tlvs, tlvs->len);
    uint8_t       t = reader_u8(&r);
    struct slice  v = reader_take(&r, reader_u16(&r));
    if (!reader_ok(&r))
        return false;
    *type = t;
    *value = v;
    *tlvs = slice_of(r.at, r.have);
    return true;
}
