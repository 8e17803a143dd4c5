/* Frontends, backends and listen sections. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "unit/ctl/import_tests.h"

static const char *shown(const struct addr *a)
{
    static char text[ADDR_TEXT_MAX];
    return addr_format(a, text);
}

static bool has_network(const struct conf_networks *nets, const char *text)
{
    struct network net;
    ck_assert(network_parse(text, &net));
    for (size_t i = 0; i < nets->n; i++) {
        if (nets->at[i].bits == net.bits && addr_same_ip(&nets->at[i].base, &net.base))
            return true;
    }
    return false;
}

START_TEST(a_frontend_and_its_backend_become_a_listener_and_a_backend)
{
    struct made made = make("global\n maxconn 1000\n nbthread 3\n user u\n group g\n pidfile /p\n node n\n"
                            "defaults\n mode tcp\n log global\n option redispatch\n retries 1\n" FRONT BACK);
    assert_carried(&made);
    const struct conf *c = made.conf;
    ck_assert_uint_eq(c->global.max_connections, 1000);
    ck_assert_uint_eq(c->global.workers, 3);
    ck_assert_str_eq(c->global.user, "u");
    ck_assert_str_eq(c->global.group, "g");
    ck_assert_str_eq(c->global.pid_file, "/p");
    ck_assert_str_eq(c->global.node, "n");
    ck_assert_str_eq(c->listeners[0].name, "f");
    ck_assert_str_eq(shown(&c->listeners[0].bind[0]), "127.0.0.1:1883");
    ck_assert_str_eq(c->listeners[0].backend->name, "b");
    ck_assert_str_eq(c->backends[0].servers[0].address_text, "127.0.0.1:11883");
    ck_assert_int_eq(c->backends[0].check.type, CHECK_TCP);
    ck_assert_uint_eq(c->backends[0].tries, 2);
    ck_assert_str_eq(shown(&c->admin.bind), "127.0.0.1:8080");
    made_free(&made);
}
END_TEST

START_TEST(a_listen_section_is_both)
{
    struct made made = make("listen both\n bind 127.0.0.1:1883\n server s 127.0.0.1:1\n");
    assert_carried(&made);
    ck_assert_str_eq(made.conf->listeners[0].name, "both");
    ck_assert_str_eq(made.conf->backends[0].name, "both");
    ck_assert_int_eq(made.conf->backends[0].check.type, CHECK_NONE);
    made_free(&made);
}
END_TEST

START_TEST(defaults_reach_the_sections_below_and_those_that_name_them)
{
    struct made made = make("defaults a\n timeout client 1m\n timeout server 1m\n"
                            "defaults b from a\n timeout connect 3s\n"
                            "listen x from a\n bind :1001\n server s 127.0.0.1:1\n"
                            "listen y\n bind :1002\n server s 127.0.0.1:1\n"
                            "listen z from nosuch\n bind :1003\n server s 127.0.0.1:1\n");
    ck_assert_uint_eq(made.conf->listeners[0].timeouts.connect_ms, 5000);
    ck_assert_uint_eq(made.conf->listeners[0].timeouts.idle_ms, 60000);
    ck_assert_uint_eq(made.conf->listeners[1].timeouts.connect_ms, 3000);
    assert_lost(&made, 12, "no defaults \"nosuch\"");
    made_free(&made);
}
END_TEST

START_TEST(every_form_of_an_address_is_understood)
{
    struct made made =
        make("frontend f\n bind *:1001,:1002\n bind [::1]:1003\n bind ::1:1004\n bind ipv4@127.0.0.1:1005\n"
             " bind known.example:1006\n bind :::1007\n bind [::]:1008 v6only\n default_backend b\n" BACK);
    const struct conf_listener *l = made.conf->listeners;
    static const char *const want[] = {"0.0.0.0:1001",   "0.0.0.0:1002", "[::1]:1003",   "[::1]:1004", "127.0.0.1:1005",
                                       "192.0.2.7:1006", "[::]:1007",    "0.0.0.0:1007", "[::]:1008"};
    ck_assert_uint_eq(l->n_bind, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_str_eq(shown(&l->bind[i]), want[i]);
    assert_noted(&made, 6, "192.0.2.7 is the address of \"known.example\" now");
    ck_assert_uint_eq(made.lost, 0);
    made_free(&made);
}
END_TEST

START_TEST(an_address_that_mqgate_cannot_have_is_lost)
{
    struct made made =
        make("frontend f\n bind :1001-1003\n bind /tmp/x.sock\n bind unix@x\n bind 1883\n bind nosuch:1\n"
             " bind :1883\n bind 127.0.0.1:1883\n bind :70000\n default_backend b\n" BACK);
    assert_lost(&made, 2, "a range of ports");
    assert_lost(&made, 3, "TCP over IP");
    assert_lost(&made, 4, "TCP over IP");
    assert_lost(&made, 5, "no port");
    assert_lost(&made, 6, "\"nosuch\" has none here");
    assert_lost(&made, 8, "listens there already");
    assert_lost(&made, 9, "is no port");
    ck_assert_uint_eq(made.lost, 7);
    made_free(&made);
}
END_TEST

START_TEST(plain_and_tls_on_one_frontend_are_two_listeners)
{
    struct made made =
        make("frontend f\n bind :1883\n bind :1993\n bind :8883 ssl crt /x.pem name secure\n"
             " bind :8993 ssl crt /x.pem\n bind :8994 ssl crt /own.pem alpn mqtt,x\n default_backend b\n" BACK);
    const struct conf *c = made.conf;
    ck_assert_uint_eq(made.lost, 0);
    ck_assert_uint_eq(c->n_listeners, 3);
    ck_assert_str_eq(c->listeners[0].name, "f");
    ck_assert_uint_eq(c->listeners[0].n_bind, 2);
    ck_assert_ptr_null(c->listeners[0].tls);
    ck_assert_str_eq(c->listeners[1].name, "f-secure");
    ck_assert_uint_eq(c->listeners[1].n_bind, 2);
    ck_assert_str_eq(c->listeners[1].tls->certificates[0].chain, "/x.pem");
    ck_assert_str_eq(c->listeners[1].tls->certificates[0].key, "/x.pem");
    ck_assert_str_eq(c->listeners[2].name, "f-8994");
    ck_assert_str_eq(c->listeners[2].tls->certificates[0].key, "/own.pem.key");
    ck_assert_str_eq(c->listeners[2].tls->alpn.at[0], "mqtt");
    ck_assert_uint_eq(c->n_tls, 2);
    made_free(&made);
}
END_TEST

START_TEST(what_is_said_of_tls_is_carried_over)
{
    struct made made =
        make("global\n crt-base /base\n ca-base /ca\n ssl-default-bind-ciphers A:B\n"
             " ssl-default-bind-options no-sslv3 no-tls-tickets\n"
             "frontend f\n bind :8883 ssl crt one.pem crt /certs verify optional ca-file c.pem crl-file r.pem "
             "ciphersuites T curves X25519 ssl-min-ver TLSv1.3\n default_backend b\n" BACK);
    const struct conf_tls *t = made.conf->tls;
    assert_carried(&made);
    ck_assert_uint_eq(t->n_certificates, 3);
    ck_assert_str_eq(t->certificates[0].chain, "/base/one.pem");
    ck_assert_str_eq(t->certificates[2].chain, "/certs/b.pem");
    ck_assert_int_eq(t->verify, VERIFY_OPTIONAL);
    ck_assert_str_eq(t->client_ca, "/ca/c.pem");
    ck_assert_str_eq(t->crl, "/ca/r.pem");
    ck_assert_str_eq(t->ciphers, "A:B");
    ck_assert_str_eq(t->ciphersuites, "T");
    ck_assert_str_eq(t->groups, "X25519");
    ck_assert_int_eq(t->min_version, CONF_TLS_1_3);
    ck_assert(!t->session_tickets);
    made_free(&made);
}
END_TEST

START_TEST(a_listener_is_left_out_rather_than_made_weaker)
{
    struct made made = make(FRONT "frontend g\n bind :8883 ssl crt /x.pem verify required ca-file @system-ca\n"
                                  " bind :8884 ssl crt /empty\n bind :8885 ssl\n bind :8886 ssl crt-list /l\n"
                                  " default_backend b\n" BACK);
    ck_assert_uint_eq(made.conf->n_listeners, 1);
    assert_lost(&made, 4, "none of its addresses");
    assert_lost(&made, 5, "the address is left out");
    assert_lost(&made, 6, "no *.pem");
    assert_lost(&made, 7, "the address is left out");
    assert_lost(&made, 8, "crt-list");
    made_free(&made);
}
END_TEST

START_TEST(a_proxy_header_is_asked_for_and_from_whom_is_warned_of)
{
    struct made                 made = make("frontend f\n bind :1883 accept-proxy\n default_backend b\n" BACK);
    const struct conf_listener *l = made.conf->listeners;
    ck_assert_int_eq(l->proxy_protocol, PROXY_IN_REQUIRED);
    ck_assert(has_network(&l->proxy_from, "0.0.0.0/0") && has_network(&l->proxy_from, "::/0"));
    assert_noted(&made, 2, "narrow proxy_from");
    ck_assert_uint_eq(made.lost, 0);
    made_free(&made);
}
END_TEST

START_TEST(who_may_connect_to_take_a_proxy_header_is_proxy_from)
{
    struct made made = make("frontend f\n bind :1883 accept-proxy\n acl lb src 10.1.2.3/8 192.168.1.0/255.255.255.0\n"
                            " tcp-request connection reject unless lb\n"
                            " tcp-request session reject if { src 203.0.113.1 }\n default_backend b\n" BACK);
    const struct conf_listener *l = made.conf->listeners;
    assert_carried(&made);
    ck_assert_uint_eq(l->proxy_from.n, 2);
    ck_assert(has_network(&l->proxy_from, "10.0.0.0/8") && has_network(&l->proxy_from, "192.168.1.0/24"));
    ck_assert_uint_eq(l->allow.n, 0);
    ck_assert(has_network(&l->deny, "203.0.113.1/32"));
    made_free(&made);
}
END_TEST

START_TEST(rules_about_the_source_become_allow_and_deny)
{
    static const char *const good[] = {
        " tcp-request connection reject if { src 10.9.0.0/16 }\n tcp-request connection reject unless { src 10.0.0.0/8 "
        "}\n",
        " tcp-request connection reject if { src 10.9.0.0/16 }\n tcp-request content accept if { src 10.0.0.0/8 }\n"
        " tcp-request content reject\n",
        " acl in src 10.0.0.0/8\n acl out src 10.9.0.0/16\n tcp-request connection silent-drop if out\n"
        " tcp-request connection reject if !in\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, "%s%s%s", FRONT, good[i], BACK);
        struct made                 made = make(text);
        const struct conf_listener *l = made.conf->listeners;
        assert_carried(&made);
        ck_assert(l->allow.n == 1 && has_network(&l->allow, "10.0.0.0/8"));
        ck_assert(l->deny.n == 1 && has_network(&l->deny, "10.9.0.0/16"));
        made_free(&made);
    }
}
END_TEST

START_TEST(rules_that_say_more_are_lost)
{
    static const char *const bad[] = {
        " tcp-request connection reject if { src 10.0.0.0/8 } { dst_port 1 }\n",
        " tcp-request connection reject if { src -f /list }\n",
        " tcp-request connection reject\n",
        " tcp-request content reject if { req.len 0 }\n",
        " tcp-request connection track-sc0 src\n",
        " tcp-request connection accept if { src 10.0.0.1 }\n tcp-request connection reject if { src 10.0.0.0/8 }\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, "%s%s%s", FRONT, bad[i], BACK);
        struct made made = make(text);
        ck_assert_msg(made.lost == 1, "%s: %s", bad[i], made.remarks);
        ck_assert_msg(made.conf->listeners[0].deny.n + made.conf->listeners[0].allow.n == 0, "%s", bad[i]);
        made_free(&made);
    }
}
END_TEST

START_TEST(mqtt_is_told_by_rules_checks_ports_and_names)
{
    static const struct {
        const char        *text;
        enum conf_protocol protocol;
    } vectors[] = {
        {FRONT BACK, PROTOCOL_MQTT},
        {"listen x\n bind :5000\n server s 127.0.0.1:5001\n", PROTOCOL_TCP},
        {"listen x\n bind :5000\n server s 127.0.0.1:1883\n", PROTOCOL_MQTT},
        {"listen mqtt_in\n bind :5000\n server s 127.0.0.1:5001\n", PROTOCOL_MQTT},
        {"listen mqtt_ws_in\n bind :5000\n server s 127.0.0.1:5001\n", PROTOCOL_TCP},
        {"listen x\n bind :8083\n server s 127.0.0.1:1883\n", PROTOCOL_TCP},
        {"listen x\n bind :8883\n server s 127.0.0.1:8883\n", PROTOCOL_TCP},
        {"listen x\n bind :8883 ssl crt /x.pem\n server s 127.0.0.1:5001\n", PROTOCOL_MQTT},
        {"listen x\n bind :8883 ssl crt /x.pem\n server s 127.0.0.1:8883 ssl verify none\n", PROTOCOL_MQTT},
        {"listen x\n bind :5000\n tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }\n"
         " server s 127.0.0.1:5001\n",
         PROTOCOL_MQTT},
        {"listen x\n bind :5000\n option tcp-check\n tcp-check send-binary 101000044D515454\n server s 127.0.0.1:1 "
         "check\n",
         PROTOCOL_MQTT},
        {"listen x\n mode http\n bind :5000\n server s 127.0.0.1:8083\n", PROTOCOL_WS},
        {"frontend x\n mode http\n bind :5000\n use_backend b if { path_beg /mqtt }\n default_backend b\n"
         "backend b\n mode http\n server s 127.0.0.1:5001\n",
         PROTOCOL_WS},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct made made = make(vectors[i].text);
        ck_assert_msg(made.conf->listeners[0].protocol == vectors[i].protocol, "%s", vectors[i].text);
        ck_assert_msg(made.lost == 0, "%s", made.remarks);
        made_free(&made);
    }
}
END_TEST

START_TEST(the_inspect_delay_is_the_time_to_say_connect)
{
    struct made made = make(FRONT " tcp-request inspect-delay 7s\n"
                                  " tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }\n" BACK);
    assert_carried(&made);
    ck_assert_uint_eq(made.conf->listeners[0].timeouts.connect_packet_ms, 7000);
    made_free(&made);
}
END_TEST

START_TEST(the_smaller_timeout_of_two_sides_holds)
{
    struct made made = make("defaults\n timeout client 60s\n timeout server 50s\n" FRONT BACK
                            "listen t\n bind :1\n timeout tunnel 2h\n server s 127.0.0.1:1\n");
    ck_assert_uint_eq(made.conf->listeners[0].timeouts.idle_ms, 50000);
    ck_assert_uint_eq(made.conf->listeners[1].timeouts.idle_ms, 7200000);
    assert_noted(&made, 2, "the smaller was taken");
    made_free(&made);
}
END_TEST

START_TEST(limits_of_a_listener_are_carried_over)
{
    struct made made =
        make("frontend f\n maxconn 500\n backlog 99\n clitcpka-idle 2m\n clitcpka-intvl 7\n clitcpka-cnt 3\n"
             " bind :1883 maxconn 100 tcp-ut 30s\n default_backend b\n" BACK);
    const struct conf_listener *l = made.conf->listeners;
    ck_assert_uint_eq(l->max_connections, 100);
    ck_assert_uint_eq(l->backlog, 99);
    ck_assert_uint_eq(l->timeouts.unacked_ms, 30000);
    ck_assert_uint_eq(l->tcp_keepalive.idle_ms, 120000);
    ck_assert_uint_eq(l->tcp_keepalive.interval_ms, 7000);
    ck_assert_uint_eq(l->tcp_keepalive.probes, 3);
    ck_assert_uint_eq(made.lost, 0);
    made_free(&made);
}
END_TEST

START_TEST(a_server_line_is_carried_over)
{
    struct made made =
        make(FRONT "backend b\n source 127.0.0.5\n default-server inter 5s fall 4 rise 1 fastinter 1s check\n"
                   " server a 127.0.0.1:1 send-proxy-v2-ssl-cn maxconn 10\n"
                   " server b 127.0.0.1:2 send-proxy backup source 127.0.0.6:0 id 5\n"
                   " server c 127.0.0.1:3 backup ssl verify required ca-file /ca.pem sni str(x.y)\n");
    const struct conf_backend *b = made.conf->backends;
    assert_carried(&made);
    ck_assert_uint_eq(b->check.interval_ms, 5000);
    ck_assert_uint_eq(b->check.fast_interval_ms, 1000);
    ck_assert_uint_eq(b->check.fall, 4);
    ck_assert_uint_eq(b->check.rise, 1);
    ck_assert_int_eq(b->servers[0].send_proxy, PROXY_OUT_V2);
    ck_assert_uint_eq(b->servers[0].max_connections, 10);
    ck_assert_str_eq(shown(&b->servers[0].source), "127.0.0.5:0");
    ck_assert_int_eq(b->servers[1].send_proxy, PROXY_OUT_V1);
    ck_assert(b->servers[1].backup && !b->servers[0].backup);
    ck_assert_str_eq(shown(&b->servers[1].source), "127.0.0.6:0");
    ck_assert_str_eq(b->servers[2].tls->ca, "/ca.pem");
    ck_assert_str_eq(b->servers[2].tls->sni, "x.y");
    ck_assert_int_eq(b->servers[2].tls->verify, VERIFY_REQUIRED);
    made_free(&made);
}
END_TEST

START_TEST(what_a_server_line_says_beyond_is_lost)
{
    struct made made =
        make(FRONT "backend b\n server a 127.0.0.1:1 check on-marked-down shutdown-sessions slowstart 5s\n"
                   " server b 127.0.0.1:2 disabled\n server c 127.0.0.1\n server d nosuch:1883\n"
                   " server e 127.0.0.1:3 nonsense weight 5\n server f /sock\n server g\n"
                   " server h 127.0.0.1:4 ssl ca-file @missing\n server-template x 1-3 y:1\n");
    assert_lost(&made, 5, "on-marked-down");
    assert_lost(&made, 5, "slowstart");
    assert_lost(&made, 6, "disabled");
    assert_lost(&made, 7, "no port");
    assert_lost(&made, 9, "nonsense: unknown");
    assert_lost(&made, 10, "TCP over IP");
    assert_lost(&made, 11, "a name and an address");
    assert_lost(&made, 12, "left out");
    assert_lost(&made, 13, "write each server");
    ck_assert_uint_eq(made.conf->backends[0].n_servers, 3);
    ck_assert_str_eq(made.conf->backends[0].servers[1].address_text, "nosuch:1883");
    made_free(&made);
}
END_TEST

START_TEST(checks_become_the_type_that_is_like_them)
{
    struct made made =
        make("listen m\n bind :1001\n option tcp-check\n tcp-check connect\n tcp-check send-binary "
             "101000044d5154540402003c0000\n"
             " tcp-check expect binary 20\n server s 127.0.0.1:1 check\n"
             "listen h\n bind :1002\n option httpchk GET /status\n http-check expect status 204\n"
             " server s 127.0.0.1:1 check port 18083\n"
             "listen t\n bind :1003\n option tcp-check\n tcp-check send PING\n server s 127.0.0.1:1 check\n");
    const struct conf_backend *b = made.conf->backends;
    ck_assert_int_eq(b[0].check.type, CHECK_MQTT);
    ck_assert_int_eq(b[1].check.type, CHECK_HTTP);
    ck_assert_str_eq(b[1].check.http_path, "/status");
    ck_assert_uint_eq(b[1].check.http_expect, 204);
    ck_assert_str_eq(shown(&b[1].check.address), "127.0.0.1:18083");
    ck_assert_int_eq(b[2].check.type, CHECK_TCP);
    assert_lost(&made, 16, "check.type");
    ck_assert_uint_eq(made.lost, 1);
    made_free(&made);
}
END_TEST

START_TEST(a_balance_becomes_the_one_that_is_like_it)
{
    static const struct {
        const char       *line;
        enum conf_balance balance;
    } vectors[] = {{"", BALANCE_ROUNDROBIN},
                   {" balance roundrobin\n", BALANCE_ROUNDROBIN},
                   {" balance static-rr\n", BALANCE_ROUNDROBIN},
                   {" balance leastconn\n", BALANCE_LEASTCONN},
                   {" balance random\n", BALANCE_LEASTCONN},
                   {" balance random(3)\n", BALANCE_LEASTCONN},
                   {" balance first\n", BALANCE_LOCAL_FIRST},
                   {" balance source\n hash-type consistent\n", BALANCE_SOURCE},
                   {" stick-table type ip size 1k\n stick on src\n", BALANCE_SOURCE}};
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, FRONT BACK " server t 127.0.0.1:2 check weight 7\n%s", vectors[i].line);
        struct made made = make(text);
        assert_carried(&made);
        ck_assert_msg(made.conf->backends[0].balance == vectors[i].balance, "%s%s", vectors[i].line, made.text);
        ck_assert_uint_eq(made.conf->backends[0].servers[1].weight, 7);
        made_free(&made);
    }
}
END_TEST

START_TEST(a_hash_that_moves_more_clients_and_one_that_is_not_of_the_source_are_lost)
{
    struct made made = make(FRONT BACK " server t 127.0.0.1:2 check\n balance source\n hash-type map-based\n"
                                       " hash-balance-factor 150\n");
    assert_lost(&made, 8, "its own share");
    assert_lost(&made, 9, "waits for the server");
    ck_assert_int_eq(made.conf->backends[0].balance, BALANCE_SOURCE);
    made_free(&made);
    made = make(FRONT BACK " server t 127.0.0.1:2 check\n balance uri\n");
    assert_lost(&made, 7, "\"uri\" is not among");
    ck_assert_int_eq(made.conf->backends[0].balance, BALANCE_LOCAL_FIRST);
    made_free(&made);
}
END_TEST

START_TEST(checks_elsewhere_are_lost_where_each_server_has_its_own_place)
{
    struct made made = make(FRONT "backend b\n balance first\n server a 127.0.0.1:1 check port 9\n"
                                  " server b 127.0.0.2:1 check port 9\n");
    assert_lost(&made, 7, "check.address");
    ck_assert_uint_eq(made.lost, 1);
    ck_assert(!addr_is_set(&made.conf->backends[0].check.address));
    made_free(&made);
}
END_TEST

START_TEST(a_choice_of_backends_is_lost)
{
    struct made made = make(FRONT " use_backend c if { src 10.0.0.0/8 }\n" BACK "backend c\n server s 127.0.0.1:1\n");
    assert_lost(&made, 4, "a listener has one backend");
    assert_lost(&made, 7, "nothing that was carried over leads to it");
    ck_assert_uint_eq(made.conf->n_backends, 1);
    made_free(&made);
}
END_TEST

START_TEST(a_choice_that_leads_where_all_go_is_none)
{
    struct made made = make(FRONT " acl x hdr(Upgrade) -i websocket\n use_backend b if x\n" BACK);
    assert_carried(&made);
    made_free(&made);
}
END_TEST

START_TEST(rules_and_servers_of_no_use_are_lost)
{
    struct made made = make("listen f\n bind :1883\n server x 127.0.0.1:1\n default_backend b\n" BACK
                            " acl a src 10.0.0.1\n tcp-request content reject if a\n");
    assert_lost(&made, 3, "not to this server");
    assert_lost(&made, 7, "no rule");
    assert_lost(&made, 8, "a backend has no rules");
    ck_assert_uint_eq(made.lost, 3);
    made_free(&made);
}
END_TEST

START_TEST(sections_that_mqgate_has_no_use_for_are_named)
{
    struct made made =
        make(FRONT BACK "peers p\n peer x 1.2.3.4:1\nresolvers r\n nameserver n 1.2.3.4:53\n"
                        "frontend web\n mode http\n bind :80\n default_backend w\n"
                        "backend w\n mode http\n server s 127.0.0.1:81\nlisten off\n disabled\n bind :5\n"
                        "listen none\n bind :6\n");
    assert_lost(&made, 6, "shares no tables");
    assert_lost(&made, 8, "name servers");
    assert_lost(&made, 10, "mode http");
    assert_lost(&made, 14, "mode http");
    assert_lost(&made, 17, "disabled");
    assert_lost(&made, 20, "none of its servers");
    ck_assert_uint_eq(made.lost, 6);
    made_free(&made);
}
END_TEST

START_TEST(a_backend_that_nothing_leads_to_is_left_out)
{
    struct made made =
        make(FRONT BACK "frontend g\n bind /sock\n default_backend c\nbackend c\n server s 127.0.0.1:1\n");
    ck_assert_uint_eq(made.conf->n_backends, 1);
    assert_lost(&made, 6, "none of its addresses");
    assert_lost(&made, 9, "leads to it");
    made_free(&made);
}
END_TEST

/* Adds n times a line that has a number in it. */
static void add_many(struct text *text, unsigned n, const char *before, const char *behind)
{
    for (unsigned i = 1; i <= n; i++)
        text_add(text, "%s%u%s", before, i, behind);
}

START_TEST(what_is_too_many_is_cut_to_what_mqgate_takes)
{
    struct text text = {0};
    text_puts(&text, "frontend f\n default_backend b\n");
    add_many(&text, 20, " bind 127.0.0.1:", "\n");
    text_puts(&text, "backend b\n");
    add_many(&text, 70, " server s 127.0.1.1:", " check\n");
    for (unsigned i = 1; i <= 300; i++)
        text_add(&text, "listen l%u\n bind 127.0.2.1:%u ssl crt /c%u.pem\n server s 127.0.0.1:1 ssl sni str(n%u)\n", i,
                 i, i, i);
    struct made        made = make(text.at);
    const struct conf *c = made.conf;
    ck_assert_uint_eq(c->listeners[0].n_bind, 16);
    ck_assert_uint_eq(c->backends[0].n_servers, 64);
    ck_assert_uint_eq(c->n_listeners, 256);
    ck_assert_uint_eq(c->n_backends, 256);
    assert_lost(&made, 19, "at most 16");
    made_free(&made);
    text_fini(&text);
}
END_TEST

START_TEST(names_are_made_good_and_unique)
{
    struct made made =
        make("listen \"a b/c\"\n bind :1001\n server \"x y\" 127.0.0.1:1\n server \"x?y\" 127.0.0.1:2\n"
             "listen a-b-c\n bind :1002\n server s 127.0.0.1:1\nlisten\n bind :1003\n server s 127.0.0.1:1\n"
             "listen 0123456789012345678901234567890123456789012345678901234567890123456789\n bind :1004\n"
             " server s 127.0.0.1:1\nlisten admin\n bind :1005\n server s 127.0.0.1:1\n");
    ck_assert_str_eq(made.conf->listeners[0].name, "a-b-c");
    ck_assert_str_eq(made.conf->listeners[1].name, "a-b-c-2");
    ck_assert_str_eq(made.conf->listeners[2].name, "unnamed");
    ck_assert_uint_eq(strlen(made.conf->listeners[3].name), 64);
    ck_assert_str_eq(made.conf->listeners[4].name, "admin-tcp"); /* "admin" is taken in the statistics */
    ck_assert_str_eq(made.conf->backends[0].servers[0].name, "x-y");
    ck_assert_str_eq(made.conf->backends[0].servers[1].name, "x-y-2");
    made_free(&made);
}
END_TEST

TCase *import_proxies_case(void)
{
    TCase *tc = tcase_create("proxies");
    tcase_add_test(tc, a_frontend_and_its_backend_become_a_listener_and_a_backend);
    tcase_add_test(tc, a_listen_section_is_both);
    tcase_add_test(tc, defaults_reach_the_sections_below_and_those_that_name_them);
    tcase_add_test(tc, every_form_of_an_address_is_understood);
    tcase_add_test(tc, an_address_that_mqgate_cannot_have_is_lost);
    tcase_add_test(tc, plain_and_tls_on_one_frontend_are_two_listeners);
    tcase_add_test(tc, what_is_said_of_tls_is_carried_over);
    tcase_add_test(tc, a_listener_is_left_out_rather_than_made_weaker);
    tcase_add_test(tc, a_proxy_header_is_asked_for_and_from_whom_is_warned_of);
    tcase_add_test(tc, who_may_connect_to_take_a_proxy_header_is_proxy_from);
    tcase_add_test(tc, rules_about_the_source_become_allow_and_deny);
    tcase_add_test(tc, rules_that_say_more_are_lost);
    tcase_add_test(tc, mqtt_is_told_by_rules_checks_ports_and_names);
    tcase_add_test(tc, the_inspect_delay_is_the_time_to_say_connect);
    tcase_add_test(tc, the_smaller_timeout_of_two_sides_holds);
    tcase_add_test(tc, limits_of_a_listener_are_carried_over);
    tcase_add_test(tc, a_server_line_is_carried_over);
    tcase_add_test(tc, what_a_server_line_says_beyond_is_lost);
    tcase_add_test(tc, checks_become_the_type_that_is_like_them);
    tcase_add_test(tc, a_balance_becomes_the_one_that_is_like_it);
    tcase_add_test(tc, a_hash_that_moves_more_clients_and_one_that_is_not_of_the_source_are_lost);
    tcase_add_test(tc, checks_elsewhere_are_lost_where_each_server_has_its_own_place);
    tcase_add_test(tc, a_choice_of_backends_is_lost);
    tcase_add_test(tc, a_choice_that_leads_where_all_go_is_none);
    tcase_add_test(tc, rules_and_servers_of_no_use_are_lost);
    tcase_add_test(tc, sections_that_mqgate_has_no_use_for_are_named);
    tcase_add_test(tc, a_backend_that_nothing_leads_to_is_left_out);
    tcase_add_test(tc, what_is_too_many_is_cut_to_what_mqgate_takes);
    tcase_add_test(tc, names_are_made_good_and_unique);
    return tc;
}
