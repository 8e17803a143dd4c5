"""Limits: who waits, who is refused, and what happens where the system's own limits are reached."""
import contextlib
import ctypes
import errno
import http.client
import json
import os
import resource
import socket
import subprocess

import pytest

from mqgate import DEADLINE_S, SANITIZER, SLACK, conf, until
from servers import Echo, Greeter, Listener, ends


@pytest.fixture
def echo(serve):
    return serve(Echo)


def says_hello(client):
    client.sendall(b"hello")
    return client.recv(100) == b"hello"


# --- mqgate's own ----------------------------------------------------------------------------------------------------

def test_past_a_listener_s_limit_connections_are_reset(mqgate, echo):
    gate = mqgate(conf(echo.port, listener={"max_connections": 3}))
    clients = [gate.connect() for _ in range(3)]
    assert all(says_hello(client) for client in clients)
    for n in range(5):
        with contextlib.suppress(ConnectionResetError), gate.connect() as refused:
            assert ends(refused)[0] == "reset"
        assert gate.listener_stats()["denied_limit"] == n + 1
    clients.pop().close()
    until(lambda: gate.listener_stats()["open"] == 2, "a free place")
    clients.append(gate.connect())
    assert says_hello(clients[-1])
    for client in clients:
        client.close()


def test_past_the_global_limit_accepting_pauses_until_a_session_ends(mqgate, echo):
    gate = mqgate(conf(echo.port, global_={"max_connections": 4}))
    inside = [gate.connect() for _ in range(4)]
    assert all(says_hello(client) for client in inside)
    outside = [gate.connect() for _ in range(3)]  # in the kernel's queue
    for client in outside:
        client.sendall(b"hello")
    until(lambda: gate.stats()["accept_pauses_limit"] >= 1, "accepting to pause")
    before = gate.cpu_s()
    outside[0].settimeout(0.5)
    with pytest.raises(TimeoutError):
        outside[0].recv(1)
    assert gate.cpu_s() - before < 0.2 * SLACK  # no busy loop
    assert gate.listener_stats()["open"] == 4
    for each in inside:
        each.close()
    for client in outside:
        client.settimeout(DEADLINE_S)
        assert client.recv(100) == b"hello"
        client.close()


def all_are_served(gate, n):
    clients = [gate.connect() for _ in range(n)]
    for client in clients:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
    for client in clients:
        assert ends(client) == ("eof", b"hello")
        client.close()


def test_many_more_clients_than_the_global_limit_are_all_served(mqgate, echo):
    gate = mqgate(conf(echo.port, global_={"max_connections": 5}))
    all_are_served(gate, 100)
    until(lambda: gate.listener_stats()["open"] == 0, "all sessions to end")


def test_a_full_server_is_waited_for_in_order(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(conf(server.port, server={"max_connections": 1}, global_={"workers": 1}))
    clients, order = [], []
    for n in range(5):
        clients.append(gate.connect())
        clients[-1].sendall(b"%d" % n)
        until(lambda: gate.listener_stats()["sessions"] == n + 1, "the client to be in the queue")
    assert gate.stats()["backends"][0]["waiting"] == 4
    for _ in clients:
        with server.accept() as accepted:
            order.append(int(accepted.recv(1)))
            assert gate.server_stats()["in_flight"] == 1
            clients[order[-1]].close()
    assert order == list(range(5))
    assert gate.stats()["backends"][0]["waiting"] == 0


def test_who_ended_first_is_known_from_before_the_relay(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(conf(server.port, server={"max_connections": 1}, global_={"workers": 1}))
    holder, accepted = gate.connect(), server.accept()
    waits = gate.connect()
    waits.sendall(b"all I have")
    waits.shutdown(socket.SHUT_WR)
    until(lambda: gate.listener_stats()["bytes_in"] == len(b"all I have"), "its bytes to be read")
    holder.close()
    accepted.close()
    with server.accept() as accepted:
        assert ends(accepted) == ("eof", b"all I have")
    assert ends(waits) == ("eof", b"")
    gate.wait_end(why="client_closed", **{"in": len(b"all I have")})


def test_clients_of_all_workers_get_their_turn(mqgate, serve):
    server = serve(Echo)
    gate = mqgate(conf(server.port, server={"max_connections": 2}))
    all_are_served(gate, 50)


def test_the_queue_is_left_after_its_timeout_or_by_the_client(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(conf(server.port, server={"max_connections": 1}, timeouts={"queue": f"{300 * SLACK}ms"}))
    holder = gate.connect()
    accepted = server.accept()
    waits = gate.connect()
    gives_up = gate.connect()
    until(lambda: gate.stats()["backends"][0]["waiting"] == 2, "two in the queue")
    gives_up.close()
    gate.wait_end(why="client_closed", state="queue")
    assert ends(waits)[1] == b""
    end = gate.wait_end(why="queue_timeout", state="queue")
    assert int(end["dur_ms"]) >= 300 * SLACK
    assert gate.listener_stats()["no_server"] == 1 and gate.listener_stats()["request_errors"] == 1
    accepted.close()
    holder.close()


def test_a_full_server_is_passed_over_for_the_next(mqgate, serve):
    servers = [serve(Greeter, "first"), serve(Greeter, "second")]
    gate = mqgate(conf([each.port for each in servers], server={"max_connections": 1}))
    with gate.connect() as first, gate.connect() as second:
        assert {first.recv(100), second.recv(100)} == {b"first", b"second"}


def test_denied_addresses_are_reset_at_once(mqgate, echo):
    gate = mqgate(conf(echo.port, listener={"deny": ["127.0.0.66/32"], "allow": ["127.0.0.64/26", "127.0.0.1/32"]}))
    for source, welcome in (("127.0.0.1", True), ("127.0.0.65", True), ("127.0.0.66", False), ("127.0.0.2", False)):
        with contextlib.suppress(ConnectionResetError), gate.connect(source=source) as client:
            if welcome:
                assert says_hello(client)
            else:
                assert ends(client)[0] == "reset"
    assert gate.listener_stats()["denied_connections"] == 2


# --- descriptors -----------------------------------------------------------------------------------------------------

def test_max_connections_is_lowered_to_what_the_descriptors_carry(mqgate, echo):
    gate = mqgate(conf(echo.port, global_={"max_connections": 1000}), nofile=320)
    said = {key: int(value) for key, value in gate.wait_log(event="max_connections_lowered", level="warn").items()
            if value.isdigit()}
    assert (said["configured"], said["limit"], said["a_session"]) == (1000, 320, 2)
    assert said["needed_descriptors"] == 1000 * said["a_session"] + said["fixed"]
    assert said["effective"] == (said["limit"] - said["fixed"]) // said["a_session"]
    assert gate.wait_log(event="ready")["max_connections"] == str(said["effective"])
    assert gate.stats()["max_connections"] == said["effective"]
    clients = [gate.connect() for _ in range(said["effective"])]
    assert all(says_hello(client) for client in clients)  # and that many there are
    with gate.connect() as waits:
        waits.sendall(b"hello")
        until(lambda: gate.stats()["accept_pauses_limit"] >= 1, "accepting to pause")
        clients.pop().close()
        assert waits.recv(100) == b"hello"
    assert not gate.logged(event="accept_paused")
    for client in clients:
        client.close()


def test_out_of_descriptors_accepting_pauses_and_resumes(mqgate, echo):
    gate = mqgate(conf(echo.port, global_={"workers": 1}))
    admin = http.client.HTTPConnection(*gate.address("admin"), timeout=DEADLINE_S)  # kept: no new one would get in

    def pauses():
        admin.request("GET", "/haproxy_stats;json;mqgate")
        return json.loads(admin.getresponse().read())["accept_pauses_fds"]

    assert pauses() == 0
    with gate.connect() as early:
        assert says_hello(early)
        highest = max(int(fd) for fd in os.listdir(f"/proc/{gate.pid}/fd"))
        _, hard = resource.prlimit(gate.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gate.pid, resource.RLIMIT_NOFILE, (highest + 1, hard))
        late = [gate.connect() for _ in range(5)]
        for client in late:
            client.sendall(b"hello")
        line = gate.wait_log(event="accept_paused", level="error")
        assert line["why"] == os.strerror(errno.EMFILE)
        before = gate.cpu_s()
        until(lambda: pauses() >= 3, "two more attempts", 10)
        assert gate.cpu_s() - before < 0.2 * SLACK  # no busy loop
        assert says_hello(early)  # who is in is served
        resource.prlimit(gate.pid, resource.RLIMIT_NOFILE, (hard, hard))
        for client in late:
            assert client.recv(100) == b"hello"
            client.close()
    assert len(gate.logged(event="accept_paused")) == 1
    admin.close()


# --- ports -----------------------------------------------------------------------------------------------------------

CLONE_NEWNET = 0x40000000
IP_BIND_ADDRESS_NO_PORT = 24


@contextlib.contextmanager
def network_namespace():
    """This thread, and what it starts, on a loopback of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(home)


@pytest.mark.limit(120)
def test_5000_connections_reach_one_loopback_server_from_100_ports(mqgate, serve, record_property):
    wanted = 5000 if SANITIZER is None else 1000
    with network_namespace():
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as ports:
            ports.write("40000 40099")
        server = serve(Listener)
        gate = mqgate(conf(server.port, listener={"bind": "127.0.0.1:1883"}, global_={"max_connections": 6000},
                           log={"access": "errors"}))
        clients = []
        for n in range(wanted):
            client = socket.socket()
            clients.append(client)
            client.settimeout(DEADLINE_S)
            # The clients need ports, too.
            client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((f"127.2.{n // 5000}.{1 + n % 200}", 0))
            client.connect(gate.address())
            server.accept()
        sources = [each.getpeername() for each in server.accepted]
        stats = gate.server_stats()
        assert stats["in_flight"] == stats["sessions"] == wanted
        assert stats["connects_failed"] == 0
        assert {port for _, port in sources} <= set(range(40000, 40100))
        assert len(set(sources)) == wanted
        record_property("source_addresses", len({ip for ip, _ in sources}))
        record_property("pss_per_session_bytes", gate.pss_kib() * 1024 // wanted)
        for client in clients:
            client.close()
        server.close()
        until(lambda: gate.listener_stats()["open"] == 0, "all sessions to end")
