"""Clients, and brokers, that lie in every field: good conversations of all protocols, mutated, thrown at every kind of
listener. The gate must live, stay in reach, let nothing but good CONNECTs through, and hold nothing when it is over.

MQGATE_LIES_S=3600 goes on for an hour; MQGATE_LIES_SEED is another beginning.
"""
import collections
import contextlib
import multiprocessing
import os
import random
import signal
import socket
import ssl
import threading
import time

import pytest

import proxyproto as pp
import websocket as ws
from connect_corpus import corpus
from connect_rules import judge
from mqgate import SANITIZER, SLACK, conf, until
from mqttproto import packet
from pki import section
from servers import Listener, reset

SECONDS = int(os.environ.get("MQGATE_LIES_S", "8"))
SEED = int(os.environ.get("MQGATE_LIES_SEED", "455"))
LIARS, THREADS = 2, 12  # processes, and clients at a time in each
HEALTH_S = 1 * SLACK
TIMEOUTS = {"proxy_header": "300ms", "handshake": "500ms", "connect_packet": "500ms", "connect": "500ms",
            "queue": "500ms", "idle": "2s", "half_closed": "500ms"}
LISTENERS = {  # protocol, TLS
    "mqtt": ("mqtt", False), "mqtts": ("mqtt", True), "ws": ("ws", False), "wss": ("ws", True), "auto": ("auto", True),
    "loose": ("mqtt", False), "loose-ws": ("ws", False)}


# --- how bytes are made into lies ------------------------------------------------------------------------------------

EDGES = [0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0xfd, 0xfe, 0xff]


def flip(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def to_edge(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.choice(EDGES)]) + data[at + 1:]


def lie_of_length(rng, data):
    """Two, four or eight bytes that may be a length."""
    at, n = rng.randrange(len(data)), rng.choice([2, 4, 8])
    value = rng.choice([0, 1, 125, 126, 127, 128, 16384, 65535, 1 << 31, (1 << 31) - 1, (1 << 63) - 1, 1 << 63])
    return data[:at] + (value % 256 ** n).to_bytes(n, "big") + data[at + n:]


def leave_out(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 9):]


def put_in(rng, data):
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice([1, 1, 2, 4, 30])) + data[at:]


def again(rng, data):
    """A part of it comes more than once."""
    at = rng.randrange(len(data))
    part = data[at:at + rng.choice([1, 2, 8, 100])]
    return data[:at] + part * rng.choice([1, 2, 100]) + data[at:]


def cut_short(rng, data):
    return data[:rng.randrange(len(data))]


def parts_swapped(rng, data):
    a, b, c = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


WAYS = [flip, flip, to_edge, to_edge, lie_of_length, leave_out, put_in, again, cut_short, parts_swapped]


def mutate(rng, data, most=3):
    for _ in range(rng.randrange(1, most + 1)):
        if data:
            data = rng.choice(WAYS)(rng, data)
    return data


def perhaps(rng, data, chance=0.3):
    return mutate(rng, data) if rng.random() < chance else data


# --- what is said ----------------------------------------------------------------------------------------------------

def is_good(packet):
    return judge(packet).accepted


CORPUS = [data for _, data in corpus() if len(data) < 3000]
CONNECTS = [data for data in CORPUS if is_good(data)]


def packets_of(rng, n, five):
    """What either side may say."""
    nothing = b"\0" if five else b""
    kinds = [
        lambda: packet(b"\0\1a" + nothing + rng.randbytes(rng.randrange(200)), 0x30),
        lambda: packet(b"\0\1a\0\7" + nothing + rng.randbytes(rng.randrange(20)), 0x32),
        lambda: packet(b"\0\1a\0\7" + nothing, 0x3d),
        lambda: packet(b"\0\1" + nothing + b"\0\1a\1", 0x82),
        lambda: packet(b"\0\1" + nothing + b"\0\1a", 0xa2),
        lambda: packet(b"\0\7", rng.choice([0x40, 0x50, 0x62, 0x70])),
        lambda: packet(b"\0\1" + nothing + b"\0", 0x90),
        lambda: b"\xc0\0", lambda: b"\xd0\0", lambda: b"\xe0\0",
        lambda: packet(b"\0\0", 0xe0), lambda: packet(b"\x18\0", 0xf0),
        lambda: packet(b"\0\0" + (b"\3\x13\0\1" if five else b""), 0x20),
    ]
    return [rng.choice(kinds)() for _ in range(n)]


def mqtt(rng):
    """Packets from a CONNECT on."""
    first = rng.choice(CONNECTS if rng.random() < 0.7 else CORPUS)
    packets = packets_of(rng, rng.randrange(8), first[8:9] == b"\5")
    return [perhaps(rng, first), *(perhaps(rng, each, 0.1) for each in packets)]


def frames(rng, packets, is_client):
    """In frames of some shape, whose bytes may be lies."""
    kinds = ws.masks(rng.randrange(1 << 30))
    shape = rng.choice(ws.SHAPES)
    if sum(map(len, packets)) > 500 and shape is ws.a_byte_a_frame:
        shape = ws.across_frames
    made = shape(packets, lambda: next(kinds) if is_client else None)
    return b"".join(perhaps(rng, each, 0.3 / len(made)) for each in made)


def upgrade(rng):
    line = rng.choice(["GET /mqtt HTTP/1.1"] * 8 + ["GET /mqtt?x HTTP/1.1", "GET /other HTTP/1.1",
                                                    "POST /mqtt HTTP/1.1"])
    more = [(rng.choice(["X-Forwarded-For", "Cookie", "Connection", "Sec-WebSocket-Protocol", "Host", "TE"]),
             "x" * rng.randrange(300)) for _ in range(rng.choice([0, 0, 0, 1, 5, 70]))]
    return perhaps(rng, ws.request(line, more=more))


def proxy_header(rng):
    src, dst = rng.choice([(("192.0.2.7", 4711), ("192.0.2.1", rng.choice([1883, 8883, 8083, 8084, 80]))),
                           (("2001:db8::7", 4711), ("2001:db8::1", 1883))])
    tlvs = b"".join(pp.tlv(rng.randrange(256), rng.randbytes(rng.randrange(40))) for _ in range(rng.randrange(4)))
    header = rng.choice([lambda: pp.v1(src, dst), lambda: pp.v2(src, dst, tlvs=tlvs), lambda: pp.v2(tlvs=tlvs),
                         lambda: pp.v2(src, dst, checksum=rng.choice(["good", "bad"]), tlvs=tlvs),
                         lambda: b"PROXY UNKNOWN" + b"x" * rng.randrange(100) + b"\r\n"])()
    return perhaps(rng, header)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="one.test").do_handshake()
    return outgoing.read()


def conversation(rng, protocol):
    if protocol == "auto":
        protocol = rng.choice(["mqtt", "ws", "http"])
    if protocol == "http":
        return perhaps(rng, b"GET " + rng.choice([b"/haproxy_health", b"/haproxy_stats;csv", b"/metrics"])
                       + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    if protocol == "ws":
        return upgrade(rng) + frames(rng, mqtt(rng), True)
    return b"".join(mqtt(rng))


# --- who says it -----------------------------------------------------------------------------------------------------

def say(rng, sock, data):
    cut = rng.choice([ws.at_once, ws.at_once, lambda d: ws.in_random_pieces(d, rng.randrange(1 << 30)),
                      lambda d: ws.byte_by_byte(d[:400]) + [d[400:]]])
    for piece in cut(data):
        if piece:
            sock.sendall(piece)


def hear(sock, seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        if not sock.recv(65536):
            return


def leave(rng, sock):
    """Some wait for the end, some do not, some are gone without a word."""
    how = rng.randrange(4)
    if how == 0:
        sock.shutdown(socket.SHUT_WR)
    if how < 3:
        with contextlib.suppress(TimeoutError, ssl.SSLError):
            hear(sock, rng.choice([0.01, 0.05, 0.05, 1]))
    if how == 3:
        reset(sock)


def lie(rng, name, address, context):
    protocol, tls = LISTENERS[name]
    with socket.create_connection(address, 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, rng.randrange(2))
        if name == "auto":
            tls = rng.random() < 0.4
        if rng.random() < 0.3:
            sock.sendall(proxy_header(rng))
        if tls and rng.random() < 0.4:
            say(rng, sock, mutate(rng, client_hello()))
        elif tls:
            with context.wrap_socket(sock, server_hostname="one.test") as wrapped:
                say(rng, wrapped, conversation(rng, protocol))
                leave(rng, wrapped)
            return
        else:
            say(rng, sock, conversation(rng, protocol))
        leave(rng, sock)


def tell_lies(addresses, seed, told, stop):
    """A process full of liars."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    names = list(addresses)

    def run(number):
        rng = random.Random(f"{seed}-{number}")
        while not stop.is_set():
            name = rng.choice(names)
            with contextlib.suppress(OSError, ValueError):
                lie(rng, name, addresses[name], context)
            with told.get_lock():
                told.value += 1

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Broker(Listener):
    """Of MQTT and of WebSocket, whatever comes; wants a PROXY header. Answers the good truth or lies, and keeps what a
    gate should not have let through."""

    def __init__(self, let_through, served):
        super().__init__()
        self._let_through, self._served = let_through, served

    def run(self, seed, stop):
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        self.socket.settimeout(0.2)
        number = 0
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = self.socket.accept()
                number += 1
                rng = random.Random(f"{seed}-{number}")
                threading.Thread(target=self._serve, args=(sock, rng), daemon=True).start()

    def _serve(self, sock, rng):
        sock.settimeout(10)
        with sock, contextlib.suppress(OSError, AssertionError, ssl.SSLError):
            pp.receive(sock)
            first = sock.recv(1, socket.MSG_PEEK)
            if first:
                self._speak(rng, sock, first == b"G")
            leave(rng, sock)

    def _speak(self, rng, sock, is_ws):
        side = ws.BrokerSide(sock)
        if is_ws:
            words = ws.answer(key=side.head()["Sec-WebSocket-Key"])
            side.send(perhaps(rng, words, 0.1))
        connect_packet = self._first_packet(side, is_ws)
        with self._served.get_lock():
            self._served.value += 1
        five = connect_packet[8:9] == b"\5"
        packets = [packet(b"\0\0\0" if five else b"\0\0", 0x20), *packets_of(rng, rng.randrange(6), five)]
        packets = [perhaps(rng, each, 0.05) for each in packets]
        say(rng, sock, frames(rng, packets, False) if is_ws else b"".join(packets))

    def _first_packet(self, side, is_ws):
        data = b""
        while True:
            if is_ws:
                frame = side.frame()
                data += frame.payload if frame.opcode in (ws.BINARY, ws.CONTINUATION) else b""
            else:
                data += side.take(1)
            # A prefix of a good packet is judged again each time: only where it may have come to its end.
            if len(data) >= 5 and len(data) >= _length(data):
                if not is_good(data):
                    self._let_through.put(data[:500])
                return data


def _length(data):
    n, shift = 0, 0
    for at, byte in enumerate(data[1:5]):
        n, shift = n | (byte & 127) << shift, shift + 7
        if not byte & 128:
            return 2 + at + n
    return 5


# --- the test --------------------------------------------------------------------------------------------------------

class World:
    """A gate, its broker, and liars that can be set loose."""

    def __init__(self, gate, served, told):
        self.gate, self.told = gate, told
        self.slowest_s, self.served = 0., served
        self.descriptors = gate.descriptors()
        self.addresses = {name: gate.address(name) for name in LISTENERS}

    def lies(self, seconds, seed):
        """For that long; health is asked all the while."""
        stop = multiprocessing.Event()
        liars = [multiprocessing.Process(target=tell_lies, args=(self.addresses, f"{seed}-{i}", self.told, stop))
                 for i in range(LIARS)]
        for liar in liars:
            liar.start()
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self._ask()
                time.sleep(0.1)
        finally:
            stop.set()
            for liar in liars:
                liar.join(30)
                liar.kill()

    def _ask(self):
        assert self.gate.process.poll() is None, self.gate.stderr()
        begun = time.monotonic()
        assert self.gate.health() == 200
        took = time.monotonic() - begun
        self.slowest_s = max(self.slowest_s, took)
        assert took < HEALTH_S, f"health took {took:.1f} s"

    def rest(self):
        """Until every session is over and its descriptors are closed; answers the memory in KiB."""
        until(lambda: all(each["open"] == 0 for each in self.gate.stats()["listeners"] if each["name"] in LISTENERS),
              "all sessions to end", 30 * SLACK)
        try:
            until(lambda: self.gate.descriptors() == self.descriptors, "its descriptors to be closed", 30 * SLACK)
        except AssertionError:
            assert self.gate.descriptors() == self.descriptors
        return self.gate.pss_kib("Pss_Anon")


@pytest.fixture
def world(mqgate, serve, pki):
    let_through, served, told = multiprocessing.Queue(), multiprocessing.Value("L", 0), multiprocessing.Value("L", 0)
    broker = serve(Broker, let_through, served)
    configuration = conf(broker.port, server={"send_proxy": "v2"}, log={"access": "off"},
                         timeouts=TIMEOUTS, tls=[section("edge", pki.leaf("one.test"))])
    configuration["listeners"] = [
        {"name": name, "bind": "127.0.0.1:0", "protocol": protocol, "tls": "edge" if tls else "",
         "proxy_protocol": "accept", "proxy_from": ["127.0.0.0/8"],
         **({"backends": {"mqtt": "out", "ws": "out"}, "admin": True} if protocol == "auto" else {"backend": "out"}),
         **({"ws": {"forwarded": True}} if protocol != "mqtt" else {}),
         **({"mqtt": {"strict": False}} if name.startswith("loose") else {})}
        for name, (protocol, tls) in LISTENERS.items()]
    stop = multiprocessing.Event()
    process = multiprocessing.Process(target=broker.run, args=(SEED, stop))
    process.start()
    try:
        made = World(mqgate(configuration), served, told)
        yield made
        assert let_through.empty(), f"not a good CONNECT, but the broker got it: {let_through.get().hex()}"
    finally:
        stop.set()
        process.join(5)
        process.kill()


@pytest.mark.limit(SECONDS + 180)
def test_no_lie_does_harm(world, record_property):
    world.lies(min(5, SECONDS), SEED)  # buffers, caches and tickets are there from now on
    memory = world.rest()
    world.lies(SECONDS, SEED + 1)
    memory_after = world.rest()
    if not SANITIZER:  # which keeps what was freed, and where from; it looks for leaks itself
        assert memory_after < memory + 4096, "KiB"
    listeners = [each for each in world.gate.stats()["listeners"] if each["name"] in LISTENERS]
    refused = collections.Counter()
    for each in listeners:
        refused.update(each["refused"])
    broken, loose = (sum(each["mqtt"][what] for each in listeners) for what in ("broken", "loose"))
    for what, value in (("lies", world.told.value), ("reached the broker", world.served.value),
                        ("slowest health answer in ms", round(world.slowest_s * 1000)), ("broken", broken),
                        ("loose", loose), ("KiB before", memory), ("KiB after", memory_after),
                        *(("refused: " + reason, n) for reason, n in refused.items())):
        record_property(what, value)
    # The lies went everywhere.
    assert broken and loose and world.served.value
    assert all(refused[reason] for reason in ("not_mqtt", "malformed", "version", "client_id", "http")), refused
