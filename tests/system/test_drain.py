"""The way to the end: notice, listeners closed, sessions asked to go at an even pace in the words of their protocol,
what is left cut; the same of some of them with shed; and how both are told of and taken back."""
import collections
import contextlib
import pathlib
import selectors
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

import websocket as ws
from mqgate import BUILD, DEADLINE_S, SLACK, conf, is_refused, until
from mqttproto import Closed, binary, connack, connect, facts, packet, read_exactly, read_packet
from pki import section
from servers import Listener, Server, ends

DRAIN_TEXT = b"this node is drained, please connect anew"
SHED_TEXT = b"this node has to carry less, please connect anew"
SHUTDOWN_TEXT = b"this node shuts down"
GOODBYE = b"\xe0\0"
GOING_AWAY = b"\x88\x02\x03\xe9"


def disconnect_5(code, text, reference=b""):
    return packet(bytes([code]) + said(text, reference), 0xE0)


def said(text, reference=b""):
    body = (b"\x1f" + binary(text) if text is not None else b"") + (b"\x1c" + binary(reference) if reference else b"")
    return bytes([len(body)]) + body


def publish(level, n):
    return packet(binary("topic") + (b"\0" if level == 5 else b"") + bytes(n), 0x30)


class Broker(Server):
    """Answers each CONNECT and lets the test speak. heard: what came behind the CONNECT, ended: how it ended, by client
    id; sockets: to say something."""

    def __init__(self):
        self.sockets, self.heard, self.ended = {}, {}, {}
        super().__init__()

    def serve(self, sock):
        try:
            level, client_id = facts(read_packet(sock))
        except Closed:  # its client had to go before
            return
        sock.settimeout(60 * SLACK)
        self.heard[client_id] = b""
        self.sockets[client_id] = sock
        sock.sendall(connack(level))
        try:
            while piece := sock.recv(65536):
                self.heard[client_id] += piece
            self.ended[client_id] = "eof"
        except OSError:
            self.ended[client_id] = "reset"


@pytest.fixture
def broker(serve):
    return serve(Broker)


def drained(port, listener=None, drain=None, **more):
    return conf(port, listener={"protocol": "mqtt", **(listener or {})}, global_={"drain": drain or {}}, **more)


def is_welcome(answer):
    return (answer[0], answer[3]) == (0x20, 0)


def join(gate, level=5, client_id="client", listener="in", **options):
    """An MQTT client with its CONNACK."""
    client = gate.connect(listener)
    client.sendall(connect(level, client_id, **options))
    assert is_welcome(read_packet(client))
    return client


def join_ws(gate, level=5, client_id="client", listener="in", **options):
    client = ws.Client(gate.connect(listener)).up()
    client.send(ws.frame(connect(level, client_id, **options), mask=b"abcd"))
    assert is_welcome(client.frame().payload)
    return client


def phase(gate):
    return gate.control("show drain").split()[1]


def terminate(gate, number=signal.SIGTERM):
    gate.process.send_signal(number)


# --- words -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("level, words", [(3, b""), (4, b""), (5, disconnect_5(0x9C, DRAIN_TEXT))])
def test_a_signal_asks_an_mqtt_client_to_go_in_its_version(mqgate, broker, number, level, words):
    gate = mqgate(drained(broker.port))
    with join(gate, level) as client:
        terminate(gate, number)
        assert ends(client) == ("eof", words)
    gate.expect_exit(0)
    assert gate.logged(event="session_end", why="drain", state="relay", client_id="client")
    assert gate.logged(event="draining", by=signal.strsignal(number), sessions=1, rate=500, deadline_ms=60000)
    assert gate.logged(event="drained", sessions=1)
    assert broker.heard == {"client": b""} and broker.ended == {"client": "eof"}


def test_a_server_reference_is_told(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"server_reference": "b.example:1883"}))
    with join(gate) as client:
        terminate(gate)
        assert ends(client) == ("eof", disconnect_5(0x9C, DRAIN_TEXT, b"b.example:1883"))


@pytest.mark.parametrize("room, words", [
    (100, disconnect_5(0x9C, DRAIN_TEXT, b"b.example:1883")),
    (40, disconnect_5(0x9C, b"", b"b.example:1883")),
    (20, disconnect_5(0x9C, b"")),
    (5, b"")])
def test_no_more_is_said_than_the_client_takes(mqgate, broker, room, words):
    gate = mqgate(drained(broker.port, drain={"server_reference": "b.example:1883"}))
    with join(gate, props=[(0x27, room.to_bytes(4, "big"))]) as client:
        terminate(gate)
        assert ends(client) == ("eof", words)


@pytest.mark.parametrize("level, words", [(4, b""), (5, ws.frame(disconnect_5(0x9C, DRAIN_TEXT)))])
def test_a_websocket_client_hears_it_in_a_frame_and_a_close_frame(mqgate, mosquitto, level, words):
    gate = mqgate(drained(mosquitto.ws_port, {"protocol": "ws"}))
    with join_ws(gate, level) as client:
        terminate(gate)
        assert client.ends() == ("eof", words + GOING_AWAY)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("level, words", [(4, b""), (5, disconnect_5(0x9C, DRAIN_TEXT))])
def test_tls_ends_with_close_notify(mqgate, broker, pki, version, level, words):
    gate = mqgate(drained(broker.port, {"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"))]))
    trust = ssl.create_default_context(cafile=pki.ca)
    trust.minimum_version = trust.maximum_version = version
    with trust.wrap_socket(gate.connect(), server_hostname="one.test", suppress_ragged_eofs=False) as client:
        client.sendall(connect(level))
        assert read_packet(client) == connack(level)
        terminate(gate)
        assert ends(client) == ("eof", words)  # without close_notify it would raise


# --- on a packet's boundary ------------------------------------------------------------------------------------------

def test_a_publish_in_flight_is_finished_first(mqgate, broker):
    """A broker would not finish it if it saw the client end."""
    gate = mqgate(drained(broker.port))
    message = publish(5, 300_000)
    with join(gate) as client:
        broker.sockets["client"].sendall(message[:100_000])
        assert read_exactly(client, 100_000) == message[:100_000]
        terminate(gate)
        gate.wait_log(event="listeners_closed")
        until(lambda: gate.listener_stats()["shed"] == 1, "its turn")
        broker.sockets["client"].sendall(message[100_000:-1])
        assert read_exactly(client, len(message) - 100_001) == message[100_000:-1]
        assert "client" not in broker.ended
        broker.sockets["client"].sendall(message[-1:] + publish(5, 10))
        assert ends(client) == ("eof", message[-1:] + disconnect_5(0x9C, DRAIN_TEXT))


def test_a_frame_in_flight_is_finished_first(mqgate, serve):
    broker = serve(Listener)
    gate = mqgate(drained(broker.port, {"protocol": "ws"}))
    message = publish(5, 1000)
    pieces = [ws.frame(message[:500], fin=False), ws.frame(message[500:], ws.CONTINUATION, fin=True)]
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.frame(connect(5), mask=b"abcd"))
        with ws.BrokerSide(broker.accept()) as server:
            server.up()
            server.frame()
            server.send(ws.frame(connack(5)), pieces[0])
            assert client.frame().payload == connack(5)
            assert client.frame().raw == pieces[0]
            terminate(gate)
            gate.wait_log(event="listeners_closed")
            server.send(pieces[1])
            assert client.ends() == ("eof", pieces[1] + ws.frame(disconnect_5(0x9C, DRAIN_TEXT)) + GOING_AWAY)


def test_a_packet_that_does_not_end_is_not_waited_for_forever(mqgate, broker):
    gate = mqgate(drained(broker.port, {"timeouts": {"half_closed": "500ms"}}))
    begun = publish(5, 1000)[:500]
    with join(gate) as client:
        broker.sockets["client"].sendall(begun)
        assert read_exactly(client, 500) == begun
        terminate(gate)
        assert ends(client) == ("eof", b"")
    gate.expect_exit(0)
    assert 500 <= int(gate.logged(event="drained")[0]["dur_ms"]) < 2000 * SLACK


def test_a_packet_that_drips_has_the_same_time(mqgate, broker):
    gate = mqgate(drained(broker.port, {"timeouts": {"half_closed": "500ms"}}))
    over = threading.Event()

    def drip():
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                broker.sockets["client"].sendall(b"x")

    with join(gate) as client:
        broker.sockets["client"].sendall(publish(5, 100_000)[:500])
        assert len(read_exactly(client, 500)) == 500
        dripping = threading.Thread(target=drip)
        dripping.start()
        terminate(gate)
        assert ends(client)[1].strip(b"x") == b""
        over.set()
        dripping.join()
    gate.expect_exit(0)
    assert int(gate.logged(event="drained")[0]["dur_ms"]) < 2000 * SLACK


# --- the Will --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("level", [4, 5])
def test_with_clean_will_the_broker_hears_a_goodbye(mqgate, broker, level):
    gate = mqgate(drained(broker.port, drain={"clean_will": True}))
    with join(gate, level) as client:
        client.sendall(publish(level, 10))
        until(lambda: broker.heard["client"], "the message")
        terminate(gate)
        assert ends(client) == ("eof", disconnect_5(0x9C, DRAIN_TEXT) if level == 5 else b"")
    gate.expect_exit(0)
    until(lambda: broker.ended, "its end")
    assert broker.heard["client"] == publish(level, 10) + GOODBYE and broker.ended["client"] == "eof"


def test_the_goodbye_waits_for_what_the_client_is_saying(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"clean_will": True}))
    message = publish(4, 100)
    with join(gate, 4) as client:
        client.sendall(message[:50])
        until(lambda: broker.heard["client"], "the beginning")
        terminate(gate)
        gate.wait_log(event="listeners_closed")
        client.sendall(message[50:] + publish(4, 3))
        assert ends(client) == ("eof", b"")
    gate.expect_exit(0)
    until(lambda: broker.ended, "its end")
    assert broker.heard["client"] == message + GOODBYE


def test_a_client_that_does_not_finish_is_told_all_the_same(mqgate, broker):
    gate = mqgate(drained(broker.port, {"timeouts": {"half_closed": "500ms"}}, drain={"clean_will": True}))
    with join(gate) as client:
        client.sendall(publish(5, 100)[:50])
        until(lambda: broker.heard["client"], "the beginning")
        terminate(gate)
        assert ends(client) == ("eof", disconnect_5(0x9C, DRAIN_TEXT))
    gate.expect_exit(0)
    until(lambda: broker.ended, "its end")
    assert broker.heard["client"] == publish(5, 100)[:50]


def test_the_goodbye_is_in_a_frame_where_the_client_speaks_websocket(mqgate, serve):
    broker = serve(Listener)
    gate = mqgate(drained(broker.port, {"protocol": "ws"}, drain={"clean_will": True}))
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.frame(connect(4), mask=b"abcd"))
        with ws.BrokerSide(broker.accept()) as server:
            server.up()
            server.frame()
            server.send(ws.frame(connack(4)))
            assert client.frame().payload == connack(4)
            terminate(gate)
            goodbye = server.frame()
            assert (goodbye.opcode, goodbye.payload, goodbye.fin) == (ws.BINARY, GOODBYE, True)
            assert goodbye.raw[1] & 0x80 and server.ends() == ("eof", b"")


@pytest.mark.parametrize("clean_will", [False, True])
@pytest.mark.parametrize("speak", [join, join_ws])
def test_a_real_broker_publishes_the_will_or_not(mqgate, mosquitto, clean_will, speak):
    protocol, port = ("mqtt", mosquitto.port) if speak is join else ("ws", mosquitto.ws_port)
    gate = mqgate(drained(port, {"protocol": protocol}, drain={"clean_will": clean_will}))
    with socket.create_connection(("127.0.0.1", mosquitto.port), DEADLINE_S) as watcher:
        watcher.sendall(connect(4, "watcher") + packet(b"\0\1" + binary("goodbye/#") + b"\0", 0x82))
        assert read_packet(watcher) == connack(4) and read_packet(watcher)[0] == 0x90
        with speak(gate, 5, "mortal", will=("goodbye/mortal", "gone", 0, False, ())):
            gate.control("shed 1")
            gate.wait_end(why="shed")
        with socket.create_connection(("127.0.0.1", mosquitto.port), DEADLINE_S) as other:
            other.sendall(connect(4, "other") + packet(binary("goodbye/end") + b"!", 0x30))
            told = []
            while not told or told[-1] != packet(binary("goodbye/end") + b"!", 0x30):
                told.append(read_packet(watcher))
    assert len(told) == (1 if clean_will else 2)


# --- those that do not relay yet -------------------------------------------------------------------------------------

def test_whoever_waits_in_a_queue_is_refused(mqgate, broker):
    gate = mqgate(drained(broker.port, server={"max_connections": 1}, drain={"server_reference": "b:1"}))
    first = join(gate, 5, "first")
    waiting = {level: gate.connect() for level in (4, 5)}
    for level, client in waiting.items():
        client.sendall(connect(level, f"waits{level}"))
    until(lambda: gate.control("show sess").count("state=queue") == 2, "the queue")
    terminate(gate)
    assert ends(waiting[4]) == ("eof", b"\x20\2\0\3")
    assert ends(waiting[5]) == ("eof", packet(b"\0\x9c" + said(DRAIN_TEXT, b"b:1"), 0x20))
    assert ends(first) == ("eof", disconnect_5(0x9C, DRAIN_TEXT, b"b:1"))
    for client in (first, *waiting.values()):
        client.close()
    gate.expect_exit(0)
    assert len(gate.logged(event="session_end", why="drain", state="queue")) == 2
    assert set(broker.heard) == {"first"}


def test_a_broker_that_has_not_answered_yet_is_answered_for(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(drained(server.port, drain={"clean_will": True}))
    with gate.connect() as client:
        client.sendall(connect(5))
        with server.accept() as broker:
            assert read_packet(broker) == connect(5)
            terminate(gate)
            assert ends(client) == ("eof", packet(b"\0\x9c" + said(DRAIN_TEXT), 0x20))
            assert ends(broker) == ("eof", GOODBYE)


def test_whoever_is_still_beginning_just_ends(mqgate, broker, pki):
    configuration = drained(broker.port, tls=[section("edge", pki.leaf("one.test"))])
    own = configuration["listeners"][0]
    configuration["listeners"] += [{**own, "name": "tls", "tls": "edge"}, {**own, "name": "ws", "protocol": "ws"}]
    gate = mqgate(configuration)
    shaking, silent, upgrading, framing = (gate.connect(name) for name in ("tls", "in", "ws", "ws"))
    silent.sendall(connect(5)[:5])
    upgrading.sendall(ws.request()[:30])
    framing = ws.Client(framing).up()
    until(lambda: all(state in gate.control("show sess") for state in
                      ("state=handshake", "state=upgrade", "state=connect_packet")), "their states")
    terminate(gate)
    assert ends(shaking) == ("eof", b"") and ends(silent) == ("eof", b"")
    how, answer = ends(upgrading)
    assert how == "eof" and answer.startswith(b"HTTP/1.1 503 ")
    assert framing.ends() == ("eof", GOING_AWAY)
    for client in (shaking, silent, upgrading, framing.sock):
        client.close()
    gate.expect_exit(0)
    assert len(gate.logged(event="session_end", why="drain")) == 4
    assert gate.logged(event="drained", sessions=4)


# --- notice, and the listeners ---------------------------------------------------------------------------------------

def test_notice_comes_first(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"notice": "1h", "deadline": "1h"}))
    old = join(gate, 5, "old")
    assert gate.health() == 200 and "drain" not in gate.stats()
    terminate(gate)
    until(lambda: gate.health() == 503, "the notice")
    new = join(gate, 5, "new")
    told = gate.stats()
    assert told["state"] == "draining" and told["accepting"] is True and told["healthy"] is False
    assert told["drain"] == {"phase": "notice", "total": 2, "done": 0, "left": 2, "rate": 500, "asked_a_second": 0,
                             "to_go_ms": told["drain"]["to_go_ms"], "cut_ms": told["drain"]["cut_ms"]}
    assert 3_590_000 < told["drain"]["to_go_ms"] <= 3_600_004 < 7_190_000 < told["drain"]["cut_ms"] <= 7_200_000
    info = gate.control("show info")
    assert "\nState: draining\n" in info and "\nDrain: notice\nDrainLeft: 2\nDrainRate: 500\nDrainToGo_sec: " in info
    assert "Stopping: 1\n" in info
    metrics = gate.get("/metrics")[2].decode()
    assert "mqgate_draining 1\n" in metrics and "mqgate_drain_left 2\n" in metrics
    gate.control("drain notice 0s rate 1000")
    for client in (old, new):
        assert ends(client) == ("eof", disconnect_5(0x9C, DRAIN_TEXT))
        client.close()
    gate.expect_exit(0)


def test_then_the_listeners_close_and_the_rest_goes_on(mqgate, broker):
    gate = mqgate(drained(broker.port))
    with join(gate) as client:
        broker.sockets["client"].sendall(publish(5, 1000)[:500])
        assert read_exactly(client, 500)
        gate.control("drain")
        until(lambda: is_refused(gate.address("in")), "the listener to close")
        assert gate.health() == 503
        assert "\nin,FRONTEND," in gate.control("show stat") and ",STOP," in gate.control("show stat in 1 -1")
        assert phase(gate) == "shed"
        told = gate.stats()["drain"]
        assert (told["left"], told["done"], told["total"]) == (1, 0, 1) and 0 < told["cut_ms"] <= 60_000


def in_queue(gate, listener="in"):
    """Connections that the kernel holds for a listener, over all of its sockets (rx_queue in /proc/net/tcp)."""
    end = f":{gate.port(listener):04X}"
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[1].endswith(end) and row[3] == "0A")


def test_whoever_is_in_the_listeners_queue_is_let_in_and_told(mqgate, broker):
    """He believes that he is connected; a listener that just closes would reset him."""
    gate = mqgate(drained(broker.port))
    gate.control("set rate-limit connections global 1")  # the others stay in the queue
    clients = {f"c{n}": gate.connect() for n in range(40)}
    for name, client in clients.items():
        client.sendall(connect(5, name))
    assert in_queue(gate) >= 10
    gate.control("drain")
    for name, client in clients.items():
        connected = connack(5) + disconnect_5(0x9C, DRAIN_TEXT)
        assert ends(client) in (("eof", connected), ("eof", packet(b"\0\x9c" + said(DRAIN_TEXT), 0x20))), name
        client.close()
    gate.expect_exit(0)
    assert gate.logged(event="drained")
    assert len(gate.logged(event="session_end", why="drain")) == 40


def test_a_listener_with_admin_goes_on_with_http(mqgate, broker):
    configuration = drained(broker.port, {"protocol": "auto", "admin": True, "backends": {"mqtt": "out"}})
    del configuration["listeners"][0]["backend"]
    gate = mqgate(configuration)
    with join(gate) as client:
        broker.sockets["client"].sendall(publish(5, 1000)[:500])
        assert read_exactly(client, 500)
        gate.control("drain")
        gate.wait_log(event="listeners_closed")
        for _ in range(3):
            with gate.connect() as http:
                http.sendall(b"GET /haproxy_health HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
                assert ends(http)[1].startswith(b"HTTP/1.1 503 ")
            with gate.connect() as other:
                other.sendall(connect(5, "late"))
                assert ends(other) == ("reset", b"")
        assert set(broker.heard) == {"client"}


# --- the pace --------------------------------------------------------------------------------------------------------

def told_at(sock):
    """When the kernel got the last data of a connection: the reader's own delays are not in it."""
    ago_ms, = struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 52)  # last_data_recv
    return time.monotonic() - ago_ms / 1000


class Watch:
    """What each socket had to say, and when it said its last words or else ended, until all have ended."""

    def __init__(self, clients):
        self.said = collections.defaultdict(bytes)
        self.at = {}
        self.begun = None
        self._selector = selectors.DefaultSelector()
        for key, sock in clients.items():
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, key)

    def run(self, last_words=()):
        """How each has ended."""
        self.begun = time.monotonic()
        ended = {}
        while self._selector.get_map():
            for key, _ in self._selector.select(DEADLINE_S):
                self._hear(key.data, key.fileobj, last_words, ended)
        return ended

    def _hear(self, name, sock, last_words, ended):
        try:
            piece = sock.recv(1 << 20)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError as e:
            ended[name], piece = type(e).__name__, b""
        self.said[name] += piece
        if piece:
            return
        ended.setdefault(name, "eof")
        self.at[name] = told_at(sock) if last_words and self.said[name].endswith(last_words) else time.monotonic()
        self._selector.unregister(sock)
        sock.close()

    def assert_pace(self, rate, names=None):
        """In any second not more than a tenth ahead of it. Behind it may be: a machine with other things to do, or a
        sanitizer, makes workers late, and what is late by more than 0.1 s is not made up for."""
        times = sorted(at for name, at in self.at.items() if names is None or name in names)
        counts = [sum(t <= other < t + 1 for other in times) for t in times if t + 1 <= times[-1]]
        least = 0.8 if SLACK == 1 else 0.5
        assert least * rate <= min(counts) and max(counts) <= 1.1 * rate + 1, (min(counts), max(counts))
        return times


def test_the_pace_is_even(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"rate": 100}))
    watch = Watch({n: join(gate, 5, f"c{n}") for n in range(300)})
    terminate(gate)
    ended = watch.run(disconnect_5(0x9C, DRAIN_TEXT))
    assert set(ended.values()) == {"eof"}
    assert set(watch.said.values()) == {disconnect_5(0x9C, DRAIN_TEXT)}
    times = watch.assert_pace(100)
    assert max(b - a for a, b in zip(times, times[1:])) < 0.1 * SLACK  # no burst each second
    gate.expect_exit(0)


def test_rate_0_is_all_at_once(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"rate": 0}))
    watch = Watch({n: join(gate, 4, f"c{n}") for n in range(300)})
    terminate(gate)
    assert set(watch.run().values()) == {"eof"}
    assert max(watch.at.values()) - watch.begun < 1 * SLACK


def test_idle_ones_go_first(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"rate": 50}))
    clients = {f"c{n}": join(gate, 5, f"c{n}") for n in range(60)}
    message = publish(5, 1000)
    busy = [f"c{n}" for n in range(20)]  # they are the oldest
    for name in busy:
        broker.sockets[name].sendall(message[:500])
        assert read_exactly(clients[name], 500)
    watch = Watch(clients)
    gate.control("shed 40")
    gate.wait_end(40, why="shed")
    for name in busy:
        broker.sockets[name].sendall(message[500:])
    terminate(gate)
    assert set(watch.run().values()) == {"eof"}
    for name in clients:
        text, before = (DRAIN_TEXT, message[500:]) if name in busy else (SHED_TEXT, b"")
        assert watch.said[name] == before + disconnect_5(0x9C, text), name


def test_mixed_sessions_while_large_messages_are_in_flight(mqgate, broker, mosquitto, pki):
    """3.1.1 and 5, plain and TLS, WebSocket, idle and busy."""
    rate, n = 100, 40
    configuration = drained(broker.port, drain={"rate": rate, "deadline": "20s"},
                            tls=[section("edge", pki.leaf("one.test"))])
    own = configuration["listeners"][0]
    configuration["listeners"] += [{**own, "name": "tls", "tls": "edge"},
                                   {**own, "name": "ws", "protocol": "ws", "backend": "web"}]
    configuration["backends"].append({"name": "web", "check": {"type": "none"},
                                      "servers": [{"name": "w", "address": f"127.0.0.1:{mosquitto.ws_port}"}]})
    gate = mqgate(configuration)
    trust = ssl.create_default_context(cafile=pki.ca)
    clients, framed = {}, {}
    for i in range(n):
        for level in (4, 5):
            clients[f"plain-{level}-{i}"] = join(gate, level, f"plain-{level}-{i}")
            clients[f"busy-{level}-{i}"] = join(gate, level, f"busy-{level}-{i}")
            secure = trust.wrap_socket(gate.connect("tls"), server_hostname="one.test")
            secure.sendall(connect(level, f"tls-{level}-{i}"))
            assert read_packet(secure) == connack(level)
            clients[f"tls-{level}-{i}"] = secure
            if i % 4 == 0:  # the broker takes 0.2 s to let one in
                framed[f"ws-{level}-{i}"] = join_ws(gate, level, f"ws-{level}-{i}", "ws").sock
    message = {level: publish(level, 50_000) for level in (4, 5)}
    busy = {name: client for name, client in clients.items() if name.startswith("busy")}
    for name, client in busy.items():  # from here on none of them is idle
        broker.sockets[name].sendall(message[int(name.split("-")[1])][:100])
        assert len(read_exactly(client, 100)) == 100
    over = threading.Event()

    def flood(names):
        """Message after message in pieces none of which ends where a message does, so that one is always in flight."""
        at = dict.fromkeys(names, 100)
        while at and not over.wait(0.05):
            for name in list(at):
                whole = message[int(name.split("-")[1])]
                piece = (2 * whole)[at[name]:at[name] + 7_000]
                try:
                    broker.sockets[name].sendall(piece)
                    at[name] = (at[name] + len(piece)) % len(whole)
                except OSError:
                    del at[name]

    flooding = threading.Thread(target=flood, args=(busy,))
    flooding.start()
    watch = Watch({**clients, **framed})
    begun = time.monotonic()
    terminate(gate)
    ended = watch.run((disconnect_5(0x9C, DRAIN_TEXT), GOING_AWAY))
    over.set()
    flooding.join()
    gate.expect_exit(0)
    assert time.monotonic() - begun < 20
    assert gate.logged(event="drained", sessions=len(watch.at)) and not gate.logged(event="drain_cut")
    assert set(ended.values()) == {"eof"}, collections.Counter(ended.values())
    for name, said_to_it in watch.said.items():
        kind, level, _ = name.split("-")
        words = disconnect_5(0x9C, DRAIN_TEXT) if level == "5" else b""
        if kind == "ws":
            assert said_to_it == (ws.frame(words) if words else b"") + GOING_AWAY, name
            continue
        assert said_to_it.endswith(words), name
        whole = message[int(level)]
        messages = (whole[:100] if name in busy else b"") + said_to_it[:len(said_to_it) - len(words)]
        assert messages == whole * (len(messages) // len(whole)), name
        assert kind == "busy" or not messages
    idle = watch.at.keys() - busy.keys()
    watch.assert_pace(rate, idle)  # the words of busy ones come when their message is over
    assert max(watch.at[name] for name in idle) - begun < 1.1 * len(idle) / rate + SLACK


# --- taken back, cut short, waited for -------------------------------------------------------------------------------

def test_undrain_during_notice(mqgate, broker):
    gate = mqgate(drained(broker.port))
    with join(gate) as client:
        gate.control("drain notice 1h")
        assert gate.health() == 503 and phase(gate) == "notice"
        assert gate.control("undrain") == "Health is as before; 0 sessions have gone.\n\n"
        assert gate.health() == 200 and gate.stats()["state"] == "running"
        assert "drain" not in gate.stats() and phase(gate) == "none"
        gate.wait_log(event="drain_taken_back")
        broker.sockets["client"].sendall(publish(5, 10))
        assert read_packet(client) == publish(5, 10)
        assert gate.control("undrain") == "The process is not being drained.\n\n"


def test_undrain_when_the_listeners_have_closed(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"rate": 1}))
    clients = [join(gate, 5, f"c{n}") for n in range(5)]
    gate.control("drain")
    until(lambda: is_refused(gate.address("in")), "the listener to close")
    gate.wait_end(why="drain")
    assert "The listeners are open again" in gate.control("undrain")
    until(lambda: not is_refused(gate.address("in")), "the listener to open")
    assert gate.health() == 200
    join(gate, 5, "new").close()
    left = gate.listener_stats()["open"]
    assert left >= 3
    gate.control("drain rate 1000")
    assert {ends(client) for client in clients} == {("eof", disconnect_5(0x9C, DRAIN_TEXT))}
    for client in clients:
        client.close()
    gate.expect_exit(0)


@pytest.mark.parametrize("drain", [{"notice": "1h"}, {"rate": 1}])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_ends_it_at_once(mqgate, broker, drain, number):
    gate = mqgate(drained(broker.port, drain=drain))
    clients = [join(gate, 5, f"c{n}") for n in range(10)]
    terminate(gate)
    gate.wait_log(event="draining")
    terminate(gate, number)
    gate.expect_exit(0)
    last_words = collections.Counter(ends(client) for client in clients)
    assert last_words[("eof", disconnect_5(0x8B, SHUTDOWN_TEXT))] >= 8
    assert gate.logged(event="stopping", signal=signal.strsignal(number))
    for client in clients:
        client.close()


def test_a_signal_after_the_command_is_the_first(mqgate, broker):
    gate = mqgate(drained(broker.port))
    with join(gate) as client:
        gate.control("drain notice 1h")
        terminate(gate)
        until(lambda: "by: signal" in gate.control("show drain"), "the signal")
        broker.sockets["client"].sendall(publish(5, 10))
        assert read_packet(client) == publish(5, 10)
        terminate(gate)
        gate.expect_exit(0)
        assert ends(client) == ("eof", disconnect_5(0x8B, SHUTDOWN_TEXT))


def test_at_the_deadline_the_rest_is_cut(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"rate": 2, "notice": "200ms", "deadline": "600ms"}))
    clients = [join(gate, 5, f"c{n}") for n in range(20)]
    begun = time.monotonic()
    terminate(gate)
    gate.expect_exit(0)
    assert 0.8 <= time.monotonic() - begun < 3 * SLACK
    heard = collections.Counter(ends(client) for client in clients)
    asked, cut = (heard[("eof", disconnect_5(code, text))]
                  for code, text in ((0x9C, DRAIN_TEXT), (0x8B, SHUTDOWN_TEXT)))
    assert asked + cut == 20 and 1 <= asked <= 3
    line, = gate.logged(event="drain_cut")
    assert line["level"] == "warn" and int(line["left"]) >= cut
    assert len(gate.logged(event="session_end", why="shutdown", state="relay")) == cut
    for client in clients:
        client.close()


def test_usr1_waits_for_the_sessions_own_ends(mqgate, broker):
    gate = mqgate(drained(broker.port))
    with join(gate) as client:
        terminate(gate, signal.SIGUSR1)
        until(lambda: is_refused(gate.address("in")), "the listener to close")
        assert gate.health() == 503 and phase(gate) == "wait" and gate.stats()["state"] == "stopping"
        broker.sockets["client"].sendall(publish(5, 10))
        assert read_packet(client) == publish(5, 10)
    gate.expect_exit(0)
    assert gate.logged(event="session_end", why="client_closed")


def test_a_drain_may_follow_usr1(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"notice": "1h"}))
    with join(gate) as client:
        terminate(gate, signal.SIGUSR1)
        until(lambda: phase(gate) == "wait", "the wait")
        terminate(gate)  # notice makes no sense any more
        assert ends(client) == ("eof", disconnect_5(0x9C, DRAIN_TEXT))
    gate.expect_exit(0)


def test_without_sessions_it_ends_at_once(mqgate):
    gate = mqgate(drained(1))
    begun = time.monotonic()
    gate.stop(signal.SIGTERM)
    assert time.monotonic() - begun < 1 * SLACK


# --- commands --------------------------------------------------------------------------------------------------------

def ctl(gate, *words, **options):
    return subprocess.run([BUILD / "src/mqgatectl", "-s", gate.control_path, *words], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False, **options)


def test_mqgatectl_drain_returns_at_once_or_when_it_is_done(mqgate, broker):
    gate = mqgate(drained(broker.port))
    with join(gate) as client:
        broker.sockets["client"].sendall(publish(5, 1000)[:500])
        done = ctl(gate, "drain", "rate", "1000", "deadline", "30s")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Draining 1 sessions: notice 0 ms, 1000 a second, what is left is cut in ")
        with subprocess.Popen([BUILD / "src/mqgatectl", "-s", gate.control_path, "drain", "--wait"],
                              stdout=subprocess.PIPE, text=True) as waits:
            assert waits.stdout.readline().startswith("Draining 1 sessions")
            assert waits.poll() is None
            broker.sockets["client"].sendall(publish(5, 1000)[500:])
            assert ends(client)[0] == "eof"
            client.close()
            assert waits.communicate(timeout=DEADLINE_S)[0].endswith("Done.\n") and waits.returncode == 0
    gate.expect_exit(0)


def test_whoever_waits_hears_that_it_was_taken_back(mqgate, broker):
    gate = mqgate(drained(broker.port))
    with join(gate):
        with subprocess.Popen([BUILD / "src/mqgatectl", "-s", gate.control_path, "drain", "notice", "1h", "--wait"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waits:
            until(lambda: phase(gate) == "notice", "the drain")
            gate.control("undrain")
            assert "The drain was taken back." in waits.communicate(timeout=DEADLINE_S)[1] and waits.returncode == 1


def test_what_is_no_good_is_said_and_nothing_happens(mqgate, broker):
    gate = mqgate(drained(broker.port))
    for line, answer in {"drain rate": "'rate' expects sessions a second, 0 for all at once.",
                         "drain rate -1": "'rate' expects sessions a second, 0 for all at once.",
                         "drain deadline 5": "'deadline' expects a time such as 500ms, 30s or 5m.",
                         "drain notice": "'notice' expects a time such as 500ms, 30s or 5m.",
                         "drain now": "'drain' expects 'rate <n>', 'deadline <time>' and 'notice <time>'.",
                         "shed": "A number of sessions is expected, or 'server <backend>/<server>'.",
                         "shed many": "A number of sessions is expected.",
                         "shed 3 fast": "Only 'rate <n>' is expected behind the number of sessions.",
                         "shed server": "Require 'backend/server'.",
                         "shed server out": "Require 'backend/server'.",
                         "shed server in/s0": "No such backend.",
                         "shed server out/s7": "No such server.",
                         "undrain": "The process is not being drained."}.items():
        assert gate.control(line) == answer + "\n\n", line
    assert phase(gate) == "none"
    gate.control("drain notice 1h")
    assert gate.control("shed 1") == "The process is being drained.\n\n"


def test_shed_asks_some_to_go_and_goes_on(mqgate, broker):
    gate = mqgate(drained(broker.port))
    watch = Watch({n: join(gate, 5, f"c{n}") for n in range(20)})
    assert gate.control("shed 15 rate 100") == "Asking at most 15 sessions to go, 100 a second.\n\n"
    assert gate.control("wait 10s drained") == "Done.\n\n"
    assert gate.listener_stats()["open"] == 5 and gate.listener_stats()["shed"] == 15
    assert gate.health() == 200 and gate.stats()["state"] == "running" and "drain" not in gate.stats()
    new = join(gate, 5, "new")
    gate.control("shed 100")
    assert gate.control("wait 10s drained") == "Done.\n\n"
    assert gate.listener_stats()["shed"] == 21
    assert set(watch.run().values()) == {"eof"}
    assert set(watch.said.values()) == {disconnect_5(0x9C, SHED_TEXT)}
    assert ends(new) == ("eof", disconnect_5(0x9C, SHED_TEXT))
    new.close()
    gate.wait_log(event="shed_done")


def test_shed_0_ends_it(mqgate, broker):
    gate = mqgate(drained(broker.port))
    clients = [join(gate, 4, f"c{n}") for n in range(10)]
    gate.control("shed 10 rate 2")
    told = gate.stats()["drain"]
    assert told["phase"] == "none" and told["rate"] == 2 and told["total"] == 10 and told["left"] >= 8
    until(lambda: gate.listener_stats()["shed"] > 0, "the first")
    assert gate.control("shed 0", "wait 10s drained").endswith("Done.\n\n")
    assert gate.listener_stats()["shed"] <= 3 and gate.listener_stats()["open"] >= 7
    for client in clients:
        client.close()


def test_shed_server_empties_one_server(mqgate, serve):
    brokers = [serve(Broker) for _ in range(2)]
    gate = mqgate(drained([each.port for each in brokers], backend={"balance": "roundrobin"}))
    clients = {f"c{n}": join(gate, 5, f"c{n}") for n in range(20)}
    gate.control("shed server out/s1 3")
    assert gate.control("wait 10s drained") == "Done.\n\n"
    assert gate.server_stats("s1")["stat"]["scur"] == 7 and gate.server_stats("s0")["stat"]["scur"] == 10
    gate.control("set server out/s1 state drain", "shed server out/s1")
    assert gate.control("wait 10s drained") == "Done.\n\n"
    assert gate.server_stats("s1")["stat"]["scur"] == 0 and gate.server_stats("s0")["stat"]["scur"] == 10
    for name, client in clients.items():
        if name in brokers[1].heard:
            assert ends(client) == ("eof", disconnect_5(0x9C, SHED_TEXT))
        client.close()


def test_progress_is_logged(mqgate, broker):
    gate = mqgate(drained(broker.port, drain={"rate": 2}))
    clients = [join(gate, 5, f"c{n}") for n in range(12)]
    terminate(gate)
    line = gate.wait_log(event="drain_progress")
    assert line["phase"] == "shed" and int(line["left"]) in range(1, 9) and line["rate"] == "2"
    assert int(line["to_go_ms"]) <= 1500 and int(line["asked_a_second"]) in (1, 2, 3)
    terminate(gate)
    gate.expect_exit(0)
    for client in clients:
        client.close()
