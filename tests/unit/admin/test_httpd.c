/* The admin server over real sockets, its clients on the same loop. */
#include <check.h>
#include <crypt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/auth.h"
#include "base/clock.h"
#include "net/listener.h"
#include "net/sock.h"
#include "unit/admin/fixture.h"
#include "unit/admin/suites.h"

static const char service_ready[] = "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n";
static const char no_server[] = "<html><body><h1>503 Service Unavailable</h1>\n"
                                "No server is available to handle this request.\n</body></html>\n";
static const char get_health[] = "GET /haproxy_health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
static const char get_json[] = "GET /haproxy_stats;json;mqgate HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";

static struct fixture f;

static void setup(void)
{
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_close(&f);
}

static void expect(const char *request, int status, const char *body)
{
    struct peer *peer = fixture_ask(&f, request);
    ck_assert_int_eq(peer_status(peer), status);
    ck_assert_str_eq(peer_body(peer), body);
    peer_close(peer);
}

static void expect_status(const char *request, int status)
{
    struct peer *peer = fixture_ask(&f, request);
    ck_assert_int_eq(peer_status(peer), status);
    peer_close(peer);
}

static void servers_go(enum server_state state)
{
    for (size_t i = 0; i < N_SERVERS; i++)
        server_set_state(f.servers[i].live, state);
}

START_TEST(health_is_200_while_a_server_is_up)
{
    struct peer *peer = fixture_ask(&f, get_health);
    ck_assert_int_eq(strncmp(peer->in, "HTTP/1.1 200 OK\r\n", 17), 0);
    ck_assert_str_eq(peer_body(peer), service_ready);
    ck_assert(peer_has_header(peer, "content-length: 58"));
    ck_assert(peer_has_header(peer, "content-type: text/html"));
    ck_assert(peer_has_header(peer, "cache-control: no-cache"));
    ck_assert(peer_has_header(peer, "connection: close"));
    peer_close(peer);
}
END_TEST

START_TEST(health_is_503_while_no_server_is_up)
{
    servers_go(SERVER_DOWN);
    struct peer *peer = fixture_ask(&f, get_health);
    ck_assert_int_eq(strncmp(peer->in, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
    ck_assert_str_eq(peer_body(peer), no_server);
    ck_assert(peer_has_header(peer, "content-length: 107"));
    ck_assert(peer_has_header(peer, "content-type: text/html"));
    ck_assert(peer_has_header(peer, "cache-control: no-cache"));
    peer_close(peer);
    servers_go(SERVER_UP);
    expect(get_health, 200, service_ready);
}
END_TEST

START_TEST(health_is_503_when_new_clients_are_not_wanted)
{
    f.view.accepting = false;
    expect(get_health, 503, no_server);
}
END_TEST

START_TEST(health_answers_any_method_and_version)
{
    expect("POST /haproxy_health HTTP/1.1\r\nHost: n\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 200,
           service_ready);
    expect("PUT /haproxy_health HTTP/1.1\r\nHost: n\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n0\r\n\r\n",
           200, service_ready);
    expect("OPTIONS /haproxy_health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 200, service_ready);
    expect("GET /haproxy_health HTTP/1.0\r\n\r\n", 200, service_ready);
    expect("GET /haproxy_health HTTP/1.1\r\nConnection: close\r\n\r\n", 200, service_ready); /* no Host */
    expect("GET http://n:8080/haproxy_health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 200, service_ready);
}
END_TEST

START_TEST(head_gets_the_headers_alone)
{
    struct peer *peer = fixture_ask(&f, "HEAD /haproxy_health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    ck_assert_int_eq(peer_status(peer), 200);
    ck_assert(peer_has_header(peer, "content-length: 58"));
    ck_assert_str_eq(peer_body(peer), "");
    peer_close(peer);
}
END_TEST

START_TEST(a_body_that_comes_late_is_waited_for)
{
    struct peer *peer = peer_open(&f);
    peer_send(peer, "POST /haproxy_health HTTP/1.1\r\nHost: n\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    peer_await_text(peer, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_forget(peer);
    peer_send(peer, "he");
    expect(get_health, 200, service_ready);
    ck_assert_uint_eq(peer->len, 0);
    peer_send(peer, "llo");
    peer_await_text(peer, service_ready);
    peer_close(peer);
}
END_TEST

START_TEST(a_body_without_end_ends_the_connection)
{
    static char  piece[4097];
    struct peer *peer = peer_open(&f);
    memset(piece, 'x', sizeof piece - 1);
    peer_send(peer, "POST /haproxy_health HTTP/1.1\r\nHost: n\r\nContent-Length: 1000000000\r\n\r\n");
    while (!peer->eof) {
        (void)send(peer->fd, piece, sizeof piece - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        ev_run(f.loop, EVRUN_ONCE);
    }
    peer_close(peer);
    expect(get_health, 200, service_ready);
}
END_TEST

START_TEST(a_connection_serves_one_request_after_the_other)
{
    static const char request[] = "GET /haproxy_health HTTP/1.1\r\nHost: n\r\n\r\n";
    struct peer      *peer = peer_open(&f);
    for (int i = 0; i < 5; i++) {
        peer_forget(peer);
        peer_send(peer, request);
        peer_await_text(peer, service_ready);
    }
    peer_forget(peer);
    peer_send(peer, request); /* three at once: pipelined */
    peer_send(peer, get_json);
    peer_await_end(peer);
    ck_assert_int_eq(peer_status(peer), 200);
    ck_assert_ptr_nonnull(strstr(peer->in, service_ready));
    ck_assert_ptr_nonnull(strstr(peer->in, "\"node-1\""));
    peer_close(peer);
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
    struct peer *peer = peer_open(&f);
    for (const char *at = get_health; *at != '\0'; at++) {
        const char byte[] = {*at, '\0'};
        peer_send(peer, byte);
        ev_run(f.loop, EVRUN_NOWAIT);
    }
    peer_await_end(peer);
    ck_assert_str_eq(peer_body(peer), service_ready);
    peer_close(peer);
}
END_TEST

START_TEST(what_is_nowhere_is_404_and_says_what_there_is)
{
    struct peer *peer = fixture_ask(&f, "GET /haproxy_health?x=1 HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    ck_assert_int_eq(peer_status(peer), 404);
    ck_assert_ptr_nonnull(strstr(peer_body(peer), "/haproxy_health\n"));
    ck_assert_ptr_nonnull(strstr(peer_body(peer), "/haproxy_stats;json\n"));
    peer_close(peer);
    expect_status("GET /haproxy_stat HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 404);
    expect_status("OPTIONS * HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 404);
}
END_TEST

START_TEST(a_malformed_or_oversized_head_is_refused)
{
    static char big[40000] = "GET /haproxy_health HTTP/1.1\r\nHost: n\r\nX: ";
    memset(big + strlen(big), 'x', sizeof big - strlen(big) - 5);
    memcpy(big + sizeof big - 5, "\r\n\r\n", 5);
    expect_status("GET /haproxy_health HTTP/1.1\r\nno colon\r\n\r\n", 400);
    struct peer *peer = peer_open(&f);
    peer_send(peer, big);
    peer_await_end(peer); /* an answer, or a reset that overtook it */
    peer_close(peer);
    peer = fixture_ask(&f, "\x16\x03\x01 TLS, by mistake\r\n\r\n");
    peer_close(peer);
    expect(get_health, 200, service_ready);
}
END_TEST

START_TEST(json_is_for_addresses_in_stats_allow)
{
    struct peer *peer = fixture_ask(&f, get_json);
    json_t      *json = json_loads(peer_body(peer), 0, NULL);
    ck_assert_int_eq(peer_status(peer), 200);
    ck_assert(peer_has_header(peer, "content-type: application/json"));
    ck_assert(peer_has_header(peer, "cache-control: no-cache"));
    ck_assert_str_eq(json_string_value(json_object_get(json, "node")), "node-1");
    json_decref(json);
    peer_close(peer);
    ck_assert(network_parse("10.0.0.0/8", &f.conf->admin.stats_allow.at[0]));
    expect_status(get_json, 403);
    expect_status("GET /haproxy_statsXYZ HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 403);
    expect(get_health, 200, service_ready); /* for everybody */
}
END_TEST

START_TEST(who_may_act_is_asked_for_before_anything_is_done)
{
    struct peer *peer = fixture_ask(&f, "POST /haproxy_stats HTTP/1.1\r\nHost: n\r\nConnection: close\r\n"
                                        "Content-Length: 32\r\n\r\nb=emqx&action=maint&s=broker1&x=y");
    ck_assert_int_eq(peer_status(peer), 303); /* without stats_auth nobody may */
    ck_assert(peer_has_header(peer, "location: /haproxy_stats;st=DENY"));
    ck_assert_int_eq(server_admin(f.servers[0].live), SERVER_READY);
    peer_close(peer);
    expect_status("PUT /haproxy_stats;json HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 405);
    expect("HEAD /haproxy_stats;json HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", 200, "");
}
END_TEST

START_TEST(what_a_browser_may_make_of_an_answer_is_bounded)
{
    static const struct {
        const char *uri, *referrer;
    } all[] = {{"/haproxy_stats", "referrer-policy: same-origin"}, /* for the form's sake */
               {"/haproxy_stats;csv", "referrer-policy: no-referrer"},
               {"/haproxy_stats;json", "referrer-policy: no-referrer"},
               {"/nothing", "referrer-policy: no-referrer"}};
    char request[128];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n", all[i].uri);
        struct peer *peer = fixture_ask(&f, request);
        ck_assert(peer_has_header(peer, "x-content-type-options: nosniff"));
        ck_assert_msg(peer_has_header(peer, all[i].referrer), "%s", all[i].uri);
        ck_assert(peer_has_header(peer, "cache-control: no-cache"));
        peer_close(peer);
    }
    struct peer *peer = fixture_ask(&f, get_health); /* as HAProxy's */
    ck_assert(!peer_has_header(peer, "x-content-type-options: nosniff"));
    peer_close(peer);
}
END_TEST

static uint64_t counted(enum count which)
{
    return row_sum(f.view.admin, which);
}

START_TEST(connections_and_requests_are_counted_in_the_row_of_admin)
{
    static const char request[] = "GET /haproxy_stats;csv HTTP/1.1\r\nHost: n\r\n\r\n";
    struct peer      *peer = peer_open(&f);
    peer_send(peer, request);
    peer_await_text(peer, "BACKEND,");
    ck_assert_uint_eq(gauge_now(&f.view.admin->sessions), 1);
    ck_assert_uint_eq(counted(COUNT_CONNECTIONS), 1);
    ck_assert_uint_eq(counted(COUNT_SESSIONS), 1);
    ck_assert_uint_eq(counted(COUNT_REQUEST_IN), sizeof request - 1);
    size_t out = strlen(peer_body(peer));
    ck_assert_uint_eq(counted(COUNT_RESPONSE_OUT), out);
    ck_assert_uint_eq(rate_read(&f.view.admin->connection_rate, clock_mono_ms()), 1);
    peer_close(peer);
    ck_assert(network_parse("10.0.0.0/8", &f.conf->admin.stats_allow.at[0]));
    expect_status(get_json, 403);
    expect(get_health, 200, service_ready);
    while (gauge_now(&f.view.admin->sessions) != 0)
        ev_run(f.loop, EVRUN_ONCE);
    ck_assert_uint_eq(counted(COUNT_CONNECTIONS), 3);
    ck_assert_uint_eq(counted(COUNT_CLOSED), 3);
    ck_assert_uint_eq(counted(COUNT_SESSIONS), 1); /* neither what was denied nor health */
    ck_assert_uint_eq(counted(COUNT_DENIED_SESSIONS), 1);
}
END_TEST

/* From here on: passwords. "b3BzOm9uZQ==" is ops:one. */
static const char with_password[] = "GET /haproxy_stats;json;mqgate HTTP/1.1\r\nHost: n\r\nConnection: close\r\n"
                                    "Authorization: Basic b3BzOm9uZQ==\r\n\r\n";
static const char with_wrong_password[] = "GET /haproxy_stats;json;mqgate HTTP/1.1\r\nHost: n\r\nConnection: close\r\n"
                                          "Authorization: Basic b3BzOnR3bw==\r\n\r\n";

/* The setting's rounds say how slow. */
static void need_password(const char *setting)
{
    static struct crypt_data scratch;
    static char              entry[CRYPT_OUTPUT_SIZE + 8];
    const char              *hash = crypt_r("one", setting, &scratch);
    ck_assert_ptr_nonnull(hash);
    (void)snprintf(entry, sizeof entry, "ops:%s", hash);
    f.users[0] = entry;
    f.conf->admin.stats_auth.n = 1;
}

static const char fast_hash[] = "$6$rounds=1000$saltsalt", slow_hash[] = "$6$rounds=1500000$saltsalt";

START_TEST(statistics_ask_for_a_password_when_one_is_set)
{
    need_password(fast_hash);
    struct peer *peer = fixture_ask(&f, get_json);
    ck_assert_int_eq(peer_status(peer), 401);
    ck_assert(peer_has_header(peer, "www-authenticate: Basic realm=\"mqgate\""));
    peer_close(peer);
    expect_status(with_wrong_password, 401);
    expect_status("GET /haproxy_stats;json;mqgate HTTP/1.1\r\nHost: n\r\nConnection: close\r\n"
                  "Authorization: Bearer b3BzOm9uZQ==\r\n\r\n",
                  401);
    peer = fixture_ask(&f, with_password);
    ck_assert_int_eq(peer_status(peer), 200);
    ck_assert_ptr_nonnull(strstr(peer_body(peer), "\"node-1\""));
    peer_close(peer);
    expect(get_health, 200, service_ready);
}
END_TEST

START_TEST(every_request_of_a_connection_is_asked_for_its_own_password)
{
    need_password(fast_hash);
    struct peer *peer = peer_open(&f);
    peer_send(peer, "GET /haproxy_stats;json;mqgate HTTP/1.1\r\nHost: n\r\nAuthorization: Basic b3BzOm9uZQ==\r\n\r\n");
    peer_await_text(peer, "\"backends\"");
    peer_send(peer, get_json);
    peer_await_end(peer);
    ck_assert_ptr_nonnull(strstr(peer->in, "HTTP/1.1 401"));
    peer_close(peer);
}
END_TEST

START_TEST(health_overtakes_a_slow_password)
{
    need_password(slow_hash);
    struct peer *slow = peer_open(&f);
    peer_send(slow, with_password);
    for (int i = 0; i < 5; i++)
        expect(get_health, 200, service_ready);
    ck_assert_uint_eq(slow->len, 0);
    peer_await_end(slow);
    ck_assert_int_eq(peer_status(slow), 200);
    peer_close(slow);
}
END_TEST

START_TEST(passwords_beyond_the_queue_are_told_to_come_back)
{
    enum { N = AUTH_WAITING_MAX + 10 };
    struct peer *waiting[N];
    need_password(slow_hash);
    for (int i = 0; i < N; i++) {
        waiting[i] = peer_open(&f);
        peer_send(waiting[i], with_password);
    }
    /* One at work and AUTH_WAITING_MAX behind it: the others are turned away. */
    int refused = -1;
    while (refused < 0) {
        ev_run(f.loop, EVRUN_ONCE);
        for (int i = 0; i < N; i++)
            refused = waiting[i]->eof && peer_status(waiting[i]) == 503 ? i : refused;
    }
    ck_assert(peer_has_header(waiting[refused], "retry-after: 1"));
    expect(get_health, 200, service_ready);
    for (int i = 0; i < N; i++)
        peer_close(waiting[i]);
    /* The rest is still waiting when the server is closed. */
}
END_TEST

START_TEST(a_client_that_leaves_before_its_password_is_checked_does_no_harm)
{
    need_password(slow_hash);
    struct peer *gone = peer_open(&f), *stays = peer_open(&f);
    peer_send(gone, with_password);
    expect(get_health, 200, service_ready); /* so the request has arrived, too */
    peer_close(gone);
    peer_send(stays, with_password);
    peer_await_end(stays);
    ck_assert_int_eq(peer_status(stays), 200);
    peer_close(stays);
}
END_TEST

START_TEST(past_the_limit_connections_wait_for_others_to_end)
{
    struct peer *idle[ADMIN_CONNECTIONS_MAX];
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        idle[i] = peer_open(&f);
        peer_send(idle[i], "GET /haproxy_health HTTP/1.1\r\nHost: n\r\n\r\n");
        peer_await_text(idle[i], service_ready);
    }
    struct peer *late = peer_open(&f);
    peer_send(late, get_health);
    for (int i = 0; i < 20; i++)
        ev_run(f.loop, EVRUN_NOWAIT);
    ck_assert_uint_eq(late->len, 0);
    peer_close(idle[0]);
    peer_await_end(late);
    ck_assert_str_eq(peer_body(late), service_ready);
    peer_close(late);
    for (int i = 1; i < ADMIN_CONNECTIONS_MAX; i++)
        peer_close(idle[i]);
}
END_TEST

/* A peer whose connection somebody else has accepted. */
static struct peer *adopted_peer(bool health_only)
{
    int         listening;
    struct addr from, port = f.at;
    struct err  err = {0};
    ck_assert(addr_parse("127.0.0.1:0", &from));
    ck_assert_msg(listener_open(&from, false, 1, &listening, 1, &err) == 0, "%s", err.text);
    f.at = sock_local(listening);
    struct peer *peer = peer_open(&f);
    f.at = port;
    int accepted = listener_accept(listening, &from);
    ck_assert_int_ge(accepted, 0);
    sock_close(listening);
    admin_adopt(f.admin, accepted, &from, health_only);
    return peer;
}

START_TEST(an_adopted_connection_is_as_good_as_an_accepted_one)
{
    struct peer *peer = adopted_peer(false);
    for (int i = 0; i < 3; i++) {
        peer_forget(peer);
        peer_send(peer, "GET /haproxy_health HTTP/1.1\r\nHost: n\r\n\r\n");
        peer_await_text(peer, service_ready);
    }
    peer_forget(peer);
    peer_send(peer, "GET /haproxy_stats;csv HTTP/1.1\r\nHost: n\r\n\r\n");
    peer_await_text(peer, "BACKEND,");
    ck_assert_uint_eq(row_sum(f.view.admin, COUNT_CONNECTIONS), 1);
    peer_close(peer);
}
END_TEST

START_TEST(some_are_told_nothing_but_health)
{
    static const char *const asked[] = {"/haproxy_stats", "/haproxy_stats;csv", "/metrics"};
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct peer *peer = adopted_peer(true);
        char         request[128];
        peer_send(peer, "GET /haproxy_health HTTP/1.1\r\nHost: n\r\n\r\n");
        peer_await_text(peer, service_ready);
        peer_forget(peer);
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: n\r\n\r\n", asked[i]);
        peer_send(peer, request);
        peer_await_text(peer, "only health is told");
        ck_assert_int_eq(peer_status(peer), 403);
        peer_close(peer);
    }
    expect_status("GET /haproxy_stats;csv HTTP/1.0\r\n\r\n", 200); /* the next one is not meant */
}
END_TEST

START_TEST(adopted_connections_make_way_for_new_ones_and_leave_places_for_accepted_ones)
{
    struct peer *idle[ADMIN_ADOPTED_MAX];
    for (int i = 0; i < ADMIN_ADOPTED_MAX; i++)
        idle[i] = adopted_peer(false);
    for (int i = 0; i < 3; i++) {
        struct peer *late = adopted_peer(false);
        peer_send(late, get_health);
        peer_await_end(late);
        ck_assert_str_eq(peer_body(late), service_ready);
        peer_close(late);
    }
    peer_await_end(idle[0]); /* the oldest; the others need not */
    ck_assert(!idle[ADMIN_ADOPTED_MAX - 1]->eof);
    expect(get_health, 200, service_ready);
    for (int i = 0; i < ADMIN_ADOPTED_MAX; i++)
        peer_close(idle[i]);
}
END_TEST

START_TEST(out_of_descriptors_accepting_pauses_and_goes_on)
{
    struct rlimit before, none;
    f.log_settings.level = LEVEL_ERROR;
    struct peer *peer = peer_open(&f);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; /* no descriptor may be had; those open stay */
    peer_send(peer, get_health);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint64_t turns = 0, until = clock_mono_ms() + 300;
    while (clock_mono_ms() < until) {
        ev_run(f.loop, EVRUN_ONCE);
        turns++;
    }
    ck_assert_uint_eq(peer->len, 0);
    ck_assert_uint_lt(turns, 20); /* no busy loop */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    peer_await_end(peer);
    ck_assert_str_eq(peer_body(peer), service_ready);
    peer_close(peer);
}
END_TEST

/* Whatever a client is slow in. */
START_TEST(slow_clients_are_cut_and_their_places_are_free_again)
{
    static const char *const beginnings[] = {"", "GET /haproxy_hea",
                                             "POST /haproxy_health HTTP/1.1\r\nHost: n\r\n"
                                             "Content-Length: 100\r\n\r\nx"};
    struct peer             *slow[ADMIN_CONNECTIONS_MAX];
    uint64_t                 began = clock_mono_ms(), next_byte = began;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        slow[i] = peer_open(&f);
        peer_send(slow[i], beginnings[i % ARRAY_LEN(beginnings)]);
    }
    struct peer *health = peer_open(&f);
    peer_send(health, get_health);
    while (!health->eof) {
        ev_run(f.loop, EVRUN_ONCE);
        for (size_t i = 1; clock_mono_ms() >= next_byte && i < ADMIN_CONNECTIONS_MAX; i++) {
            if (!slow[i]->eof && i % ARRAY_LEN(beginnings) != 0)
                (void)send(slow[i]->fd, "x", 1, MSG_NOSIGNAL);
        }
        next_byte += clock_mono_ms() >= next_byte ? 500 : 0;
    }
    ck_assert_str_eq(peer_body(health), service_ready);
    uint64_t took = clock_mono_ms() - began;
    ck_assert_uint_ge(took, ADMIN_REQUEST_MS);
    ck_assert_uint_lt(took, ADMIN_REQUEST_MS + 3000);
    peer_close(health);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        peer_await_end(slow[i]);
        peer_close(slow[i]);
    }
}
END_TEST

TCase *http_tcase(void)
{
    TCase *tc = tcase_create("http");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, health_is_200_while_a_server_is_up);
    tcase_add_test(tc, health_is_503_while_no_server_is_up);
    tcase_add_test(tc, health_is_503_when_new_clients_are_not_wanted);
    tcase_add_test(tc, health_answers_any_method_and_version);
    tcase_add_test(tc, head_gets_the_headers_alone);
    tcase_add_test(tc, a_body_that_comes_late_is_waited_for);
    tcase_add_test(tc, a_body_without_end_ends_the_connection);
    tcase_add_test(tc, a_connection_serves_one_request_after_the_other);
    tcase_add_test(tc, a_request_may_come_byte_by_byte);
    tcase_add_test(tc, what_is_nowhere_is_404_and_says_what_there_is);
    tcase_add_test(tc, a_malformed_or_oversized_head_is_refused);
    tcase_add_test(tc, json_is_for_addresses_in_stats_allow);
    tcase_add_test(tc, who_may_act_is_asked_for_before_anything_is_done);
    tcase_add_test(tc, what_a_browser_may_make_of_an_answer_is_bounded);
    tcase_add_test(tc, connections_and_requests_are_counted_in_the_row_of_admin);
    tcase_add_test(tc, statistics_ask_for_a_password_when_one_is_set);
    tcase_add_test(tc, every_request_of_a_connection_is_asked_for_its_own_password);
    tcase_add_test(tc, health_overtakes_a_slow_password);
    tcase_add_test(tc, passwords_beyond_the_queue_are_told_to_come_back);
    tcase_add_test(tc, a_client_that_leaves_before_its_password_is_checked_does_no_harm);
    tcase_add_test(tc, past_the_limit_connections_wait_for_others_to_end);
    tcase_add_test(tc, an_adopted_connection_is_as_good_as_an_accepted_one);
    tcase_add_test(tc, some_are_told_nothing_but_health);
    tcase_add_test(tc, adopted_connections_make_way_for_new_ones_and_leave_places_for_accepted_ones);
    tcase_add_test(tc, out_of_descriptors_accepting_pauses_and_goes_on);
    return tc;
}

TCase *slow_tcase(void)
{
    TCase *tc = tcase_create("slow");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, slow_clients_are_cut_and_their_places_are_free_again);
    return tc;
}
