/* Headers that go out. */
#include "proto/proxyhdr.h"
#include "proto_tests.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct addr address(const char *text)
{
    struct addr a;
    ck_assert(addr_parse(text, &a));
    return a;
}

static void assert_v1(const char *src, const char *dst, const char *line)
{
    const struct addr from = src != NULL ? address(src) : (struct addr){0};
    const struct addr to = dst != NULL ? address(dst) : (struct addr){0};
    uint8_t           out[PROXYHDR_V1_MAX];
    size_t            len = proxyhdr_encode_v1(&from, &to, out, sizeof out);
    ck_assert(slice_eq(slice_of(out, len), slice_str(line)));
    for (size_t cap = 0; cap < len; cap++)
        ck_assert_uint_eq(proxyhdr_encode_v1(&from, &to, out, cap), 0);
}

START_TEST(version_1_is_one_line)
{
    assert_v1("192.168.0.1:56324", "192.168.0.11:443", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
    assert_v1("[2001:db8::1]:1", "[::2]:65535", "PROXY TCP6 2001:db8::1 ::2 1 65535\r\n");
    assert_v1("[::ffff:1.2.3.4]:1", "[::2]:2", "PROXY TCP6 ::ffff:1.2.3.4 ::2 1 2\r\n");
    assert_v1("1.2.3.4:1", "[::2]:2", "PROXY UNKNOWN\r\n");
    assert_v1("1.2.3.4:1", NULL, "PROXY UNKNOWN\r\n");
    assert_v1(NULL, NULL, "PROXY UNKNOWN\r\n");
}
END_TEST

/* Exactly these bytes, and nothing when a byte of room is missing. */
static void assert_v2(const struct proxyhdr_v2 *hdr, struct slice wanted)
{
    uint8_t out[512];
    size_t  len = proxyhdr_encode_v2(hdr, out, sizeof out);
    ck_assert_uint_eq(len, wanted.len);
    ck_assert_mem_eq(out, wanted.ptr, len);
    ck_assert_uint_eq(proxyhdr_encode_v2(hdr, out, len), len);
    for (size_t cap = 0; cap < len; cap++)
        ck_assert_uint_eq(proxyhdr_encode_v2(hdr, out, cap), 0);
}

START_TEST(version_2_with_every_tlv_is_exact)
{
    static const struct proxyhdr_ssl ssl = {.client = PP2_CLIENT_SSL | PP2_CLIENT_CERT_CONN | PP2_CLIENT_CERT_SESS,
                                            .verified = true,
                                            .version = "TLSv1.3",
                                            .cn = "dev-1",
                                            .cipher = "TLS_AES_128_GCM_SHA256",
                                            .sig_alg = "SHA256",
                                            .key_alg = "EC256"};
    const struct proxyhdr_v2         hdr = {
                .src = address("10.0.0.1:12345"),
                .dst = address("10.0.0.2:8883"),
                .alpn = slice_str("mqtt"),
                .authority = slice_str("mq.example"),
                .unique_id = slice_str("id-7"),
                .ssl = &ssl,
                .passed = BYTES("\x04\0\1.\x03\0\4crc!\x01\0\1x\x02\0\1y\x05\0\1z\x20\0\0\x30\0\2ns\xE1\0\0\xEA\0\3vpc")};
    assert_v2(&hdr, BYTES(SIGNATURE "\x21\x11\0\x79"
                                    "\x0A\0\0\1\x0A\0\0\2\x30\x39\x22\xB3"
                                    "\x01\0\4mqtt"
                                    "\x02\0\x0Amq.example"
                                    "\x05\0\4id-7"
                                    "\x20\0\x41\x07\0\0\0\0"
                                    "\x21\0\7TLSv1.3"
                                    "\x22\0\5dev-1"
                                    "\x23\0\x16TLS_AES_128_GCM_SHA256"
                                    "\x24\0\6SHA256"
                                    "\x25\0\5"
                                    "EC256"
                                    "\x30\0\2ns"
                                    "\xE1\0\0"
                                    "\xEA\0\3vpc"));
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
    static const struct proxyhdr_ssl ssl = {.client = PP2_CLIENT_SSL, .version = "TLSv1.2"};
    struct proxyhdr_v2               hdr = {.src = address("[2001:db8::1]:1"), .dst = address("[2001:db8::2]:2")};
    assert_v2(&hdr, BYTES(SIGNATURE "\x21\x21\0\x24"
                                    "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1"
                                    "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2"));
    hdr = (struct proxyhdr_v2){.src = address("1.2.3.4:1"), .dst = address("1.2.3.5:2"), .ssl = &ssl};
    assert_v2(&hdr, BYTES(SIGNATURE "\x21\x11\0\x1E"
                                    "\1\2\3\4\1\2\3\5\0\1\0\2"
                                    "\x20\0\x0F\1\0\0\0\1\x21\0\7TLSv1.2"));
}
END_TEST

START_TEST(an_earlier_proxy_is_passed_on_where_we_say_nothing)
{
    const struct proxyhdr_v2 hdr = {.src = address("1.2.3.4:1"),
                                    .dst = address("1.2.3.5:2"),
                                    .passed = BYTES("\x01\0\1x\x04\0\0\x02\0\1y\x05\0\1z\x20\0\5\1\0\0\0\0")};
    assert_v2(&hdr, BYTES(SIGNATURE "\x21\x11\0\x20"
                                    "\1\2\3\4\1\2\3\5\0\1\0\2"
                                    "\x01\0\1x\x02\0\1y\x05\0\1z\x20\0\5\1\0\0\0\0"));
}
END_TEST

START_TEST(a_health_check_is_local_and_16_bytes_long)
{
    const struct proxyhdr_v2 hdr = {
        .local = true, .src = address("1.2.3.4:1"), .dst = address("1.2.3.5:2"), .alpn = slice_str("mqtt")};
    assert_v2(&hdr, BYTES(SIGNATURE "\x20\0\0\0"));
}
END_TEST

START_TEST(two_families_are_unspecified)
{
    struct proxyhdr_v2 hdr = {.src = address("1.2.3.4:1"), .dst = address("[::1]:2"), .alpn = slice_str("h2")};
    assert_v2(&hdr, BYTES(SIGNATURE "\x21\x00\0\5\x01\0\2h2"));
    hdr = (struct proxyhdr_v2){0};
    assert_v2(&hdr, BYTES(SIGNATURE "\x21\x00\0\0"));
}
END_TEST

START_TEST(a_value_too_long_for_a_header_makes_none)
{
    static uint8_t     out[3 * UINT16_MAX], lots[UINT16_MAX + 1];
    struct proxyhdr_v2 hdr = {.src = address("1.2.3.4:1"), .dst = address("1.2.3.5:2")};
    hdr.authority = slice_of(lots, sizeof lots);
    ck_assert_uint_eq(proxyhdr_encode_v2(&hdr, out, sizeof out), 0);
    hdr.authority = slice_of(lots, sizeof lots - 16);
    ck_assert_uint_eq(proxyhdr_encode_v2(&hdr, out, sizeof out), 16 + UINT16_MAX);
    hdr.alpn = slice_str("x");
    ck_assert_uint_eq(proxyhdr_encode_v2(&hdr, out, sizeof out), 0);
    hdr = (struct proxyhdr_v2){.unique_id = slice_of(lots, 129)};
    ck_assert_uint_eq(proxyhdr_encode_v2(&hdr, out, sizeof out), 0);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    struct proxyhdr_v2 hdr = {.alpn = slice_str("mqtt"), .authority = slice_str("mq.example")};
    uint8_t            out[512];
    size_t             used;
    struct proxyhdr    back;
    hdr.src = address(_i == 0 ? "10.0.0.1:12345" : "[2001:db8::1]:12345");
    hdr.dst = address(_i == 0 ? "10.0.0.2:8883" : "[2001:db8::2]:8883");
    size_t len = proxyhdr_encode_v2(&hdr, out, sizeof out);
    ck_assert_int_eq(proxyhdr_parse(slice_of(out, len), &back, &used), PARSE_OK);
    ck_assert(used == len && back.version == 2 && back.has_addr);
    ck_assert(addr_same_ip(&back.src, &hdr.src) && addr_port(&back.src) == 12345);
    ck_assert(addr_same_ip(&back.dst, &hdr.dst) && addr_port(&back.dst) == 8883);
    ck_assert(slice_eq(back.tlvs, BYTES("\x01\0\4mqtt\x02\0\x0Amq.example")));
    len = proxyhdr_encode_v1(&hdr.src, &hdr.dst, out, sizeof out);
    ck_assert_int_eq(proxyhdr_parse(slice_of(out, len), &back, &used), PARSE_OK);
    ck_assert(used == len && back.version == 1 && back.has_addr);
    ck_assert(addr_same_ip(&back.src, &hdr.src) && addr_port(&back.src) == 12345);
    ck_assert(addr_same_ip(&back.dst, &hdr.dst) && addr_port(&back.dst) == 8883);
}
END_TEST

TCase *proxyhdr_encode_tests(void)
{
    TCase *tc = tcase_create("proxyhdr_encode");
    tcase_add_test(tc, version_1_is_one_line);
    tcase_add_test(tc, version_2_with_every_tlv_is_exact);
    tcase_add_test(tc, what_is_not_known_is_left_out);
    tcase_add_test(tc, an_earlier_proxy_is_passed_on_where_we_say_nothing);
    tcase_add_test(tc, a_health_check_is_local_and_16_bytes_long);
    tcase_add_test(tc, two_families_are_unspecified);
    tcase_add_test(tc, a_value_too_long_for_a_header_makes_none);
    tcase_add_loop_test(tc, what_is_written_is_read_back, 0, 2);
    return tc;
}
