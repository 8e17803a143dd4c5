"""A name server that the test teaches what to say, and when to say nothing or nonsense."""
import contextlib
import random
import socket
import struct
import threading
import time

A, CNAME, AAAA, SRV = 1, 5, 28, 33
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5
QR, AA, TC = 0x8000, 0x0400, 0x0200
UDP_BYTES = 512


def encode_name(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def decode_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


def encode_data(kind, value):
    if kind == A:
        return socket.inet_pton(socket.AF_INET, value)
    if kind == AAAA:
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == CNAME:
        return encode_name(value)
    priority, weight, port, target = value
    return struct.pack("!HHH", priority, weight, port) + encode_name(target)


def record(name, kind, ttl, value):
    data = encode_data(kind, value)
    return encode_name(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


class NameServer:
    """Answers on UDP and TCP of one port of 127.0.0.1, from what set() was told; a name that it was not told does not
    exist. mode: "answer", or what it does instead: "silence", "servfail", "refused", "garbage", "cut" (the answer ends
    too soon), "wrong" (it is about another question). Addresses of SRV targets come along when `additional`."""

    def __init__(self, port=0):
        self.records, self.asked = {}, []
        self.ttl, self.mode, self.delay_s, self.additional = 0, "answer", 0, True
        self.over_tcp = 0
        self._lock = threading.Lock()
        self._ends = False
        while True:
            self._udp, self._tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._udp.bind(("127.0.0.1", port))
                self._tcp.bind(self._udp.getsockname())
                break
            except OSError:
                self._udp.close()
                self._tcp.close()
                if port:
                    raise
        self._tcp.listen()
        self.port = self._udp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        for run in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    def set(self, name, kind, *values):
        """From now on the name has these records of the kind, and no others."""
        with self._lock:
            self.records[name, kind] = list(values)

    def forget(self, name):
        with self._lock:
            for key in [key for key in self.records if key[0] == name]:
                del self.records[key]

    def count(self, name):
        """How often the name was asked for."""
        with self._lock:
            return sum(asked == name for asked, _ in self.asked)

    def _look(self, name, kind):
        """Response code, answer and additional records."""
        answer, additional = [], []
        if (name, CNAME) in self.records:
            target = self.records[name, CNAME][0]
            answer.append(record(name, CNAME, self.ttl, target))
            name = target
        values = self.records.get((name, kind), [])
        answer += [record(name, kind, self.ttl, value) for value in values]
        if kind == SRV and self.additional:
            for *_, target in values:
                for each in (A, AAAA):
                    additional += [record(target, each, self.ttl, value) for value in self.records.get((target, each), [])]
        exists = any(key[0] == name for key in self.records)
        return NOERROR if exists else NXDOMAIN, answer, additional

    def _answer(self, query, limit):
        """The bytes of an answer, or None."""
        name, end = decode_name(query, 12)
        kind, _ = struct.unpack_from("!HH", query, end)
        with self._lock:
            self.asked.append((name, kind))
            mode = self.mode
            code, answer, additional = self._look(name, kind)
        if self.delay_s:
            time.sleep(self.delay_s)
        if mode == "silence":
            return None
        if mode == "garbage":
            return query[:2] + random.randbytes(random.randrange(1, 300))
        if mode in ("servfail", "refused"):
            code, answer, additional = (SERVFAIL if mode == "servfail" else REFUSED), [], []
        question = query[12:end + 4]
        if mode == "wrong":
            question = encode_name("other.test") + question[-4:]

        def message(flags, answer, additional):
            return query[:2] + struct.pack("!HHHHH", QR | AA | flags | code, 1, len(answer), 0, len(additional)) + \
                question + b"".join(answer) + b"".join(additional)

        whole = message(0, answer, additional)
        if len(whole) > limit:
            whole = message(TC, [], [])
        return whole[:len(whole) * 2 // 3] if mode == "cut" else whole

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while not self._ends:
                query, sender = self._udp.recvfrom(4096)
                if not query:  # closed
                    return
                threading.Thread(target=self._reply, args=(query, sender), daemon=True).start()

    def _reply(self, query, sender):
        answer = self._answer(query, UDP_BYTES)
        if answer is not None:
            with contextlib.suppress(OSError):
                self._udp.sendto(answer, sender)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while not self._ends:
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            while head := connection.recv(2, socket.MSG_WAITALL):
                query = connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                self.over_tcp += 1
                answer = self._answer(query, 65535)
                if answer is None:
                    return
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self):
        self._ends = True
        for each in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
