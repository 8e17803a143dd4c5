"""WebSocket (RFC 6455) as tests speak it: on both sides, right and wrong. Frames are made and read here, so that
nothing hides how they lie on the wire."""
import base64
import collections
import hashlib
import itertools
import os
import random
import struct

from mqgate import DEADLINE_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # section 1.3 has both

Frame = collections.namedtuple("Frame", "opcode payload fin first raw")


def accept_of(key):
    """Section 4.2.2."""
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def new_key():
    return base64.b64encode(os.urandom(16)).decode()


# --- heads -----------------------------------------------------------------------------------------------------------

FIELDS = {"Host": "gate.test", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Protocol": "mqtt", "Sec-WebSocket-Key": KEY}


def request(line="GET /mqtt HTTP/1.1", changes=(), more=()):
    """An upgrade. changes: fields of other values, None: left out. more: pairs, behind the others."""
    fields = [(name, value) for name, value in {**FIELDS, **dict(changes)}.items() if value is not None]
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in [*fields, *more]), "", ""]).encode()


def answer(status="101 Switching Protocols", key=KEY, changes=()):
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_of(key),
              "Sec-WebSocket-Protocol": "mqtt", **dict(changes)}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


class Head:
    """What stands in front of the frames: its first line, and its fields in order."""

    def __init__(self, data):
        self.first, *lines = data.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.fields = [tuple(line.split(": ", 1)) for line in lines]

    def all(self, name):
        return [value for each, value in self.fields if each.lower() == name.lower()]

    def __getitem__(self, name):
        value, = self.all(name)
        return value


# --- frames ----------------------------------------------------------------------------------------------------------

def length_of(n, form=None):
    """The length in its shortest form, or in 1, 2 or 8 bytes. The mask bit is not in it."""
    form = form or (1 if n < 126 else 2 if n < 65536 else 8)
    return {1: bytes([n & 0x7F]), 2: b"\x7e" + struct.pack("!H", n & 0xFFFF), 8: b"\x7f" + struct.pack("!Q", n)}[form]


def masked(payload, mask):
    n = len(payload)
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (n // 4 + 1))[:n], "big")
    return whole.to_bytes(n, "big")


def frame(payload=b"", opcode=BINARY, *, mask=None, fin=True, reserved=0, form=None, length=None):
    """mask: four bytes; None: as servers do. length: another one than the payload has."""
    first = bytes([fin << 7 | reserved << 4 | opcode])
    size = length_of(len(payload) if length is None else length, form)
    if mask is None:
        return first + size + payload
    return first + bytes([size[0] | 0x80]) + size[1:] + mask + masked(payload, mask)


def close(code, text=b"", **options):
    return frame(struct.pack("!H", code) + text, CLOSE, **options)


def parse_one(data):
    """The frame at the beginning; None: there is not all of it."""
    if len(data) < 2:
        return None
    n, at = data[1] & 0x7F, 2
    if n > 125:
        size = 2 if n == 126 else 8
        n, at = int.from_bytes(data[2:2 + size], "big"), 2 + size
    mask = data[at:at + 4] if data[1] & 0x80 else b""
    end = at + (4 if data[1] & 0x80 else 0) + n
    if len(data) < end:
        return None
    payload = data[at + len(mask):end]
    return Frame(data[0] & 15, masked(payload, mask) if mask else payload, bool(data[0] & 0x80), data[0], data[:end])


def parse(data):
    """Frames of a side, and the bytes that are no whole frame."""
    frames = []
    while found := parse_one(data):
        frames.append(found)
        data = data[len(found.raw):]
    return frames, data


# --- a side of a connection ------------------------------------------------------------------------------------------

class Side:
    """Reads heads, bytes and frames; `sock` is open to everything else."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE_S)
        self._rest = b""

    def send(self, *pieces):
        for piece in pieces:
            self.sock.sendall(piece)

    def _more(self):
        piece = self.sock.recv(65536)
        assert piece, f"the end behind {self._rest[-200:]!r}"
        self._rest += piece

    def take(self, n):
        while len(self._rest) < n:
            self._more()
        taken, self._rest = self._rest[:n], self._rest[n:]
        return taken

    def head(self):
        while b"\r\n\r\n" not in self._rest:
            self._more()
        return Head(self.take(self._rest.index(b"\r\n\r\n") + 4))

    def frame(self):
        while not (found := parse_one(self._rest)):
            self._more()
        self.take(len(found.raw))
        return found

    def ends(self):
        """Reads to the end: "eof" or "reset", and the bytes before it."""
        try:
            while piece := self.sock.recv(65536):
                self._rest += piece
            how = "eof"
        except ConnectionResetError:
            how = "reset"
        rest, self._rest = self._rest, b""
        return how, rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Client(Side):
    """The client's; up() makes it one of WebSocket."""

    def up(self, head=None):
        self.send(head or request())
        found = self.head()
        assert found.first == "HTTP/1.1 101 Switching Protocols", found.first
        return self


class BrokerSide(Side):
    """The broker's, with a connection that the gate has made; up() answers its upgrade."""

    def up(self):
        found = self.head()
        self.send(answer(key=found["Sec-WebSocket-Key"]))
        return found


# --- ways of sending the same MQTT -----------------------------------------------------------------------------------

def masks(seed):
    """Of all kinds: none to speak of, all bits, one byte, random."""
    rng = random.Random(seed)
    for kind in itertools.count():
        yield [bytes(4), b"\xff" * 4, b"\x80\0\0\0", b"\0\0\0\1", rng.randbytes(4)][kind % 5]


def a_packet_a_frame(packets, new_mask):
    return [frame(packet, mask=new_mask()) for packet in packets]


def all_in_one(packets, new_mask):
    return [frame(b"".join(packets), mask=new_mask())]


def a_byte_a_frame(packets, new_mask):
    return [frame(bytes([byte]), mask=new_mask()) for byte in b"".join(packets)]


def across_frames(packets, new_mask):
    """Packets begin and end in the midst of messages."""
    data = b"".join(packets)
    return [frame(data[i:i + 7], mask=new_mask()) for i in range(0, len(data), 7)]


def fragments_with_controls_between(packets, new_mask):
    """One message, empty fragments in it, a ping or pong behind each."""
    data = b"".join(packets)
    cut = [data[i:i + 5] for i in range(0, len(data), 5)] + [b""]
    frames = []
    for i, piece in enumerate(cut):
        frames.append(frame(piece, BINARY if i == 0 else CONTINUATION, fin=i == len(cut) - 1, mask=new_mask()))
        frames.append(frame(b"" if i % 3 == 0 else bytes([i % 256]) * (i % 126), PING + i % 2, mask=new_mask()))
    return frames


def empty_frames_between(packets, new_mask):
    return [frame(piece, mask=new_mask()) for packet in packets for piece in (b"", packet, b"")]


def at_random(packets, new_mask, seed=1, most=300):
    """Messages, fragments and controls of any size."""
    rng = random.Random(seed)
    data, at, fresh, frames = b"".join(packets), 0, True, []
    while at < len(data) or not fresh:
        n, fin = rng.choice([0, 1, rng.randrange(20), rng.randrange(most)]), rng.random() < 0.5
        frames.append(frame(data[at:at + n], BINARY if fresh else CONTINUATION, fin=fin, mask=new_mask()))
        at, fresh = at + n, fin
        if rng.random() < 0.3:
            frames.append(frame(rng.randbytes(rng.randrange(126)), rng.choice([PING, PONG]), mask=new_mask()))
    return frames


SHAPES = [a_packet_a_frame, all_in_one, a_byte_a_frame, across_frames, fragments_with_controls_between,
          empty_frames_between, at_random]


def shaped(shape, packets, seed=1):
    """The client's bytes."""
    kinds = masks(seed)
    return b"".join(shape(packets, lambda: next(kinds)))


def served(shape, packets):
    """The server's: the same without masks."""
    return b"".join(shape(packets, lambda: None))


def at_once(data):
    return [data]


def byte_by_byte(data):
    return [data[i:i + 1] for i in range(len(data))]


def in_random_pieces(data, seed=1):
    rng, at, pieces = random.Random(seed), 0, []
    while at < len(data):
        n = rng.choice([1, 2, rng.randrange(1, 30), rng.randrange(1, 2000)])
        pieces.append(data[at:at + n])
        at += n
    return pieces


CUTS = [at_once, byte_by_byte, in_random_pieces]
