/* Unit tests of room dns/: what follows from answers, and what the next process knows of them. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "conf/load.h"
#include "dns/answer.h"
#include "dns/dns.h"
#include "dns/slots.h"
#include "snapshot/carry.h"
#include "support/image.h"
#include "support/unit.h"

static struct addr ip(const char *text)
{
    struct addr at;
    ck_assert(addr_parse_ip(text, &at));
    return at;
}

/* ---- addresses ---- */

START_TEST(the_address_in_use_is_kept_while_it_is_among_the_answers)
{
    const struct addr all[] = {ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.0.3")}, two = ip("10.0.0.2"), none = {0};
    struct addr       with_port = two;
    addr_set_port(&with_port, 1883);
    struct addr chosen = answer_choose(&with_port, all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &two));
    chosen = answer_choose(&two, all, 1);
    ck_assert(addr_same_ip(&chosen, &all[0]));
    chosen = answer_choose(&none, all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &all[0]));
    chosen = answer_choose(&two, all, 0);
    ck_assert(!addr_is_set(&chosen));
}
END_TEST

START_TEST(ipv4_comes_before_ipv6_unless_that_is_in_use)
{
    const struct addr all[] = {ip("2001:db8::1"), ip("2001:db8::2"), ip("10.0.0.1")}, none = {0};
    struct addr       chosen = answer_choose(&none, all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &all[2]));
    chosen = answer_choose(&all[1], all, ARRAY_LEN(all));
    ck_assert(addr_same_ip(&chosen, &all[1]));
    chosen = answer_choose(&none, all, 2);
    ck_assert(addr_same_ip(&chosen, &all[0]));
}
END_TEST

/* ---- time ---- */

START_TEST(a_name_is_asked_for_again_by_its_ttl_within_hold)
{
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 3, 5000), 3000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 300, 5000), 5000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 0, 5000), 1000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, 1, 1000), 1000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_GOOD, UINT32_MAX, UINT32_MAX), UINT32_MAX);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_NONE, 300, 60000), 1000);
    ck_assert_uint_eq(answer_wait_ms(ANSWER_FAILED, 300, 60000), 1000);
}
END_TEST

START_TEST(only_an_answer_that_there_is_nothing_takes_addresses_and_only_when_it_holds)
{
    struct standing s = {0};
    ck_assert(!standing_note(&s, ANSWER_FAILED, 1, 5000));
    ck_assert(!standing_note(&s, ANSWER_FAILED, 1000000, 5000));
    ck_assert(s.bad);
    ck_assert(!standing_note(&s, ANSWER_NONE, 1001000, 5000));
    ck_assert(!standing_note(&s, ANSWER_NONE, 1005999, 5000));
    ck_assert(!standing_note(&s, ANSWER_FAILED, 1006000, 5000)); /* it says nothing */
    ck_assert(standing_note(&s, ANSWER_NONE, 1006001, 5000));
    ck_assert(standing_note(&s, ANSWER_NONE, 1007000, 5000));
    ck_assert(!standing_note(&s, ANSWER_GOOD, 1008000, 5000));
    ck_assert(!s.bad);
    ck_assert(!standing_note(&s, ANSWER_NONE, 1009000, 5000)); /* it begins anew */
}
END_TEST

/* ---- slots ---- */

enum { SLOTS = 4 };

static struct slot       slots[SLOTS];
static struct dns_answer answer;
static uint64_t          number;

static void setup(void)
{
    memset(slots, 0, sizeof slots);
    number = 0;
}

static void target(const char *host, uint16_t priority, uint16_t weight)
{
    struct dns_service *s = &answer.services[answer.n_services++];
    *s = (struct dns_service){.port = 1883, .priority = priority, .weight = weight};
    (void)snprintf(s->host, sizeof s->host, "%s", host);
}

/* An answer with targets of one letter each, all alike. */
static size_t fill(const char *letters)
{
    answer.n_services = 0;
    for (; *letters != '\0'; letters++)
        target((char[]){*letters, '\0'}, 1, 1);
    return slots_fill(slots, SLOTS, &answer, ++number);
}

/* A letter for each slot, '-' for a free one. */
static void assert_slots(const char *letters)
{
    char is[SLOTS + 1] = {0};
    memset(is, '-', SLOTS);
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].is_taken)
            is[i] = slots[i].host[0];
    }
    ck_assert_str_eq(is, letters);
}

START_TEST(a_target_keeps_its_slot_in_whatever_order_answers_come)
{
    ck_assert_uint_eq(fill("abc"), 0);
    assert_slots("abc-");
    ck_assert(slots[0].is_new && slots[1].is_new && slots[2].is_new);
    ck_assert_uint_eq(fill("cab"), 0);
    assert_slots("abc-");
    ck_assert(!slots[0].is_new && !slots[1].is_new && !slots[2].is_new);
    ck_assert_uint_eq(fill("ca"), 0);
    assert_slots("a-c-");
    ck_assert_uint_eq(fill("dca"), 0);
    assert_slots("a-cd"); /* the one that nobody had yet */
    ck_assert(slots[3].is_new && !slots[0].is_new);
}
END_TEST

START_TEST(a_target_that_comes_back_gets_its_old_slot)
{
    (void)fill("abc");
    (void)fill("c");
    (void)fill("bc");
    assert_slots("-bc-");
    ck_assert(slots[1].is_new);
    (void)fill("cdb");
    assert_slots("-bcd");
    (void)fill("cdbe");
    assert_slots("ebcd"); /* the only one left */
}
END_TEST

START_TEST(the_slot_that_has_been_free_the_longest_is_taken)
{
    (void)fill("abcd");
    (void)fill("acd");
    (void)fill("cd");
    (void)fill("cde");
    assert_slots("-ecd");
}
END_TEST

START_TEST(who_finds_no_slot_is_counted_and_the_others_stay)
{
    ck_assert_uint_eq(fill("abcdef"), 2);
    assert_slots("abcd");
    ck_assert_uint_eq(fill("fedcba"), 2);
    assert_slots("abcd");
    ck_assert_uint_eq(fill("fedca"), 1);
    assert_slots("aecd");
    slots_clear(slots, SLOTS);
    assert_slots("----");
}
END_TEST

START_TEST(slots_do_not_follow_from_the_order_of_the_answer)
{
    (void)fill("cab");
    assert_slots("abc-");
    setup();
    (void)fill("bca");
    assert_slots("abc-");
}
END_TEST

START_TEST(a_target_named_twice_has_one_slot_and_another_port_is_another)
{
    ck_assert_uint_eq(fill("aab"), 0);
    assert_slots("ab--");
    answer.n_services = 0;
    target("a", 1, 1);
    target("a", 1, 1);
    answer.services[1].port = 1884;
    ck_assert_uint_eq(slots_fill(slots, SLOTS, &answer, ++number), 0);
    assert_slots("a-a-");
    ck_assert_uint_eq(slots[2].port, 1884);
}
END_TEST

START_TEST(the_lowest_priority_is_used_and_the_others_are_backups)
{
    answer.n_services = 0;
    const char *const later[] = {"x", "y", "z"};
    for (size_t i = 0; i < ARRAY_LEN(later); i++)
        target(later[i], (uint16_t)(30 - i), 1);
    target("a", 10, 1);
    target("b", 10, 1);
    ck_assert_uint_eq(slots_fill(slots, SLOTS, &answer, ++number), 1);
    assert_slots("abzy");
    ck_assert(!slots[0].backup && !slots[1].backup && slots[2].backup && slots[3].backup);
    answer.n_services = 0;
    target("y", 29, 1);
    target("z", 28, 1);
    ck_assert_uint_eq(slots_fill(slots, SLOTS, &answer, ++number), 0);
    assert_slots("--zy");
    ck_assert(!slots[2].backup && slots[3].backup);
}
END_TEST

START_TEST(weights_keep_their_proportion)
{
    static const struct {
        uint16_t of[2];
        uint32_t become[2];
    } cases[] = {{{0, 0}, {1, 1}},         {{1, 10}, {1, 10}},     {{256, 1}, {256, 1}},
                 {{512, 256}, {256, 128}}, {{65535, 1}, {256, 1}}, {{65535, 0}, {256, 1}}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        answer.n_services = 0;
        target("a", 1, cases[i].of[0]);
        target("b", 1, cases[i].of[1]);
        (void)slots_fill(slots, SLOTS, &answer, ++number);
        ck_assert_uint_eq(slots[0].weight, cases[i].become[0]);
        ck_assert_uint_eq(slots[1].weight, cases[i].become[1]);
    }
}
END_TEST

/* ---- from one process to the next ---- */

/* A process with names, all but the loop's turning. */
static struct {
    struct ev_loop     *loop;
    struct log_settings log_settings;
    struct log          log;
    struct tls_tickets *tickets;
    struct stats       *stats;
    struct snapshot    *snap;
    struct dns         *dns;
    unsigned            n_moves; /* that its listener was told of */
} p;

static void count_move(void *user, size_t backend, size_t server, const struct addr *was, const char *by)
{
    (void)user, (void)backend, (void)server, (void)was, (void)by;
    p.n_moves++;
}

static void count_weight(void *user, size_t backend, size_t server)
{
    (void)user, (void)backend, (void)server;
}

static const char names_conf[] =
    "resolver: { servers = [ \"127.0.0.1:1\" ]; };\n"
    "backends = ( { name = \"out\"; servers = ( { name = \"h\"; address = \"emqx.test:1883\"; },\n"
    "                                         { name = \"s\"; address = \"srv:_mqtt._tcp.emqx.test\"; } ); } );\n"
    "listeners = ( { name = \"l\"; bind = \"127.0.0.1:0\"; protocol = \"tcp\"; backend = \"out\"; } );\n";

static void process_begin(const char *text)
{
    struct err         err = {0};
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load_text("test.conf", text, &errors);
    ck_assert_msg(conf != NULL, "%s", errors.list != NULL ? errors.list->text : "out of memory");
    memset(&p, 0, sizeof p);
    p.loop = ev_loop_new(EVFLAG_AUTO);
    p.log_settings = (struct log_settings){.level = LEVEL_ERROR, .wake_fd = -1};
    p.log.settings = &p.log_settings;
    p.tickets = tls_tickets_new(&err);
    p.stats = stats_new(1);
    p.snap = snapshot_build(conf, NULL, p.stats, p.tickets, &p.log, &err);
    ck_assert_msg(p.snap != NULL, "%s", err.text);
    conf_unref(conf);
}

static void process_resolve(void)
{
    struct err err = {0};
    p.dns = dns_new(p.loop, p.snap, &p.log, (struct dns_listener){count_move, count_weight, NULL}, &err);
    ck_assert_msg(p.dns != NULL, "%s", err.text);
}

static void process_end(void)
{
    dns_free(p.dns);
    snapshot_unref(p.snap);
    stats_free(p.stats);
    tls_tickets_free(p.tickets);
    ev_loop_destroy(p.loop);
}

/* What a process writes whose DNS has said that h is 10.0.0.1, and that the second slot of s is the target
 * b.emqx.test:1884 at 10.0.0.2. By the numbers that images have. */
struct place {
    struct slice backend, server, asked;
    uint16_t     asked_port, port;
    char         host[DNS_NAME_MAX];
    struct addr  at;
    uint32_t     weight;
    struct slot  slot;
};
static const struct image_field slot_fields[] = {
    IMAGE_FIELD(1, IMAGE_TEXT, struct slot, host),
    IMAGE_FIELD(2, IMAGE_UINT, struct slot, port),
    IMAGE_FIELD(3, IMAGE_BOOL, struct slot, is_taken),
    IMAGE_FIELD(6, IMAGE_UINT, struct slot, seen),
};
static const struct image_kind  slot_kind = {"slot", 0, slot_fields, ARRAY_LEN(slot_fields)};
static const struct image_field place_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct place, backend),    IMAGE_FIELD(2, IMAGE_SLICE, struct place, server),
    IMAGE_FIELD(3, IMAGE_SLICE, struct place, asked),      IMAGE_FIELD(4, IMAGE_UINT, struct place, asked_port),
    IMAGE_FIELD(5, IMAGE_TEXT, struct place, host),        IMAGE_FIELD(6, IMAGE_UINT, struct place, port),
    IMAGE_FIELD(7, IMAGE_ADDR, struct place, at),          IMAGE_FIELD(8, IMAGE_UINT, struct place, weight),
    IMAGE_FIELD_GROUP(10, &slot_kind, struct place, slot),
};
static const struct image_kind place_kind = {"place", IMAGE_PLACE, place_fields, ARRAY_LEN(place_fields)};

static struct server *live_of(size_t i)
{
    return p.snap->backends[0].servers[i].live;
}

static struct addr addr_at(const char *text, uint16_t port)
{
    struct addr at = ip(text);
    addr_set_port(&at, port);
    return at;
}

static void write_places(struct image_writer *w)
{
    struct place h = {.backend = slice_str("out"),
                      .server = slice_str("h"),
                      .asked = slice_str("emqx.test"),
                      .asked_port = 1883,
                      .host = "emqx.test",
                      .port = 1883,
                      .at = addr_at("10.0.0.1", 1883)};
    struct place s = {.backend = slice_str("out"),
                      .server = slice_str("s2"),
                      .asked = slice_str("_mqtt._tcp.emqx.test"),
                      .host = "b.emqx.test",
                      .port = 1884,
                      .at = addr_at("10.0.0.2", 1884),
                      .weight = 256,
                      .slot = {.host = "b.emqx.test", .port = 1884, .is_taken = true, .seen = 3}};
    server_set_location(live_of(0), &h.at, "emqx.test");
    server_set_location(live_of(2), &s.at, "b.emqx.test");
    snapshot_carry_servers(p.snap, w);
    image_put(w, &place_kind, &h);
    image_put(w, &place_kind, &s);
}

static void process_adopt(struct image_writer *w)
{
    struct image_reader r = image_reread(w);
    struct image_record record;
    struct err          err = {0};
    while (image_next(&r, &record))
        ck_assert_msg(snapshot_adopt_server(p.snap, &record, &err), "%s", err.text);
    process_resolve();
    r = image_reread(w);
    while (image_next(&r, &record))
        ck_assert_msg(dns_adopt(p.dns, &record, &err), "%s", err.text);
    dns_begin(p.dns, NULL);
}

static void assert_at(size_t server, const char *expected)
{
    const struct addr at = server_address(live_of(server));
    char              text[ADDR_TEXT_MAX];
    ck_assert_str_eq(addr_format(&at, text), expected);
}

static void assert_resolvers(const char *expected)
{
    struct command_call call = {.argc = 0};
    (void)dns_commands[0].run(p.dns, &call);
    ck_assert_msg(strstr(call.out.at, expected) != NULL, "%s", call.out.at);
    text_fini(&call.out);
}

START_TEST(servers_stay_where_dns_put_them_and_targets_on_their_slots)
{
    struct image_writer first = image_start(), second = image_start();
    process_begin(names_conf);
    write_places(&first);
    process_end();
    process_begin(names_conf);
    process_adopt(&first);
    snapshot_carry_servers(p.snap, &second); /* and so on, from the one after that */
    dns_carry(p.dns, &second);
    const uint64_t identity = server_identity(live_of(2)), of_name = server_identity(live_of(1));
    process_end();
    process_begin(names_conf);
    ck_assert_uint_ne(server_identity(live_of(2)), identity);
    process_adopt(&second);
    assert_at(0, "10.0.0.1:1883");
    assert_at(2, "10.0.0.2:1884");
    ck_assert_uint_eq(p.n_moves, 0);
    ck_assert_uint_eq(server_identity(live_of(2)), identity);
    ck_assert_uint_eq(server_identity(live_of(1)), of_name);
    assert_resolvers("name emqx.test, out/h: 10.0.0.1:1883\n");
    assert_resolvers("name _mqtt._tcp.emqx.test, out/s1: 1 targets\n");
    process_end();
    image_drop(&first);
    image_drop(&second);
}
END_TEST

START_TEST(where_another_name_is_looked_up_nothing_is_known)
{
    struct image_writer image = image_start();
    char                text[sizeof names_conf];
    process_begin(names_conf);
    write_places(&image);
    process_end();
    memcpy(text, names_conf, sizeof text);
    for (char *at = text; (at = strstr(at, "emqx.test")) != NULL;)
        memcpy(at, "xmqe", 4);
    process_begin(text);
    process_adopt(&image);
    assert_at(0, "-");
    assert_at(2, "-");
    assert_resolvers("name xmqe.test, out/h: -\n");
    assert_resolvers("out/s1: 0 targets\n");
    process_end();
    image_drop(&image);
}
END_TEST

START_TEST(no_record_of_dns_that_is_damaged_does_harm)
{
    struct image_writer image = image_start();
    struct image_record record;
    process_begin(names_conf);
    write_places(&image);
    process_resolve();
    struct image_reader r = image_reread(&image);
    while (image_next(&r, &record)) {
        for (size_t i = 0; i < record.fields.len; i++) {
            uint8_t      *at = image.at + (record.fields.ptr + i - image.at);
            const uint8_t was = *at;
            struct err    err = {0};
            *at = (uint8_t)(was + 1 + i % 255);
            if (!dns_adopt(p.dns, &record, &err))
                ck_assert_str_ne(err.text, "");
            assert_resolvers("out/s1: ");
            *at = was;
        }
    }
    dns_begin(p.dns, NULL);
    process_end();
    image_drop(&image);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dns");
    TCase *answers = tcase_create("answers"), *places = tcase_create("slots");
    tcase_add_test(answers, the_address_in_use_is_kept_while_it_is_among_the_answers);
    tcase_add_test(answers, ipv4_comes_before_ipv6_unless_that_is_in_use);
    tcase_add_test(answers, a_name_is_asked_for_again_by_its_ttl_within_hold);
    tcase_add_test(answers, only_an_answer_that_there_is_nothing_takes_addresses_and_only_when_it_holds);
    tcase_add_checked_fixture(places, setup, NULL);
    tcase_add_test(places, a_target_keeps_its_slot_in_whatever_order_answers_come);
    tcase_add_test(places, a_target_that_comes_back_gets_its_old_slot);
    tcase_add_test(places, the_slot_that_has_been_free_the_longest_is_taken);
    tcase_add_test(places, who_finds_no_slot_is_counted_and_the_others_stay);
    tcase_add_test(places, slots_do_not_follow_from_the_order_of_the_answer);
    tcase_add_test(places, a_target_named_twice_has_one_slot_and_another_port_is_another);
    tcase_add_test(places, the_lowest_priority_is_used_and_the_others_are_backups);
    tcase_add_test(places, weights_keep_their_proportion);
    TCase *carry = tcase_create("carry");
    tcase_add_test(carry, servers_stay_where_dns_put_them_and_targets_on_their_slots);
    tcase_add_test(carry, where_another_name_is_looked_up_nothing_is_known);
    tcase_add_test(carry, no_record_of_dns_that_is_damaged_does_harm);
    suite_add_tcase(suite, answers);
    suite_add_tcase(suite, carry);
    suite_add_tcase(suite, places);
    return unit_run(suite);
}
