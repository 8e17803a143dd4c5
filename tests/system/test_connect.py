"""A CONNECT is read and checked whole before a server is reached: what is let in, what is refused, and in which words.

The verdicts of mqgate, of connect_rules.py (a second reading of the specifications) and of mosquitto are compared.
MQGATE_MUTATIONS=100000 takes that many mutations, and every place to cut every packet in two (which takes ten minutes).
"""
import contextlib
import os
import random
import socket
import ssl
import threading
import time

import pytest

from connect_corpus import corpus, mutations
from connect_rules import MAX_SIZE, judge
from exchange import (BINARY, CONTINUED, FIN, PING, UPGRADE, Conversation, FakeBroker, FakeWebSocketBroker, Talks,
                      frame, in_frames)
from mqgate import DEADLINE_S, SLACK, conf, until
from mqttproto import binary, connect, packet, receive
from pki import section
from servers import Listener, Server, ends, free_port

MUTATIONS = int(os.environ.get("MQGATE_MUTATIONS", "5000")) // SLACK
EVERYTHING = MUTATIONS >= 100000
SEED = 1883

# --- where mosquitto (2.0.11) differs from the specification, and mqgate with it or not -----------------------------

# A rule that connect_rules.py names, the versions, and why mqgate holds to it though mosquitto does not.
MOSQUITTO_TAKES = {
    ("3.1.2.11, 3.1.3.2: value of Payload Format Indicator", (5,)):
        "section 3.1.3.2.3 knows 0 and 1 only",
    ("3.1.2.11.10: no Authentication Data without Method", (5,)):
        "section 3.1.2.11.10: 'It is a Protocol Error to include Authentication Data if there is no Authentication "
        "Method'",
    ("MQTT-1.5.5-1: shortest form of a length", (5,)):
        "section 1.5.5: 'The encoded value MUST use the minimum number of bytes necessary'",
    ("MQTT-1.5.4-1: well-formed UTF-8", (3,)):
        "MQTT 3.1 section 2.5: strings are UTF-8; mosquitto takes a user name that it cannot read as none",
    ("MQTT-1.5.4-2: no U+0000", (3,)):
        "as above; what a later server behind the gate would make of it is not to be known",
    ("lengths add up", (3,)):
        "MQTT 3.1 section 3.1 lets a user name or password be absent, not be cut in two; mosquitto takes the pieces as "
        "none",
    ("MQTT-3.1.0-1, 2.1.3: CONNECT comes first, flags 0", (0,)):
        "MQTT 3.1 does not use the flags of the first byte, 3.1.1 [MQTT-2.2.2-2] and 5 [MQTT-2.1.3-1] have them 0; the "
        "gate judges this byte before it knows the version",
    ("mqtt.max_connect_size", (3, 4, 5)):
        "an option of the gate",
}

A_BRIDGE_IN_5 = "a bridge in 5"

# What mosquitto refuses though the specification allows it: the gate lets it through, and the client hears mosquitto.
MOSQUITTO_REFUSES = {
    "1.5.4: SHOULD NOT hold controls or noncharacters":
        "section 1.5.4: SHOULD NOT; who receives it MAY close",
    "4.7: a topic name is not empty and has no wildcards":
        "section 4.7: topics are the broker's business, in a Will as in a PUBLISH",
    "4.12: an Authentication Method, which not every broker knows":
        "section 4.12: the broker answers 0x8C, bad authentication method",
    "3.1.2.11.4: a Maximum Packet Size that hardly anything fits in":
        "section 3.1.2.11.4 forbids 0 alone; mosquitto has no CONNACK that would fit",
    A_BRIDGE_IN_5:
        "the highest bit of the level is mosquitto's mark of its bridges; behind 0x85 it reads no properties, EMQX "
        "does",
    "3.1: Will QoS of 3 of no Will":
        "MQTT 3.1 section 3.1: without a Will these bits are of no account",
}


def is_listed(verdict):
    """mosquitto says otherwise: is it known why?"""
    if verdict.accepted:
        return bool(verdict.remarks & set(MOSQUITTO_REFUSES))
    return A_BRIDGE_IN_5 in verdict.remarks or any(
        verdict.rule == rule and verdict.version in versions for rule, versions in MOSQUITTO_TAKES)


# --- three verdicts --------------------------------------------------------------------------------------------------

def is_welcome(heard):
    return heard[:1] == b"\x20" and len(heard) >= 4 and heard[3] == 0


def reason_string(heard):
    """Of a CONNACK of 5 that holds one and nothing else; None: it is another, or not well-formed."""
    if len(heard) < 8 or heard[1] != len(heard) - 2 or heard[4] != len(heard) - 5 or heard[5] != 0x1F:
        return None
    if int.from_bytes(heard[6:8], "big") != len(heard) - 8:
        return None
    return heard[8:].decode("utf-8") or None


def is_answer(heard, answer):
    """Is this what a client hears that is refused so? answer: None, or the form's version and the code."""
    if answer is None:
        return heard == b""
    version, code = answer
    if version < 5:
        return heard == bytes([0x20, 2, 0, code])
    return heard[2:4] == bytes([0, code]) and reason_string(heard) is not None


def complaint(data, verdict, talk, arrived):
    """What is wrong with what the gate did; arrived: what the server has of it, None: no connection."""
    if is_welcome(talk.heard) != bool(verdict.accepted):
        return f"{verdict} but heard {talk.heard!r}"
    if verdict.accepted:
        return None if arrived == data else f"the server got {arrived and arrived[:100]!r}"
    if arrived is not None:
        return f"the server saw it: {arrived[:100]!r}"
    if verdict.accepted is None:
        return None
    if not is_answer(talk.heard, verdict.answer):
        return f"{verdict} but heard {talk.heard!r}"
    if verdict.answer is not None and talk.ended != "eof":
        return f"ended by {talk.ended}"
    return None


class Gate:
    """A gate in front of a server that welcomes everybody, so that the verdicts are the gate's own."""

    def __init__(self, start, protocol="mqtt"):
        self.broker = FakeBroker() if protocol == "mqtt" else FakeWebSocketBroker()
        self._gate = start(conf(self.broker.port, listener={"protocol": protocol, "mqtt": {"strict": False},
                                                                       "timeouts": {"connect_packet": "60s"}},
                                server={"send_proxy": "v1"}, log={"access": "off"}))
        self.port = self._gate.port()

    def complaints(self, packets, cut, heard_of=bytes, **options):
        """What is wrong with what it makes of these packets. cut(data): the pieces that one is sent in, or several
        such lists. heard_of(bytes): what is MQTT in what a client hears."""
        def conversations():
            for data in packets:
                for pieces in cut(data):
                    yield Conversation(self.port, pieces, data)

        connections, accepted, wrong = self.broker.connections, 0, []
        with Talks(self.broker, **options) as talks:
            for talk in talks.hold(conversations()):
                verdict = judge(talk.tag)
                talk.heard = heard_of(talk.heard)
                accepted += bool(verdict.accepted)
                error = complaint(talk.tag, verdict, talk, self.broker.received.pop(talk.source, None))
                if error:
                    wrong.append(f"{[len(piece) for piece in talk.pieces][:50]} {talk.tag[:100].hex()}: {error}")
        assert self.broker.connections - connections == accepted or wrong
        return wrong


@pytest.fixture(scope="module")
def gate(module_mqgate):
    gate = Gate(module_mqgate)
    yield gate
    gate.broker.close()


def no_complaints(wrong):
    assert not wrong, f"{len(wrong)}, such as:\n" + "\n".join(wrong[:20])


def whole(data):
    yield [data]


def in_two(data):
    """Small packets at every byte; the middle of large ones is all alike, but for where buffers end."""
    places = range(1, len(data))
    if len(data) > 2000 and not EVERYTHING:
        places = sorted({*places[:60], *places[-60:], *places[::2039],
                         *(n + d for n in (4096, 8192, 16384, 32768) for d in (-1, 0, 1) if n + d < len(data))})
    for n in places:
        yield [data[:n], data[n:]]


def byte_by_byte(data):
    yield [data[i:i + 1] for i in range(len(data))]


def mosquitto_differs(mosquitto, packets):
    """The packets whose verdict is not that of the specification, and that verdict."""
    with Talks() as talks:
        for talk in talks.hold(Conversation(mosquitto.port, [data], data) for data in packets):
            verdict = judge(talk.tag)
            if is_welcome(talk.heard) != bool(verdict.accepted):
                yield verdict, f"{talk.tag[:100].hex()}: {verdict}, and mosquitto said {talk.heard[:20]!r}"


def test_each_packet_of_the_corpus_gets_its_verdict(gate):
    packets = [data for _, data in corpus()]
    no_complaints(gate.complaints(packets, whole))
    verdicts = [judge(data) for data in packets]
    assert len({verdict.rule for verdict in verdicts}) > 25
    assert sum(bool(verdict.accepted) for verdict in verdicts) > 300


def test_mosquitto_differs_where_it_is_listed_and_nowhere_else(mosquitto):
    differences = list(mosquitto_differs(mosquitto, [data for _, data in corpus()]))
    assert not [text for verdict, text in differences if not is_listed(verdict)]
    for rule, versions in MOSQUITTO_TAKES:  # the list has nothing that is not so
        assert any(rule == verdict.rule and verdict.version in versions for verdict, _ in differences), rule
    for remark in MOSQUITTO_REFUSES:
        assert any(verdict.remarks == {remark} for verdict, _ in differences), remark


@pytest.mark.limit(3600 if EVERYTHING else 60)
def test_each_packet_may_come_in_two_pieces_cut_anywhere(gate):
    packets = [data for _, data in corpus() if len(data) > 1]
    large = [data for data in packets if len(data) > 2000]
    small = [data for data in packets if len(data) <= 2000]
    if not EVERYTHING:
        small = small[::4 * SLACK]
    no_complaints(gate.complaints(small + large, in_two, at_once=256, pace_s=0.001))


@pytest.mark.limit(300 if EVERYTHING else 60)
def test_each_packet_may_come_byte_by_byte(gate):
    packets = [data for _, data in corpus()]
    large = [data for data in packets if len(data) > 2000 and judge(data).accepted]
    small = [data for data in packets if len(data) <= 2000]
    no_complaints(gate.complaints(small, byte_by_byte, at_once=256))
    no_complaints(gate.complaints(large if EVERYTHING else large[:2], byte_by_byte, at_once=len(large)))


@pytest.mark.limit(600 if EVERYTHING else 60)
def test_mutations_get_the_verdict_of_the_specification_and_mosquitto_the_listed_ones(gate, mosquitto):
    packets = list(mutations(MUTATIONS, SEED))
    rng = random.Random(SEED)

    def once(data):
        n = rng.randrange(1, len(data)) if len(data) > 1 and rng.random() < 0.2 else len(data)
        yield [piece for piece in (data[:n], data[n:]) if piece]

    no_complaints(gate.complaints(packets, once))
    no_complaints([text for verdict, text in mosquitto_differs(mosquitto, packets) if not is_listed(verdict)])


def as_messages(pieces, rng):
    """A WebSocket client that has them to say: each a message, or all of them one message with a PING within."""
    fragmented = rng.random() < 0.5
    frames = []
    for i, piece in enumerate(pieces):
        last = i == len(pieces) - 1
        first = (FIN if last or not fragmented else 0) | (CONTINUED if fragmented and i > 0 else BINARY)
        frames.append(frame(piece, first, rng.randbytes(4)))
        if not last:
            frames[-1] += frame(b"ping", FIN | PING, rng.randbytes(4))
    return [UPGRADE, *frames] if rng.random() < 0.5 else [UPGRADE + b"".join(frames)]


def test_over_websocket_the_verdicts_are_the_same(module_mqgate):
    """The packets in whole frames, and in two to four of them."""
    rng = random.Random(SEED)

    def cut(data):
        places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 1, 3))))
        yield as_messages([data[a:b] for a, b in zip([0, *places], [*places, len(data)])], rng)

    gate = Gate(module_mqgate, "ws")
    packets = [data for _, data in corpus()] + list(mutations(MUTATIONS // 3, SEED + 1))
    no_complaints(gate.complaints(packets, cut, in_frames))
    gate.broker.close()


# --- refusals --------------------------------------------------------------------------------------------------------

class Broker(Listener):
    """For gates that let nobody through to it."""

    def saw_nothing(self):
        self.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.socket.accept()
        return True


REFUSED = {  # what is sent, the listener's mqtt group, what is heard
    "an HTTP request": (b"GET / HTTP/1.1\r\n\r\n", {}, None),
    "a PINGREQ first": (b"\xC0\0", {}, None),
    "a wrong protocol name": (packet(binary("MQTX") + b"\4\2\0\x3C" + binary("c")), {}, None),
    "malformed 3.1": (connect(3, "c", flags=4), {}, None),
    "malformed 3.1.1": (connect(4, "c", flags=1), {}, None),
    "malformed 5": (connect(5, "c", flags=1), {}, (5, 0x81)),
    "property twice": (connect(5, "c", props=[(0x21, b"\0\1"), (0x21, b"\0\1")]), {}, (5, 0x81)),
    "level 6": (packet(binary("MQTT") + b"\6\2\0\x3C\0" + binary("c")), {}, (4, 1)),
    "level 3 by the new name": (packet(binary("MQTT") + b"\3\2\0\x3C" + binary("c")), {}, (4, 1)),
    "empty id of 3.1": (connect(3, ""), {}, (4, 2)),
    "empty id of 3.1.1": (connect(4, "", clean=False), {}, (4, 2)),
    "empty id of 3.1.1 where one is required": (connect(4, ""), {"require_client_id": True}, (4, 2)),
    "empty id of 5 where one is required": (connect(5, ""), {"require_client_id": True}, (5, 0x85)),
    "3.1 where it is not served": (connect(3), {"versions": ["3.1.1", "5"]}, (4, 1)),
    "3.1.1 where it is not served": (connect(4), {"versions": ["5"]}, (4, 1)),
    "5 where it is not served": (connect(5), {"versions": ["3.1", "3.1.1"]}, (5, 0x84)),
    "oversize 3.1.1": (connect(4, "c" * 100), {"max_connect_size": "64B"}, None),
    "oversize 5": (connect(5, "c" * 100), {"max_connect_size": "64B"}, (5, 0x95)),
}


def say_and_hear(client, *pieces):
    """The client's side stays open."""
    for piece in pieces:
        with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
            client.sendall(piece)
    return ends(client)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_client_hears_why_and_then_the_end(mqgate, serve, pki, name, kind):
    data, mqtt, answer = REFUSED[name]
    broker = serve(Broker)
    tls = {"tls": "edge"} if kind == "tls" else {}
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt", "mqtt": mqtt, **tls},
                       tls=[section("edge", pki.leaf("one.test"))]))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(gate.connect())
        if kind == "tls":
            client = stack.enter_context(ssl.create_default_context(cafile=pki.ca).wrap_socket(
                client, server_hostname="one.test", suppress_ragged_eofs=False))
        end, heard = say_and_hear(client, data)
    assert is_answer(heard, answer) and end == "eof", (end, heard)
    gate.wait_end()
    assert broker.saw_nothing() and gate.server_stats()["connects"] == 0


@pytest.mark.parametrize("data, answer", [(connect(5, flags=1), (5, 0x81)), (connect(4, "", clean=False), (4, 2))])
def test_the_answer_arrives_though_the_client_keeps_sending(mqgate, serve, data, answer):
    """Unread bytes would turn the end into a reset, which overtakes it."""
    broker = serve(Broker)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt"}))
    with gate.connect() as client:
        client.settimeout(DEADLINE_S)
        end, heard = say_and_hear(client, data + bytes(100000), bytes(1000000))
    assert is_answer(heard, answer) and end == "eof", (end, heard)


def test_who_is_refused_and_never_stops_is_cut_off_all_the_same(mqgate):
    gate = mqgate(conf(free_port(), listener={"protocol": "mqtt"}))
    with gate.connect() as client:
        client.sendall(connect(5, flags=1))
        client.settimeout(DEADLINE_S)
        with pytest.raises(ConnectionError):
            while True:
                client.sendall(bytes(65536))
    assert gate.wait_end()["why"] == "malformed_connect"


FIRST_FAULT = {  # good but for the last byte
    "no packet type of a client": b"\0", "HTTP": b"G", "TLS": b"\x16", "PUBLISH": b"\x30", "flags": b"\x11",
    "fifth byte of length": b"\x10\xFF\xFF\xFF\xFF", "length of the name": b"\x10\x20\1", "name": b"\x10\x20\0\4X",
    "end of the name": b"\x10\x20\0\4MQTX", "old name": b"\x10\x20\0\6MQT", "level": b"\x10\x20\0\4MQTT\6",
    "flag": b"\x10\x20\0\4MQTT\4\1", "property": b"\x10\x20\0\4MQTT\5\2\0\0\5\x02",
}


@pytest.mark.parametrize("name", FIRST_FAULT)
def test_what_is_no_connect_is_refused_by_the_byte_that_says_so(mqgate, name):
    gate = mqgate(conf(free_port(), listener={"protocol": "mqtt"}))
    good, fault = FIRST_FAULT[name][:-1], FIRST_FAULT[name][-1:]
    with gate.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(good)):
            client.sendall(good[i:i + 1])
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(DEADLINE_S)
        end, heard = say_and_hear(client, fault)
    assert end == "eof" and is_answer(heard, {"level": (4, 1), "property": (5, 0x81)}.get(name)), (end, heard)


UNAVAILABLE = [(3, (4, 3)), (4, (4, 3)), (5, (5, 0x88))]


@pytest.mark.parametrize("version, answer", UNAVAILABLE)
@pytest.mark.parametrize("check", ["none", "tcp"])
def test_without_a_server_the_client_hears_that_it_is_unavailable(mqgate, check, version, answer):
    gate = mqgate(conf(free_port(), listener={"protocol": "mqtt"}, backend={"check": {"type": check}}))
    if check == "tcp":
        gate.wait_log(event="server_down")
    with gate.connect() as client:
        end, heard = say_and_hear(client, connect(version) + b"\xC0\0")
    assert is_answer(heard, answer) and end == "eof", (end, heard)


@pytest.mark.parametrize("version, answer", UNAVAILABLE)
def test_when_the_queue_runs_out_the_client_hears_that_it_is_unavailable(mqgate, serve, version, answer):
    broker = serve(Listener)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt", "timeouts": {"queue": "200ms"}},
                       server={"max_connections": 1}))
    with gate.connect() as first, gate.connect() as second:
        first.sendall(connect(4, "first"))
        broker.accept()
        began = time.monotonic()
        end, heard = say_and_hear(second, connect(version, "second"), b"\xC0\0" * 1000)
        took = time.monotonic() - began
    assert is_answer(heard, answer) and end == "eof", (end, heard)
    assert 0.2 <= took < 2 * SLACK


def test_a_client_of_the_queue_gets_in_when_there_is_room(mqgate, serve):
    broker = serve(Listener)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt"}, server={"max_connections": 1}))
    with gate.connect() as first, gate.connect() as second:
        first.sendall(connect(4, "first"))
        server = broker.accept()
        second.sendall(connect(4, "second") + b"\xC0\0")
        until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "it to wait")
        server.close()
        first.close()
        assert receive(broker.accept(), len(connect(4, "second")) + 2) == connect(4, "second") + b"\xC0\0"


# --- what the server sees --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sent", [b"", b"\x10", connect()[:-1], connect(5, "c" * 60000)[:-1]])
def test_half_a_connect_is_waited_for_without_the_server_knowing(mqgate, serve, sent):
    broker = serve(Broker)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt", "timeouts": {"connect_packet": "300ms"}}))
    with gate.connect() as client:
        began = time.monotonic()
        assert say_and_hear(client, sent) == ("eof", b"")
        assert 0.3 <= time.monotonic() - began < 1.5 * SLACK
    assert gate.wait_end()["why"] == "connect_packet_timeout"
    assert broker.saw_nothing()


def test_bytes_that_trickle_in_do_not_put_off_the_end(mqgate, serve):
    broker = serve(Broker)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt", "timeouts": {"connect_packet": "500ms"}}))
    with gate.connect() as client:
        began = time.monotonic()
        client.settimeout(0.05)
        for byte in connect(4, "c" * 60000):
            client.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if client.recv(1) == b"":
                    break
        assert 0.5 <= time.monotonic() - began < 2 * SLACK
    assert broker.saw_nothing()


@pytest.mark.parametrize("how", ["ends", "resets"])
def test_a_client_that_leaves_halfway_leaves_no_trace_at_the_server(mqgate, serve, how):
    broker = serve(Broker)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt"}))
    client = gate.connect()
    client.sendall(connect()[:-1])
    if how == "ends":
        client.shutdown(socket.SHUT_WR)
        assert ends(client) == ("eof", b"")
    else:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    gate.wait_end()
    assert broker.saw_nothing()


@pytest.mark.parametrize("version", [3, 4, 5])
def test_what_comes_behind_the_connect_arrives_untouched(mqgate, serve, version):
    """SUBSCRIBE and PUBLISH ahead of the CONNACK, more of it than a buffer holds, in pieces of all sizes."""
    broker = serve(Listener)
    none = b"\0" if version == 5 else b""
    subscribe = packet(b"\0\1" + none + binary("topic/#") + b"\1", 0x82)
    publish = packet(binary("topic/a") + none + bytes(range(256)) * 40, 0x30)
    data = connect(version, user="u", password=b"\0\xFF") + subscribe + publish * 30 + b"\xC0\0"
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt"}))
    rng = random.Random(version)
    with gate.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send():
            at = 0
            while at < len(data):
                n = rng.choice((1, 2, 13, 20, 1000, 40000))
                client.sendall(data[at:at + n])
                at += n

        thread = threading.Thread(target=send)
        thread.start()
        server = broker.accept()
        assert receive(server, len(data)) == data
        thread.join()
        server.sendall(b"\x20\2\0\0" if version < 5 else b"\x20\3\0\0\0")
        assert client.recv(100)[:1] == b"\x20"


class FirstBytes(Server):
    """Notes what comes first on each connection, and how long it took to come."""

    def __init__(self):
        self.first = []
        super().__init__()

    def serve(self, sock):
        began = time.monotonic()
        data = sock.recv(65536)
        self.first.append((time.monotonic() - began, data))
        sock.sendall(b"\x20\2\0\0")
        sock.recv(1)


def test_a_servers_connection_begins_with_the_connect(mqgate, serve):
    """Clients that take their time over it; the server's connection has it at once."""
    broker = serve(FirstBytes)
    gate = mqgate(conf(broker.port, listener={"protocol": "mqtt"}))
    packets = [connect(4, f"slow{i}") for i in range(50)]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in packets]
        for client, data in zip(clients, packets):
            client.sendall(data[:10])
        with contextlib.suppress(TimeoutError):
            clients[0].settimeout(0.5)
            clients[0].recv(1)
        assert gate.server_stats()["connects"] == 0
        for client, data in zip(clients, packets):
            client.sendall(data[10:])
        for client in clients:
            client.settimeout(DEADLINE_S)
            assert receive(client, 4) == b"\x20\2\0\0"
    assert sorted(data for _, data in broker.first) == sorted(packets)
    assert max(took for took, _ in broker.first) < 0.3 * SLACK


def test_mosquitto_knows_nothing_of_who_was_refused(mqgate, mosquitto):
    gate = mqgate(conf(mosquitto.port, listener={"protocol": "mqtt"}))
    before = len(mosquitto.log())
    bad = [data for _, data in corpus() if not judge(data).accepted and len(data) < 2000]
    with Talks() as talks:
        for talk in talks.hold(Conversation(gate.port(), [data]) for data in bad):
            assert not is_welcome(talk.heard)
        good = connect(4, "the-only-one")
        assert [talk.heard for talk in talks.hold([Conversation(gate.port(), [good])])] == [b"\x20\2\0\0"]
    until(lambda: "Client the-only-one closed" in mosquitto.log(), "mosquitto's log")
    assert mosquitto.log()[before:].count("New connection") == 1
