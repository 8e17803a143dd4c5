"""The PROXY protocol, written and read by the specification and not by mqgate's code."""
import collections
import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0, 1
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20
SSL_VERSION, SSL_CN, SSL_CIPHER, SSL_SIG_ALG, SSL_KEY_ALG = 0x21, 0x22, 0x23, 0x24, 0x25

Header = collections.namedtuple("Header", "version command src dst tlvs")  # src and dst: (ip, port) or None


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def v1(src, dst):
    family = "TCP6" if ":" in src[0] else "TCP4"
    return f"PROXY {family} {src[0]} {dst[0]} {src[1]} {dst[1]}\r\n".encode()


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def v2(src=None, dst=None, *, command=PROXY, tlvs=b"", checksum=None):
    """Without addresses: AF_UNSPEC. checksum: "good" or "bad" adds a CRC32C."""
    family, body = 0x00, b""
    if src is not None:
        ips = [ipaddress.ip_address(each[0]) for each in (src, dst)]
        family = 0x11 if ips[0].version == 4 else 0x21
        body = ips[0].packed + ips[1].packed + struct.pack("!HH", src[1], dst[1])
    body += tlvs
    if checksum is None:
        return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body
    body += tlv(CRC32C, bytes(4))
    header = SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body
    crc = crc32c(header) ^ (checksum == "bad")
    return header[:-4] + struct.pack("!I", crc)


def parse_tlvs(data):
    """(kind, value) pairs; the lengths must come out even."""
    found = []
    while data:
        kind, length = struct.unpack_from("!BH", data)
        assert len(data) >= 3 + length, "a TLV is longer than what is left"
        found.append((kind, data[3:3 + length]))
        data = data[3 + length:]
    return found


def parse_ssl(value):
    """Flags, verify result and the TLVs inside an SSL TLV."""
    client, verify = struct.unpack_from("!BI", value)
    return client, verify, dict(parse_tlvs(value[5:]))


def receive_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        assert piece, f"the end after {data!r}"
        data += piece
    return data


def receive(sock):
    """The header at the beginning of a connection, not a byte more."""
    start = receive_exactly(sock, 12)
    return _receive_v2(sock) if start == SIGNATURE else _receive_v1(sock, start)


def _receive_v1(sock, line):
    while not line.endswith(b"\r\n"):
        assert len(line) < 107, f"too long for version 1: {line!r}"
        line += receive_exactly(sock, 1)
    words = line.decode("ascii").rstrip("\r\n").split(" ")
    assert words[0] == "PROXY", line
    if words[1] == "UNKNOWN":
        return Header(1, PROXY, None, None, [])
    return Header(1, PROXY, (words[2], int(words[4])), (words[3], int(words[5])), [])


def _receive_v2(sock):
    version_command, family, length = struct.unpack("!BBH", receive_exactly(sock, 4))
    body = receive_exactly(sock, length)
    assert version_command >> 4 == 2
    size = {0x00: 0, 0x11: 4, 0x21: 16}[family]
    src = dst = None
    if size:
        ports = struct.unpack_from("!HH", body, 2 * size)
        src, dst = ((str(ipaddress.ip_address(body[i * size:(i + 1) * size])), ports[i]) for i in (0, 1))
        body = body[2 * size + 4:]
    return Header(2, version_command & 0x0F, src, dst, parse_tlvs(body))
