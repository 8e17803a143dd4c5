"""mqgate of another version, for `upgrade PATH`: the image is rewritten as that would have written it, and the real one
is executed. The format is that of src/base/image.h."""
import fcntl
import os
import struct
import sys

MASK = (1 << 64) - 1
HEADER = struct.Struct("<8sIQQ")
MARK = struct.Struct("<HI")
MUST = 0x8000
PROCESS, ROW, SESSION, LATER = 1, 3, 9, 1000
GROUPS = 10, 31, 32, 33, 34, 35  # fields of a session that have fields


def siphash(data, key=bytes(16)):
    """SipHash-2-4."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rotate(x, n):
        return (x << n | x >> (64 - n)) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)
    whole = len(data) // 8 * 8
    words = [*struct.iter_unpack("<Q", data[:whole]), (int.from_bytes(data[whole:], "little") | len(data) % 256 << 56,)]
    for (word,) in words:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def marked(data):
    """Records, or fields: numbers and values."""
    found = []
    while data:
        number, n = MARK.unpack_from(data)
        found.append((number, data[MARK.size:MARK.size + n]))
        data = data[MARK.size + n:]
    return found


def unmarked(pairs):
    return b"".join(MARK.pack(number, len(value)) + value for number, value in pairs)


def each_session(records, change):
    return [(kind, unmarked(change(marked(value))) if kind & ~MUST == SESSION else value) for kind, value in records]


def with_field(number):
    """As a change of a session's fields: one more."""
    return lambda fields: [*fields, (number, b"more")]


def in_groups(change):
    """As a change of a session's fields: that of the fields that they have."""
    return lambda fields: [(number, unmarked(change(marked(value))) if number & ~MUST in GROUPS else value)
                           for number, value in fields]


CHANGES = {
    # what a later one may add
    "optional": lambda records: each_session([*records, (LATER, b"")], with_field(LATER)),
    "optional in groups": lambda records: each_session(records, in_groups(with_field(LATER))),
    "needed field": lambda records: each_session(records, with_field(LATER | MUST)),
    "needed in groups": lambda records: each_session(records, in_groups(with_field(LATER | MUST))),
    "needed record": lambda records: [*records, (LATER | MUST, b"")],
    # what an earlier one would not have had
    "without names": lambda records: each_session(records, lambda fields: [
        (number, value) for number, value in fields if number & MUST or number in (2, 3, 11)]),
    "without rows": lambda records: [(kind, value) for kind, value in records
                                     if kind & ~MUST in (PROCESS, 6, 8, SESSION)],
    "nonsense": lambda records: each_session(records, lambda fields: [
        (number, b"\xff" * 8 if number & ~MUST == 1 else value) for number, value in fields]),
    "nothing": lambda records: records,
}


def rewrite(fd, change, version=1, damage=False):
    """A descriptor of the image that it would have been; the old one is wiped where it can be."""
    size = os.fstat(fd).st_size
    image = os.pread(fd, size, 0)
    body = unmarked(CHANGES[change](marked(image[HEADER.size:])))
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        os.pwrite(fd, bytes(size), 0)
    os.close(fd)
    other = os.memfd_create("mqgate", os.MFD_ALLOW_SEALING)
    os.set_inheritable(other, True)
    os.write(other, HEADER.pack(b"mqgimage", version, len(body), siphash(body) ^ damage) + body)
    return other


def main():
    binary, change, version, damage = os.environ["OTHER_VERSION"].split("|")
    if "MQGATE_IMAGE" in os.environ:
        fd = rewrite(int(os.environ["MQGATE_IMAGE"]), change, int(version), damage == "damage")
        os.environ["MQGATE_IMAGE"] = str(fd)
    os.execv(binary, [binary, *sys.argv[1:]])


if __name__ == "__main__":
    main()
