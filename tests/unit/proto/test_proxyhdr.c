/* Headers that come in. */
#include <stdlib.h>

#include "proto/proxyhdr.h"
#include "proto/writer.h"
#include "proto_tests.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET      "\x0A\0\0\1\x0A\0\0\2\x30\x39\x07\x5B" /* 10.0.0.1:12345 to 10.0.0.2:1883 */
#define IP6(last) "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0" last
#define INET6     IP6("\1") IP6("\2") "\x30\x39\x07\x5B"
#define UNIX_54   "/run/one.sock\0........................................" /* a quarter of 216 bytes */
#define UNIX_216  UNIX_54 UNIX_54 UNIX_54 UNIX_54

static enum parse ask(struct slice in, size_t *used)
{
    struct proxyhdr hdr;
    return proxyhdr_parse(in, &hdr, used);
}

static const struct slice good[] = {
    LITERAL("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
    LITERAL("PROXY TCP4 0.0.0.0 1.2.3.4 0 1\r\n"),
    LITERAL(
        "PROXY TCP6 ffff:FFFF:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
    LITERAL("PROXY TCP6 :: ::ffff:10.1.2.3 1 2\r\n"),
    LITERAL("PROXY UNKNOWN\r\n"),
    LITERAL("PROXY UNKNOWN \r\n"),
    LITERAL("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
            "65535\r\n"),
    LITERAL("PROXY UNKNOWN \0 \xFF \r \n \r\r\n"),
    LITERAL(SIGNATURE "\x20\x00\0\0"),                           /* LOCAL */
    LITERAL(SIGNATURE "\x20\xEE\0\3\xFF\xFF\xFF"),               /* LOCAL: family and block are ignored */
    LITERAL(SIGNATURE "\x21\x00\0\0"),                           /* UNSPEC */
    LITERAL(SIGNATURE "\x21\x00\0\5\4\0\2ab"),                   /* UNSPEC with a TLV */
    LITERAL(SIGNATURE "\x21\x00\0\4\1\0\2a"),                    /* UNSPEC with bytes that are no TLV */
    LITERAL(SIGNATURE "\x21\x10\0\4\3\0\1a"),                    /* INET over UNSPEC: not for us to read */
    LITERAL(SIGNATURE "\x21\x11\0\x0C" INET),                    /* TCP over IPv4 */
    LITERAL(SIGNATURE "\x21\x12\0\x0C" INET),                    /* UDP over IPv4 */
    LITERAL(SIGNATURE "\x21\x21\0\x24" INET6),                   /* TCP over IPv6 */
    LITERAL(SIGNATURE "\x21\x22\0\x27" INET6 "\x04\0\0"),        /* UDP over IPv6 with a TLV */
    LITERAL(SIGNATURE "\x21\x31\0\xD8" UNIX_216),                /* UNIX stream */
    LITERAL(SIGNATURE "\x21\x32\0\xDB" UNIX_216 "\xE0\0\0"),     /* UNIX datagram with a TLV */
    LITERAL(SIGNATURE "\x21\x11\0\x16" INET "\4\0\0\2\0\4host"), /* TLVs */
};

START_TEST(any_cut_of_a_good_header_asks_for_more)
{
    assert_good(ask, good[_i]);
}
END_TEST

static const struct bad_vector bad[] = {
    /* neither version */
    {LITERAL("GET / HTTP/1.1\r\n"), 1},
    {LITERAL("\x10\x0C\0\4MQTT"), 1},
    {LITERAL("PUT"), 2},
    {LITERAL("proxy UNKNOWN\r\n"), 1},
    {LITERAL("\r\nGET"), 3},
    {LITERAL("\r\n\r\n\0\r\nQUIT\r"), 0},
    /* version 1 */
    {LITERAL("PROXY  TCP4"), 7},
    {LITERAL("PROXY UDP4 1.2.3.4"), 8},
    {LITERAL("PROXY TCP5 1.2.3.4"), 10},
    {LITERAL("PROXY TCP4\r\n"), 11},
    {LITERAL("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"), 12},
    {LITERAL("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"), 17},
    {LITERAL("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n"), 20},
    {LITERAL("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n"), 21},
    {LITERAL("PROXY TCP4 ::1 ::1 1 2\r\n"), 12},
    {LITERAL("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"), 19},
    {LITERAL("PROXY TCP4 1111111111111111"), 27},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4\r\n"), 27},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n"), 28},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), 29},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), 29},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 00 2\r\n"), 29},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"), 32},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"), 28},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"), 30},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), 31},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), 31},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX"), 32},
    {LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n"), 32},
    {LITERAL("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"), 19},
    {LITERAL("PROXY TCP6 ::1 1.2.3.4 1 2\r\n"), 23},
    {LITERAL("PROXY TCP6 ::1%lo ::1 1 2\r\n"), 15},
    {LITERAL("PROXY TCP6 1::2::3 ::1 1 2\r\n"), 19},
    {LITERAL("PROXY TCP6 12345::1 ::1 1 2\r\n"), 20},
    {LITERAL("PROXY TCP6 0000:0000:0000:0000:0000:0000:0000:0000:000000"), 57},
    {LITERAL("PROXY UNKNOWNS\r\n"), 14},
    {LITERAL("PROXY UNKNOWN\n"), 14},
    {LITERAL("PROXY UNKNOWN\r "), 15},
    {LITERAL("PROXY UNKNOWN ........................................................................................."
             "....\r\n"),
     106}, /* 108 bytes */
    {LITERAL("PROXY UNKNOWN ........................................................................................."
             "..\r..\r\n"),
     107},
    /* version 2 */
    {LITERAL(SIGNATURE "\x11\x11\0\x0C" INET), 13},
    {LITERAL(SIGNATURE "\x31\x11\0\x0C" INET), 13},
    {LITERAL(SIGNATURE "\x22\x11\0\x0C" INET), 13},
    {LITERAL(SIGNATURE "\x21\x41\0\x0C" INET), 14},
    {LITERAL(SIGNATURE "\x21\x13\0\x0C" INET), 14},
    {LITERAL(SIGNATURE "\x21\x11\0\x0B" INET), 16},
    {LITERAL(SIGNATURE "\x21\x21\0\x23" INET6), 16},
    {LITERAL(SIGNATURE "\x21\x31\0\xD7" UNIX_216), 16},
    {LITERAL(SIGNATURE "\x21\x11\x40\0"), 15},
    {LITERAL(SIGNATURE "\x20\x11\x3F\xF1"), 16},
    {LITERAL(SIGNATURE "\x21\x11\0\x0E" INET "\4\0"), 28},        /* a type and half a length */
    {LITERAL(SIGNATURE "\x21\x11\0\x10" INET "\4\0\2a"), 31},     /* a value longer than the header */
    {LITERAL(SIGNATURE "\x21\x11\0\x12" INET "\4\0\1a\4\0"), 32}, /* bytes left */
    {LITERAL(SIGNATURE "\x21\x11\0\x12" INET "\3\0\3abc"), 31},   /* a checksum of three bytes */
    {LITERAL(SIGNATURE "\x21\x11\0\x13" INET "\3\0\4abcd"), 0},   /* a wrong checksum */
    {LITERAL(SIGNATURE "\x21\x00\0\x07"
                       "\3\0\4abcd"),
     0},
    {LITERAL(SIGNATURE "\x21\x11\0\x1A" INET "\3\0\4abcd\3\0\4abcd"), 38}, /* two */
};

START_TEST(a_bad_header_is_bad_at_the_byte_that_shows_it)
{
    assert_bad(ask, &bad[_i]);
}
END_TEST

static struct proxyhdr parsed(struct slice in)
{
    struct proxyhdr hdr;
    size_t          used;
    ck_assert_int_eq(proxyhdr_parse(in, &hdr, &used), PARSE_OK);
    return hdr;
}

static void assert_addresses(struct slice in, const char *src, const char *dst)
{
    char            text[ADDR_TEXT_MAX];
    struct proxyhdr hdr = parsed(in);
    ck_assert(hdr.has_addr && !hdr.local);
    ck_assert_str_eq(addr_format(&hdr.src, text), src);
    ck_assert_str_eq(addr_format(&hdr.dst, text), dst);
}

START_TEST(the_addresses_of_tcp_are_told)
{
    assert_addresses(BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET"), "192.168.0.1:56324",
                     "192.168.0.11:443");
    assert_addresses(BYTES("PROXY TCP6 2001:DB8::1 ::2 56324 0\r\n"), "[2001:db8::1]:56324", "[::2]:0");
    assert_addresses(BYTES(SIGNATURE "\x21\x11\0\x0C" INET), "10.0.0.1:12345", "10.0.0.2:1883");
    assert_addresses(BYTES(SIGNATURE "\x21\x21\0\x24" INET6), "[2001:db8::1]:12345", "[2001:db8::2]:1883");
}
END_TEST

START_TEST(what_is_not_tcp_has_no_addresses)
{
    static const struct slice others[] = {
        LITERAL("PROXY UNKNOWN 1.2.3.4 5.6.7.8 1 2\r\n"), LITERAL(SIGNATURE "\x20\x11\0\x0C" INET),
        LITERAL(SIGNATURE "\x21\x00\0\x0C" INET),         LITERAL(SIGNATURE "\x21\x01\0\x0C" INET),
        LITERAL(SIGNATURE "\x21\x10\0\x0C" INET),         LITERAL(SIGNATURE "\x21\x12\0\x0C" INET),
        LITERAL(SIGNATURE "\x21\x22\0\x24" INET6),        LITERAL(SIGNATURE "\x21\x31\0\xD8" UNIX_216)};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct proxyhdr hdr = parsed(others[i]);
        ck_assert(!hdr.has_addr);
        ck_assert(hdr.local == (i == 1));
        ck_assert_int_eq(hdr.version, i == 0 ? 1 : 2);
    }
}
END_TEST

START_TEST(tlvs_come_one_by_one_and_point_into_the_input)
{
    struct slice    in = BYTES(SIGNATURE "\x21\x11\0\x19" INET "\4\0\0\2\0\4host\xE0\0\0");
    struct proxyhdr hdr = parsed(in);
    uint8_t         type;
    struct slice    value;
    ck_assert_ptr_eq(hdr.tlvs.ptr, in.ptr + 28);
    ck_assert_uint_eq(hdr.tlvs.len, 13);
    ck_assert(proxyhdr_next_tlv(&hdr.tlvs, &type, &value));
    ck_assert(type == PP2_TYPE_NOOP && value.len == 0);
    ck_assert(proxyhdr_next_tlv(&hdr.tlvs, &type, &value));
    ck_assert(type == PP2_TYPE_AUTHORITY && slice_eq(value, slice_str("host")));
    ck_assert(proxyhdr_next_tlv(&hdr.tlvs, &type, &value));
    ck_assert(type == 0xE0 && value.len == 0);
    ck_assert(!proxyhdr_next_tlv(&hdr.tlvs, &type, &value));
}
END_TEST

/* RFC 9260 appendix A, one bit a time: not the way of the code under test. */
static uint32_t crc32c(struct slice bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.len * 8; i++) {
        uint32_t bit = ((uint32_t)bytes.ptr[i / 8] >> (i % 8) & 1u) ^ (crc & 1u);
        crc = crc >> 1 ^ (bit != 0 ? 0x82F63B78u : 0u);
    }
    return crc ^ UINT32_MAX;
}

START_TEST(a_checksum_must_match_wherever_it_stands)
{
    static const struct slice headers[] = {LITERAL(SIGNATURE "\x21\x11\0\x13" INET "\3\0\4\0\0\0\0"),
                                           LITERAL(SIGNATURE "\x21\x21\0\x2B" INET6 "\3\0\4\0\0\0\0"),
                                           LITERAL(SIGNATURE "\x21\x11\0\x1A" INET "\4\0\4data\3\0\4\0\0\0\0"),
                                           LITERAL(SIGNATURE "\x21\x11\0\x1F" INET "\3\0\4\0\0\0\0\xEA\0\x09"
                                                             "123456789")};
    static const size_t       at[] = {31, 55, 38, 31};
    ck_assert_uint_eq(crc32c(slice_str("123456789")), 0xE3069283);
    uint8_t       bytes[128];
    struct slice  header = slice_of(bytes, headers[_i].len);
    struct writer w = writer_of(bytes + at[_i], 4);
    memcpy(bytes, headers[_i].ptr, header.len);
    writer_u32(&w, crc32c(header));
    assert_good(ask, header);
    for (size_t bit = 16 * 8; bit < header.len * 8; bit++) {
        struct proxyhdr hdr;
        size_t          used;
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (bit / 8 < 28 ||
            bit / 8 >= at[_i]) /* lengths and types of TLVs may make it wait for more, or see no checksum */
            ck_assert_int_ne(proxyhdr_parse(header, &hdr, &used), PARSE_OK);
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}
END_TEST

START_TEST(the_longest_header_is_taken_and_no_longer_one)
{
    struct proxyhdr hdr;
    size_t          used;
    uint8_t        *bytes = calloc(1, PROXYHDR_MAX + 1);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, SIGNATURE "\x21\x11\x3F\xF0" INET "\4\x3F\xE1", 31);
    ck_assert_int_eq(proxyhdr_parse(slice_of(bytes, PROXYHDR_MAX - 1), &hdr, &used), PARSE_MORE);
    ck_assert_int_eq(proxyhdr_parse(slice_of(bytes, PROXYHDR_MAX + 1), &hdr, &used), PARSE_OK);
    ck_assert_uint_eq(used, PROXYHDR_MAX);
    bytes[15]++;
    ck_assert_int_eq(proxyhdr_parse(slice_of(bytes, PROXYHDR_MAX + 1), &hdr, &used), PARSE_BAD);
    free(bytes);
}
END_TEST

TCase *proxyhdr_tests(void)
{
    TCase *tc = tcase_create("proxyhdr");
    tcase_add_loop_test(tc, any_cut_of_a_good_header_asks_for_more, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tc, a_bad_header_is_bad_at_the_byte_that_shows_it, 0, ARRAY_LEN(bad));
    tcase_add_test(tc, the_addresses_of_tcp_are_told);
    tcase_add_test(tc, what_is_not_tcp_has_no_addresses);
    tcase_add_test(tc, tlvs_come_one_by_one_and_point_into_the_input);
    tcase_add_loop_test(tc, a_checksum_must_match_wherever_it_stands, 0, 4);
    tcase_add_test(tc, the_longest_header_is_taken_and_no_longer_one);
    return tc;
}
