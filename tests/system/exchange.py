"""Many short conversations at once, in one thread: each says its pieces, ends its side and hears the other out. For
comparing what servers make of the same bytes, thousands of times a second."""
import base64
import collections
import dataclasses
import hashlib
import itertools
import re
import select
import socket
import struct
import time

from mqgate import DEADLINE_S
from mqttproto import connack

LINGER_0 = struct.pack("ii", 1, 0)


@dataclasses.dataclass
class Conversation:
    """pieces: each is sent when the one before has had time to arrive. Then: heard, and ended by "eof" or "reset"."""
    to: int
    pieces: list
    tag: object = None
    heard: bytes = b""
    ended: str = ""
    source: tuple = None  # address of this side


class Talks:
    """An epoll and its sockets. broker: a FakeBroker to be served meanwhile."""

    def __init__(self, broker=None, at_once=64, pace_s=0.0):
        self._epoll = select.epoll()
        self._at_once, self._pace_s = at_once, pace_s
        self._open = {}     # descriptor: (socket, conversation)
        self._saying = collections.deque()
        self._broker = broker
        self._sources = itertools.cycle(f"127.0.{i}.{j}" for i in range(1, 5) for j in range(1, 251))
        if broker:
            broker.register(self._epoll)

    def hold(self, conversations):
        """Has all of them, and yields each when it is over."""
        waiting = iter(conversations)
        more = True
        while more or self._open:
            while more and len(self._open) < self._at_once:
                conversation = next(waiting, None)
                more = conversation is not None
                if more:
                    self._begin(conversation)
            yield from self._turn()

    def _begin(self, conversation):
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)  # leaves no port in TIME_WAIT
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        sock.bind((next(self._sources), 0))
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", conversation.to))
        sock.setblocking(False)
        conversation.source = sock.getsockname()
        self._open[sock.fileno()] = (sock, conversation)
        self._epoll.register(sock, select.EPOLLIN)
        self._saying.append((sock, conversation, iter(conversation.pieces)))
        conversation.until = time.monotonic() + DEADLINE_S

    def _turn(self):
        self._say()
        events = self._epoll.poll(0 if self._saying else 0.05)
        for fd, _ in events:
            if fd in self._open:
                sock, conversation = self._open[fd]
                if self._hear(sock, conversation):
                    self._end(fd)
                    yield conversation
            else:
                self._broker.handle(fd)
        if not events:
            self._watch_the_time()

    def _say(self):
        """One piece of everybody's."""
        if self._pace_s:
            time.sleep(self._pace_s)
        for _ in range(len(self._saying)):
            sock, conversation, pieces = self._saying.popleft()
            if conversation.ended:
                continue
            piece = next(pieces, None)
            try:
                if piece is None:
                    sock.shutdown(socket.SHUT_WR)
                    continue
                sent = sock.send(piece) if piece else 0
            except BlockingIOError:
                sent = 0
            except OSError:  # it has ended: _hear() will see how
                continue
            if sent < len(piece):
                pieces = itertools.chain([piece[sent:]], pieces)
            self._saying.append((sock, conversation, pieces))

    @staticmethod
    def _hear(sock, conversation):
        try:
            heard = sock.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            conversation.ended = "reset"
            return True
        conversation.heard += heard
        if not heard:
            conversation.ended = "eof"
        return not heard

    def _end(self, fd):
        sock, _ = self._open.pop(fd)
        self._epoll.unregister(fd)
        sock.close()

    def _watch_the_time(self):
        for _, conversation in self._open.values():
            assert time.monotonic() < conversation.until, f"never ended: {conversation}"

    def close(self):
        for sock, _ in self._open.values():
            sock.close()
        self._epoll.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def welcome_to(connect):
    """A CONNACK in the version of a CONNECT, once its level is there."""
    at = 1
    while at < len(connect) and connect[at] & 0x80:
        at += 1
    level_at = at + 3 + int.from_bytes(connect[at + 1:at + 3], "big")
    return connack(connect[level_at] & 0x7F) if len(connect) > level_at else b""


class FakeBroker:
    """Wants a PROXY header (v1), welcomes whatever comes behind it, and keeps all of it by the client's address."""

    def __init__(self):
        self._epoll = None
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        self.received = {}   # client's address: its bytes, without the header
        self._open = {}      # descriptor: [socket, bytes, answers given]

    def register(self, epoll):
        self._epoll = epoll
        epoll.register(self.socket, select.EPOLLIN)

    def handle(self, fd):
        if fd == self.socket.fileno():
            return self._accept()
        sock, heard, said = state = self._open[fd]
        try:
            piece = sock.recv(1 << 20)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            piece = b""
        if not piece:
            return self._end(fd)
        state[1] = heard + piece
        if said < self.answers and b"\r\n" in state[1]:
            state[2] = self.answer(sock, state[1].split(b"\r\n", 1)[1], said)
        return None

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            self.connections += 1
            self._open[sock.fileno()] = [sock, b"", 0]
            self._epoll.register(sock, select.EPOLLIN)

    answers = 1

    def answer(self, sock, heard, said):
        """Says what is due to what was heard behind the header. Returns how many of its answers have been given."""
        welcome = welcome_to(heard)
        if welcome:
            sock.send(welcome)
        return 1 if welcome else said

    def mqtt(self, heard):
        """The bytes of MQTT in it."""
        return heard

    def _end(self, fd):
        sock, heard, _ = self._open.pop(fd)
        self._epoll.unregister(fd)
        sock.close()
        header, _, rest = heard.partition(b"\r\n")
        words = header.decode("latin-1").split(" ")
        assert words[0] == "PROXY", f"no header: {heard[:80]!r}"
        self.received[(words[2], int(words[4]))] = self.mqtt(rest)

    def close(self):
        for sock, *_ in self._open.values():
            sock.close()
        self.socket.close()


# --- over WebSocket (RFC 6455) ---------------------------------------------------------------------------------------

UPGRADE = (b"GET /mqtt HTTP/1.1\r\nHost: gate\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
CONTINUED, BINARY, CLOSE, PING = 0, 2, 8, 9
FIN = 0x80


def xor(data, mask):
    n = len(data)
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big")


def frame(payload, first=FIN | BINARY, mask=None):
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head = bytes([first, masked | len(payload)])
    elif len(payload) < 65536:
        head = bytes([first, masked | 126]) + len(payload).to_bytes(2, "big")
    else:
        head = bytes([first, masked | 127]) + len(payload).to_bytes(8, "big")
    return head + mask + xor(payload, mask) if mask else head + payload


def payloads(data):
    """(opcode, payload) of the whole frames that data begins with."""
    while len(data) >= 2:
        size, at = data[1] & 0x7F, 2
        if size >= 126:
            at += 2 if size == 126 else 8
            size = int.from_bytes(data[2:at], "big")
        mask = data[at:at + 4] if data[1] & 0x80 else b""
        at += len(mask)
        if len(data) < at + size:
            return
        yield data[0] & 0x0F, xor(data[at:at + size], mask) if mask else data[at:at + size]
        data = data[at + size:]


def in_frames(data):
    """What stands in messages, behind the head of HTTP."""
    return b"".join(payload for opcode, payload in payloads(data.partition(b"\r\n\r\n")[2])
                    if opcode in (CONTINUED, BINARY))


class FakeWebSocketBroker(FakeBroker):
    answers = 2

    def answer(self, sock, heard, said):
        head, end, _ = heard.partition(b"\r\n\r\n")
        if not end:
            return 0
        if said == 0:
            key = re.search(rb"Sec-WebSocket-Key: *(\S+)", head, re.I)[1]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            sock.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        welcome = welcome_to(in_frames(heard))
        if welcome:
            sock.send(frame(welcome))
        return 2 if welcome else 1

    def mqtt(self, heard):
        return in_frames(heard)
