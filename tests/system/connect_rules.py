"""What the specifications say of a client's first packet, and what mqgate is to answer: a second reading of them, to
judge the first by. Slow, whole packets only, one rule after the other as they stand in the packet.

Sections are those of OASIS MQTT 5.0 unless said; "3.1:" is MQTT V3.1 (2010), "3.1.1:" OASIS MQTT 3.1.1.
"""
import dataclasses
import functools
import re

MAX_SIZE = 65536  # mqtt.max_connect_size of the tests

# What mqgate answers. Its 5 carries a Reason String besides the code, which is not compared to a text here.
CLOSE = None
BAD_LEVEL = (4, 1)
BAD_ID = (4, 2)
MALFORMED_5 = (5, 0x81)
TOO_LARGE_5 = (5, 0x95)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """accepted: is this a good CONNECT? None: there is not all of it. rule: the first that it breaks. answer: what is
    heard then. remarks: what is allowed, but looks odd enough for a broker to refuse. size: bytes of the packet."""
    accepted: bool
    rule: str = ""
    answer: tuple = None
    remarks: frozenset = frozenset()
    version: int = 0
    size: int = 0


class Broken(Exception):
    def __init__(self, rule, answer):
        super().__init__(rule)
        self.rule, self.answer = rule, answer


class Short(Exception):
    """The first bytes are there, the packet is not."""


U8, U16, U32, TEXT, BINARY, PAIR = "u8", "u16", "u32", "text", "binary", "pair"
# Section 2.2.2.2: identifier: name, type.
CONNECT_PROPERTIES = {
    0x11: ("Session Expiry Interval", U32),
    0x15: ("Authentication Method", TEXT), 0x16: ("Authentication Data", BINARY),
    0x17: ("Request Problem Information", U8), 0x19: ("Request Response Information", U8),
    0x21: ("Receive Maximum", U16), 0x22: ("Topic Alias Maximum", U16), 0x26: ("User Property", PAIR),
    0x27: ("Maximum Packet Size", U32)}
WILL_PROPERTIES = {
    0x01: ("Payload Format Indicator", U8), 0x02: ("Message Expiry Interval", U32), 0x03: ("Content Type", TEXT),
    0x08: ("Response Topic", TEXT), 0x09: ("Correlation Data", BINARY), 0x18: ("Will Delay Interval", U32),
    0x26: ("User Property", PAIR)}
# Section 1.5.4: controls and noncharacters.
DISCOURAGED = re.compile("[\1-\x1F\x7F-\x9F\uFDD0-\uFDEF%s]" % "".join(
    chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)))
NOT_ABOVE_1 = (0x01, 0x17, 0x19)  # sections 3.1.3.2.3, 3.1.2.11.6 and .7
NOT_0 = (0x21, 0x27)              # sections 3.1.2.11.3 and .4


class Packet:
    """A packet being read to its end; what does not fit in it breaks the rule of lengths."""

    def __init__(self, data):
        self.data, self.at = data, 0
        self.version = 0
        self.remarks = set()

    def broken(self, rule, answer=CLOSE):
        return Broken(rule, MALFORMED_5 if self.version == 5 and answer is CLOSE else answer)

    def take(self, n, end=None):
        if self.at + n > (len(self.data) if end is None else end):
            raise self.broken("lengths add up")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n, end=None):
        return int.from_bytes(self.take(n, end), "big")

    def binary(self, end=None):
        return self.take(self.number(2, end), end)

    def text(self, end=None):
        """Section 1.5.4, 3.1.1: 1.5.3."""
        raw = self.binary(end)
        try:
            text = raw.decode("utf-8")  # strict: no surrogates [MQTT-1.5.4-1], no overlong forms
        except UnicodeDecodeError:
            raise self.broken("MQTT-1.5.4-1: well-formed UTF-8") from None
        if "\0" in text:
            raise self.broken("MQTT-1.5.4-2: no U+0000")
        if DISCOURAGED.search(text):
            self.remarks.add("1.5.4: SHOULD NOT hold controls or noncharacters")
        return text

    def varint(self):
        """Section 1.5.5."""
        value = 0
        for i in range(4):
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                if i > 0 and byte == 0:
                    raise self.broken("MQTT-1.5.5-1: shortest form of a length")
                return value
        raise self.broken("1.5.5: at most four bytes of length")


def read_properties(p, known):
    """Section 2.2.2."""
    length = p.varint()
    end = p.at + length
    if end > len(p.data):
        raise p.broken("lengths add up")
    seen = set()
    while p.at < end:
        identifier = p.number(1, end)  # a variable byte integer, but none is above 127
        if identifier not in known:
            raise p.broken("2.2.2.2: a property that belongs here")
        name, kind = known[identifier]
        if identifier in seen and kind != PAIR:
            raise p.broken(f"2.2.2.2: {name} once")
        seen.add(identifier)
        read_property(p, identifier, name, kind, end)
    if 0x16 in seen and 0x15 not in seen:
        raise p.broken("3.1.2.11.10: no Authentication Data without Method")
    if 0x15 in seen:
        p.remarks.add("4.12: an Authentication Method, which not every broker knows")


def read_property(p, identifier, name, kind, end):
    if kind in (U8, U16, U32):
        value = p.number({U8: 1, U16: 2, U32: 4}[kind], end)
        if identifier in NOT_ABOVE_1 and value > 1 or identifier in NOT_0 and value == 0:
            raise p.broken(f"3.1.2.11, 3.1.3.2: value of {name}")
        if identifier == 0x27 and value < 16:
            p.remarks.add("3.1.2.11.4: a Maximum Packet Size that hardly anything fits in")
    elif kind == TEXT:
        text = p.text(end)
        if identifier == 0x08:
            look_at_topic(p, text)
    elif kind == BINARY:
        p.binary(end)
    else:
        p.text(end)
        p.text(end)


def look_at_topic(p, topic):
    if not topic or "+" in topic or "#" in topic:
        p.remarks.add("4.7: a topic name is not empty and has no wildcards")


def read_name_and_level(p):
    """Sections 3.1.2.1 and 3.1.2.2."""
    name = p.binary()
    if name not in (b"MQTT", b"MQIsdp"):
        raise p.broken("MQTT-3.1.2-1: protocol name")
    bridge, level = divmod(p.number(1), 0x80)  # the highest bit: a bridge, in mosquitto and EMQX
    if level not in ((4, 5) if name == b"MQTT" else (3,)):
        raise p.broken("MQTT-3.1.2-2: protocol level", BAD_LEVEL)
    p.version = level
    if bridge:
        p.remarks.add(f"a bridge in {level}")


def read_flags(p):
    """Sections 3.1.2.3 to 3.1.2.9."""
    flags = p.number(1)
    old = p.version == 3
    will, qos, retain = flags & 4, flags >> 3 & 3, flags & 0x20
    if flags & 1 and not old:  # 3.1: 3.1 does not use it
        raise p.broken("MQTT-3.1.2-3: reserved flag")
    if will and qos == 3:
        raise p.broken("MQTT-3.1.2-12: Will QoS of 3")
    if not will and (qos or retain) and not old:  # 3.1: 3.1 disregards them
        raise p.broken("MQTT-3.1.2-11, -13: Will QoS and Retain of no Will")
    if flags & 0x40 and not flags & 0x80 and p.version != 5:
        raise p.broken("3.1.1: MQTT-3.1.2-22, 3.1: 3.1: password without user name")
    if old and flags & 1:
        p.remarks.add("3.1: reserved flag")
    if old and not will and (qos or retain):
        p.remarks.add("3.1: Will QoS of 3 of no Will" if qos == 3 else "3.1: Will QoS and Retain of no Will")
    return flags


def read_client_id(p, clean):
    """Section 3.1.3.1, and the same of 3.1.1; 3.1: 3.1 has 1 to 23 characters, and more are let in as brokers do."""
    client_id = p.text()
    if not client_id and p.version == 3:
        raise p.broken("3.1: 3.1: client identifier of 1 to 23 characters", BAD_ID)
    if not client_id and p.version == 4 and not clean:
        raise p.broken("3.1.1: MQTT-3.1.3-8: empty client identifier without clean session", BAD_ID)


def read_payload(p, flags):
    read_client_id(p, flags & 2)
    if flags & 4:
        if p.version == 5:
            read_properties(p, WILL_PROPERTIES)
        look_at_topic(p, p.text())
        p.binary()
    # 3.1: 3.1 lets the packet's length "take precedence" over flags of user name and password.
    lax = p.version == 3
    if flags & 0x80 and not (lax and p.at == len(p.data)):
        p.text()
    if flags & 0x40 and not (lax and p.at == len(p.data)):
        p.binary()
    if p.at < len(p.data):
        raise p.broken("lengths add up")


def remaining_length(data):
    """Value, length of its encoding, and whether it is padded."""
    value = 0
    for i in range(4):
        if len(data) < 2 + i:
            raise Short
        value |= (data[1 + i] & 0x7F) << 7 * i
        if data[1 + i] < 0x80:
            return value, i + 1, i > 0 and data[1 + i] == 0
    raise Broken("2.1.4: at most four bytes of length", CLOSE)


def read_connect(p, data):
    if not data:
        raise Short
    if data[0] != 0x10:
        raise Broken("MQTT-3.1.0-1, 2.1.3: CONNECT comes first, flags 0", CLOSE)
    remaining, encoded, padded = remaining_length(data)
    size = 1 + encoded + remaining
    body = data[1 + encoded:size]
    p.data = body
    p.size = size
    if size > MAX_SIZE and len(body) >= 9:  # behind its level
        read_name_and_level(p)
        raise p.broken("mqtt.max_connect_size", TOO_LARGE_5 if p.version == 5 else CLOSE)
    if len(body) < remaining:
        raise Short
    read_name_and_level(p)
    if padded and p.version == 5:
        raise p.broken("MQTT-1.5.5-1: shortest form of a length")
    flags = read_flags(p)
    p.take(2)  # keep-alive
    if p.version == 5:
        read_properties(p, CONNECT_PROPERTIES)
    read_payload(p, flags)


@functools.lru_cache(maxsize=1000)
def judge(data):
    p = Packet(b"")
    p.size = 0
    try:
        read_connect(p, data)
    except Short:
        return Verdict(None, "not all of it is there")
    except Broken as e:
        return Verdict(False, e.rule, e.answer, frozenset(p.remarks), p.version, p.size)
    return Verdict(True, "", None, frozenset(p.remarks), p.version, p.size)
