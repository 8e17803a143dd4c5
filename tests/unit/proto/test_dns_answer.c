/* DNS messages about services. */
#include <string.h>

#include "proto/dns.h"
#include "support/guarded.h"
#include "unit/proto/proto_tests.h"

/* id 1, an answer; questions, answers, authorities, additional. */
#define HEAD(q, an, ns, ar) "\0\1\x81\x80\0" q "\0" an "\0" ns "\0" ar
/* At 12: "_m._tcp.x", then SRV IN; 15 bytes. "x" is at 20. */
#define QUESTION            "\2_m\4_tcp\1x\0\0\x21\0\1"
#define SRV(ttl, len)       "\xc0\x0c\0\x21\0\1" ttl "\0" len
#define TTL(low)            "\0\0\0" low

static struct dns_answer answer;

/* Before an unreadable page, so that a read beyond it is seen. */
static bool parse(struct slice bytes)
{
    struct slice guarded = guarded_copy(bytes);
    memset(&answer, 0xAA, sizeof answer);
    bool good = dns_parse(guarded, &answer);
    guarded_free(guarded);
    return good;
}

static const struct slice two_targets = LITERAL(
    HEAD("\1", "\2", "\1", "\3") QUESTION
        /* 27: the first, priority 1, weight 2, port 1883, "B1.x" at 45 */
        SRV(TTL("\x3c"), "\xb") "\0\1\0\2\x07\x5b\2B1\xc0\x14"
    /* 50: the second, "b2.x" at 68 */
    SRV(TTL("\x1e"), "\xb") "\0\2\0\3\x07\x5c\2b2\xc0\x14"
                            /* an authority, of which nothing is wanted */
                            "\xc0\x14\0\2\0\1\0\0\0\0\0\2\xc0\x14"
                            /* A of b1.x, AAAA of b2.x, EDNS */
                            "\xc0\x2d\0\1\0\1" TTL("\x0a") "\0\4\x0a\0\0\1"
                                                           "\xc0\x44\0\x1c\0\1" TTL(
                                                               "\x14") "\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                                                                       "\0\0\x29\4\xd0\0\0\0\0\0\0");

START_TEST(targets_and_their_addresses_are_read)
{
    char text[ADDR_TEXT_MAX];
    ck_assert(parse(two_targets));
    ck_assert_uint_eq(answer.n_services, 2);
    ck_assert_str_eq(answer.services[0].host, "b1.x");
    ck_assert_uint_eq(answer.services[0].priority, 1);
    ck_assert_uint_eq(answer.services[0].weight, 2);
    ck_assert_uint_eq(answer.services[0].port, 1883);
    ck_assert_str_eq(answer.services[1].host, "b2.x");
    ck_assert_uint_eq(answer.n_addresses, 2);
    ck_assert_str_eq(answer.addresses[0].host, "b1.x");
    ck_assert_str_eq(addr_format(&answer.addresses[0].at, text), "10.0.0.1:0");
    ck_assert_str_eq(answer.addresses[1].host, "b2.x");
    ck_assert_str_eq(addr_format(&answer.addresses[1].at, text), "[2001:db8::1]:0");
    ck_assert_uint_eq(answer.ttl_s, 10);
}
END_TEST

START_TEST(a_message_that_is_cut_anywhere_is_none)
{
    for (size_t n = 0; n < two_targets.len; n++)
        ck_assert_msg(!parse(slice_of(two_targets.ptr, n)), "%zu bytes", n);
}
END_TEST

START_TEST(no_byte_of_it_can_do_harm)
{
    uint8_t bytes[256];
    ck_assert_uint_le(two_targets.len, sizeof bytes);
    for (size_t i = 0; i < two_targets.len; i++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(bytes, two_targets.ptr, two_targets.len);
            bytes[i] = (uint8_t)value;
            if (dns_parse(slice_of(bytes, two_targets.len), &answer))
                ck_assert(answer.n_services <= 2 && answer.n_addresses <= 3);
        }
    }
}
END_TEST

static const struct slice endless[] = {
    /* A name that points at itself, one that points forward, two that point at each other. */
    LITERAL(HEAD("\1", "\0", "\0", "\0") "\xc0\x0c\0\x21\0\1"),
    LITERAL(HEAD("\1", "\0", "\0", "\0") "\xc0\x0e\1x\0\0\x21\0\1"),
    LITERAL(HEAD("\1", "\0", "\0", "\0") "\1a\xc0\x10\xc0\x0c\0\x21\0\1"),
    /* A label of 64 bytes, which there is not. */
    LITERAL(HEAD("\1", "\0", "\0", "\0") "\x40"
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                         "\0\0\x21\0\1"),
    /* Data that ends before the name in it. */
    LITERAL(HEAD("\1", "\1", "\0", "\0") QUESTION SRV(TTL("\1"), "\7") "\0\1\0\2\x07\x5b\2b1\xc0\x14"),
};

START_TEST(a_name_that_has_no_end_is_none)
{
    ck_assert(!parse(endless[_i]));
}
END_TEST

static const struct slice passed_over[] = {
    /* "." says that there is no such service; port 0; a host with a blank in its name; another class. */
    LITERAL(HEAD("\1", "\1", "\0", "\0") QUESTION SRV(TTL("\1"), "\7") "\0\1\0\2\x07\x5b\0"),
    LITERAL(HEAD("\1", "\1", "\0", "\0") QUESTION SRV(TTL("\1"), "\xb") "\0\1\0\2\0\0\2b1\xc0\x14"),
    LITERAL(HEAD("\1", "\1", "\0", "\0") QUESTION SRV(TTL("\1"), "\xb") "\0\1\0\2\x07\x5b\2b \xc0\x14"),
    LITERAL(HEAD("\1", "\1", "\0", "\0") QUESTION "\xc0\x0c\0\x21\0\3" TTL("\1") "\0\xb"
                                                                                 "\0\1\0\2\x07\x5b\2b1\xc0\x14"),
};

START_TEST(what_is_no_target_is_passed_over)
{
    ck_assert(parse(passed_over[_i]));
    ck_assert_uint_eq(answer.n_services, 0);
}
END_TEST

START_TEST(more_than_there_is_room_for_is_left_out)
{
    enum { N = DNS_SERVICES_MAX + 50, RECORD = 23 };
    static uint8_t            bytes[27 + N * RECORD];
    static const struct slice head = LITERAL(HEAD("\1", "\0", "\0", "\0") QUESTION);
    static const struct slice record = LITERAL(SRV(TTL("\x3c"), "\xb") "\0\1\0\2\x07\x5b\2b1\xc0\x14");
    ck_assert_uint_eq(head.len, 27);
    ck_assert_uint_eq(record.len, RECORD);
    memcpy(bytes, head.ptr, head.len);
    bytes[6] = N >> 8;
    bytes[7] = N & 0xFF;
    for (size_t i = 0; i < N; i++)
        memcpy(bytes + head.len + i * RECORD, record.ptr, RECORD);
    ck_assert(parse(slice_of(bytes, sizeof bytes)));
    ck_assert_uint_eq(answer.n_services, DNS_SERVICES_MAX);
}
END_TEST

TCase *dns_tests(void)
{
    TCase *tc = tcase_create("dns");
    tcase_add_test(tc, targets_and_their_addresses_are_read);
    tcase_add_test(tc, a_message_that_is_cut_anywhere_is_none);
    tcase_add_test(tc, no_byte_of_it_can_do_harm);
    tcase_add_loop_test(tc, a_name_that_has_no_end_is_none, 0, ARRAY_LEN(endless));
    tcase_add_loop_test(tc, what_is_no_target_is_passed_over, 0, ARRAY_LEN(passed_over));
    tcase_add_test(tc, more_than_there_is_room_for_is_left_out);
    return tc;
}
