"""What a client may send past its handshake and what it may not, record by record."""
import contextlib
import re
import select
import socket
import ssl
import struct
import threading

import pytest

import mqttproto
from mqgate import SANITIZER, conf, pattern, unread, until
from pki import section
from proxyproto import receive_exactly
from servers import Listener, ends
from tls_peer import ALERT, DATA, HANDSHAKE, RECORD_MAX, VERSIONS, RecordPeer, carriers, context_for

CHANGE_CIPHER_SPEC = 20
CLOSE_NOTIFY = b"\x01\0"
HELLO = b"\x01\0\0\x38" + bytes(56)


@pytest.fixture
def edge(mqgate, serve, pki):
    """A gate that ends TLS, and the server behind it."""
    server = serve(Listener)
    return mqgate(conf(server.port, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"))])), server


@pytest.fixture
def pair(edge, pki, tmp_path):
    """pair(version): the gate, a client, and the server's end of its session. In the end nothing of it is left."""
    gate, server = edge
    before = gate.descriptors()
    with contextlib.ExitStack() as stack:
        def join(version, suite=None):
            client = RecordPeer(gate, context_for(pki, version, suite), tmp_path)
            stack.callback(client.close)
            accepted = stack.enter_context(server.accept())
            accepted.sendall(b"welcome")  # once it is heard, the relay has begun
            assert client.hear() == (DATA, b"welcome") and carriers(gate) == {"detached": 1}
            return gate, client, accepted
        yield join
    until(lambda: carriers(gate) == {}, "the session to be over")
    until(lambda: gate.descriptors() == before, "its descriptors to be closed")


# --- what may be sent ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version, suite", [("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                                            ("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"), ("1.3", None)])
def test_records_of_any_length_arrive(pair, version, suite):
    _, client, server = pair(version, suite)
    for length in (1, 2, 1000, RECORD_MAX - 1, RECORD_MAX):
        data = pattern(length, length)
        client.send(client.seal(DATA, data), client.seal(DATA, b""), client.seal(DATA, data))
        assert receive_exactly(server, 2 * length) == 2 * data
        server.sendall(data)
        assert client.hear_data(length) == (data, 0)


def test_padding_up_to_the_limit_is_no_data(pair):
    _, client, server = pair("1.3")
    for length in (0, 1, 500, RECORD_MAX):
        client.send(client.seal(DATA, bytes(length), RECORD_MAX - length), client.seal(DATA, b"\0end", 7))
        assert receive_exactly(server, length + 4) == bytes(length) + b"\0end"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_may_come_byte_by_byte(pair, version):
    _, client, server = pair(version)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in client.seal(DATA, b"one") + client.seal(DATA, b"") + client.seal(DATA, b"two"):
        client.send(bytes([byte]))
    assert receive_exactly(server, 6) == b"onetwo"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flood_of_empty_records_keeps_nobody_waiting(pair, version):
    _, client, server = pair(version)
    client.send(*(client.seal(DATA, b"") for _ in range(20000)), client.seal(DATA, b"data"))
    assert server.recv(100) == b"data"


def grow(client, server):
    """The kernel's buffer for what the client says, by saying much."""
    n = 500
    reader = threading.Thread(target=receive_exactly, args=(server, n * RECORD_MAX))
    reader.start()
    for _ in range(n):
        client.send(client.seal(DATA, bytes(RECORD_MAX)))
    reader.join()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flood_of_large_records_without_data_keeps_nobody_waiting(pair, version):
    """All of it is there at once, and more than one turn looks through."""
    gate, client, server = pair(version)
    grow(client, server)
    n = 20
    if version == "1.3":
        flood = [client.seal(DATA, b"", RECORD_MAX) for _ in range(n)]
    else:
        hello = b"\x01" + (n * RECORD_MAX - 4).to_bytes(3, "big") + bytes(n * RECORD_MAX - 4)
        flood = [client.seal(HANDSHAKE, hello[at:at + RECORD_MAX]) for at in range(0, len(hello), RECORD_MAX)]
    whole = b"".join(flood) + client.seal(DATA, b"data")
    with gate.standing_still():
        sender = threading.Thread(target=client.send, args=(whole,))
        sender.start()
        until(lambda: unread(client.sock) > 15 * RECORD_MAX, "most of it to be there")
    assert server.recv(100) == b"data"
    sender.join()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_comes_while_the_server_takes_nothing_arrives(mqgate, serve, pki, tmp_path, version):
    """Its event comes while a record is in hand already."""
    server = serve(Listener, receive_buffer=4096)
    gate = mqgate(conf(server.port, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"))]))
    client = RecordPeer(gate, context_for(pki, version), tmp_path)
    with contextlib.closing(client), server.accept() as accepted:
        sent = 0

        def say():
            client.send(client.seal(DATA, bytes(RECORD_MAX)) + client.seal(DATA, bytes(100)))
            return RECORD_MAX + 100

        def waiting():
            return int(re.search(r"to_server: bytes=\d+ waiting=(\d+)", gate.control("show sess all"))[1])

        while not waiting():
            sent += say()
            until(lambda: unread(client.sock) == 0 or waiting(), "it to be read")
        sent += say()
        assert len(receive_exactly(accepted, sent)) == sent


def test_a_connect_behind_a_flood_of_empty_records_is_read(mqgate, serve, pki, tmp_path):
    server = serve(Listener)
    gate = mqgate(conf(server.port, listener={"tls": "edge", "protocol": "mqtt"},
                       tls=[section("edge", pki.leaf("one.test"))]))
    client = RecordPeer(gate, context_for(pki, "1.3"), tmp_path)
    with contextlib.closing(client):
        packet = mqttproto.connect(4, "one")
        client.send(*(client.seal(DATA, b"") for _ in range(2000)), client.seal(DATA, packet))
        assert receive_exactly(server.accept(), len(packet)) == packet


def test_who_waits_for_a_server_may_send_empty_records(mqgate, serve, pki, tmp_path):
    server = serve(Listener)
    gate = mqgate(conf(server.port, listener={"tls": "edge"}, server={"max_connections": 1},
                       tls=[section("edge", pki.leaf("one.test"))]))
    first, second = (RecordPeer(gate, context_for(pki, "1.3"), tmp_path) for _ in range(2))
    with contextlib.closing(first), contextlib.closing(second):
        with server.accept():
            second.send(*(second.seal(DATA, b"") for _ in range(2000)), second.seal(DATA, b"data"))
            until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "the second to wait")
            first.close()
        assert server.accept().recv(100) == b"data"


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4), (2,), (4,), ()])
def test_a_key_update_may_come_in_pieces(pair, cuts):
    _, client, server = pair("1.3")
    for _ in range(3):
        bounds = (0, *cuts, 5)
        client.send(*(client.seal(HANDSHAKE, client.UPDATE_BOTH[start:end]) for start, end in zip(bounds, bounds[1:])))
        client.out.renew()
        client.send(client.seal(DATA, b"by the new key"))
        assert server.recv(100) == b"by the new key"
        server.sendall(b"by ours")
        assert client.hear_data(7) == (b"by ours", 1)


def test_a_storm_of_key_updates_is_followed_and_answered(pair):
    """With data under each key, in one go."""
    gate, client, server = pair("1.3")
    before = gate.pss_kib("Pss_Anon")
    for n in range(100):
        client.send(*(client.renewing(client.UPDATE_BOTH) + client.seal(DATA, b"%04d" % (100 * n + each))
                      for each in range(50)))
        assert receive_exactly(server, 200) == b"".join(b"%04d" % (100 * n + each) for each in range(50))
        server.sendall(b"heard")
        data, answers = client.hear_data(5)
        assert data == b"heard" and 1 <= answers <= 50
    assert SANITIZER or gate.pss_kib("Pss_Anon") < before + 1024  # a sanitizer keeps what was freed


def test_who_asks_for_new_keys_and_never_reads_is_owed_one_answer(pair):
    gate, client, server = pair("1.3")
    sent = 0
    while select.select([], [server], [], 0.3)[1]:
        sent += server.send(bytes(65536))
    before = gate.pss_kib("Pss_Anon")
    for _ in range(50):
        client.send(*(client.renewing(client.UPDATE_BOTH) for _ in range(100)))
    client.send(client.seal(DATA, b"all asked"))
    assert server.recv(100) == b"all asked"
    assert SANITIZER or gate.pss_kib("Pss_Anon") < before + 1024  # a sanitizer keeps what was freed
    data, answers = client.hear_data(sent)
    assert data == bytes(sent) and 1 <= answers <= 2


@pytest.mark.parametrize("cuts", [(), (1,), (3, 4, 30)])
def test_another_handshake_is_refused_and_the_session_goes_on(pair, cuts):
    _, client, server = pair("1.2")
    for _ in range(3):
        bounds = (0, *cuts, len(HELLO))
        client.send(*(client.seal(HANDSHAKE, HELLO[start:end]) for start, end in zip(bounds, bounds[1:])))
        assert client.hear() == (ALERT, b"\x01\x64")  # warning, no_renegotiation
        client.send(client.seal(DATA, b"still here"))
        assert server.recv(100) == b"still here"
        server.sendall(b"so am I")
        assert client.hear() == (DATA, b"so am I")


def test_a_flood_of_hellos_is_answered_as_it_is_read(pair):
    _, client, server = pair("1.2")
    client.send(*(client.seal(HANDSHAKE, HELLO) for _ in range(1000)), client.seal(DATA, b"data"))
    assert server.recv(100) == b"data"
    server.sendall(b"heard")
    data, refusals = client.hear_data(5)
    assert data == b"heard" and 1 <= refusals <= 1000


# --- how it may end --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_behind_close_notify_does_not_count(pair, version):
    gate, client, server = pair(version)
    client.send(client.seal(DATA, b"the end"), client.seal(ALERT, CLOSE_NOTIFY), client.seal(DATA, b"no more"),
                b"nor is this any record")
    assert ends(server) == ("eof", b"the end")
    server.sendall(b"late")
    server.close()
    assert client.hear() == (DATA, b"late")
    assert client.hear() == (ALERT, CLOSE_NOTIFY)
    assert client.hear() is None
    assert gate.wait_end()["why"] == "client_closed"


@pytest.mark.parametrize("left", [1, 4, 5, 20, -1])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_that_the_end_cuts_short_is_not_delivered(pair, version, left):
    gate, client, server = pair(version)
    client.send(client.seal(DATA, b"whole"), client.seal(DATA, b"cut short")[:left])
    client.sock.shutdown(socket.SHUT_WR)
    assert ends(server) == ("eof", b"whole")
    server.close()
    assert client.hear() == (ALERT, CLOSE_NOTIFY)
    end = gate.wait_end()
    assert (end["why"], end["in"]) == ("client_closed", "5")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alert_ends_the_session_and_is_told(pair, version):
    gate, client, server = pair(version)
    client.send(client.seal(DATA, b"good"), client.seal(ALERT, b"\x02\x2a"))
    assert ends(server) == ("eof", b"good")
    end = gate.wait_end()
    assert (end["why"], end["detail"]) == ("client_tls_error", "alert bad certificate")


# --- what may not be sent --------------------------------------------------------------------------------------------

def replayed(client):
    record = client.seal(DATA, b"")
    return record + record


def sealed_by_the_old_key(client):
    return client.seal(HANDSHAKE, client.UPDATE) + client.seal(DATA, b"old")


UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW = 10, 20, 22
ILLEGAL_PARAMETER, DECODE_ERROR, PROTOCOL_VERSION = 47, 50, 70
FAULTS = {
    "too much data": (lambda c: c.seal(DATA, bytes(RECORD_MAX + 1)), RECORD_OVERFLOW, "data length too long"),
    "too long a record": (lambda c: b"\x17\x03\x03\x41\x01", RECORD_OVERFLOW, "encrypted length too long"),
    "the longest length": (lambda c: b"\x17\x03\x03\xff\xff", RECORD_OVERFLOW, "encrypted length too long"),
    "too short for a tag": (lambda c: b"\x17\x03\x03\0\x0f" + bytes(15), BAD_RECORD_MAC,
                            "decryption failed or bad record mac"),
    "no bytes at all": (lambda c: b"\x17\x03\x03\0\0", BAD_RECORD_MAC, "decryption failed or bad record mac"),
    "the same again": (replayed, BAD_RECORD_MAC, "decryption failed or bad record mac"),
    "a heartbeat": (lambda c: b"\x18\x03\x03\0\x03\x01\x40\0", UNEXPECTED_MESSAGE, "unexpected record"),
    "an alert in pieces": (lambda c: c.seal(ALERT, b"\x02") + c.seal(ALERT, b"\x14"), DECODE_ERROR, "invalid alert"),
    "two alerts in a record": (lambda c: c.seal(ALERT, b"\x01\x5a\x01\0"), DECODE_ERROR, "invalid alert"),
    "Finished again": (lambda c: c.seal(HANDSHAKE, b"\x14\0\0\x20" + bytes(32)), UNEXPECTED_MESSAGE,
                       "unexpected message"),
    "a sealed ChangeCipherSpec": (lambda c: c.seal(CHANGE_CIPHER_SPEC, b"\x01"), UNEXPECTED_MESSAGE,
                                  "unexpected record"),
}
FAULTS_1_2 = {
    "plain HTTP": (lambda c: b"GET / HTTP/1.0\r\n\r\n", PROTOCOL_VERSION, "wrong version number"),
    "another version": (lambda c: b"\x17\x03\x01" + c.seal(DATA, b"x")[3:], PROTOCOL_VERSION, "wrong version number"),
    "ChangeCipherSpec": (lambda c: b"\x14\x03\x03\0\x01\x01", BAD_RECORD_MAC, "decryption failed or bad record mac"),
    "an alert that is not sealed": (lambda c: b"\x15\x03\x03\0\x02\x02\x14", BAD_RECORD_MAC,
                                    "decryption failed or bad record mac"),
    "an empty alert": (lambda c: c.seal(ALERT, b""), DECODE_ERROR, "invalid alert"),
}
FAULTS_1_3 = {
    "plain HTTP": (lambda c: b"GET / HTTP/1.0\r\n\r\n", UNEXPECTED_MESSAGE, "unexpected record"),
    "too much padding": (lambda c: c.seal(DATA, b"x", RECORD_MAX), RECORD_OVERFLOW, "data length too long"),
    "padding alone": (lambda c: c.seal(0, b"", 100), UNEXPECTED_MESSAGE, "bad record type"),
    "an inner heartbeat": (lambda c: c.seal(24, b"\x01"), UNEXPECTED_MESSAGE, "unexpected record"),
    "ChangeCipherSpec": (lambda c: b"\x14\x03\x03\0\x01\x01", UNEXPECTED_MESSAGE, "bad record type"),
    "an alert that is not sealed": (lambda c: b"\x15\x03\x03\0\x02\x02\x14", UNEXPECTED_MESSAGE, "bad record type"),
    "an empty alert": (lambda c: c.seal(ALERT, b""), UNEXPECTED_MESSAGE, "empty record"),
    "an empty message": (lambda c: c.seal(HANDSHAKE, b""), UNEXPECTED_MESSAGE, "empty record"),
    "another hello": (lambda c: c.seal(HANDSHAKE, HELLO), UNEXPECTED_MESSAGE, "unexpected message"),
    "a certificate": (lambda c: c.seal(HANDSHAKE, b"\x0b\0\0\x04\0\0\0\0"), UNEXPECTED_MESSAGE, "unexpected message"),
    "the end of early data": (lambda c: c.seal(HANDSHAKE, b"\x05\0\0\0"), UNEXPECTED_MESSAGE, "unexpected message"),
    "data between the pieces of a message": (lambda c: c.seal(HANDSHAKE, b"\x18\0") + c.seal(DATA, b"x"),
                                             UNEXPECTED_MESSAGE, "mixed handshake and non handshake data"),
    "an alert between the pieces of a message": (lambda c: c.seal(HANDSHAKE, b"\x18\0") + c.seal(ALERT, CLOSE_NOTIFY),
                                                 UNEXPECTED_MESSAGE, "mixed handshake and non handshake data"),
    "a key update with more behind it": (lambda c: c.seal(HANDSHAKE, 2 * c.UPDATE), UNEXPECTED_MESSAGE,
                                         "not on record boundary"),
    "a key update of another kind": (lambda c: c.seal(HANDSHAKE, c.UPDATE[:4] + b"\x02"), ILLEGAL_PARAMETER,
                                     "bad key update"),
    "a key update of another length": (lambda c: c.seal(HANDSHAKE, b"\x18\0\0\x02\0\0"), DECODE_ERROR, "bad length"),
    "a record of the old key": (sealed_by_the_old_key, BAD_RECORD_MAC, "decryption failed or bad record mac"),
}


@pytest.mark.parametrize("version, name", [("1.2", name) for name in {**FAULTS, **FAULTS_1_2}] +
                         [("1.3", name) for name in {**FAULTS, **FAULTS_1_3}])
def test_faults_are_answered_by_an_alert(pair, version, name):
    """The server hears what came before and its end; the log says what was wrong."""
    make, number, detail = {**FAULTS, **(FAULTS_1_2 if version == "1.2" else FAULTS_1_3)}[name]
    gate, client, server = pair(version)
    client.send(client.seal(DATA, b"good") + make(client))
    assert ends(server) == ("eof", b"good")
    assert client.hear() == (ALERT, bytes([2, number]))
    assert client.hear() is None
    end = gate.wait_end()
    assert (end["why"], end["detail"], end["in"]) == ("client_tls_error", detail, "4")
    assert end["client"] == "%s:%d" % client.sock.getsockname()


# --- the handshake ---------------------------------------------------------------------------------------------------

class Hello:
    """A client hello, without its record's header; and the connection, to answer on."""

    def __init__(self, pki, version):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context_for(pki, version).wrap_bio(self.incoming, self.outgoing, server_hostname="one.test")
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.message = self.outgoing.read()[5:]


def record(kind, content):
    return struct.pack(">BHH", kind, 0x301, len(content)) + content


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_hello_in_many_records_is_a_hello(edge, pki, version, size):
    gate, _ = edge
    hello = Hello(pki, version)
    with gate.connect() as sock:
        sock.sendall(b"".join(record(HANDSHAKE, hello.message[at:at + size])
                              for at in range(0, len(hello.message), size)))
        while True:
            hello.incoming.write(sock.recv(65536))
            try:
                hello.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(hello.outgoing.read())
        sock.sendall(hello.outgoing.read())
        until(lambda: carriers(gate) == {"detached": 1}, "the session to be detached")


@pytest.mark.parametrize("kind, content", [(DATA, b"data"), (CHANGE_CIPHER_SPEC, b"\x02"), (24, b"\x01\0\0")])
def test_nothing_comes_between_the_pieces_of_a_hello(edge, pki, kind, content):
    gate, _ = edge
    hello = Hello(pki, "1.3").message
    with gate.connect() as sock:
        sock.sendall(record(HANDSHAKE, hello[:50]) + record(kind, content) + record(HANDSHAKE, hello[50:]))
        how, said = ends(sock)
    end = gate.wait_end()
    assert (end["why"], end["state"]) == ("handshake_failed", "handshake") and end["detail"]
    assert how == "reset" or (said[0], said[5:]) == (ALERT, bytes([2, UNEXPECTED_MESSAGE]))
