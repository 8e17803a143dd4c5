"""CONNECT packets of every kind, good and bad, and mutations of them."""
import random

from connect_rules import BINARY, CONNECT_PROPERTIES, PAIR, TEXT, U8, U16, U32, WILL_PROPERTIES, judge
from mqttproto import PASSWORD, RETAIN, USER, WILL, binary, connect, packet, properties, varint

# One good value of each type, and what is at the edges of it.
GOOD = {U8: b"\1", U16: b"\0\x10", U32: b"\0\1\0\0", TEXT: binary("text"), BINARY: binary(b"\0\xFF\x80"),
        PAIR: binary("key") + binary("value")}
EDGES = {
    U8: [b"\0", b"\2", b"\xFF"], U16: [b"\0\0", b"\0\1", b"\xFF\xFF"], U32: [bytes(4), b"\0\0\0\1", b"\xFF" * 4],
    TEXT: [binary(""), binary("\ufeff"), binary("\0"), binary(b"\xFF"), binary("a/+/#")],
    BINARY: [binary(b""), binary(b"\0" * 300)],
    PAIR: [binary("") + binary(""), binary("k") + binary(b"\xED\xA0\x80")]}

# Section 1.5.4. Python's "surrogatepass" would write what no string may hold; bytes say it plainly.
TEXTS = {
    "plain": b"plain", "two bytes": "é".encode(), "three bytes": "€".encode(), "four bytes": "𝄞".encode(),
    "BOM": "\ufeffid".encode(), "the last character": "\U0010ffff".encode(), "before the surrogates": "\ud7ff".encode(),
    "after the surrogates": "\ue000".encode(), "replacement character": "\ufffd".encode(),
    "U+0000": b"a\0b", "U+0001": b"\1", "line end": b"a\nb", "U+007F": b"\x7F", "U+009F": "\x9f".encode(),
    "noncharacter": "\ufffe".encode(), "noncharacter of Arabic forms": "\ufdd0".encode(),
    "noncharacter of another plane": "\U0001ffff".encode(),
    "surrogate": b"\xED\xA0\x80", "last surrogate": b"\xED\xBF\xBF", "surrogate pair": b"\xED\xA0\xB4\xED\xB4\x9E",
    "overlong NUL": b"\xC0\x80", "overlong slash of two": b"\xC0\xAF", "overlong slash of three": b"\xE0\x80\xAF",
    "overlong of four": b"\xF0\x80\x80\xAF", "above the last character": b"\xF4\x90\x80\x80",
    "five bytes": b"\xF8\x88\x80\x80\x80", "a byte alone": b"\xE9", "cut short": b"\xE2\x82", "0xFF": b"\xFF",
    "0xFE": b"\xFE", "continuation alone": b"\x80", "too long a tail": b"\xC3\xA9\xA9"}


def plain_packets():
    for version in (3, 4, 5):
        yield f"{version} plain", connect(version)
        yield f"{version} not clean", connect(version, clean=False)
        yield f"{version} keep-alive 0", connect(version, keep_alive=0)
        yield f"{version} keep-alive 65535", connect(version, keep_alive=65535)
        yield f"{version} user", connect(version, user="user")
        yield f"{version} user and password", connect(version, user="user", password=b"\0secret\xFF")
        yield f"{version} empty user and password", connect(version, user="", password=b"")
        yield f"{version} password alone", connect(version, password=b"secret")
        yield f"{version} empty id", connect(version, "")
        yield f"{version} empty id, not clean", connect(version, "", clean=False)
        for length in (1, 22, 23, 24, 127, 128, 1000, 65000):
            yield f"{version} id of {length}", connect(version, "i" * length)


def will_packets():
    for version in (3, 4, 5):
        for qos in (0, 1, 2, 3):
            for retained in (False, True):
                yield f"{version} will QoS {qos} retained {retained}", connect(
                    version, will=("will/topic", b"\0gone\xFF", qos, retained, ()))
        yield f"{version} everything", connect(version, user="user", password="secret",
                                               will=("will", "gone", 1, True, ()))
        yield f"{version} empty will", connect(version, will=("will", "", 0, False, ()))
        yield f"{version} will topic empty", connect(version, will=("", "gone", 0, False, ()))
        yield f"{version} will topic of $SYS", connect(version, will=("$SYS/x", "gone", 0, False, ()))
        for topic in ("will/+", "will/#", "#", "a+b"):
            yield f"{version} will topic {topic}", connect(version, will=(topic, "gone", 0, False, ()))
        yield f"{version} will topic of 201 levels", connect(version, will=("/" * 200, "gone", 0, False, ()))
        yield f"{version} will of 64,000 bytes", connect(version, will=("will", b"w" * 64000, 0, False, ()))


def flag_packets():
    for version in (3, 4, 5):
        for name, flags in (("reserved flag", 1), ("Will QoS without Will", 8), ("Will Retain without Will", RETAIN),
                            ("Will flag without fields", WILL), ("user flag without field", USER),
                            ("user and password flags without fields", USER | PASSWORD),
                            ("password flag without field", PASSWORD), ("all flags", 0xFF)):
            yield f"{version} {name}", connect(version, flags=flags)
        yield f"{version} Will QoS of 3 without Will", connect(version, flags=0x18)
        yield f"{version} user without its flag", connect(version)[:-8] + binary("client") + binary("user")


def name_and_level_packets():
    rest = b"\2\0\x3C" + binary("client")
    for name in (b"MQTT", b"MQIsdp", b"MQTT\0", b"mqtt", b"MQTt", b"", b"M", b"MQIsdq", b"MQTTT", b"HTTP"):
        for level in (0, 1, 2, 3, 4, 6, 0x83, 0x84, 0x85, 255):
            yield f"name {name!r} level {level}", packet(binary(name) + bytes([level]) + rest)
        for level in (5, 0x85):
            yield f"name {name!r} level {level} with properties", packet(
                binary(name) + bytes([level]) + b"\2\0\x3C\0" + binary("client"))


def length_packets():
    for version in (3, 4, 5):
        good = connect(version, user="user", password="secret")
        for padding in (2, 3, 4, 5):
            yield f"{version} remaining length in {padding} bytes", connect(version, padding=padding)
        yield f"{version} length without end", good[:1] + b"\xFF\xFF\xFF\xFF\x7F" + good[2:]
        yield f"{version} of the greatest length", good[:1] + b"\xFF\xFF\xFF\x7F" + good[2:]
        yield f"{version} a byte more", packet(good[2:] + b"x")
        yield f"{version} many bytes more", packet(good[2:] + bytes(500))
        for n in range(len(good) - 2):
            yield f"{version} packet of its first {n} bytes", packet(good[2:2 + n])
        for first in (*range(0x11, 0x20), 0x00, 0x20, 0x30, 0xC0, 0xE0, 0xF0):
            yield f"{version} first byte {first:#x}", connect(version, first=first)
        exact = 65536 - len(connect(version, user="u", password=b"", client_id="c" * 30000))
        for more in (0, 1):
            yield f"{version} of 64 KiB + {more}", connect(version, "c" * 30000, user="u",
                                                           password=b"p" * (exact + more))
    for padding in (2, 5):
        yield f"5 property length in {padding} bytes", packet(
            binary(b"MQTT") + b"\5\2\0\x3C" + properties(padding=padding) + binary("c"))
    yield "5 property length past the end", packet(binary(b"MQTT") + b"\5\2\0\x3C\x7F" + binary("c"))
    yield "5 without property length", packet(binary(b"MQTT") + b"\5\2\0\x3C")


def property_packets():
    def will(*pairs):
        return {"will": ("will", "gone", 1, False, pairs)}

    for place, known, other, put in (("", CONNECT_PROPERTIES, WILL_PROPERTIES, lambda *pairs: {"props": pairs}),
                                     ("will ", WILL_PROPERTIES, CONNECT_PROPERTIES, will)):
        for identifier, (name, kind) in known.items():
            method = [(0x15, GOOD[TEXT])] if identifier == 0x16 else []
            yield f"5 {place}{name}", connect(5, **put(*method, (identifier, GOOD[kind])))
            yield f"5 {place}{name} twice", connect(5, **put(*method, *[(identifier, GOOD[kind])] * 2))
            yield f"5 {place}{name} cut short", connect(5, **put((identifier, GOOD[kind][:-1])))
            for n, value in enumerate(EDGES[kind]):
                yield f"5 {place}{name} edge {n}", connect(5, **put(*method, (identifier, value)))
        yield f"5 {place}all", connect(5, **put(*((i, GOOD[kind]) for i, (_, kind) in known.items())))
        yield f"5 {place}properties of 60,000 bytes", connect(5, **put(*[(0x26, GOOD[PAIR])] * 4600))
        for identifier in sorted(set(range(256)) - set(known)):
            kind = other[identifier][1] if identifier in other else U8
            yield f"5 {place}property {identifier:#x} that does not belong", connect(5, **put((identifier, GOOD[kind])))
        yield f"5 {place}identifier in two bytes", connect(5, **put((0x91, b"\0" + GOOD[U32])))
    yield "5 Authentication Data without Method", connect(5, props=[(0x16, GOOD[BINARY])])


def text_packets():
    for version in (3, 4, 5):
        for name, text in TEXTS.items():
            yield f"{version} id: {name}", connect(version, text)
            yield f"{version} user: {name}", connect(version, user=text)
            yield f"{version} will topic: {name}", connect(version, will=(text, "gone", 0, False, ()))
    for name, text in TEXTS.items():
        yield f"5 user property: {name}", connect(5, props=[(0x26, binary("k") + binary(text))])
        yield f"5 Content Type: {name}", connect(5, will=("w", "gone", 0, False, [(0x03, binary(text))]))


def foreign_packets():
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    yield "TLS", bytes.fromhex("16030100c8010000c40303") + bytes(200)
    yield "PROXY", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"
    yield "PINGREQ", b"\xC0\0"
    yield "PUBLISH", packet(binary("topic") + b"hello", 0x30)
    yield "nothing", b""
    yield "a zero", b"\0"


def corpus():
    """Name and bytes of every packet."""
    for packets in (plain_packets, will_packets, flag_packets, name_and_level_packets, length_packets, property_packets,
                    text_packets, foreign_packets):
        yield from packets()


# --- mutations -------------------------------------------------------------------------------------------------------

def flip(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def set_byte(rng, data):
    at = rng.randrange(len(data))
    value = rng.choice((0, 1, 2, 3, 0x7F, 0x80, 0xC0, 0xED, 0xFE, 0xFF, rng.randrange(256)))
    return data[:at] + bytes([value]) + data[at + 1:]


def insert(rng, data):
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 1, 2, 5))) + data[at:]


def remove(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 1, 2, 5)):]


def repeat(rng, data):
    at, n = rng.randrange(len(data)), rng.randrange(1, 12)
    return data[:at + n] + data[at:at + n] + data[at + n:]


def truncate(rng, data):
    return data[:rng.randrange(len(data))]


def length_of_anything(rng, data):
    """16 bits somewhere go up or down by a little."""
    at = rng.randrange(len(data))
    value = int.from_bytes(data[at:at + 2], "big") + rng.choice((-2, -1, 1, 2, 256, -256))
    return data[:at] + (value & 0xFFFF).to_bytes(2, "big") + data[at + 2:]


MUTATIONS = (flip, flip, set_byte, set_byte, insert, remove, repeat, truncate, length_of_anything)


def split_header(data):
    n = 1
    while n < min(len(data), 4) and data[n] >= 0x80:
        n += 1
    return data[:n + 1], data[n + 1:]


def mutated(rng, data):
    """One to three mutations. Half of the packets then have their remaining length put right, so that what is wrong
    lies deeper."""
    header, body = split_header(data)
    right = rng.random() < 0.5
    changed = body if right else data
    for _ in range(rng.choice((1, 1, 2, 3))):
        if changed:
            changed = rng.choice(MUTATIONS)(rng, changed)
    return header[:1] + varint(len(changed)) + changed if right else changed


def mutations(n, seed):
    """Good packets more often than bad ones, and small ones more often than large ones, most of which is filling."""
    rng = random.Random(seed)
    packets = [data for _, data in corpus() if data]
    weights = [(10 if judge(data).accepted else 1) * (1 if len(data) < 2000 else 0.02) for data in packets]
    for data in rng.choices(packets, weights, k=n):
        yield mutated(rng, data)
