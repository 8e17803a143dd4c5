"""TLS clients whose records the test sends and receives itself: sealed by Python's ssl, or by the test's own hands."""
import hashlib
import hmac
import re
import ssl
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
ALERT, HANDSHAKE, DATA = 21, 22, 23
RECORD_MAX = 16384


def context_for(pki, version, cipher=None):
    context = ssl.create_default_context(cafile=pki.ca)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    if cipher:
        context.set_ciphers(cipher)
    return context


def carriers(gate):
    """What `show tls` counts of the listener's open sessions, by what carries them."""
    line = re.search(r"^listener in .*$", gate.control("show tls"), re.M).group(0)
    return {key: int(value) for key, value in re.findall(r" (detached|kept_\w+)=(\d+)", line) if value != "0"}


class Peer:
    """Python's ssl says what goes out and what came in; the test moves it."""

    def __init__(self, gate, context):
        self.sock = gate.connect()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="one.test")
        self._until_done(self._tls.do_handshake)

    def _flush(self):
        if self._out.pending:
            self.sock.sendall(self._out.read())

    def _receive(self):
        return self.sock.recv(65536)

    def _until_done(self, step):
        while True:
            try:
                done = step()
                self._flush()
                return done
            except ssl.SSLWantReadError:
                self._flush()
                piece = self._receive()
                if piece:
                    self._in.write(piece)
                else:
                    self._in.write_eof()

    def write(self, data):
        self._tls.write(data)
        self._flush()

    def read(self):
        """b"" is close_notify; a bare FIN is an error."""
        try:
            return self._until_done(lambda: self._tls.read(65536))
        except ssl.SSLZeroReturnError:
            return b""

    def close_notify(self):
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def close(self):
        self.sock.close()


# --- by hand ---------------------------------------------------------------------------------------------------------

class Half:
    """Keys of one direction. TLS 1.3: made of a secret, and renewed; TLS 1.2: cut from the key block."""

    def __init__(self, suite, *, secret=None, key=None, iv=None):
        self._suite = suite
        self._secret = secret
        if secret:
            self._derive()
        else:
            self._aead, self._iv = suite.aead(key), iv
            self._seq = 1  # Finished went before

    def _expand(self, label, length):
        label = b"tls13 " + label
        info = struct.pack(">HB", length, len(label)) + label + b"\0"
        return hmac.digest(self._secret, info + b"\x01", self._suite.hash)[:length]

    def _derive(self):
        self._aead = self._suite.aead(self._expand(b"key", self._suite.key_len))
        self._iv = self._expand(b"iv", 12)
        self._seq = 0

    def renew(self):
        self._secret = self._expand(b"traffic upd", len(self._secret))
        self._derive()

    def _mixed_nonce(self):
        return bytes(a ^ b for a, b in zip(self._iv, struct.pack(">IQ", 0, self._seq)))

    def seal(self, kind, content, padding):
        seq = struct.pack(">Q", self._seq)
        if self._suite.is_1_3:
            header = struct.pack(">BHH", DATA, 0x303, len(content) + 1 + padding + 16)
            body = self._aead.encrypt(self._mixed_nonce(), content + bytes([kind]) + bytes(padding), header)
        else:
            explicit = seq if self._suite.has_explicit_nonce else b""
            nonce = self._iv + explicit if explicit else self._mixed_nonce()
            body = explicit + self._aead.encrypt(nonce, content, seq + struct.pack(">BHH", kind, 0x303, len(content)))
            header = struct.pack(">BHH", kind, 0x303, len(body))
        self._seq += 1
        return header + body

    def open(self, header, body):
        """Kind and content."""
        kind = header[0]
        if self._suite.is_1_3:
            inner = self._aead.decrypt(self._mixed_nonce(), body, header).rstrip(b"\0")
            kind, content = inner[-1], inner[:-1]
        else:
            explicit = 8 if self._suite.has_explicit_nonce else 0
            nonce = self._iv + body[:8] if explicit else self._mixed_nonce()
            facts = struct.pack(">QBHH", self._seq, kind, 0x303, len(body) - explicit - 16)
            content = self._aead.decrypt(nonce, body[explicit:], facts)
        self._seq += 1
        return kind, content


class Suite:
    """What a record needs to know of it."""

    def __init__(self, name):
        self.is_1_3 = name.startswith("TLS_")
        self.hash = hashlib.sha384 if name.endswith("SHA384") else hashlib.sha256
        is_chacha = "CHACHA20" in name
        self.aead = ChaCha20Poly1305 if is_chacha else AESGCM
        self.key_len = 16 if "128" in name else 32
        self.has_explicit_nonce = not self.is_1_3 and not is_chacha
        self.iv_len = 4 if self.has_explicit_nonce else 12

    def key_block(self, master, seed):
        """RFC 5246 section 6.3: as much as the suites above need."""
        seed = b"key expansion" + seed
        block, a = b"", seed
        while len(block) < 2 * (self.key_len + self.iv_len):
            a = hmac.digest(master, a, self.hash)
            block += hmac.digest(master, a + seed, self.hash)
        return block


class RecordPeer(Peer):
    """Past the handshake no TLS library stands between the test and the wire: it says what a library never would."""

    UPDATE, UPDATE_BOTH = b"\x18\0\0\x01\0", b"\x18\0\0\x01\x01"

    def __init__(self, gate, context, directory):
        self._heard = b""
        context.keylog_filename = str(directory / "secrets")
        super().__init__(gate, context)
        suite = Suite(self._tls.cipher()[0])
        lines = [line.split() for line in (directory / "secrets").read_text().splitlines()]
        secrets = {line[0]: tuple(map(bytes.fromhex, line[1:])) for line in lines if not line[0].startswith("#")}
        if suite.is_1_3:
            self.out, self._from = (Half(suite, secret=secrets[f"{side}_TRAFFIC_SECRET_0"][1])
                                    for side in ("CLIENT", "SERVER"))
        else:
            client_random, master = secrets["CLIENT_RANDOM"]
            block = suite.key_block(master, self._heard[11:43] + client_random)
            key, iv = suite.key_len, suite.iv_len
            self.out = Half(suite, key=block[:key], iv=block[2 * key:2 * key + iv])
            self._from = Half(suite, key=block[key:2 * key], iv=block[2 * key + iv:2 * (key + iv)])
        self._rest = self.sock.makefile("rb")

    def _receive(self):
        piece = super()._receive()
        self._heard += piece
        return piece

    def seal(self, kind, content, padding=0):
        return self.out.seal(kind, content, padding)

    def renewing(self, update=UPDATE):
        """A KeyUpdate; what is sealed next is sealed by the new key."""
        record = self.seal(HANDSHAKE, update)
        self.out.renew()
        return record

    def send(self, *records):
        self.sock.sendall(b"".join(records))

    def hear(self):
        """The next record that is no session ticket: kind and content; None for the end."""
        while header := self._rest.read(5):
            kind, content = self._from.open(header, self._rest.read(struct.unpack(">H", header[3:])[0]))
            if kind == HANDSHAKE and content == self.UPDATE:
                self._from.renew()
            if kind != HANDSHAKE or content[0] != 4:
                return kind, content
        return None

    def hear_data(self, length):
        """So many bytes of data, and how many other records came between."""
        data, others = b"", 0
        while len(data) < length:
            kind, content = self.hear()
            data += content if kind == DATA else b""
            others += kind != DATA
        return data, others

    def close(self):
        self._rest.close()
        super().close()
