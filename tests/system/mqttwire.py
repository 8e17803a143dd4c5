"""MQTT packets one by one from a stream, for servers and clients that tests play."""


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


def connack(level, code=0, server_keep_alive=None):
    if level < 5:
        return bytes([0x20, 2, 0, code])
    properties = b"" if server_keep_alive is None else b"\x13" + server_keep_alive.to_bytes(2, "big")
    return bytes([0x20, 3 + len(properties), 0, code, len(properties)]) + properties


PINGREQ, PINGRESP = b"\xC0\0", b"\xD0\0"
