"""MQTT packets for tests that speak it by hand: written, and read from a stream."""

PINGREQ, PINGRESP = b"\xC0\0", b"\xD0\0"
NAMES = {3: b"MQIsdp", 4: b"MQTT", 5: b"MQTT"}
CLEAN, WILL, RETAIN, PASSWORD, USER = 2, 4, 0x20, 0x40, 0x80


def varint(n, size=0):
    """size: bytes that it takes at least."""
    encoded = b""
    while True:
        n, low = n >> 7, n & 0x7F
        more = n > 0 or len(encoded) + 1 < size
        encoded += bytes([low | (0x80 if more else 0)])
        if not more:
            return encoded


def binary(value):
    value = value.encode() if isinstance(value, str) else value
    return len(value).to_bytes(2, "big") + value


def packet(body, first=0x10, padding=0):
    return bytes([first]) + varint(len(body), padding) + body


def properties(*pairs, padding=0):
    """Pairs of an identifier and its encoded value."""
    encoded = b"".join(bytes([identifier]) + value for identifier, value in pairs)
    return varint(len(encoded), padding) + encoded


def connect(version=4, client_id="client", *, clean=True, keep_alive=60, user=None, password=None, will=None, props=(),
            flags=0, **options):
    """will: (topic, message, QoS, retained, properties). flags: others to be set. Options are those of packet()."""
    flags |= CLEAN if clean else 0
    payload = binary(client_id)
    if will is not None:
        topic, message, qos, retained, will_props = will
        flags |= WILL | qos << 3 | (RETAIN if retained else 0)
        payload += (properties(*will_props) if version == 5 else b"") + binary(topic) + binary(message)
    if user is not None:
        flags |= USER
        payload += binary(user)
    if password is not None:
        flags |= PASSWORD
        payload += binary(password)
    return packet(binary(NAMES[version]) + bytes([version, flags]) + keep_alive.to_bytes(2, "big")
                  + (properties(*props) if version == 5 else b"") + payload, **options)


def connect_of(client_id=b"one", level=4, flags=2, keep_alive=60, payload=b""):
    """A CONNECT of any level and flags, whatever they promise; payload comes behind the client id."""
    return packet(binary("MQTT") + bytes([level, flags]) + keep_alive.to_bytes(2, "big")
                  + (b"\0" if level == 5 else b"") + binary(client_id) + payload)


def connack(level, code=0, server_keep_alive=None):
    if level < 5:
        return bytes([0x20, 2, 0, code])
    properties = b"" if server_keep_alive is None else b"\x13" + server_keep_alive.to_bytes(2, "big")
    return bytes([0x20, 3 + len(properties), 0, code, len(properties)]) + properties


# --- read -----------------------------------------------------------------------------------------------------------

class Closed(Exception):
    """The stream ended: in the middle of a packet, or before the one that was wanted."""


def receive(sock, n):
    """n bytes, or fewer and the end."""
    data = b""
    while len(data) < n and (piece := sock.recv(n - len(data))):
        data += piece
    return data


def read_exactly(sock, n):
    data = receive(sock, n)
    if len(data) < n:
        raise Closed(data)
    return data


def read_packet(sock):
    """The next packet, whole."""
    head = read_exactly(sock, 2)
    while head[-1] & 0x80:
        head += read_exactly(sock, 1)
    remaining = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(head[1:]))
    return head + read_exactly(sock, remaining)


def facts(connect):
    """Level and client id of a good CONNECT."""
    at = 2
    while connect[at - 1] & 0x80:
        at += 1
    at += 2 + int.from_bytes(connect[at:at + 2], "big")
    level = connect[at]
    at += 4
    if level == 5:
        assert connect[at] < 0x80
        at += 1 + connect[at]
    length = int.from_bytes(connect[at:at + 2], "big")
    return level, connect[at + 2:at + 2 + length].decode()
