#include "fuzz.h"
#include "proto/proxyhdr.h"

enum { OUT_MAX = 2 * PROXYHDR_MAX };

static enum parse ask(struct slice in, size_t *used)
{
    struct proxyhdr hdr;
    return proxyhdr_parse(in, &hdr, used);
}

static size_t count_tlvs(struct slice tlvs)
{
    struct slice value, all = tlvs;
    uint8_t      type;
    size_t       n = 0;
    for (; proxyhdr_next_tlv(&tlvs, &type, &value); n++)
        FUZZ_CHECK(fuzz_inside(value, all));
    FUZZ_CHECK(tlvs.len == 0);
    return n;
}

static bool same_address(const struct addr *a, const struct addr *b)
{
    return addr_same_ip(a, b) && addr_port(a) == addr_port(b);
}

static void check_v1_round_trip(const struct proxyhdr *hdr)
{
    uint8_t         out[PROXYHDR_V1_MAX];
    struct proxyhdr back;
    size_t          used, len = proxyhdr_encode_v1(&hdr->src, &hdr->dst, out, sizeof out);
    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(proxyhdr_parse(slice_of(out, len), &back, &used) == PARSE_OK);
    FUZZ_CHECK(used == len && back.has_addr == hdr->has_addr);
    FUZZ_CHECK(!hdr->has_addr || (same_address(&back.src, &hdr->src) && same_address(&back.dst, &hdr->dst)));
}

/* What is passed on is told as it came; told again, it is the same bytes. */
static void check_v2_round_trip(const struct proxyhdr *hdr)
{
    static uint8_t     once[OUT_MAX], twice[OUT_MAX];
    struct proxyhdr    back;
    struct proxyhdr_v2 out = {.local = hdr->local, .src = hdr->src, .dst = hdr->dst, .passed = hdr->tlvs};
    size_t             used, len = proxyhdr_encode_v2(&out, once, sizeof once);
    FUZZ_CHECK(len > 0);
    if (len > PROXYHDR_MAX)
        return;
    FUZZ_CHECK(proxyhdr_parse(slice_of(once, len), &back, &used) == PARSE_OK);
    FUZZ_CHECK(used == len && back.local == hdr->local && back.has_addr == hdr->has_addr);
    FUZZ_CHECK(!hdr->has_addr || (same_address(&back.src, &hdr->src) && same_address(&back.dst, &hdr->dst)));
    FUZZ_CHECK(count_tlvs(back.tlvs) <= count_tlvs(hdr->tlvs));
    out.passed = back.tlvs;
    FUZZ_CHECK(proxyhdr_encode_v2(&out, twice, sizeof twice) == len && memcmp(once, twice, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice    in = slice_of(data, size);
    struct proxyhdr hdr;
    size_t          used;
    fuzz_cuts(ask, in);
    if (proxyhdr_parse(in, &hdr, &used) != PARSE_OK)
        return 0;
    FUZZ_CHECK(used <= (hdr.version == 1 ? PROXYHDR_V1_MAX : PROXYHDR_MAX));
    FUZZ_CHECK(fuzz_inside(hdr.tlvs, slice_of(data, used)));
    FUZZ_CHECK(!hdr.has_addr || (!hdr.local && hdr.src.sa.sa_family == hdr.dst.sa.sa_family));
    check_v1_round_trip(&hdr);
    check_v2_round_trip(&hdr);
    return 0;
}
