/* Unit tests of room net/: real sockets on the loopback. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/listener.h"
#include "net/sock.h"
#include "support/descriptors.h"
#include "support/unit.h"

enum { WAIT_MS = 5000, BACKLOG = 64 };

static struct addr address(const char *text)
{
    struct addr a;
    ck_assert_msg(addr_parse(text, &a), "%s", text);
    return a;
}

static struct addr listen_on(const char *text, int *fds, unsigned n)
{
    struct addr at = address(text);
    struct err  err = {0};
    ck_assert_msg(listener_open(&at, false, BACKLOG, fds, n, &err) == 0, "%s", err.text);
    return sock_local(fds[0]);
}

static void close_all(const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sock_close(fds[i]);
}

static void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

static int connect_from(const struct addr *to, const struct addr *from)
{
    struct err err = {0};
    int        fd = sock_connect(to, from, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    await(fd, POLLOUT);
    ck_assert_int_eq(sock_error(fd), 0);
    return fd;
}

static int accept_one(int listener, struct addr *peer)
{
    await(listener, POLLIN);
    int fd = listener_accept(listener, peer);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int option(int fd, int level, int name)
{
    int       value = -1;
    socklen_t len = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void assert_nonblocking_and_cloexec(int fd)
{
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

/* How a read on a non-blocking socket ends: 0 at the end of the stream, else errno. */
static int read_error(int fd)
{
    char byte;
    await(fd, POLLIN);
    ssize_t n = read(fd, &byte, 1);
    return n < 0 ? errno : 0;
}

START_TEST(sockets_of_one_listener_share_the_port_that_the_kernel_chose)
{
    enum { SOCKETS = 4, CLIENTS = 64 };
    int           fds[SOCKETS], clients[CLIENTS];
    struct pollfd polled[SOCKETS];
    struct addr   at = listen_on("127.0.0.1:0", fds, SOCKETS);
    unsigned      n_accepted = 0, n_used = 0;
    ck_assert_uint_ne(addr_port(&at), 0);
    for (int i = 0; i < SOCKETS; i++) {
        struct addr here = sock_local(fds[i]);
        ck_assert_uint_eq(addr_port(&here), addr_port(&at));
        assert_nonblocking_and_cloexec(fds[i]);
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_from(&at, NULL);
    ck_assert_int_ge(poll(polled, SOCKETS, WAIT_MS), 1);
    for (int i = 0; i < SOCKETS; i++) {
        struct addr peer;
        unsigned    before = n_accepted;
        for (int fd; (fd = listener_accept(fds[i], &peer)) >= 0; n_accepted++) {
            assert_nonblocking_and_cloexec(fd);
            sock_close(fd);
        }
        ck_assert_int_eq(errno, EAGAIN);
        n_used += n_accepted > before;
    }
    ck_assert_uint_eq(n_accepted, CLIENTS);
    ck_assert_uint_gt(n_used, 1); /* all on one socket: a chance of 4 in 4^64 */
    close_all(clients, CLIENTS);
    close_all(fds, SOCKETS);
}
END_TEST

START_TEST(an_address_that_is_taken_is_an_error_that_names_it)
{
    int         first[2], second[2];
    struct err  err = {0};
    char        text[ADDR_TEXT_MAX];
    struct addr at = listen_on(_i == 0 ? "127.0.0.1:0" : "0.0.0.0:0", first, 2);
    unsigned    n_open = descriptors_open();
    struct addr again = addr_from_ip4((const uint8_t[]){127, 0, 0, 1}, addr_port(&at));
    ck_assert_int_eq(listener_open(&again, false, BACKLOG, second, 2, &err), -1);
    ck_assert_msg(strstr(err.text, addr_format(&again, text)) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "in use") != NULL, "%s", err.text);
    ck_assert_uint_eq(descriptors_open(), n_open);
    close_all(first, 2);
    ck_assert_int_eq(listener_open(&again, false, BACKLOG, second, 2, &err), 0);
    close_all(second, 2);
}
END_TEST

START_TEST(an_address_is_free_again_while_its_old_connections_live)
{
    int         old[1], again[1];
    struct addr peer, at = listen_on("127.0.0.1:0", old, 1);
    struct err  err = {0};
    int         client = connect_from(&at, NULL), conn = accept_one(old[0], &peer);
    sock_close(old[0]);
    ck_assert_msg(listener_open(&at, false, BACKLOG, again, 1, &err) == 0, "%s", err.text);
    sock_close(conn); /* this side ends first, so that TIME_WAIT is at the listener's address */
    ck_assert_int_eq(read_error(client), 0);
    sock_close(client);
    sock_close(again[0]);
    ck_assert_msg(listener_open(&at, false, BACKLOG, again, 1, &err) == 0, "%s", err.text);
    sock_close(again[0]);
}
END_TEST

START_TEST(an_address_of_another_machine_is_an_error_that_names_it)
{
    int         fds[1];
    struct err  err = {0};
    struct addr at = address("192.0.2.1:1883"); /* TEST-NET-1, RFC 5737 */
    unsigned    n_open = descriptors_open();
    ck_assert_int_eq(listener_open(&at, false, BACKLOG, fds, 1, &err), -1);
    ck_assert_str_eq(err.text, "listen on 192.0.2.1:1883: Cannot assign requested address");
    ck_assert_uint_eq(descriptors_open(), n_open);
}
END_TEST

START_TEST(a_listener_that_cannot_have_all_its_sockets_keeps_none)
{
    int         fds[8];
    struct err  err = {0};
    struct addr at = address("127.0.0.1:0");
    unsigned    n_open = descriptors_open();
    descriptors_allow((unsigned)_i);
    ck_assert_int_eq(listener_open(&at, false, BACKLOG, fds, 8, &err), -1);
    descriptors_allow_all();
    ck_assert_str_eq(err.text, "listen on 127.0.0.1:0: Too many open files");
    ck_assert_uint_eq(descriptors_open(), n_open);
}
END_TEST

START_TEST(ipv4_and_ipv6_wildcards_stand_side_by_side)
{
    int         v4[2], v6[2];
    char        text[ADDR_TEXT_MAX];
    struct addr peer, at4 = listen_on("0.0.0.0:0", v4, 2), at6 = address("[::]:0");
    struct err  err = {0};
    addr_set_port(&at6, addr_port(&at4));
    ck_assert_msg(listener_open(&at6, false, BACKLOG, v6, 2, &err) == 0, "%s", err.text);
    close_all(v4 + 1, 1);
    close_all(v6 + 1, 1);
    struct addr to4 = addr_from_ip4((const uint8_t[]){127, 0, 0, 1}, addr_port(&at4)), to6 = address("[::1]:0");
    addr_set_port(&to6, addr_port(&at4));
    int client4 = connect_from(&to4, NULL), conn4 = accept_one(v4[0], &peer);
    ck_assert_str_eq(addr_format_ip(&peer, text), "127.0.0.1");
    int client6 = connect_from(&to6, NULL), conn6 = accept_one(v6[0], &peer);
    ck_assert_str_eq(addr_format_ip(&peer, text), "::1");
    struct addr local = sock_local(client6);
    ck_assert_uint_eq(addr_port(&peer), addr_port(&local));
    close_all((const int[]){v4[0], v6[0], client4, conn4, client6, conn6}, 6);
}
END_TEST

START_TEST(a_client_that_gave_up_in_the_queue_does_not_hide_the_next)
{
    int         fds[1];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1);
    sock_reset(connect_from(&at, NULL));
    int         client = connect_from(&at, NULL), conn;
    struct addr expected = sock_local(client);
    for (int i = 0;; i++) {
        ck_assert_int_lt(i, 2);
        conn = accept_one(fds[0], &peer);
        if (addr_port(&peer) == addr_port(&expected))
            break;
        sock_close(conn);
    }
    ck_assert_int_eq(listener_accept(fds[0], &peer), -1);
    ck_assert_int_eq(errno, EAGAIN);
    close_all((const int[]){fds[0], client, conn}, 3);
}
END_TEST

START_TEST(accepting_without_a_free_descriptor_says_so_and_loses_nobody)
{
    int         fds[1];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1);
    int         client = connect_from(&at, NULL);
    await(fds[0], POLLIN);
    descriptors_allow(0);
    ck_assert_int_eq(listener_accept(fds[0], &peer), -1);
    ck_assert_int_eq(errno, EMFILE);
    descriptors_allow_all();
    close_all((const int[]){accept_one(fds[0], &peer), client, fds[0]}, 3);
}
END_TEST

START_TEST(accepting_from_what_cannot_accept_comes_back)
{
    struct addr peer;
    int         pipes[2], datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int         deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(listener_accept(pipes[0], &peer), -1);
    ck_assert_int_eq(errno, ENOTSOCK);
    ck_assert_int_eq(listener_accept(datagram, &peer), -1);
    ck_assert_int_eq(errno, EOPNOTSUPP);
    ck_assert_int_eq(listener_accept(deaf, &peer), -1);
    ck_assert_int_eq(errno, EINVAL);
    close_all((const int[]){pipes[0], pipes[1], datagram, deaf}, 4);
    ck_assert_int_eq(listener_accept(deaf, &peer), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_connection_comes_from_the_source_it_was_given)
{
    int         fds[1];
    char        text[ADDR_TEXT_MAX];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1), from = addr_from_ip4((const uint8_t[]){127, 1, 2, 3}, 0);
    int         client = connect_from(&at, &from), conn = accept_one(fds[0], &peer);
    ck_assert_str_eq(addr_format_ip(&peer, text), "127.1.2.3");
    struct addr local = sock_local(client), remote = sock_peer(client);
    ck_assert(addr_same_ip(&local, &peer));
    ck_assert_uint_eq(addr_port(&local), addr_port(&peer));
    ck_assert(addr_same_ip(&remote, &at));
    ck_assert_uint_eq(addr_port(&remote), addr_port(&at));
    /* The port is chosen at connect time, per destination, not taken from all of them at bind time. */
    ck_assert_int_eq(option(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
    assert_nonblocking_and_cloexec(client);
    close_all((const int[]){client, conn, fds[0]}, 3);
}
END_TEST

START_TEST(an_ipv6_connection_too_comes_from_the_source_it_was_given)
{
    int         fds[1];
    char        text[ADDR_TEXT_MAX];
    struct addr peer, at = listen_on("[::1]:0", fds, 1), from;
    ck_assert(addr_parse_ip("::1", &from));
    int client = connect_from(&at, &from), conn = accept_one(fds[0], &peer);
    ck_assert_str_eq(addr_format_ip(&peer, text), "::1");
    ck_assert_int_eq(option(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
    close_all((const int[]){client, conn, fds[0]}, 3);
}
END_TEST

START_TEST(a_refused_connection_is_told)
{
    int         fds[1];
    struct addr at = listen_on("127.0.0.1:0", fds, 1);
    struct err  err = {0};
    sock_close(fds[0]);
    int fd = sock_connect(&at, NULL, &err);
    if (fd < 0) { /* the loopback may answer before connect(2) returns */
        ck_assert_int_eq(errno, ECONNREFUSED);
        ck_assert_msg(strstr(err.text, "Connection refused") != NULL, "%s", err.text);
        return;
    }
    await(fd, POLLOUT);
    ck_assert_int_eq(sock_error(fd), ECONNREFUSED);
    sock_close(fd);
}
END_TEST

START_TEST(a_connection_that_met_itself_is_told_from_one_to_somebody)
{
    struct addr any = address("127.0.0.1:0");
    int         listener, self;
    struct addr there = listen_on("127.0.0.1:0", &listener, 1);
    int         other = connect_from(&there, NULL);
    ck_assert(!sock_met_itself(other, &there));
    sock_close(other);
    sock_close(listener);
    ck_assert_int_eq(listener_open(&any, false, BACKLOG, &self, 1, NULL), 0);
    any = sock_local(self); /* a port that nobody has, once this is closed */
    sock_close(self);
    self = connect_from(&any, &any);
    ck_assert(sock_met_itself(self, &any));
    sock_close(self);
}
END_TEST

START_TEST(a_connect_that_cannot_start_tells_why_and_leaves_nothing_open)
{
    static const struct {
        const char *to, *from;
        int         error;
    } cases[] = {{"127.0.0.1:9", "192.0.2.1:0", EADDRNOTAVAIL}, {"[::1]:9", "127.0.0.1:0", EINVAL}};
    struct addr to = address(cases[_i].to), from = address(cases[_i].from);
    struct err  err = {0};
    unsigned    n_open = descriptors_open();
    ck_assert_int_eq(sock_connect(&to, &from, &err), -1);
    ck_assert_int_eq(errno, cases[_i].error);
    ck_assert_msg(strstr(err.text, cases[_i].to) != NULL, "%s", err.text);
    ck_assert_int_eq(sock_connect(&to, &from, NULL), -1);
    ck_assert_int_eq(errno, cases[_i].error);
    ck_assert_uint_eq(descriptors_open(), n_open);
}
END_TEST

START_TEST(accepted_sockets_inherit_what_the_listener_was_tuned_to)
{
    const struct sock_options options = {
        .keepalive_idle_s = 61, .keepalive_interval_s = 11, .keepalive_probes = 4, .user_timeout_ms = 31000};
    int         fds[1];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1);
    sock_tune(fds[0], &options);
    int client = connect_from(&at, NULL), conn = accept_one(fds[0], &peer);
    ck_assert_int_ne(option(conn, IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_ne(option(conn, SOL_SOCKET, SO_KEEPALIVE), 0);
    ck_assert_int_eq(option(conn, IPPROTO_TCP, TCP_KEEPIDLE), 61);
    ck_assert_int_eq(option(conn, IPPROTO_TCP, TCP_KEEPINTVL), 11);
    ck_assert_int_eq(option(conn, IPPROTO_TCP, TCP_KEEPCNT), 4);
    ck_assert_int_eq(option(conn, IPPROTO_TCP, TCP_USER_TIMEOUT), 31000);
    close_all((const int[]){client, conn, fds[0]}, 3);
}
END_TEST

START_TEST(what_is_not_asked_for_stays_as_the_system_has_it)
{
    const struct sock_options options = {0};
    int                       fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sock_tune(fd, &options);
    ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    sock_close(fd);
}
END_TEST

START_TEST(a_loopback_peer_gets_the_cheap_congestion_control)
{
    char      name[16] = "";
    socklen_t len = sizeof name;
    int       fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sock_tune_loopback(fd);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    ck_assert_str_eq(name, "reno");
    sock_close(fd);
}
END_TEST

START_TEST(a_reset_and_an_orderly_end_differ_for_the_peer)
{
    int         fds[1];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1);
    int         client = connect_from(&at, NULL);
    sock_reset(accept_one(fds[0], &peer));
    ck_assert_int_eq(read_error(client), ECONNRESET);
    peer = sock_peer(client);
    ck_assert(!addr_is_set(&peer));
    sock_close(client);
    client = connect_from(&at, NULL);
    sock_close(accept_one(fds[0], &peer));
    ck_assert_int_eq(read_error(client), 0);
    sock_close(client);
    sock_close(fds[0]);
}
END_TEST

START_TEST(what_a_peer_has_done_is_seen_without_reading_it)
{
    int         fds[1];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1);
    int         client = connect_from(&at, NULL), quiet = connect_from(&at, NULL);
    int         served = accept_one(fds[0], &peer), other = accept_one(fds[0], &peer);
    ck_assert_int_eq(sock_pending(served), SOCK_NOTHING);
    ck_assert_int_eq(write(client, "hello", 5), 5);
    await(served, POLLIN);
    ck_assert_int_eq(sock_pending(served), SOCK_BYTES);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    await(served, POLLRDHUP);
    ck_assert_int_eq(sock_pending(served), SOCK_BYTES_AND_END);
    char bytes[8];
    ck_assert_int_eq(read(served, bytes, sizeof bytes), 5);
    ck_assert_int_eq(sock_pending(served), SOCK_END);
    ck_assert_int_eq(write(quiet, "hello", 5), 5);
    sock_reset(quiet);
    await(other, POLLHUP);
    ck_assert_int_eq(sock_pending(other), SOCK_LOST);
    close_all((int[]){client, served, other, fds[0]}, 4);
}
END_TEST

/* Level-triggered, as event loops wait. */
static bool makes_an_event(int fd, int timeout_ms)
{
    struct epoll_event event = {.events = EPOLLIN};
    int                epoll = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    int n = epoll_wait(epoll, &event, 1, timeout_ms);
    sock_close(epoll);
    return n == 1;
}

START_TEST(bytes_that_are_left_unread_make_no_event_until_there_are_as_many_as_are_awaited)
{
    enum { SOON_MS = 5000, NEVER_MS = 20 };
    int         fds[1];
    struct addr peer, at = listen_on("127.0.0.1:0", fds, 1);
    int         client = connect_from(&at, NULL), served = accept_one(fds[0], &peer);
    for (uint32_t n = 1; n <= 3; n++) {
        sock_await(served, n);
        ck_assert(!makes_an_event(served, NEVER_MS));
        ck_assert_int_eq(write(client, "x", 1), 1);
        ck_assert(makes_an_event(served, SOON_MS));
    }
    sock_await(served, 4);
    ck_assert(!makes_an_event(served, NEVER_MS));
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    ck_assert(makes_an_event(served, SOON_MS)); /* the end */
    sock_await(served, 1);
    ck_assert(makes_an_event(served, SOON_MS));
    close_all((int[]){client, served, fds[0]}, 3);
}
END_TEST

START_TEST(what_has_no_address_has_none)
{
    int         fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct addr peer = sock_peer(fd);
    ck_assert(!addr_is_set(&peer));
    sock_close(fd);
    struct addr local = sock_local(fd);
    ck_assert(!addr_is_set(&local));
    ck_assert_int_eq(sock_error(fd), EBADF);
    sock_close(-1);
}
END_TEST

static TCase *listener_tests(void)
{
    TCase *tc = tcase_create("listener");
    tcase_add_test(tc, sockets_of_one_listener_share_the_port_that_the_kernel_chose);
    tcase_add_loop_test(tc, an_address_that_is_taken_is_an_error_that_names_it, 0, 2);
    tcase_add_test(tc, an_address_is_free_again_while_its_old_connections_live);
    tcase_add_test(tc, an_address_of_another_machine_is_an_error_that_names_it);
    tcase_add_loop_test(tc, a_listener_that_cannot_have_all_its_sockets_keeps_none, 0, 8);
    tcase_add_test(tc, ipv4_and_ipv6_wildcards_stand_side_by_side);
    tcase_add_test(tc, a_client_that_gave_up_in_the_queue_does_not_hide_the_next);
    tcase_add_test(tc, accepting_without_a_free_descriptor_says_so_and_loses_nobody);
    tcase_add_test(tc, accepting_from_what_cannot_accept_comes_back);
    return tc;
}

static TCase *sock_tests(void)
{
    TCase *tc = tcase_create("sock");
    tcase_add_test(tc, a_connection_comes_from_the_source_it_was_given);
    tcase_add_test(tc, an_ipv6_connection_too_comes_from_the_source_it_was_given);
    tcase_add_test(tc, a_refused_connection_is_told);
    tcase_add_test(tc, a_connection_that_met_itself_is_told_from_one_to_somebody);
    tcase_add_loop_test(tc, a_connect_that_cannot_start_tells_why_and_leaves_nothing_open, 0, 2);
    tcase_add_test(tc, accepted_sockets_inherit_what_the_listener_was_tuned_to);
    tcase_add_test(tc, what_is_not_asked_for_stays_as_the_system_has_it);
    tcase_add_test(tc, a_loopback_peer_gets_the_cheap_congestion_control);
    tcase_add_test(tc, a_reset_and_an_orderly_end_differ_for_the_peer);
    tcase_add_test(tc, what_a_peer_has_done_is_seen_without_reading_it);
    tcase_add_test(tc, bytes_that_are_left_unread_make_no_event_until_there_are_as_many_as_are_awaited);
    tcase_add_test(tc, what_has_no_address_has_none);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("net");
    suite_add_tcase(suite, listener_tests());
    suite_add_tcase(suite, sock_tests());
    return unit_run(suite);
}
