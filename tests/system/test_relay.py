"""Bytes both ways: whole, in order, with bounded memory; and the ends of each direction."""
import hashlib
import os
import random
import select
import socket
import ssl
import threading
import time

import pytest

from mqgate import DEADLINE_S, SANITIZER, conf, pattern, unread, until
from pki import section
from proxyproto import receive_exactly
from servers import Echo, Greeter, Listener, ends, reset

MIB = 1 << 20


@pytest.fixture
def tls_context(pki):
    """Contexts and configuration for TLS on either side of mqgate."""
    class Contexts:
        edge = section("edge", pki.leaf("one.test"))
        to_server = {"name": "inner", "ca": pki.ca, "sni": "broker.test"}

        @staticmethod
        def server():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pki.leaf("broker.test"))
            return context

        @staticmethod
        def client():
            return ssl.create_default_context(cafile=pki.ca)
    return Contexts


def relay(mqgate, serve, contexts, kind, **listener):
    """A gate of this kind with a server behind it that the test plays: (gate, client socket, server socket)."""
    server = serve(Listener, tls=contexts.server() if "server" in kind else None)
    gate = mqgate(conf(server.port, listener={**({"tls": "edge"} if "client" in kind else {}), **listener},
                       server={"tls": "inner"} if "server" in kind else {}, tls=[contexts.edge],
                       tls_client=[contexts.to_server]))
    accepted = []
    thread = threading.Thread(target=lambda: accepted.append(server.accept()))
    thread.start()
    client = gate.connect()
    if "client" in kind:
        client = contexts.client().wrap_socket(client, server_hostname="one.test")
    thread.join()
    for sock in (client, accepted[0]):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return gate, client, accepted[0]


KINDS = ["plain", "tls-client", "tls-server", "tls-client-and-server"]


@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
def test_what_stands_behind_an_urgent_mark_arrives(mqgate, serve, tls_context, by_client):
    """A read ends before the mark, though there is more."""
    gate, client, server = relay(mqgate, serve, tls_context, "plain")
    source, sink = (client, server) if by_client else (server, client)
    with gate.standing_still():
        source.sendall(b"abc")
        source.send(b"X", socket.MSG_OOB)
        source.sendall(b"efg")
        until(lambda: unread(source) == 7, "all of it to be there")
    assert receive_exactly(sink, 7) == b"abcXefg"


class Exchange(threading.Thread):
    """One side of a transfer both ways: total bytes out, total bytes in, and their hashes. A single thread does both,
    as a TLS socket of Python is not for two. It reads slowly: at every MiB the sender gets ahead of it."""

    def __init__(self, sock, name, total):
        super().__init__(daemon=True)
        self.sock, self.name, self.total = sock, name, total
        self.sent, self.received = hashlib.sha256(), hashlib.sha256()
        self.start()

    def run(self):
        self.sock.setblocking(False)
        n_out = n_in = unread = 0
        piece = memoryview(b"")
        while n_out < self.total or n_in < self.total:
            if not piece and n_out < self.total:
                piece = memoryview(pattern(MIB, f"{self.name}{n_out}"))
                self.sent.update(piece)
            moved_out = self.attempt(self.sock.send, piece) if piece else 0
            piece, n_out = piece[moved_out:], n_out + moved_out
            data = self.attempt(self.sock.recv, 65536) if n_in < self.total else b""
            if data:
                self.received.update(data)
                n_in, unread = n_in + len(data), unread + len(data)
            if unread > MIB:
                unread = 0
                time.sleep(0.01)
            if not moved_out and not data:
                select.select([self.sock], [self.sock] if piece else [], [], DEADLINE_S)

    @staticmethod
    def attempt(call, argument):
        try:
            return call(argument)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0


@pytest.mark.parametrize("kind", KINDS)
def test_64_mib_both_ways_through_slow_readers(mqgate, serve, tls_context, kind, record_property):
    gate, client, server = relay(mqgate, serve, tls_context, kind)
    total = (64 if SANITIZER is None else 8) * MIB
    gate.forget_peak()
    before = gate.peak_kib()
    sides = [Exchange(client, "client", total), Exchange(server, "server", total)]
    for side in sides:
        side.join()
    grown = gate.peak_kib() - before
    record_property("memory_grown_kib", grown)
    record_property("peak_rss_kib", gate.peak_kib())
    record_property("pss_kib", gate.pss_kib())
    assert sides[0].sent.digest() == sides[1].received.digest()
    assert sides[1].sent.digest() == sides[0].received.digest()
    if SANITIZER is None:
        assert grown < 2048, f"{grown} KiB for one session"
    client.close()
    server.close()
    end = gate.wait_end()
    assert (int(end["in"]), int(end["out"])) == (total, total)


@pytest.mark.parametrize("kind", ["plain", "tls-client"])
def test_a_client_that_does_not_read_stops_the_server(mqgate, serve, tls_context, kind, record_property):
    gate, client, server = relay(mqgate, serve, tls_context, kind)
    gate.forget_peak()
    before = gate.peak_kib()
    piece, sent = bytes(65536), 0
    server.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while sent < 256 * MIB:
            sent += server.send(piece)
    grown = gate.peak_kib() - before
    record_property("memory_grown_kib", grown)
    record_property("taken_in_all_buffers", sent)
    assert sent < 64 * MIB  # what the kernel's socket buffers hold
    if SANITIZER is None:
        assert grown < 1024, f"{grown} KiB kept for a client that does not read"
    received = 0
    while received < sent:
        received += len(client.recv(65536))
    server.settimeout(DEADLINE_S)
    server.sendall(b"go on")
    assert client.recv(100) == b"go on"
    client.close()


def test_a_session_that_does_not_read_does_not_hold_up_others(mqgate, serve):
    echo = serve(Echo)
    gate = mqgate(conf(echo.port, global_={"workers": 1}))
    stuck = gate.connect()
    stuck.settimeout(0.3)
    with pytest.raises(TimeoutError):
        while True:
            stuck.sendall(bytes(65536))
    with gate.connect() as client:
        for n in range(100):
            client.sendall(b"%d" % n)
            assert client.recv(100) == b"%d" % n
    reset(stuck)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["client", "server"])
def test_either_side_may_end_first_and_still_gets_what_the_other_sends(mqgate, serve, tls_context, kind, first):
    gate, client, server = relay(mqgate, serve, tls_context, kind)
    sides = {"client": (client, server), "server": (server, client)}
    here, there = sides[first]
    here.sendall(b"all I have")
    half_close(here)
    assert ends(there) == ("eof", b"all I have")
    there.sendall(pattern(MIB, "rest"))
    there.close()
    assert ends(here) == ("eof", pattern(MIB, "rest"))
    here.close()
    end = gate.wait_end()
    assert (end["why"], end["state"]) == (f"{first}_closed", "relay")


def half_close(sock):
    """The end of one direction. Python's unwrap() would wait for the other's, so a TLS socket ends as many devices do:
    with a FIN alone."""
    socket.socket.shutdown(sock, socket.SHUT_WR)


def test_a_reset_is_passed_on_as_an_end(mqgate, serve, tls_context):
    for breaker, why in (("client", "client_reset"), ("server", "server_reset")):
        gate, client, server = relay(mqgate, serve, tls_context, "plain")
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        reset({"client": client, "server": server}[breaker])
        other = {"client": server, "server": client}[breaker]
        assert ends(other)[1] == b""
        other.close()
        assert gate.wait_end()["why"] == why
        assert gate.server_stats()[f"{breaker}_aborts"] == 1


@pytest.mark.parametrize("kind", ["plain", "tls-client"])
def test_bytes_sent_at_once_on_connecting_are_not_lost(mqgate, serve, tls_context, kind):
    """They arrive while the server is still being reached; more than one buffer of them."""
    server = serve(Listener)
    gate = mqgate(conf(server.port, listener={"tls": "edge"} if "tls" in kind else {}, tls=[tls_context.edge]))
    client = gate.connect()
    if "tls" in kind:
        client = tls_context.client().wrap_socket(client, server_hostname="one.test")
    data = pattern(MIB, "early")
    sender = threading.Thread(target=lambda: (client.sendall(data), half_close(client)))
    sender.start()
    with server.accept() as accepted:
        assert ends(accepted) == ("eof", data)
    sender.join()
    client.close()


def test_small_messages_are_not_delayed(mqgate, serve, record_property):
    """Two writes without an answer between them: with Nagle's algorithm the second waits 40 ms for the ACK."""
    echo = serve(Echo)
    gate = mqgate(conf(echo.port))
    times = []
    with gate.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(50):
            begun = time.monotonic()
            client.sendall(b"a")
            client.sendall(b"b")
            received = b""
            while len(received) < 2:
                received += client.recv(2)
            times.append(time.monotonic() - begun)
    median = sorted(times)[len(times) // 2]
    record_property("round_trip_us", round(median * 1e6))
    assert median < 0.02 or SANITIZER


def test_many_short_connections(mqgate, serve):
    echo = serve(Echo)
    gate = mqgate(conf(echo.port))
    rounds = 1000
    before = gate.descriptors()
    for n in range(rounds):
        with gate.connect() as client:
            client.sendall(b"%d" % n)
            assert client.recv(100) == b"%d" % n
    until(lambda: gate.listener_stats()["closed"] == rounds, "all sessions to end")
    stats = gate.listener_stats()
    assert stats["connections"] == stats["sessions"] == rounds and stats["open"] == 0
    assert stats["bytes_in"] == stats["bytes_out"] == sum(len(b"%d" % n) for n in range(rounds))
    gate.wait_end(rounds)
    until(lambda: gate.descriptors() == before, "all descriptors to be closed")


def test_bytes_in_odd_pieces_arrive_in_order(mqgate, serve, tls_context):
    _, client, server = relay(mqgate, serve, tls_context, "tls-client-and-server")
    random.seed(1)
    for _ in range(300):
        data = os.urandom(random.choice([1, 2, 100, 4095, 4096, 4097, 16383, 16384, 16385, 50000]))
        here, there = random.sample([client, server], 2)
        sender = threading.Thread(target=here.sendall, args=(data,))
        sender.start()
        received = b""
        while len(received) < len(data):
            received += there.recv(65536)
        sender.join()
        assert received == data
    client.close()


# --- servers ---------------------------------------------------------------------------------------------------------

def greeting(gate, **options):
    with gate.connect(**options) as client:
        return client.recv(100).decode()


def test_servers_are_used_in_the_order_written(mqgate, serve):
    servers = [serve(Greeter, name) for name in ("first", "second")]
    gate = mqgate(conf([each.port for each in servers]))
    assert {greeting(gate) for _ in range(10)} == {"first"}


def test_the_next_server_is_tried_when_one_cannot_be_reached(mqgate, serve):
    servers = [serve(Greeter, name) for name in ("first", "second")]
    gate = mqgate(conf([each.port for each in servers]))
    servers[0].kill()
    assert greeting(gate) == "second"
    assert (gate.server_stats("s0")["connects_failed"], gate.server_stats("s1")["retries"]) == (1, 1)
    servers[0].revive()
    assert greeting(gate) == "first"


def test_no_more_servers_are_tried_than_tries_says(mqgate, serve):
    servers = [serve(Greeter, name) for name in ("first", "second", "third")]
    gate = mqgate(conf([each.port for each in servers], backend={"tries": 2}))
    servers[0].kill()
    servers[1].kill()
    assert greeting(gate) == ""
    end = gate.wait_end(why="connect_failed", detail="Connection refused")
    assert end["server"] == "s1"
    assert gate.server_stats("s2")["connects"] == 0


def test_the_same_server_is_tried_again_after_a_pause(mqgate, serve):
    server = serve(Greeter, "only")
    gate = mqgate(conf(server.port))
    server.kill()
    with gate.connect() as client:
        until(lambda: gate.server_stats()["connects_failed"] == 1, "the first try to fail")
        server.revive()
        assert client.recv(100) == b"only"
    assert gate.server_stats()["retries"] == 1


def test_a_backup_is_used_only_while_no_other_server_is_up(mqgate, serve):
    servers = [serve(Greeter, name) for name in ("first", "second", "backup")]
    configuration = conf([each.port for each in servers],
                         backend={"check": {"type": "tcp", "interval": "50ms", "fast_interval": "20ms", "fall": 2,
                                            "rise": 2}})
    configuration["backends"][0]["servers"][2]["backup"] = True
    gate = mqgate(configuration)
    for n in range(3):
        gate.wait_log(event="server_up", server=f"s{n}")
    assert greeting(gate) == "first"
    servers[0].kill()
    gate.wait_log(event="server_down", server="s0")
    assert greeting(gate) == "second"
    servers[1].kill()
    gate.wait_log(event="server_down", server="s1")
    assert greeting(gate) == "backup"
    assert gate.health() == 200
    servers[1].revive()
    gate.wait_log(2, event="server_up", server="s1")
    assert greeting(gate) == "second"


def test_connections_to_a_loopback_server_come_from_many_addresses(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(conf(server.port))
    sources = set()
    for _ in range(50):
        with gate.connect(), server.accept() as accepted:
            sources.add(accepted.getpeername()[0])
    assert len(sources) > 20 and all(each.startswith("127.") for each in sources)


def test_a_written_source_address_is_used(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(conf(server.port, server={"source": "127.9.8.7"}))
    for _ in range(3):
        with gate.connect(), server.accept() as accepted:
            assert accepted.getpeername()[0] == "127.9.8.7"
