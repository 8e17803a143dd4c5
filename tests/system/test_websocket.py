"""MQTT over WebSocket through the gate, by RFC 6455 and section 6 of MQTT: what clients are answered, what reaches the
broker and when, and that nothing is changed on the way. The broker is mosquitto, or the test plays it."""
import contextlib
import select
import socket
import ssl
import struct
import time

import pytest

import proxyproto as pp
import websocket as ws
from mqgate import SLACK, conf, pattern, until
from mqttproto import binary, connect, connect_of, packet
from pki import section
from servers import Echo, Listener, Server, free_port

ZEROS = bytes(4)
CONNECTS = {3: b"\x10\x0f\0\6MQIsdp\3\2\0\x3c\0\1x", 4: connect_of(b"x"), 5: connect_of(b"x", level=5)}
CONNACK = {3: b"\x20\2\0\0", 4: b"\x20\2\0\0", 5: b"\x20\3\0\0\0"}
SUBSCRIBE = b"\x82\6\0\1\0\1a\0"
PUBLISH = b"\x30\5\0\1aHI"
PINGREQ, PINGRESP, DISCONNECT = b"\xc0\0", b"\xd0\0", b"\xe0\0"


@pytest.fixture
def broker(serve):
    """Its connections are the test's to accept."""
    return serve(Listener)


def gate_to(to, listener=None, **options):
    return conf(to, listener={"protocol": "ws", **(listener or {})}, **options)


@pytest.fixture
def gate(mqgate, broker):
    return mqgate(gate_to(broker.port))


def is_untouched(broker):
    return not select.select([broker.socket], [], [], 0)[0]


def meet(broker):
    return ws.BrokerSide(broker.accept())


@pytest.fixture
def arrive(gate, broker):
    """A client that the broker has let in, and the broker's side of it."""
    with contextlib.ExitStack() as stack:
        def start(level=4, to=None):
            client = stack.enter_context(ws.Client((to or gate).connect()).up())
            client.send(ws.frame(CONNECTS[level], mask=ZEROS))
            server = stack.enter_context(meet(broker))
            server.up()
            assert server.frame().payload == CONNECTS[level]
            server.send(ws.frame(CONNACK[level]))
            assert client.frame().payload == CONNACK[level]
            return client, server
        yield start


def publish(payload, qos=0, packet_id=0, topic=b"a"):
    return packet(binary(topic) + (struct.pack("!H", packet_id) if qos else b"") + payload, 0x30 | qos << 1)


# --- the head --------------------------------------------------------------------------------------------------------

def test_the_example_of_the_rfc(gate):
    with ws.Client(gate.connect()) as client:
        client.send(ws.request(changes={"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}))
        head = client.head()
    assert head.first.startswith("HTTP/1.1 101 ")
    assert head["Upgrade"].lower() == "websocket" and head["Connection"].lower() == "upgrade"
    assert head["Sec-WebSocket-Accept"] == ws.ACCEPT == ws.accept_of(ws.KEY)
    assert head["Sec-WebSocket-Protocol"] == "mqtt"
    assert head.all("Sec-WebSocket-Extensions") == []


def test_each_key_has_its_own_answer(gate):
    for _ in range(20):
        key = ws.new_key()
        with ws.Client(gate.connect()) as client:
            client.send(ws.request(changes={"Sec-WebSocket-Key": key}))
            assert client.head()["Sec-WebSocket-Accept"] == ws.accept_of(key)


@pytest.mark.parametrize("offered, more, chosen", [
    ("mqtt", (), "mqtt"), ("mqttv3.1", (), "mqttv3.1"), ("mqttv3.1, mqtt", (), "mqttv3.1"),
    ("other,\tmqtt , mqttv3.1", (), "mqtt"), ("mqttv5, ,,mqtt", (), "mqtt"), ("other", ("mqtt", "mqttv3.1"), "mqtt")])
def test_the_first_subprotocol_that_is_served_is_taken_on_both_sides(gate, broker, offered, more, chosen):
    head = ws.request(changes={"Sec-WebSocket-Protocol": offered},
                      more=[("Sec-WebSocket-Protocol", each) for each in more])
    with ws.Client(gate.connect()) as client:
        client.send(head)
        assert client.head().all("Sec-WebSocket-Protocol") == [chosen]
        client.send(ws.frame(CONNECTS[4], mask=ZEROS))
        with meet(broker) as server:
            assert server.head().all("Sec-WebSocket-Protocol") == [chosen]


@pytest.mark.parametrize("line, changes", [
    ("GET /mqtt?token=a%20b&c HTTP/1.1", {}), ("GET /mqtt/ HTTP/1.1", {}),
    ("GET /mqtt HTTP/1.1", {"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"}),
    ("GET /mqtt HTTP/1.1", {"Host": "[::1]:8083", "Origin": "https://page.test", "Cookie": "a=b; c=\xe9"})])
def test_the_broker_is_asked_for_what_the_client_asked_for(gate, broker, line, changes):
    with ws.Client(gate.connect()) as client:
        client.send(ws.request(line, changes).decode().encode("latin-1"))
        assert client.head().first.startswith("HTTP/1.1 101 ")
        client.send(ws.frame(CONNECTS[4], mask=ZEROS))
        with meet(broker) as server:
            head = server.head()
    assert head.first == line
    for name in ("Host", "Origin", "Cookie", "Sec-WebSocket-Key", "Sec-WebSocket-Version"):
        wanted = {**ws.FIELDS, **changes}.get(name)
        assert head.all(name) == ([wanted] if wanted else [])
    assert head["Upgrade"].lower() == "websocket" and "upgrade" in head["Connection"].lower()
    assert head.all("Sec-WebSocket-Extensions") == []


REFUSED = {
    "no path of ours": ("GET /other HTTP/1.1", {}, 404),
    "a path that begins like ours": ("GET /mqttx HTTP/1.1", {}, 404),
    "the root": ("GET / HTTP/1.1", {}, 404),
    "no upgrade": ("GET /mqtt HTTP/1.1", {"Upgrade": None}, 426),
    "an upgrade to something else": ("GET /mqtt HTTP/1.1", {"Upgrade": "h2c"}, 426),
    "a connection that is kept": ("GET /mqtt HTTP/1.1", {"Connection": "keep-alive"}, 426),
    "HTTP/1.0": ("GET /mqtt HTTP/1.0", {}, 426),
    "no version": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Version": None}, 426),
    "an old version": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Version": "8"}, 426),
    "a POST": ("POST /mqtt HTTP/1.1", {}, 400),
    "no host": ("GET /mqtt HTTP/1.1", {"Host": None}, 400),
    "no key": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Key": None}, 400),
    "a short key": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Key": "dGhlIHNhbXBsZQ=="}, 400),
    "a key that is no base64": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub2*jZQ=="}, 400),
    "no subprotocol": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Protocol": None}, 400),
    "other subprotocols": ("GET /mqtt HTTP/1.1", {"Sec-WebSocket-Protocol": "mqttv5, xmqtt, MQTT"}, 400),
    "a body": ("GET /mqtt HTTP/1.1", {"Content-Length": "5"}, 400),
    "a chunked body": ("GET /mqtt HTTP/1.1", {"Transfer-Encoding": "chunked"}, 400),
    "no HTTP": ("HELLO", {}, 400),
    "a folded field": ("GET /mqtt HTTP/1.1", {"X": "a\r\n b"}, 400),
    "a space before the colon": ("GET /mqtt HTTP/1.1", {"X ": "a"}, 400),
    "a control character": ("GET /mqtt HTTP/1.1", {"X": "a\0b"}, 400),
}


def check_refusal(client, status):
    head = client.head()
    assert head.first.split(" ", 2)[:2] == ["HTTP/1.1", str(status)], head.first
    how, body = client.ends()
    assert how == "eof" and len(body) == int(head["Content-Length"]) > 0
    assert "close" in head["Connection"] and body.decode("ascii").rstrip("\n").isprintable()
    if status == 426:
        assert head["Sec-WebSocket-Version"] == "13" and head["Upgrade"].lower() == "websocket"
    return body.decode()


@pytest.mark.parametrize("what", REFUSED)
def test_heads_that_are_refused(gate, broker, what):
    line, changes, status = REFUSED[what]
    with ws.Client(gate.connect()) as client:
        client.send(ws.request(line, changes))
        body = check_refusal(client, status)
    assert status != 404 or "/mqtt" in body
    gate.wait_end(why="not_websocket")
    assert is_untouched(broker)


@pytest.mark.parametrize("name", ["Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_fields_that_may_stand_once(gate, broker, name):
    """RFC 9112 section 3.2, RFC 6455 sections 11.3.1 and 11.3.5."""
    with ws.Client(gate.connect()) as client:
        client.send(ws.request(more=[(name, ws.FIELDS[name])]))
        assert client.head().first.split(" ")[1] in ("400", "426")
    assert is_untouched(broker)


def test_a_head_may_be_long_but_not_without_end(gate, broker):
    with ws.Client(gate.connect()) as client:
        client.send(ws.request(changes={"Cookie": "c" * 7000}))
        assert client.head().first.startswith("HTTP/1.1 101 ")
    with ws.Client(gate.connect()) as client:
        client.send(ws.request(changes={"Cookie": "c" * 20000}))
        check_refusal(client, 400)
    with ws.Client(gate.connect()) as client:  # it need not have come to its end
        client.send(b"GET /mqtt HTTP/1.1\r\nCookie: " + b"c" * 20000)
        check_refusal(client, 400)
    assert is_untouched(broker)


def test_a_head_in_pieces_and_frames_right_behind_it(gate, broker):
    """Byte by byte, and with everything that can be said at once."""
    frames = ws.shaped(ws.a_packet_a_frame, [CONNECTS[4], SUBSCRIBE, PUBLISH])
    for pieces in (ws.byte_by_byte(ws.request() + frames), ws.at_once(ws.request() + frames)):
        with ws.Client(gate.connect()) as client:
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.send(*pieces)
            assert client.head()["Sec-WebSocket-Accept"] == ws.ACCEPT
            with meet(broker) as server:
                server.up()
                assert server.take(len(frames)) == frames


def test_a_client_that_says_too_little_is_left(mqgate, broker):
    gate = mqgate(gate_to(broker.port, {"timeouts": {"connect_packet": "300ms"}}))
    for said in (b"", ws.request()[:-2], ws.request(), ws.request() + ws.frame(CONNECTS[4], mask=ZEROS)[:-1]):
        with ws.Client(gate.connect()) as client:
            client.send(said)
            assert client.ends()[0] == "eof"
    gate.wait_end(count=4, why="connect_packet_timeout")
    assert is_untouched(broker)


def test_a_client_that_leaves_before_its_connect(gate, broker):
    for said in (ws.request()[:-1], ws.request(), ws.request() + ws.frame(CONNECTS[4], mask=ZEROS)[:-1]):
        with ws.Client(gate.connect()) as client:
            client.send(said)
            client.sock.shutdown(socket.SHUT_WR)
            assert client.ends()[0] == "eof"
    gate.wait_end(count=3, why="client_closed")
    assert is_untouched(broker)


# --- TLS, PROXY headers, X-Forwarded-* -------------------------------------------------------------------------------

@pytest.fixture
def over_tls(pki):
    context = ssl.create_default_context(cafile=pki.ca)
    context.set_alpn_protocols(["http/1.1"])
    return lambda gate: context.wrap_socket(gate.connect(), server_hostname="one.test")


def wss_to(to, pki, listener=None, **options):
    return gate_to(to, {"tls": "edge", **(listener or {})},
                   tls=[section("edge", pki.leaf("one.test"), alpn=["http/1.1"])], **options)


@pytest.mark.parametrize("cut", ws.CUTS)
def test_over_tls(mqgate, broker, pki, over_tls, cut):
    gate = mqgate(wss_to(broker.port, pki))
    frames = ws.shaped(ws.at_random, [CONNECTS[4], SUBSCRIBE, publish(pattern(500, 1))])
    back = ws.served(ws.at_random, [CONNACK[4], publish(pattern(900, 2))])
    with ws.Client(over_tls(gate)) as client:
        client.send(*cut(ws.request() + frames))
        assert client.head()["Sec-WebSocket-Accept"] == ws.ACCEPT
        with meet(broker) as server:
            server.up()
            assert server.take(len(frames)) == frames
            server.send(*cut(back))
            assert client.take(len(back)) == back


def test_refusals_over_tls(mqgate, broker, pki, over_tls):
    gate = mqgate(wss_to(broker.port, pki))
    with ws.Client(over_tls(gate)) as client:
        client.send(ws.request("GET / HTTP/1.1"))
        check_refusal(client, 404)
    with ws.Client(over_tls(gate)).up() as client:
        client.send(ws.frame(connect_of(level=9), mask=ZEROS))
        assert client.ends() == ("eof", ws.frame(b"\x20\2\0\1") + ws.close(1008))
    assert is_untouched(broker)


def head_at_broker(client, broker, request):
    client.up(request)
    client.send(ws.frame(CONNECTS[4], mask=ZEROS))
    with meet(broker) as server:
        return server.head()


LIES = [("X-Forwarded-For", "1.2.3.4"), ("x-forwarded-port", "5"), ("X-Forwarded-Proto", "gopher"), ("X-Other", "6")]


@pytest.mark.parametrize("tls", [False, True])
def test_x_forwarded_is_said_when_asked_for_and_nobody_else_may_say_it(mqgate, broker, pki, over_tls, tls):
    configuration = wss_to if tls else lambda to, _, listener: gate_to(to, listener)
    gate = mqgate(configuration(broker.port, pki, {"ws": {"forwarded": True}}))
    with ws.Client(over_tls(gate) if tls else gate.connect()) as client:
        head = head_at_broker(client, broker, ws.request(more=LIES))
        assert head["X-Forwarded-For"] == client.sock.getsockname()[0]
        assert head["X-Forwarded-Port"] == str(client.sock.getsockname()[1])
        assert head["X-Forwarded-Proto"] == ("https" if tls else "http")
        assert head["X-Other"] == "6"


def test_x_forwarded_passes_where_the_gate_has_no_part_in_it(gate, broker):
    with ws.Client(gate.connect()) as client:
        head = head_at_broker(client, broker, ws.request(more=LIES))
    assert [(name, value) for name, value in head.fields if name.lower().startswith("x-")] == LIES


def test_who_the_client_is_comes_before_the_head_and_from_the_load_balancer(mqgate, broker):
    gate = mqgate(gate_to(broker.port, {"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"],
                                        "ws": {"forwarded": True}}, server={"send_proxy": "v2"}))
    src, dst = ("2001:db8::7", 51000), ("2001:db8::1", 8083)
    frames = ws.shaped(ws.a_packet_a_frame, [CONNECTS[4], PUBLISH])
    with ws.Client(gate.connect()) as client:
        client.send(pp.v2(src, dst) + ws.request() + frames)
        sock = broker.accept()
        header = pp.receive(sock)
        assert (header.version, header.src, header.dst) == (2, src, dst)
        with ws.BrokerSide(sock) as server:
            head = server.up()
            assert (head["X-Forwarded-For"], head["X-Forwarded-Port"]) == (src[0], str(src[1]))
            assert server.take(len(frames)) == frames
        client.ends()
    assert dict(header.tlvs)[pp.UNIQUE_ID].decode() == gate.wait_end()["id"]


# --- no broker -------------------------------------------------------------------------------------------------------

REASONED = {3: b"\x20\2\0\3", 4: b"\x20\2\0\3"}


def check_no_broker(client, level):
    """CONNACK in a frame, then a close with 1011."""
    how, heard = client.ends()
    client.sock.close()
    (connack, closing), rest = ws.parse(heard)
    assert (how, rest, connack.first, closing.first) == ("eof", b"", 0x82, 0x88)
    assert closing.payload[:2] == struct.pack("!H", 1011)
    if level == 5:
        packet = connack.payload
        assert (packet[0], packet[1], packet[2:4]) == (0x20, len(packet) - 2, b"\0\x88")
        assert packet[5] == 0x1f and packet[4] == len(packet) - 5  # a Reason String and nothing else
        assert packet[8:].decode().isprintable()
    else:
        assert connack.payload == REASONED[level]


def test_no_server_up_is_said_in_http(mqgate):
    port = free_port()
    gate = mqgate(gate_to(port, backend={"check": {"type": "tcp", "interval": "50ms", "fall": 1}}))
    gate.wait_log(event="server_down")
    with ws.Client(gate.connect()) as client:
        client.send(ws.request())
        check_refusal(client, 503)
    gate.wait_end(why="no_server")


@pytest.mark.parametrize("level", CONNECTS)
def test_a_server_that_goes_between_the_101_and_the_connect(mqgate, serve, level):
    broker = serve(Listener)
    gate = mqgate(gate_to(broker.port, backend={"tries": 1}))
    with ws.Client(gate.connect()).up() as client:
        broker.close()
        client.send(ws.shaped(ws.a_byte_a_frame, [CONNECTS[level]]))
        check_no_broker(client, level)
    gate.wait_end(why="connect_failed")


@pytest.mark.parametrize("level", [4, 5])
def test_a_server_found_down_between_the_101_and_the_connect(mqgate, serve, level):
    broker = serve(Echo)
    gate = mqgate(gate_to(broker.port, backend={"check": {"type": "tcp", "interval": "50ms", "fall": 1, "rise": 1}}))
    gate.wait_log(event="server_up")
    with ws.Client(gate.connect()).up() as client:
        broker.kill()
        gate.wait_log(event="server_down")
        client.send(ws.frame(CONNECTS[level], mask=ZEROS))
        check_no_broker(client, level)
    gate.wait_end(why="no_server")


NO_UPGRADE = {
    "403": lambda key: ws.answer("403 Forbidden", key),
    "503": lambda key: ws.answer("503 Service Unavailable", key),
    "200": lambda key: ws.answer("200 OK", key),
    "101 of HTTP/1.0 garbage": lambda key: b"HTTP/1.0 whatever\r\n\r\n",
    "garbage": lambda key: pattern(300, 3),
    "an MQTT broker": lambda key: CONNACK[4],
    "another subprotocol": lambda key: ws.answer(key=key, changes={"Sec-WebSocket-Protocol": "mqttv3.1"}),
    "the answer to another key": lambda key: ws.answer(key=ws.new_key()),
    "no answer to the key": lambda key: ws.answer(key=key, changes={"Sec-WebSocket-Accept": None}),
    "an extension": lambda key: ws.answer(key=key, changes={"Sec-WebSocket-Extensions": "permessage-deflate"}),
    "no upgrade": lambda key: ws.answer(key=key, changes={"Upgrade": None}),
    "half a head": lambda key: ws.answer(key=key)[:-2],
    "a head without end": lambda key: ws.answer(key=key)[:-2] + b"X: " + b"x" * 100000,
    "nothing": lambda key: b"",
}


class Refuses(Server):
    """Says what it is told to, and then ends, or does not ("silent")."""

    def __init__(self, words, then="end"):
        self.words, self.then, self.heads = words, then, 0
        super().__init__()

    def serve(self, sock):
        side = ws.BrokerSide(sock)
        head = side.head()
        self.heads += 1
        side.send(self.words(head["Sec-WebSocket-Key"]))
        if self.then == "end":
            sock.shutdown(socket.SHUT_WR)
        side.ends()


def patience(words):
    """What ends a wait for the rest of a head."""
    return {"timeouts": {"connect": "300ms"}} if words in ("half a head", "nothing") else {}


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("words", NO_UPGRADE)
def test_a_broker_that_takes_no_upgrade(mqgate, serve, words, level):
    server = serve(Refuses, NO_UPGRADE[words], "silent")
    gate = mqgate(gate_to(server.port, patience(words), backend={"tries": 1}))
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.frame(CONNECTS[level], mask=ZEROS))
        check_no_broker(client, level)
    end = gate.wait_end()
    assert end["why"] == ("connect_failed" if patience(words) else "upgrade_refused")
    assert server.heads == 1


@pytest.mark.parametrize("words", NO_UPGRADE)
def test_another_server_is_tried_and_hears_everything(mqgate, serve, broker, words):
    bad = serve(Refuses, NO_UPGRADE[words])
    gate = mqgate(gate_to([bad.port, broker.port], patience(words)))
    frames = ws.shaped(ws.fragments_with_controls_between, [CONNECTS[4], SUBSCRIBE, PUBLISH])
    with ws.Client(gate.connect()).up() as client:
        client.send(frames)
        with meet(broker) as server:
            assert server.up()["Sec-WebSocket-Key"] == ws.KEY
            assert server.take(len(frames)) == frames
            server.send(ws.frame(CONNACK[4]))
            assert client.frame().payload == CONNACK[4]
    assert bad.heads >= 1
    gate.wait_end(server="s1")


def test_a_broker_may_leave_out_the_subprotocol_and_answer_in_pieces(gate, broker):
    """With frames right behind its head."""
    behind = ws.served(ws.at_random, [CONNACK[4], publish(pattern(50, 1))])
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.frame(CONNECTS[4], mask=ZEROS))
        with meet(broker) as server:
            server.head()
            server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.send(*ws.byte_by_byte(ws.answer(changes={"Sec-WebSocket-Protocol": None}) + behind))
            assert client.take(len(behind)) == behind


# --- nothing but a good CONNECT --------------------------------------------------------------------------------------

def test_the_broker_sees_nothing_before_the_connect_is_whole(gate, broker):
    for shape in ws.SHAPES:
        frames = ws.shaped(shape, [CONNECTS[5]])
        # The last byte of the CONNECT is that of its last frame that is not empty and no control frame.
        last = max(i for i, each in enumerate(ws.parse(frames)[0]) if each.opcode <= ws.BINARY and each.payload)
        until_last = b"".join(each.raw for each in ws.parse(frames)[0][:last + 1])
        with ws.Client(gate.connect()).up() as client:
            seen = gate.listener_stats()["bytes_in"]
            client.send(until_last[:-1])
            until(lambda: gate.listener_stats()["bytes_in"] == seen + len(until_last) - 1, "it to be read")
            assert is_untouched(broker), shape.__name__
            client.send(until_last[-1:] + frames[len(until_last):])
            with meet(broker) as server:
                server.up()
                assert server.take(len(frames)) == frames


def reason_string(code, text):
    return text.startswith(bytes([0x20, len(text) - 2, 0, code, len(text) - 5, 0x1f]))


REFUSED_CONNECTS = {  # name: the CONNECT, whether a CONNACK is the right one, the code of the close, why
    "unknown level": (connect_of(level=9), lambda heard: heard == b"\x20\2\0\1", 1008, "mqtt_version"),
    "no id, not clean": (connect_of(b"", flags=0), lambda heard: heard == b"\x20\2\0\2", 1008, "no_client_id"),
    "malformed, 3.1.1": (connect_of(flags=3), None, 1002, "malformed_connect"),
    "malformed, 5": (connect_of(level=5, flags=3), lambda heard: reason_string(0x81, heard), 1002,
                     "malformed_connect"),
    "too large, 3.1.1": (connect_of(b"x" * 3000), None, 1009, "connect_too_large"),
    "too large, 5": (connect_of(b"x" * 3000, level=5), lambda heard: reason_string(0x95, heard), 1009,
                     "connect_too_large"),
    "another packet": (PUBLISH, None, 1002, "not_mqtt"),
    "another protocol": (b"GET / HTTP/1.1\r\n\r\n", None, 1002, "not_mqtt"),
    "another name": (b"\x10\x0d\0\4HTTP\4\2\0\0\0\1x", None, 1002, "not_mqtt"),
}


@pytest.mark.parametrize("shape", [ws.a_packet_a_frame, ws.a_byte_a_frame, ws.fragments_with_controls_between])
@pytest.mark.parametrize("what", REFUSED_CONNECTS)
def test_a_connect_that_is_refused(mqgate, broker, what, shape):
    gate = mqgate(gate_to(broker.port, {"mqtt": {"max_connect_size": "2KiB"}}))
    packet, is_right, code, why = REFUSED_CONNECTS[what]
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.shaped(shape, [packet, PUBLISH]))
        how, heard = client.ends()
    frames, rest = ws.parse(heard)
    assert (how, rest) == ("eof", b"")
    assert (frames[-1].first, frames[-1].payload[:2]) == (0x88, struct.pack("!H", code))
    if is_right is None:
        assert len(frames) == 1
    else:
        assert len(frames) == 2 and frames[0].first == 0x82 and is_right(frames[0].payload), frames
    gate.wait_end(why=why)
    assert is_untouched(broker)


def test_a_client_that_closes_before_its_connect_is_answered(gate, broker):
    for said in (b"", ws.frame(CONNECTS[4][:-1], mask=ZEROS)):
        with ws.Client(gate.connect()).up() as client:
            client.send(said, ws.close(1000, b"changed my mind", mask=b"\1\2\3\4"))
            how, heard = client.ends()
            (closing,), rest = ws.parse(heard)
            assert (how, rest, closing.first, closing.payload[:2]) == ("eof", b"", 0x88, b"\x03\xe8")
    gate.wait_end(count=2, why="client_closed")
    assert is_untouched(broker)


def test_a_whole_session_in_one_piece_is_delivered(gate, broker):
    """A client need not wait for its CONNACK ([MQTT-3.1.4], non-normative): publish, good-bye and the close frame may
    come with the CONNECT. So it is where they come a moment later."""
    frames = ws.shaped(ws.a_packet_a_frame, [CONNECTS[4], PUBLISH, DISCONNECT]) + ws.close(1000, mask=ZEROS)
    with ws.Client(gate.connect()).up() as client:
        client.send(frames)
        with meet(broker) as server:
            server.up()
            assert server.take(len(frames)) == frames


# --- nothing is changed ----------------------------------------------------------------------------------------------

PACKETS = [CONNECTS[5], b"\x82\7\0\1\0\0\1a\0", publish(b"\0"), publish(b"\0" + pattern(130, 1)), PINGREQ,
           publish(b"\0" + pattern(300, 2), 1, 7), b"\xe0\0"]


@pytest.mark.parametrize("cut", ws.CUTS)
@pytest.mark.parametrize("shape", ws.SHAPES)
def test_what_a_client_sends_arrives_as_it_is(gate, broker, shape, cut):
    """Masks, fragments, controls and all; also what follows the CONNECT at once."""
    frames = ws.shaped(shape, PACKETS)
    with ws.Client(gate.connect()).up() as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(*cut(frames))
        with meet(broker) as server:
            server.up()
            assert server.take(len(frames)) == frames
            server.send(ws.frame(CONNACK[5]))
            until(lambda: gate.listener_stats()["mqtt"]["connacks"], "the CONNACK")
            mqtt = gate.listener_stats()["mqtt"]
    sent = {kind: n for kind, n in mqtt["packets"]["in"].items() if n}
    assert sent == {"CONNECT": 1, "SUBSCRIBE": 1, "PUBLISH": 3, "PINGREQ": 1, "DISCONNECT": 1}
    assert list(mqtt["publishes"]["in"].values()) == [2, 1, 0]
    assert (mqtt["broken"], mqtt["loose"]) == (0, 0)


@pytest.mark.parametrize("cut", ws.CUTS)
@pytest.mark.parametrize("shape", ws.SHAPES)
def test_what_a_broker_sends_arrives_as_it_is(gate, broker, shape, cut):
    packets = [CONNACK[5], b"\x90\4\0\1\0\0", publish(b"\0", 2, 5), publish(b"\0" + pattern(400, 3)), PINGRESP,
               b"\xe0\0"]
    frames = ws.served(shape, packets)
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.frame(CONNECTS[5], mask=ZEROS))
        with meet(broker) as server:
            server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.up()
            server.send(*cut(frames))
            assert client.take(len(frames)) == frames
            mqtt = gate.listener_stats()["mqtt"]
    assert {kind: n for kind, n in mqtt["packets"]["out"].items() if n} == {
        "CONNACK": 1, "SUBACK": 1, "PUBLISH": 2, "PINGRESP": 1, "DISCONNECT": 1}
    assert list(mqtt["publishes"]["out"].values()) == [1, 0, 1]


@pytest.mark.parametrize("n", [0, 1, 125, 126, 127, 65535, 65536, 1 << 20])
def test_frames_of_every_length_pass_both_ways(arrive, n):
    client, server = arrive()
    up, down = ws.frame(publish(pattern(n, 1)), mask=b"\xa5\0\xff\x01"), ws.frame(publish(pattern(n, 2)))
    client.send(up)
    assert server.take(len(up)) == up
    server.send(down)
    assert client.take(len(down)) == down


@pytest.mark.parametrize("n", [126, 1000, 60000])
def test_a_connect_of_any_size_that_is_allowed(gate, broker, n):
    shape = ws.fragments_with_controls_between if n < 2000 else ws.all_in_one
    frames = ws.shaped(shape, [connect(4, b"i" * n)])
    with ws.Client(gate.connect()).up() as client:
        client.send(frames)
        with meet(broker) as server:
            server.up()
            assert server.take(len(frames)) == frames


def test_control_frames_pass_both_ways(arrive):
    client, server = arrive()
    for payload in (b"", b"are you there", bytes(125)):
        for opcode in (ws.PING, ws.PONG):
            up, down = ws.frame(payload, opcode, mask=b"\x11\x22\x33\x44"), ws.frame(payload, opcode)
            client.send(up)
            assert server.take(len(up)) == up
            server.send(down)
            assert client.take(len(down)) == down


# --- how it ends -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9going away", struct.pack("!H", 4000) + b"x" * 123])
@pytest.mark.parametrize("who", ["client", "server"])
def test_the_closing_handshake_passes(gate, arrive, who, payload):
    client, server = arrive()
    first, second = (client, server) if who == "client" else (server, client)
    ask = ws.frame(payload, ws.CLOSE, mask=b"\1\2\3\4" if who == "client" else None)
    echo = ws.frame(payload, ws.CLOSE, mask=b"\4\3\2\1" if who == "server" else None)
    first.send(ask)
    assert second.take(len(ask)) == ask
    second.send(echo)
    assert first.take(len(echo)) == echo
    server.sock.close()  # section 7.1.1: the server first
    assert client.ends() == ("eof", b"")
    client.sock.close()
    assert gate.wait_end()["why"] == "server_closed"


def test_an_end_without_a_word_is_passed_on(gate, arrive):
    client, server = arrive()
    client.sock.shutdown(socket.SHUT_WR)
    assert server.ends() == ("eof", b"")
    last = ws.frame(publish(b"last"))
    server.send(last)
    server.sock.close()
    assert client.ends() == ("eof", last)
    assert gate.wait_end()["why"] == "client_closed"


# --- frames that cannot be -------------------------------------------------------------------------------------------

M = b"\1\2\3\4"
BAD_FRAMES = {  # the bytes, and the code of the close
    "unmasked": (ws.frame(PINGREQ), 1002),
    "text": (ws.frame(PINGREQ, ws.TEXT, mask=M), 1003),
    "reserved bit 1": (ws.frame(PINGREQ, mask=M, reserved=4), 1002),
    "reserved bit 2": (ws.frame(PINGREQ, mask=M, reserved=2), 1002),
    "reserved bit 3": (ws.frame(PINGREQ, mask=M, reserved=1), 1002),
    "opcode 3": (ws.frame(PINGREQ, 3, mask=M), 1002),
    "opcode 7": (ws.frame(PINGREQ, 7, mask=M), 1002),
    "opcode 11": (ws.frame(b"", 11, mask=M), 1002),
    "opcode 15": (ws.frame(b"", 15, mask=M), 1002),
    "a ping in fragments": (ws.frame(b"a", ws.PING, mask=M, fin=False), 1002),
    "a long ping": (ws.frame(bytes(126), ws.PING, mask=M), 1002),
    "a long close": (ws.close(1000, bytes(124), mask=M), 1002),
    "a close of one byte": (ws.frame(b"\3", ws.CLOSE, mask=M), 1002),
    "a length too long for 2 bytes": (ws.frame(PINGREQ, mask=M, form=2), 1002),
    "a length too long for 8 bytes": (ws.frame(publish(bytes(500)), mask=M, form=8), 1002),
    "a length of 2^63": (ws.frame(PINGREQ, mask=M, form=8, length=1 << 63), 1002),
    "a fragment of nothing": (ws.frame(PINGREQ, ws.CONTINUATION, mask=M), 1002),
    "a message within a message": (ws.frame(b"", mask=M, fin=False) + ws.frame(PINGREQ, mask=M), 1002),
    "a text within a message": (ws.frame(b"", mask=M, fin=False) + ws.frame(PINGREQ, ws.TEXT, mask=M), 1002),
}


@pytest.mark.parametrize("cut", [ws.at_once, ws.byte_by_byte])
@pytest.mark.parametrize("what", BAD_FRAMES)
def test_bad_frames_of_a_client_that_is_not_in_yet(gate, broker, what, cut):
    bad, code = BAD_FRAMES[what]
    with ws.Client(gate.connect()).up() as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            client.send(*cut(ws.frame(b"", ws.PING, mask=M) + bad + ws.frame(CONNECTS[4], mask=M)))
        how, heard = client.ends()
        assert (how, heard[:1], heard[2:4]) == ("eof", b"\x88", struct.pack("!H", code))
    gate.wait_end(why="not_websocket")
    assert is_untouched(broker)


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("what", BAD_FRAMES)
def test_bad_frames_of_a_client_that_is_in(gate, arrive, what, level):
    """What came before is delivered; MQTT 5 clients are told in MQTT, too."""
    bad, code = BAD_FRAMES[what]
    client, server = arrive(level)
    good = ws.shaped(ws.at_random, [publish(b"\0good")])
    client.send(good + bad + ws.frame(publish(b"\0late"), mask=M))
    how, arrived = server.ends()
    assert (how, arrived[:len(good)]) == ("eof", good) and b"late" not in b"".join(
        each.payload for each in ws.parse(arrived)[0])
    how, heard = client.ends()
    client.sock.close()
    frames, rest = ws.parse(heard)
    assert (how, rest, frames[-1].first, frames[-1].payload[:2]) == ("eof", b"", 0x88, struct.pack("!H", code))
    assert [each.payload[:1] + each.payload[2:3] for each in frames[:-1]] == ([b"\xe0\x81"] if level == 5 else [])
    gate.wait_end(why="client_not_mqtt", state="relay")
    assert gate.listener_stats()["mqtt"]["broken"] == 1


@pytest.mark.parametrize("what", BAD_FRAMES)
def test_what_came_before_a_bad_frame_is_delivered_also_in_one_piece_with_it(gate, broker, what):
    good = ws.shaped(ws.a_packet_a_frame, [CONNECTS[4], PUBLISH])
    with ws.Client(gate.connect()).up() as client:
        client.send(good + BAD_FRAMES[what][0])
        with meet(broker) as server:
            server.up()
            assert server.take(len(good)) == good
            how, heard = client.ends()
    assert (how, heard) == ("eof", ws.close(BAD_FRAMES[what][1]))
    gate.wait_end(why="client_not_mqtt", state="relay")


NOT_MQTT = {"type 0": b"\0\0", "a second CONNECT": CONNECTS[4], "a length of 5 bytes": b"\x30\xff\xff\xff\xff\x01",
            "flags of a SUBSCRIBE": b"\x80\6\0\1\0\1a\0", "QoS 3": b"\x36\4\0\1a1", "a CONNACK": CONNACK[4]}


@pytest.mark.parametrize("what", NOT_MQTT)
def test_what_is_no_mqtt_in_good_frames_ends_it(gate, arrive, what):
    client, server = arrive()
    good = ws.frame(publish(b"good"), mask=M)
    client.send(good + ws.frame(PINGREQ + NOT_MQTT[what], mask=M))
    how, arrived = server.ends()
    assert how == "eof" and arrived.startswith(good)
    assert client.ends() == ("eof", ws.close(1002))
    client.sock.close()
    gate.wait_end(why="client_not_mqtt", state="relay")


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("bad", [ws.frame(PINGRESP, mask=M), ws.frame(PINGRESP, ws.TEXT), ws.frame(b"", 3),
                                 ws.frame(b"\0\0"), ws.frame(b"\x10\0")],
                         ids=["masked", "text", "opcode 3", "type 0", "a CONNECT"])
def test_a_broker_that_stops_making_sense(gate, arrive, bad, level):
    client, server = arrive(level)
    good = ws.served(ws.fragments_with_controls_between, [publish(b"\0good")])
    server.send(good + bad)
    how, heard = client.ends()
    client.sock.close()
    assert how == "eof" and heard.startswith(good)
    frames, rest = ws.parse(heard[len(good):])
    if bad[0] & 15 != ws.BINARY:  # else the frame has begun for the client, too, and there is no room for words
        assert (rest, frames[-1].first, frames[-1].payload[:2]) == (b"", 0x88, struct.pack("!H", 1011))
        assert [each.payload[:1] for each in frames[:-1]] == ([b"\xe0"] if level == 5 else [])
    gate.wait_end(why="server_not_mqtt", state="relay")


def test_a_broker_that_makes_no_sense_from_its_first_frame(mqgate, broker, pki, over_tls):
    """In one piece with its 101, so that nothing is left of what came."""
    gate = mqgate(wss_to(broker.port, pki))
    with ws.Client(over_tls(gate)).up() as client:
        client.send(ws.frame(CONNECTS[4], mask=M))
        with meet(broker) as server:
            key = server.head()["Sec-WebSocket-Key"]
            server.send(ws.answer(key=key) + ws.frame(b"", 3))
            _, heard = client.ends()
    assert heard == ws.close(1011)
    gate.wait_end(why="server_not_mqtt")


@pytest.mark.parametrize("bad", [ws.frame(b"\0\0what", mask=M), ws.frame(PINGREQ, ws.TEXT, mask=M), ws.frame(PINGREQ),
                                 ws.frame(b"", mask=M, reserved=4)], ids=["no MQTT", "text", "unmasked", "reserved"])
def test_without_strict_everything_passes_from_there_on(mqgate, broker, arrive, bad):
    gate = mqgate(gate_to(broker.port, {"mqtt": {"strict": False}}))
    client, server = arrive(to=gate)
    sent = ws.frame(PINGREQ, mask=M) + bad + pattern(5000, 1)
    client.send(sent)
    assert server.take(len(sent)) == sent
    back = pattern(5000, 2)
    server.send(back)
    assert client.take(len(back)) == back
    mqtt = gate.listener_stats()["mqtt"]
    assert (mqtt["broken"], mqtt["loose"]) == (0, 1)


# --- what the gate does by itself ------------------------------------------------------------------------------------

def farewell(heard, code, close_code):
    """A DISCONNECT of MQTT 5 with a Reason String, and a close frame."""
    (said, closing), rest = ws.parse(heard)
    packet = said.payload
    assert (rest, said.first, packet[0], packet[1], packet[2]) == (b"", 0x82, 0xe0, len(packet) - 2, code)
    assert packet[4] == 0x1f
    assert (closing.first, closing.payload[:2]) == (0x88, struct.pack("!H", close_code))


def test_the_keep_alive_of_a_connack_that_lies_in_two_frames_holds(gate, broker):
    """Server Keep Alive: one second, so 1.5 and 5 more. What the broker says does not make the client alive."""
    connack = b"\x20\6\0\0\3\x13\0\1"
    with ws.Client(gate.connect()).up() as client:
        client.send(ws.frame(connect_of(level=5, keep_alive=0), mask=M))
        with meet(broker) as server:
            server.up()
            server.send(*ws.byte_by_byte(ws.served(ws.fragments_with_controls_between, [connack])))
            begun = time.monotonic()
            for _ in range(5):
                server.send(ws.frame(b"", ws.PING))
                assert not select.select([server.sock], [], [], 1)[1]
            frames, rest = ws.parse(client.ends()[1])
            took = time.monotonic() - begun
        farewell(b"".join(each.raw for each in frames[-2:]), 0x8d, 1008)
    assert rest == b"" and 6.4 <= took < 6.5 * 33 / 32 + 1.5 * SLACK
    gate.wait_end(why="keep_alive_timeout")


def is_quiet(sock, seconds):
    return not select.select([sock], [], [], seconds)[0]


def aged(broker):
    return gate_to(broker.port, {"max_age": {"after": "300ms", "jitter": "0%", "budget": 6000}})


P = publish(b"\0" + pattern(40, 1))
UNFINISHED = {  # what the broker has sent when it is time, and the rest of it
    "within a frame": (ws.frame(P)[:9], ws.frame(P)[9:]),
    "within the header of a frame": (ws.frame(P + publish(bytes(200)))[:3], ws.frame(P + publish(bytes(200)))[3:]),
    "within a message": (ws.frame(P, fin=False), ws.frame(b"", ws.CONTINUATION)),
    "within a message, behind a ping": (ws.frame(P[:5], fin=False) + ws.frame(b"hello", ws.PING),
                                        ws.frame(P[5:], ws.CONTINUATION)),
    "within a packet, between messages": (ws.frame(P[:5]), ws.frame(P[5:])),
    "within the header of a packet": (ws.frame(P[:1]), ws.frame(P[1:])),
    "within a ping": (ws.frame(b"hello", ws.PING)[:4], ws.frame(b"hello", ws.PING)[4:]),
}


@pytest.mark.parametrize("where", UNFINISHED)
def test_the_gate_speaks_between_messages_only(mqgate, broker, arrive, where):
    """max_age; the broker is in the midst of something when it comes, and goes on half a second later."""
    begun, rest = UNFINISHED[where]
    client, server = arrive(5, mqgate(aged(broker)))
    server.send(begun)
    assert client.take(len(begun)) == begun
    assert is_quiet(client.sock, 0.8), where
    server.send(rest + ws.frame(publish(b"\0too late")))
    assert client.take(len(rest)) == rest
    how, heard = client.ends()
    assert how == "eof"
    farewell(heard, 0x9c, 1001)


def test_nothing_is_said_behind_a_close_frame(mqgate, broker, arrive):
    client, server = arrive(5, mqgate(aged(broker)))
    server.send(ws.close(1000))
    assert client.ends() == ("eof", ws.close(1000))
    assert server.ends()[0] == "eof"


# --- with a real broker ----------------------------------------------------------------------------------------------

class Mqtt:
    """A client of MQTT 3.1.1 that sends its packets in a way of its own, and counts them."""

    def __init__(self, side, shape, cut, seed):
        self._side, self._shape, self._cut, self._seed = side, shape, cut, seed
        self._in = b""
        self.sent, self.got, self.published, self.heard = {}, {}, [0, 0, 0], [0, 0, 0]

    def send(self, *packets):
        for packet in packets:
            self._count(self.sent, self.published, packet)
        self._seed += 1
        self._side.send(*self._cut(ws.shaped(self._shape, packets, self._seed)))

    @staticmethod
    def _count(counts, by_qos, packet):
        kind = packet[0] >> 4
        counts[kind] = counts.get(kind, 0) + 1
        if kind == 3:
            by_qos[packet[0] >> 1 & 3] += 1

    def _length(self):
        """Of the packet at the beginning; None: more is needed to know."""
        n, shift = 0, 0
        for at, byte in enumerate(self._in[1:5]):
            n, shift = n | (byte & 127) << shift, shift + 7
            if not byte & 128:
                return 2 + at + n
        return None

    def receive(self):
        while self._length() is None or len(self._in) < self._length():
            frame = self._side.frame()
            assert frame.opcode != ws.CLOSE, frame
            if frame.opcode in (ws.BINARY, ws.CONTINUATION):
                self._in += frame.payload
        n = self._length()
        packet, self._in = self._in[:n], self._in[n:]
        self._count(self.got, self.heard, packet)
        return packet

    def hear(self, n):
        """n messages to the end of their handshakes; answers their payloads, and takes part in what it sent itself."""
        payloads, held = [], {}
        while len(payloads) < n or held or self._open_publishes():
            packet = self.receive()
            kind, body = packet[0] >> 4, packet[2 if packet[1] < 128 else 3 if packet[2] < 128 else 4:]
            if kind == 3:
                qos, topic = packet[0] >> 1 & 3, struct.unpack_from("!H", body)[0]
                packet_id = body[2 + topic:4 + topic]
                payloads.append(body[2 + topic + (2 if qos else 0):])
                if qos:
                    self.send((b"\x40\2" if qos == 1 else b"\x50\2") + packet_id)
                if qos == 2:
                    held[packet_id] = True
            elif kind == 5:
                self.send(b"\x62\2" + body)
            elif kind == 6:
                held.pop(body)
                self.send(b"\x70\2" + body)
        return payloads

    def _open_publishes(self):
        return self.published[1] > self.got.get(4, 0) or self.published[2] > self.got.get(7, 0)


TYPES = ["", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
         "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"]


def by_name(counts):
    return {TYPES[kind]: n for kind, n in counts.items()}


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("cut", ws.CUTS)
@pytest.mark.parametrize("shape", ws.SHAPES)
def test_mosquitto_and_a_client_of_every_habit(mqgate, mosquitto, pki, over_tls, shape, cut, tls):
    """QoS 0 to 2 both ways, and the counters are what was sent."""
    gate = mqgate(wss_to(mosquitto.ws_port, pki) if tls else gate_to(mosquitto.ws_port))
    topic = f"{shape.__name__}/{cut.__name__}/{tls}".encode()
    sizes = [0, 1, 100, 300] + ([10000] if shape in (ws.all_in_one, ws.a_packet_a_frame) and cut != ws.byte_by_byte
                                else [])
    with ws.Client(over_tls(gate) if tls else gate.connect()) as side:
        side.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        side.up()
        client = Mqtt(side, shape, cut, 1)
        client.send(connect_of(b"habit-" + topic), packet(b"\0\1" + binary(topic) + b"\2", 0x82))
        assert client.receive() == CONNACK[4] and client.receive() == b"\x90\3\0\1\2"
        said = []
        for qos in range(3):
            payloads = [pattern(n, n + qos) for n in sizes]
            client.send(*(publish(payload, qos, 10 * qos + i + 1, topic) for i, payload in enumerate(payloads)))
            said += payloads
        assert sorted(client.hear(len(said))) == sorted(said)
        client.send(PINGREQ)
        assert client.receive() == PINGRESP
        with contextlib.suppress(ConnectionError, ssl.SSLEOFError):  # mosquitto leaves at once, whatever stands behind it
            client.send(DISCONNECT)
        assert all(each.opcode in (ws.PONG, ws.CLOSE) for each in ws.parse(side.ends()[1])[0])
    until(lambda: gate.listener_stats()["open"] == 0, "its end")
    for shown in (gate.listener_stats()["mqtt"], gate.server_stats()["mqtt"]):
        for way, counts, by_qos in (("in", client.sent, client.published), ("out", client.got, client.heard)):
            assert {kind: n for kind, n in shown["packets"][way].items() if n} == by_name(counts)
            assert list(shown["publishes"][way].values()) == by_qos
        assert (shown["broken"], shown["loose"]) == (0, 0)
