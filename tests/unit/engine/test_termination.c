/* Unit tests of HAProxy's two letters. */
#include <check.h>
#include <errno.h>

#include "base/macros.h"
#include "engine/session.h"
#include "support/unit.h"

struct end {
    enum why           why;
    enum session_state state;
    int                error;
    bool               client_ended;
    const char        *code;
};

static const char *code_of(const struct end *end, char out[3])
{
    struct session s = {.why = end->why, .ended_in = end->state, .error = end->error};
    s.flow[UP].eof = end->client_ended;
    return termination_code(&s, out);
}

static const struct end ends[] = {
    {WHY_CLIENT_CLOSED, ST_RELAY, 0, true, "--"},
    {WHY_SERVER_CLOSED, ST_RELAY, 0, false, "--"},
    {WHY_CLIENT_RESET, ST_RELAY, 0, false, "CD"},
    {WHY_CLIENT_TLS, ST_RELAY, 0, false, "CD"},
    {WHY_SERVER_RESET, ST_RELAY, 0, false, "SD"},
    {WHY_SERVER_TLS, ST_RELAY, 0, false, "SD"},
    {WHY_IDLE, ST_RELAY, 0, false, "cD"},
    {WHY_HALF_CLOSED, ST_RELAY, 0, false, "cD"},
    {WHY_HALF_CLOSED, ST_RELAY, 0, true, "sD"},
    {WHY_CLIENT_CLOSED, ST_QUEUE, 0, true, "CQ"},
    {WHY_CLIENT_RESET, ST_QUEUE, 0, false, "CQ"},
    {WHY_QUEUE_TIMEOUT, ST_QUEUE, 0, false, "sQ"},
    {WHY_CLIENT_CLOSED, ST_CONNECT, 0, true, "CC"},
    {WHY_CLIENT_RESET, ST_SERVER_HANDSHAKE, 0, false, "CC"},
    {WHY_CLIENT_CLOSED, ST_PAUSE, 0, true, "CC"},
    {WHY_NO_SERVER, ST_PICK, 0, false, "SC"},
    {WHY_CONNECT_FAILED, ST_CONNECT, ECONNREFUSED, false, "SC"},
    {WHY_CONNECT_FAILED, ST_GREET, ECONNRESET, false, "SC"},
    {WHY_CONNECT_FAILED, ST_CONNECT, ETIMEDOUT, false, "sC"},
    {WHY_CONNECT_FAILED, ST_PICK, EADDRNOTAVAIL, false, "RC"},
    {WHY_CONNECT_FAILED, ST_PICK, EMFILE, false, "RC"},
    {WHY_SERVER_HANDSHAKE_FAILED, ST_SERVER_HANDSHAKE, 0, false, "SC"},
    {WHY_NO_MEMORY, ST_CONNECT, 0, false, "RC"},
    {WHY_DENIED, ST_PROXY_HEADER, 0, false, "PR"},
    {WHY_SOURCE_LIMIT, ST_PROXY_HEADER, 0, false, "PR"},
    {WHY_SHUTDOWN, ST_RELAY, 0, false, "KD"},
    {WHY_SHUTDOWN, ST_QUEUE, 0, false, "KQ"},
    {WHY_KILLED, ST_RELAY, 0, false, "K-"},
    {WHY_KILLED, ST_QUEUE, 0, false, "KQ"},
    {WHY_CONNECT_PACKET_TIMEOUT, ST_CONNECT_PACKET, 0, false, "cR"},
    {WHY_CONNECT_PACKET_TIMEOUT, ST_UPGRADE, 0, false, "cR"},
    {WHY_NOT_MQTT, ST_CONNECT_PACKET, 0, false, "PR"},
    {WHY_NOT_WEBSOCKET, ST_UPGRADE, 0, false, "PR"},
    {WHY_UPGRADE_REFUSED, ST_SERVER_HEAD, 0, false, "SC"},
    {WHY_CLIENT_NOT_MQTT, ST_RELAY, 0, false, "PD"},
    {WHY_KEEP_ALIVE, ST_RELAY, 0, false, "cD"},
    {WHY_MAX_AGE, ST_RELAY, 0, false, "KD"},
    {WHY_RATE_LIMIT, ST_TURN, 0, false, "PR"},
    {WHY_CLIENT_CLOSED, ST_TURN, 0, true, "CR"},
    {WHY_CLIENT_RESET, ST_TURN, 0, false, "CR"},
    {WHY_SHUTDOWN, ST_TURN, 0, false, "KR"},
    {WHY_HANDSHAKE_TIMEOUT, ST_HANDSHAKE, 0, false, "cR"},
    {WHY_HANDSHAKE_FAILED, ST_HANDSHAKE, 0, false, "PR"},
    {WHY_CLIENT_RESET, ST_HANDSHAKE, 0, false, "CR"},
};

START_TEST(each_end_has_the_letters_of_haproxys_table)
{
    char code[3];
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        ck_assert_msg(strcmp(code_of(&ends[i], code), ends[i].code) == 0, "%s in %s: %s, not %s",
                      why_names[ends[i].why], session_state_names[ends[i].state], code, ends[i].code);
}
END_TEST

START_TEST(no_end_is_without_letters)
{
    for (int why = 0; why < WHY_COUNT; why++) {
        for (int state = 0; state < ST_CLOSED; state++) {
            const struct end end = {.why = (enum why)why, .state = (enum session_state)state};
            char             code[3];
            ck_assert_uint_eq(strlen(code_of(&end, code)), 2);
            ck_assert_msg(strcmp(code, "--") == 0 || (strchr("CcSsPRK", code[0]) && strchr("RQCD-", code[1])),
                          "%s in %s: %s", why_names[why], session_state_names[state], code);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("termination");
    TCase *tc = tcase_create("termination");
    tcase_add_test(tc, each_end_has_the_letters_of_haproxys_table);
    tcase_add_test(tc, no_end_is_without_letters);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
